import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { canonicalJson, chainHash, lineDigest, parseRecordLine } from '@bulkhead/authority';
import { openStateFile, type StateFile, stateFileName } from './state-file.ts';
import { beginning, openWorld, request, withdrawal, type World } from './testing/world.ts';

const pathOf = ({ directory }: World): string => join(directory, stateFileName);
const textOf = (world: World): string => readFileSync(pathOf(world), 'utf8');
const linesOf = (world: World, type: string): number => textOf(world).split(`"type":"${type}"`).length - 1;

test('between disk and slots there is no signature that could outlive an older copy of the folder', async () => {
  await using world = await openWorld();
  const before = readFileSync(pathOf(world));
  for (const slot of world.heads) slot.down = true;
  const asked = request(world, withdrawal(world));
  await assert.rejects(world.core().sign(asked), { code: 'hsm/unavailable' });
  await world.stop();
  assert.deepEqual([linesOf(world, 'granted'), linesOf(world, 'signed'), world.driver.made()], [1, 0, 0]);
  const kept = textOf(world);
  assert.doesNotMatch(kept, /"(?:r|s|yParity)":/u);
  // The attack: back to the copy that the slots agree with, and the same intent on another nonce. It is one effect still.
  writeFileSync(pathOf(world), before);
  for (const slot of world.heads) slot.down = false;
  await world.restart();
  await world.core().sign(request(world, asked.intent, { nonce: 1n, evidence: asked.evidence }));
  await world.stop();
  writeFileSync(pathOf(world), kept);
  await world.restart();
  assert.equal(world.core().mode(), 'recovery');
  await assert.rejects(world.core().sign(asked), { code: 'signer/state-rewound' });
});

test('a signature is on disk before it leaves, and a restart answers it, also where no head covers it yet', async () => {
  await using world = await openWorld();
  const asked = [0n, 1n].map((nonce) =>
    request(world, withdrawal(world, { id: `wd_${nonce}`, amount: 1n }), { nonce }),
  );
  const answers = await Promise.all(asked.map(async (each) => world.core().sign(each)));
  await world.stop();
  assert.equal(linesOf(world, 'signed'), 2);
  assert.match(textOf(world).trimEnd().split('\n').at(-1) ?? '', /"type":"signed"/u);
  await world.restart();
  for (const [index, each] of asked.entries()) assert.deepEqual(await world.core().sign(each), answers[index]);
  assert.equal(world.driver.made(), 2);
  const records = await world.core().records(0n, 1_000);
  assert.equal(records.filter(({ line }) => parseRecordLine(line).type === 'signed').length, 2);
});

test('the signatures of one group are written together', async () => {
  await using world = await openWorld();
  let synced = 0;
  const openFile = async (directory: string): Promise<StateFile> => {
    const file = await openStateFile(directory);
    return { ...file, append: async (bytes) => void (await file.append(bytes), (synced += 1)) };
  };
  await world.restart({ openFile });
  const asked = Array.from({ length: 16 }, (_, index) =>
    request(world, withdrawal(world, { id: `wd_many-${index}`, amount: 1n }), { nonce: BigInt(index) }),
  );
  for (const { intent, evidence } of asked) await world.core().outlook(intent, evidence);
  synced = 0;
  await Promise.all(asked.map(async (each) => world.core().sign(each)));
  assert.ok(synced < 16, `${synced} times to disk for 16 decisions`);
});

test('while the slots take a head, signatures of grants that count are written and answered, and nothing else is', async () => {
  await using world = await openWorld();
  const asked = [0n, 1n, 2n].map((nonce) =>
    request(world, withdrawal(world, { id: `wd_${nonce}`, amount: 1n }), { nonce }),
  );
  const [first, second, third] = asked.map((each) => async () => world.core().sign(each));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const key = Promise.withResolvers<void>();
  const slot = Promise.withResolvers<void>();
  world.driver.hold(key.promise);
  const firstAnswer = first();
  await until(() => world.heads[1].head?.sequence === 4n);
  world.heads[1].held = slot.promise;
  const others = [second()];
  await until(() => linesOf(world, 'granted') === 2);
  others.push(third());
  // Its record would have been written long since, or waits in front of everything.
  await setTimeout(50);
  key.resolve();
  await firstAnswer;
  assert.deepEqual([linesOf(world, 'signed'), linesOf(world, 'granted')], [1, 2]);
  slot.resolve();
  await Promise.all(others);
  assert.deepEqual([linesOf(world, 'signed'), linesOf(world, 'granted')], [3, 3]);
  await world.restart();
  assert.equal(world.core().mode(), 'ready');
});

/** Waits for what happens by itself. */
async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await setTimeout(1);
}

test('a key that fails after the grant: its fault is told, nothing else is granted, and a repetition signs', async () => {
  await using world = await openWorld();
  const asked = request(world, withdrawal(world));
  world.driver.fail(true);
  await assert.rejects(world.core().sign(asked), { code: 'hsm/unavailable' });
  assert.deepEqual([linesOf(world, 'granted'), linesOf(world, 'signed')], [1, 0]);
  await world.restart();
  const elsewhere = request(world, asked.intent, { nonce: 1n, evidence: asked.evidence });
  await assert.rejects(world.core().sign(elsewhere), { code: 'signer/intent-spent' });
  await assert.rejects(world.core().sign(asked), { code: 'hsm/unavailable' });
  world.driver.fail(false);
  const both = await Promise.all([world.core().sign(asked), world.core().sign(asked)]);
  assert.deepEqual(both[0], both[1]);
  assert.deepEqual([linesOf(world, 'granted'), linesOf(world, 'signed'), world.driver.made()], [1, 1, 1]);
});

test('a signature that is lost with an older copy of the folder is made again for the same bytes alone', async () => {
  await using world = await openWorld();
  const asked = request(world, withdrawal(world));
  world.driver.fail(true);
  await assert.rejects(world.core().sign(asked), { code: 'hsm/unavailable' });
  copyFileSync(pathOf(world), `${pathOf(world)}.copy`);
  world.driver.fail(false);
  await world.core().sign(asked);
  await world.stop();
  copyFileSync(`${pathOf(world)}.copy`, pathOf(world));
  await world.restart();
  assert.equal(world.core().mode(), 'ready');
  await world.core().sign(asked);
  const elsewhere = request(world, asked.intent, { nonce: 1n, evidence: asked.evidence });
  await assert.rejects(world.core().sign(elsewhere), { code: 'signer/intent-spent' });
});

/** Appends a record with the right hash, as anybody can who writes to the folder. */
function forge(world: World, own: { readonly at: bigint; readonly type: string; readonly fields: object }): void {
  const last =
    textOf(world)
      .split('\n')
      .filter((line) => /^[0-9a-f]{64} /u.test(line))
      .at(-1) ?? '';
  const { sequence } = parseRecordLine(last.slice(65));
  const { at, type, fields } = own;
  const line = canonicalJson({ ...fields, type, at: String(at), sequence: String(sequence + 1n) });
  const { hashes } = world.options;
  const hash = chainHash(hashes, last.slice(0, 64), lineDigest(hashes, line));
  writeFileSync(pathOf(world), `${textOf(world)}${hash} ${line}\n`);
}

test('a signature that somebody wrote into the folder is not given out, moves no time, and hides none', async () => {
  await using world = await openWorld();
  const asked = request(world, withdrawal(world));
  const { signature, record } = await world.core().sign(asked);
  await world.stop();
  const fields = { grant: String(record.sequence), r: '1', s: '1', yParity: '0' };
  const { at } = parseRecordLine(record.line);
  forge(world, { at, type: 'signed', fields });
  await world.restart();
  assert.deepEqual((await world.core().sign(asked)).signature, signature);
  await world.stop();
  forge(world, { at: beginning * 2n, type: 'signed', fields });
  await world.restart();
  assert.deepEqual((await world.core().sign(asked)).signature, signature);
  const newest = (await world.core().records(0n, 1_000)).at(-1);
  assert.equal(parseRecordLine(newest?.line ?? '').at, world.clock.seconds);
});
