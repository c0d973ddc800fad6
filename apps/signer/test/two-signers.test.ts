import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SignerClient, verifyRecord } from '@bulkhead/signer-client';
import type { SignerConfigurationFile } from '../src/process/configuration.ts';
import type { RunningSigner, SignerOrder } from '../src/process/launch.ts';
import { beneficiary, entropy, gasGrant, prepareStage, type Stage } from './process-stage.ts';

/** Where the test is root, each signer has a user of its own; else both have the test's, and folders keep them apart. */
const own = process.getuid?.() ?? 0;
const separate = own === 0;

type Seat = AsyncDisposable & {
  readonly stage: Stage;
  readonly user: SignerOrder['user'];
  start(change?: Partial<SignerConfigurationFile>): Promise<RunningSigner>;
};

async function prepareSeat(uid: number, seed: Uint8Array): Promise<Seat> {
  const stage = await prepareStage(seed);
  const { directory } = stage;
  const socket = { path: join(directory, 'run', 'signer.sock'), users: [own] };
  mkdirSync(join(directory, 'run'), { mode: 0o700 });
  mkdirSync(join(directory, 'other'), { mode: 0o700 });
  const user = separate ? { uid, gid: uid } : undefined;
  if (separate) give(directory, uid);
  return {
    stage,
    user,
    start: async (change = {}) => stage.start({ socket, ...change }, user),
    [Symbol.asyncDispose]: async () => stage[Symbol.asyncDispose](),
  };
}

function give(directory: string, uid: number): void {
  execFileSync('chown', ['-R', `${uid}:${uid}`, directory]);
}

/** A socket beside the one in use, so that only folder and keys are in question. */
function elsewhere({ stage }: Seat): Pick<SignerConfigurationFile, 'socket'> {
  return { socket: { path: join(stage.directory, 'other', 'signer.sock'), users: [own] } };
}

/** What a program of a user, whatever it is, gets to read. */
function readAs(user: SignerOrder['user'], path: string): string {
  const script = `try { require('node:fs').closeSync(require('node:fs').openSync(process.argv[1], 'r')); console.log('read'); }
    catch (error) { console.log(error.code); }`;
  const { stdout } = spawnSync(process.execPath, ['-e', script, path], { encoding: 'utf8', ...user });
  return stdout.trim();
}

async function grantOf(running: RunningSigner): ReturnType<SignerClient['sign']> {
  await using client = new SignerClient({ endpoint: running.endpoint });
  const { xpub } = await client.account(beneficiary);
  return await client.sign(gasGrant(xpub, 1));
}

async function identitiesOf(running: RunningSigner): Promise<readonly string[]> {
  await using client = new SignerClient({ endpoint: running.endpoint });
  return (await client.status()).identities;
}

test('two signers side by side decide for themselves, and each refuses folder and keys of the other', async () => {
  await using one = await prepareSeat(65_533, entropy);
  await using two = await prepareSeat(65_534, entropy.toReversed());
  const running = [await one.start(), await two.start()] as const;
  const [first, second] = await Promise.all(running.map(grantOf));
  assert.ok(first !== undefined && second !== undefined);
  assert.notEqual(first.signature.r, second.signature.r);
  const [ours, theirs] = await Promise.all(running.map(identitiesOf));
  verifyRecord(first.record, ours ?? []);
  verifyRecord(second.record, theirs ?? []);
  assert.throws(() => verifyRecord(first.record, theirs ?? []), { code: 'signer/certificate-invalid' });

  // Both run. A third one on the folder of the other comes in by no user.
  const theirState = { ...elsewhere(one), state: two.stage.configuration.state };
  const held = separate ? 'signer/state-damaged' : 'signer/other-signer-active';
  await assert.rejects(one.start(theirState), { code: held });
  for (const [mine, other, { pid }] of [
    [one, two, running[1]],
    [two, one, running[0]],
  ] as const) {
    const { directory, configuration } = other.stage;
    for (const path of [join(configuration.state, 'state.log'), join(directory, 'keys.json')]) {
      assert.ok(existsSync(path));
      assert.equal(readAs(mine.user, path), separate ? 'EACCES' : 'read', path);
    }
    if (own !== 0 || mine.user !== undefined) {
      assert.equal(readAs(mine.user, `/proc/${pid}/mem`), 'EACCES');
      assert.equal(readAs(other.user, `/proc/${pid}/mem`), 'EACCES', 'nor does another program of its own user');
    }
    if (separate) assert.equal(statSync(`/proc/${pid}/mem`).uid, 0);
  }

  // Neither runs, and somebody has given one user everything: keys and folder still do not fit each other.
  await Promise.all(running.map(async (each) => each.stop()));
  const sequence = statSync(join(two.stage.configuration.state, 'state.log')).size;
  if (one.user !== undefined) give(two.stage.directory, one.user.uid);
  await assert.rejects(one.start(theirState), { code: 'signer/not-ready', message: /belongs to the identity keys/u });
  const theirKeys = { ...elsewhere(one), tree: two.stage.configuration.tree };
  await assert.rejects(one.start(theirKeys), { code: 'signer/not-ready', message: /belongs to the identity keys/u });
  assert.equal(statSync(join(two.stage.configuration.state, 'state.log')).size, sequence, 'nothing was written there');
  const again = await one.start();
  assert.deepEqual((await grantOf(again)).signature, first.signature);
});
