import { keccak_256 } from '@noble/hashes/sha3.js';

/**
 * A Merkle tree of `fixed-merkle-tree`, the fastest of those from npm that hash with a function that is passed in. It hashes each leaf
 * once and each node once, with Keccak-256 of @noble: two hashes for a leaf, where ours makes four and adds the sums.
 */
export async function merkleBaseline(): Promise<(leaves: number) => unknown> {
  const Tree = await treeOfOthers();
  return (leaves) => build(Tree, leaves);
}

function build(Tree: Constructor, leaves: number): unknown {
  const both = new Uint8Array(64);
  const hashFunction = (left: Uint8Array, right: Uint8Array): Uint8Array => {
    both.set(left);
    both.set(right, 32);
    return keccak_256(both);
  };
  const content = new Uint8Array(93);
  const view = new DataView(content.buffer);
  const elements = Array.from({ length: leaves }, (_, at) => {
    view.setUint32(0, at);
    return keccak_256(content);
  });
  return Reflect.construct(Tree, [
    Math.ceil(Math.log2(leaves)),
    elements,
    { hashFunction, zeroElement: new Uint8Array(32) },
  ]);
}

type Constructor = new (...parts: unknown[]) => unknown;

/** Its types say less than its code: what comes in is looked at. The name is a value, because only who runs this bench has it. */
async function treeOfOthers(): Promise<Constructor> {
  const name: string = 'fixed-merkle-tree';
  const loaded: unknown = await import(name);
  for (const from of [loaded, memberOf(loaded, 'default')]) {
    const found = memberOf(from, 'MerkleTree');
    if (isConstructor(found)) return found;
  }
  throw new TypeError(`The package ${name} has no MerkleTree. Run npm ci.`);
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function isConstructor(value: unknown): value is Constructor {
  return typeof value === 'function';
}
