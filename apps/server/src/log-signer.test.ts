import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError, type ProofSigner } from '@bulkhead/domain';
import { type CheckpointOrder, verifyEd25519 } from '@bulkhead/log';
import { openWorld, type World } from '@bulkhead/signer/testing';
import { checkpointText, consistencyProof, emptyFrontier, extend, leafHash, rootOf } from '@bulkhead/tlog';
import { certifiedKey, checkpointsBySigner } from './log-signer.ts';

/** A tree of so many leaves as the database has it. */
function treeOf(leaves: number, salt = 0): { order(size: number, signed: number): CheckpointOrder } {
  const nodes = new Map<string, Uint8Array>();
  const hashes = Array.from({ length: leaves }, (_, at) => leafHash(Uint8Array.of(salt, at)));
  extend(emptyFrontier, hashes, ({ level, index, hash }) => nodes.set(`${level}/${index}`, hash));
  const read = async (level: number, index: number): Promise<Uint8Array> =>
    nodes.get(`${level}/${index}`) ?? new Uint8Array();
  return {
    order: (size, signed) => ({
      head: { size, root: rootOf(extend(emptyFrontier, hashes.slice(0, size))) },
      signed,
      continuation: (older) => consistencyProof(read, older, size),
    }),
  };
}

type Reached = Parameters<typeof certifiedKey>[0];

async function reachedOf(world: World, own: Partial<ProofSigner> = {}): Promise<Reached> {
  const { identities, deployment } = await world.core().status();
  const signer = {
    logKey: async () => world.core().logKey(),
    signCheckpoint: async (request: Parameters<ProofSigner['signCheckpoint']>[0]) =>
      world.core().signCheckpoint(request),
    ...own,
  };
  return { pinned: { identities, deployment }, signer };
}

function textOf(origin: string, { head }: CheckpointOrder): Uint8Array {
  return Buffer.from(checkpointText({ origin, ...head }));
}

test('checkpoints are signed by the certified key, from where the signer stands, and a fork is not', async () => {
  await using world = await openWorld();
  const reached = await reachedOf(world);
  const { key, sign } = await checkpointsBySigner(reached, undefined)();
  const tree = treeOf(20);
  // The answer to seven leaves was lost after it was given: the database knows of four.
  for (const [size, signed] of [
    [4, 0],
    [7, 4],
    [12, 4],
    [12, 12],
    [20, 12],
  ] as const) {
    const order = tree.order(size, signed);
    const message = textOf(key.name, order);
    const signature = await sign(message, order);
    assert.ok(verifyEd25519({ signature, message, publicKey: key.publicKey }), `${size} leaves after ${signed}`);
  }
  const fork = treeOf(30, 1).order(30, 20);
  await assert.rejects(sign(textOf(key.name, fork), fork), { code: 'signer/log-forked' });
  const older = tree.order(9, 7);
  await assert.rejects(sign(textOf(key.name, older), older), { code: 'signer/log-forked' });
});

test('a log is not begun under another name than the configured one, nor by a key that nobody certified', async () => {
  await using world = await openWorld();
  const reached = await reachedOf(world);
  const { origin } = await certifiedKey(reached, undefined);
  await certifiedKey(reached, origin);
  await assert.rejects(certifiedKey(reached, 'other.example/log'), { code: 'config/invalid' });
  const lying = await reachedOf(world, {
    logKey: async () => ({ ...(await world.core().logKey()), publicKey: 'ab'.repeat(32) }),
  });
  await assert.rejects(checkpointsBySigner(lying, undefined)(), { code: 'signer/certificate-invalid' });
});

test('what a signer answers counts only as a signature over what was asked for', async () => {
  await using world = await openWorld();
  const tree = treeOf(9);
  const lying = await reachedOf(world, {
    signCheckpoint: async (request) => {
      const { signature, ...rest } = await world.core().signCheckpoint(request);
      return { ...rest, signature: signature.map((byte, at) => (at === 0 ? byte ^ 1 : byte)) };
    },
  });
  const { key, sign } = await checkpointsBySigner(lying, undefined)();
  const order = tree.order(9, 0);
  await assert.rejects(sign(textOf(key.name, order), order), { code: 'signer/certificate-invalid' });
});

test('while the signer is away there is no key and no signature, and both come when it is back', async () => {
  await using world = await openWorld();
  let away = true;
  const present = async <T>(work: () => Promise<T>): Promise<T> => {
    if (away) throw new CustodyError('signer/unavailable', 'Nobody answers.');
    return work();
  };
  const reached = await reachedOf(world, {
    logKey: async () => present(async () => world.core().logKey()),
    signCheckpoint: async (request) => present(async () => world.core().signCheckpoint(request)),
  });
  const signer = checkpointsBySigner(reached, undefined);
  await assert.rejects(signer(), { code: 'signer/unavailable' });
  away = false;
  const { key, sign } = await signer();
  const order = treeOf(3).order(3, 0);
  away = true;
  await assert.rejects(sign(textOf(key.name, order), order), { code: 'signer/unavailable' });
  away = false;
  assert.equal((await sign(textOf(key.name, order), order)).length, 64);
  assert.equal(await signer(), await signer(), 'the key is asked for once');
});
