import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMPT, createMerkleProof } from '@ethereumjs/mpt';
import { hexToBytes } from '@noble/hashes/utils.js';
import { decodeRlpBytes, decodeRlpList, encodeRlpList } from '../src/rlp.ts';
import { provenValue } from '../src/trie-proof.ts';
import { dice } from './dice.ts';

/** A trie of hashed keys by the other implementation, with proofs. */
async function trieOf(
  keys: readonly Uint8Array[],
  values: readonly Uint8Array[],
): Promise<Awaited<ReturnType<typeof createMPT>>> {
  const trie = await createMPT({ useKeyHashing: true });
  for (const [at, key] of keys.entries()) await trie.put(key, values[at] ?? Uint8Array.of(1));
  return trie;
}

test('proofs of another implementation are read, of what is there and of what is not, in tries of every size', async () => {
  const random = dice(1);
  let absent = 0;
  for (const size of [1, 2, 3, 16, 17, 100, 700]) {
    const keys = Array.from({ length: size }, () => random.bytes(20));
    // Short values make nodes that stand in their parents.
    const values = keys.map((_key, at) => random.bytes(1 + (at % 40)));
    const trie = await trieOf(keys, values);
    for (const [at, key] of keys.entries()) {
      if (at > 60) break;
      const nodes = await createMerkleProof(trie, key);
      assert.deepEqual(provenValue(trie.root(), key, nodes), values[at]);
      const other = random.bytes(20);
      assert.equal(provenValue(trie.root(), other, await createMerkleProof(trie, other)), 'absent');
      absent += 1;
    }
  }
  assert.ok(absent > 150);
});

test('ten thousand tampered proofs: none shows another value, nor that nothing is there', async () => {
  const random = dice(2);
  const keys = Array.from({ length: 300 }, () => random.bytes(20));
  const values = keys.map(() => random.bytes(33));
  const trie = await trieOf(keys, values);
  const proofs = await Promise.all(keys.slice(0, 40).map(async (key) => await createMerkleProof(trie, key)));
  for (let round = 0; round < 10_000; round += 1) {
    const which = random.below(proofs.length);
    const key = keys[which] ?? assert.fail();
    const nodes = (proofs[which] ?? assert.fail()).map((node) => Uint8Array.from(node));
    tamper(nodes, random);
    const found = provenValue(trie.root(), key, nodes);
    assert.ok(found === undefined || found === values[which] || deepEqual(found, values[which]), `round ${round}`);
  }
});

/** Changes one thing about a proof: a bit, a node that is gone, there twice, cut off, or moved. */
function tamper(nodes: Uint8Array[], random: ReturnType<typeof dice>): void {
  const at = random.below(nodes.length);
  const node = nodes[at] ?? assert.fail();
  switch (random.below(5)) {
    case 0:
      node[random.below(node.length)] = random.below(256);
      return;
    case 1:
      nodes.splice(at, 1);
      return;
    case 2:
      nodes.splice(at, 0, node);
      return;
    case 3:
      nodes[at] = node.subarray(0, random.below(node.length));
      return;
    default:
      nodes.unshift(nodes.pop() ?? node);
  }
}

function deepEqual(a: Uint8Array | 'absent', b: Uint8Array | undefined): boolean {
  return a !== 'absent' && b !== undefined && a.length === b.length && a.every((byte, at) => byte === b[at]);
}

test('a proof that goes on behind what was found, or answers for another root or key, proves nothing', async () => {
  const random = dice(3);
  const keys = Array.from({ length: 50 }, () => random.bytes(20));
  const trie = await trieOf(keys, []);
  const [key = assert.fail(), other = assert.fail()] = keys;
  const nodes = await createMerkleProof(trie, key);
  const [root] = nodes;
  assert.ok(root !== undefined);
  assert.equal(provenValue(trie.root(), key, [...nodes, root]), undefined);
  assert.equal(provenValue(random.bytes(32), key, nodes), undefined);
  assert.equal(provenValue(trie.root(), other, nodes), undefined);
  assert.equal(provenValue(trie.root(), key, []), undefined);
  assert.equal(
    provenValue(
      trie.root(),
      key,
      Array.from({ length: 66 }, () => root),
    ),
    undefined,
  );
});

test('RLP has one form of each value', () => {
  const long = new Uint8Array(300).fill(7);
  for (const items of [
    [],
    [new Uint8Array()],
    [Uint8Array.of(0x7f), Uint8Array.of(0x80)],
    [long],
    [long, long, Uint8Array.of(1)],
  ]) {
    const decoded = decodeRlpList(encodeRlpList(items));
    assert.deepEqual(
      decoded?.map((item) => (item.kind === 'bytes' ? Uint8Array.from(item.bytes) : undefined)),
      items,
    );
  }
  for (const odd of ['', '80', 'c1', 'c0c0', 'c28180', 'f800', 'f90001c0', 'c18100', 'b800', 'c2b800', 'c3b80100']) {
    const bytes = hexToBytes(odd);
    // A single byte that is written long, lengths that are written long, and what is cut off or followed by something.
    if (odd === 'c28180') assert.notEqual(decodeRlpList(bytes), undefined, 'the byte 0x80 has a prefix');
    else assert.equal(decodeRlpList(bytes), undefined, odd);
  }
  assert.equal(decodeRlpBytes(Uint8Array.of(0x81, 0x05)), undefined, 'a single byte stands for itself');
  assert.deepEqual(decodeRlpBytes(Uint8Array.of(0x05)), Uint8Array.of(5));
  assert.equal(decodeRlpBytes(Uint8Array.of(0x05, 0x05)), undefined);
});
