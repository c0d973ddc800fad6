import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { intentText } from '@bulkhead/domain';
import { openHeadFile } from '@bulkhead/keys';
import { openSignerCore } from './signer-core.ts';
import { type Doom, readRequest, type WrittenRequest } from './testing/doomed.ts';
import { openWorld, request, withdrawal, type World } from './testing/world.ts';

const script = fileURLToPath(new URL('./testing/doomed.ts', import.meta.url));

/** Two requests at the same time, in one group, and one that follows while they are under way. */
function requestsOf(world: World): readonly WrittenRequest[] {
  return ['wd_one', 'wd_two', 'wd_three'].map((id, index) => {
    const asked = request(world, withdrawal(world, { id }), { nonce: BigInt(index) });
    const { request: requested, approvals } = asked.evidence;
    assert.ok(requested !== undefined);
    return {
      intent: intentText(asked.intent),
      request: requested,
      approvals,
      compartment: asked.key.compartment,
      unsigned: Buffer.from(asked.unsigned).toString('hex'),
    };
  });
}

/** Lines that the process said before its end: each signature that left it. */
async function live(doom: Doom): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, JSON.stringify(doom)], (error, stdout, stderr) => {
      if (error !== null && error.signal !== 'SIGKILL') reject(new Error(stderr, { cause: error }));
      else resolve(stdout.split('\n').filter((line) => line !== ''));
    });
  });
}

/** Starts on what the process left: everything that left it counts, and nothing is signed twice. */
async function examine(world: World, doom: Doom, said: readonly string[]): Promise<void> {
  const options = { ...world.options, stateDirectory: doom.directory, heads: doom.headFiles.map(openHeadFile) };
  await using core = await openSignerCore(options);
  assert.equal(core.mode(), 'ready');
  for (const written of doom.requests) {
    const asked = readRequest(written);
    const { signature, record } = await core.sign(asked);
    const released = said.filter((line) => line.startsWith(`${written.unsigned} `));
    for (const line of released) assert.equal(line, `${written.unsigned} ${signature.r}`, 'A second signature left.');
    const again = await core.sign(asked);
    assert.deepEqual([again.signature, again.record.line], [signature, record.line]);
    const elsewhere = request(world, asked.intent, { nonce: 50n, evidence: asked.evidence });
    await assert.rejects(core.sign(elsewhere), { code: 'signer/intent-spent' });
  }
  const records = await core.records(0n, 1_000);
  const granted = records.filter(({ line }) => line.includes('"type":"granted"'));
  assert.equal(granted.length, doom.requests.length, 'Each request has one grant.');
}

test('killed between any two steps of a commit: nothing is lost, and nothing is signed twice', async (t) => {
  const heads = mkdtempSync(join(tmpdir(), 'bulkhead-heads-'));
  t.after(() => rmSync(heads, { recursive: true }));
  const names = ['slot-1', 'slot-2'];
  await using world = await openWorld({ heads: names.map((name) => openHeadFile(join(heads, name))) });
  const requests = requestsOf(world);
  await world.stop();
  const seconds = String(world.clock.seconds);
  const doomOf = (step: number): Doom => {
    const own = join(heads, `step-${step}`);
    cpSync(world.directory, join(own, 'state'), { recursive: true });
    for (const name of names) cpSync(join(heads, name), join(own, name));
    const headFiles = names.map((name) => join(own, name));
    return { directory: join(own, 'state'), headFiles, step, seconds, requests };
  };
  const whole = doomOf(-1);
  const said = await live(whole);
  await examine(world, whole, said);
  const released: number[] = [];
  let next = 0;
  let survived = false;
  const worker = async (): Promise<void> => {
    // How many places there are differs with what meets what: they are tried until one is behind the end.
    while (!survived) {
      const doom = doomOf(next++);
      const lines = await live(doom);
      if (lines.some((line) => line.startsWith('steps '))) survived = true;
      else released.push(lines.length);
      await examine(world, doom, lines);
    }
  };
  await Promise.all([worker(), worker()]);
  assert.ok(released.length >= 12, `It died at ${released.length} places.`);
  const between = released.filter((count) => count > 0 && count < requests.length);
  assert.ok(released.includes(0) && between.length > 0, 'It died before and between the answers.');
});
