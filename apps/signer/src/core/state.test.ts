import assert from 'node:assert/strict';
import {
  appendFileSync,
  constants,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { listText } from '@bulkhead/authority';
import type { AuthorityIntent } from '@bulkhead/domain';
import { createState } from './genesis.ts';
import { recoveryId } from './recovery-heads.ts';
import { openSignerCore } from './signer-core.ts';
import { openStateFile, type StateFile, stateFileName } from './state-file.ts';
import { robot } from './testing/approver.ts';
import { testHeads, testIdentity } from './testing/keys.ts';
import * as registry from './testing/registry.ts';
import { change, openWorld, request, withdrawal, type World } from './testing/world.ts';

const pathOf = ({ directory }: World): string => join(directory, stateFileName);

async function signed(world: World, id: string, nonce: bigint): Promise<void> {
  await world.core().sign(request(world, withdrawal(world, { id, amount: 1n }), { nonce }));
}

async function rewind(world: World): Promise<void> {
  copyFileSync(pathOf(world), `${pathOf(world)}.copy`);
  await signed(world, 'wd_lost', 0n);
  await world.stop();
  copyFileSync(`${pathOf(world)}.copy`, pathOf(world));
}

async function recovery(
  world: World,
  own: Partial<Extract<AuthorityIntent, { readonly head: string }>> = {},
): Promise<AuthorityIntent> {
  const { sequence } = await world.core().status();
  const lines = readFileSync(pathOf(world), 'utf8')
    .split('\n')
    .filter((line) => /^[0-9a-f]{64} /u.test(line));
  const head = lines[Number(sequence) - 1]?.slice(0, 64) ?? '';
  const expiresAt = world.clock.seconds + 600n;
  const remembered = world.heads.map((slot) => slot.head).filter((found) => found !== undefined);
  const id = recoveryId(world.options.hashes, remembered);
  return { deployment: registry.deployment, kind: 'state-recovery', id, sequence, head, expiresAt, ...own };
}

test('an older copy opens for recovery alone, and goes on once the root quorum named its end', async () => {
  await using world = await openWorld();
  await rewind(world);
  await world.restart();
  assert.equal(world.core().mode(), 'recovery');
  await assert.rejects(signed(world, 'wd_new', 0n), { code: 'signer/state-rewound' });
  await assert.rejects(world.core().account(registry.compartments.first), { code: 'signer/state-rewound' });
  const { slots } = await world.core().status();
  assert.match(slots.find(({ name }) => name === 'state')?.detail ?? '', /older copy was restored/u);
  assert.equal((await world.core().records(0n, 10)).length, 2);

  const other = await recovery(world, { sequence: 1n });
  await assert.rejects(world.core().change({ intent: other, list: '', evidence: world.approved(other) }), {
    code: 'signer/state-rewound',
  });
  const intent = await recovery(world);
  const { olga, ben } = registry.people;
  const few = { approvals: [ben.approve(intent), olga.approve(intent)] };
  await assert.rejects(world.core().change({ intent, list: '', evidence: few }), { code: 'signer/approvals-missing' });
  assert.equal(world.core().mode(), 'recovery');

  const asked = { intent, list: '', evidence: world.approved(intent) };
  const recovered = await world.core().change(asked);
  assert.equal(world.core().mode(), 'ready');
  await signed(world, 'wd_new', 0n);
  assert.deepEqual(await world.core().change(asked), recovered);
  await world.restart();
  assert.equal(world.core().mode(), 'ready');
  assert.deepEqual(await world.core().change(asked), recovered);
  await assert.rejects(world.core().change({ ...asked, intent: other }), { code: 'signer/protocol' });
});

test('what a recovery has forgiven is forgiven once: a token put back to it later is refused', async () => {
  await using world = await openWorld();
  await rewind(world);
  const forgiven = world.heads.map(({ head }) => head);
  await world.restart();
  const intent = await recovery(world);
  await world.core().change({ intent, list: '', evidence: world.approved(intent) });
  await signed(world, 'wd_after', 1n);
  await world.stop();
  for (const [at, slot] of world.heads.entries()) slot.head = forgiven[at];
  await world.restart();
  assert.equal(world.core().mode(), 'recovery');
  await assert.rejects(signed(world, 'wd_again', 2n), { code: 'signer/state-rewound' });
});

test('a recovery that a slot interrupted goes on with the same intent, and after a restart by itself', async () => {
  for (const restart of [false, true]) {
    await using world = await openWorld();
    await rewind(world);
    await world.restart();
    const intent = await recovery(world);
    const asked = { intent, list: '', evidence: world.approved(intent) };
    const [, second] = world.heads;
    second.write = async () => Promise.reject(new Error('gone'));
    await assert.rejects(world.core().change(asked), { code: 'hsm/unavailable' });
    second.write = async (head) => {
      second.head = head;
    };
    if (restart) await world.restart();
    else await world.core().change(asked);
    assert.equal(world.core().mode(), 'ready');
    await signed(world, 'wd_new', 0n);
  }
});

test('approvals of one recovery are worth nothing for the next, also with the same copy and the clock of then', async () => {
  await using world = await openWorld();
  await rewind(world);
  await world.restart();
  const intent = await recovery(world);
  const asked = { intent, list: '', evidence: world.approved(intent) };
  const then = world.clock.seconds;
  await world.core().change(asked);
  await signed(world, 'wd_since', 0n);
  await world.stop();
  copyFileSync(`${pathOf(world)}.copy`, pathOf(world));
  world.clock.seconds = then;
  await world.restart();
  await assert.rejects(world.core().change(asked), {
    code: 'signer/state-rewound',
    message: /the id sr_[0-9a-f]{64}/u,
  });
  assert.equal(world.core().mode(), 'recovery');
});

test('a change that was made before does not end a standstill, nor does a recovery of then', async () => {
  await using world = await openWorld();
  const items = [{ item: 'person-suspended', person: 'dora' }] as const;
  const before = change(world, { kind: 'enrolment', items, id: 'en_before', before: 2n });
  await world.core().change(before);
  await rewind(world);
  await world.restart();
  const intent = await recovery(world);
  const recovered = { intent, list: '', evidence: world.approved(intent) };
  await world.core().change(recovered);
  const [first, second] = world.heads;
  const heads = [first.head, second.head];
  for (const nonce of [0n, 1n, 2n]) await signed(world, `wd_after-${nonce}`, nonce);
  await world.stop();
  [first.head, second.head] = heads;
  await world.restart();
  for (const asked of [before, recovered]) {
    await assert.rejects(world.core().change(asked), { code: 'signer/state-rewound' });
    assert.equal(world.core().mode(), 'recovery');
  }
  await assert.rejects(signed(world, 'wd_new', 3n), { code: 'signer/state-rewound' });
});

test('a log that somebody made up, with identity keys and people of his own, cannot even be recovered', async () => {
  await using world = await openWorld();
  await world.stop();
  const mallory = robot('mallory');
  const people = ['m-one', 'm-two', 'm-three', 'm-four'].map((id) => {
    const roles = ['approver', 'operational', 'requester', 'root'] as const;
    return { item: 'person', id, name: id, roles, keys: [id === 'm-one' ? mallory.key : robot(id).key] } as const;
  });
  const list = listText([...registry.genesisItems.filter(({ item }) => item !== 'person'), ...people]);
  const genesis = { deployment: registry.deployment, list };
  truncateSync(pathOf(world), 0);
  // The keys of the signer are named, so that it takes the log for its own; what is signed is signed by the other.
  const identities = [testIdentity('mallory'), testIdentity()];
  await createState({ ...world.options, identities, heads: [testHeads('forged')], genesis });
  await assert.rejects(world.restart(), { code: 'signer/state-damaged', message: /No slot proves this log/u });
  for (const slot of world.heads) slot.head = undefined;
  await assert.rejects(world.restart(), { code: 'signer/state-damaged', message: /No slot proves this log/u });
});

test('a grant that never counted is not told after an older copy went on without it', async () => {
  await using world = await openWorld();
  await world.stop();
  const before = readFileSync(pathOf(world));
  await world.restart();
  for (const slot of world.heads) slot.down = true;
  await assert.rejects(signed(world, 'wd_one', 0n), { code: 'hsm/unavailable' });
  await world.stop();
  const ahead = readFileSync(pathOf(world));
  assert.ok(ahead.length > before.length && ahead.includes('"type":"granted"'));
  for (const slot of world.heads) {
    slot.down = false;
    slot.head = { sequence: slot.head?.sequence ?? 0n, hash: 'ff'.repeat(32) };
  }
  await world.restart();
  assert.equal(world.core().mode(), 'recovery');
  const told = await world.core().records(0n, 1_000);
  assert.ok(told.length > 2 && told.every(({ line }) => !line.includes('"type":"granted"')));
});

test('what a crash tore off is cut, and what the slots remember may not be missing', async () => {
  await using world = await openWorld();
  await signed(world, 'wd_one', 0n);
  await world.stop();
  const whole = readFileSync(pathOf(world));
  appendFileSync(pathOf(world), `${'ab'.repeat(32)} {"at":"1","half`);
  await world.restart();
  await world.stop();
  assert.ok(readFileSync(pathOf(world)).subarray(0, whole.length).equals(whole));
  const size = readFileSync(pathOf(world)).length;
  truncateSync(pathOf(world), size - 10);
  await world.restart();
  assert.equal(world.core().mode(), 'recovery');
  await assert.rejects(signed(world, 'wd_two', 1n), { code: 'signer/state-damaged' });
});

test('a record that was changed is noticed, wherever it stands', async () => {
  await using world = await openWorld();
  await signed(world, 'wd_one', 0n);
  await world.stop();
  const text = readFileSync(pathOf(world), 'utf8');
  writeFileSync(
    pathOf(world),
    text.replace('"name":"Olga"', '"name":"Ogla"').replace('\\"name\\":\\"Olga\\"', '\\"name\\":\\"Ogla\\"'),
  );
  await assert.rejects(world.restart(), { code: 'signer/state-damaged' });
  writeFileSync(pathOf(world), text.replace('"type":"granted"', '"type":"refused"'));
  await world.restart();
  await assert.rejects(signed(world, 'wd_two', 1n), { code: 'signer/state-damaged' });
});

test('a hash that was changed beside its record is noticed', async () => {
  await using world = await openWorld();
  await signed(world, 'wd_one', 0n);
  await world.stop();
  const text = readFileSync(pathOf(world), 'utf8');
  const hash = /\n([0-9a-f]{64}) [^\n]*"type":"changed"/u.exec(text)?.[1] ?? '';
  // The line's own hash stands first; the head behind it says the same once more.
  writeFileSync(pathOf(world), text.replace(hash, 'ab'.repeat(32)));
  await world.restart();
  await assert.rejects(signed(world, 'wd_two', 1n), { code: 'signer/state-damaged' });
});

test('a log that nobody of this signer has signed is refused', async () => {
  await using world = await openWorld();
  await world.stop();
  await assert.rejects(world.restart({ identities: [testIdentity('another')] }), { code: 'signer/not-ready' });
  const text = readFileSync(pathOf(world), 'utf8');
  const last = /"signature":"([0-9a-f]{128})"[^\n]*\n$/u.exec(text)?.[1] ?? '';
  writeFileSync(pathOf(world), text.replace(last, '00'.repeat(64)));
  await assert.rejects(world.restart(), { code: 'signer/state-damaged' });
});

test('two signers: the folder is locked, and a second one on a copy of it is found out by the slots', async () => {
  await using world = await openWorld();
  await assert.rejects(openSignerCore(world.options), { code: 'signer/other-signer-active' });
  const [first] = world.heads;
  first.head = { sequence: 1_000n, hash: 'ff'.repeat(32) };
  await assert.rejects(signed(world, 'wd_one', 0n), { code: 'signer/other-signer-active' });
  first.head = undefined;
  await assert.rejects(signed(world, 'wd_two', 1n), { code: 'signer/other-signer-active' });
});

test('two signers on copies of one folder: only one of them answers, however their steps fall between each other', async () => {
  for (const lateMs of [0, 10, 25, 40, 55, 70, 85, 100, 130]) {
    await using world = await openWorld();
    const other = mkdtempSync(join(tmpdir(), 'bulkhead-other-'));
    copyFileSync(pathOf(world), join(other, stateFileName));
    for (const slot of world.heads) slow(slot);
    const second = openSignerCore({ ...world.options, stateDirectory: other }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, lateMs));
    const asked = request(world, withdrawal(world));
    const elsewhere = request(world, asked.intent, { nonce: 7n, evidence: asked.evidence });
    const first = world.core().sign(asked).then(yes, no);
    const core = await second;
    const both = await Promise.all([first, core?.sign(elsewhere).then(yes, no)]);
    assert.ok(both.filter((answered) => answered === true).length <= 1, `Both have signed, ${lateMs} ms apart.`);
    await core?.[Symbol.asyncDispose]();
    rmSync(other, { recursive: true });
  }
});

const yes = (): boolean => true;
const no = (): boolean => false;

/** Each step takes a while before and after it happens, so that others can come in between. */
function slow(slot: World['heads'][number]): void {
  const pause = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));
  const slowly =
    <A extends readonly unknown[], R>(work: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      await pause();
      const result = await work(...given);
      await pause();
      return result;
    };
  slot.read = slowly(slot.read.bind(slot));
  slot.write = slowly(slot.write.bind(slot));
  slot.readClaim = slowly(slot.readClaim.bind(slot));
  slot.writeClaim = slowly(slot.writeClaim.bind(slot));
}

test('a signer whose slot was claimed by another has stopped; one that is away at the start is claimed when it is back', async () => {
  await using world = await openWorld({ limits: { headsRequired: 1 } });
  const [, second] = world.heads;
  await world.stop();
  second.down = true;
  const before = second.claim;
  await world.restart();
  second.down = false;
  await signed(world, 'wd_back', 0n);
  assert.ok(second.claim !== before && second.claim !== undefined);
  second.claim = 'ab'.repeat(16);
  await assert.rejects(signed(world, 'wd_one', 1n), { code: 'signer/other-signer-active' });
  assert.equal(world.driver.made(), 1);
  await assert.rejects(signed(world, 'wd_two', 2n), { code: 'signer/other-signer-active' });
});

test('nothing leaves while a slot is away; afterwards the same request gives the signature of then', async () => {
  await using world = await openWorld();
  const asked = request(world, withdrawal(world));
  const [, second] = world.heads;
  second.down = true;
  await assert.rejects(world.core().sign(asked), { code: 'hsm/unavailable' });
  await assert.rejects(world.core().sign(asked), { code: 'hsm/unavailable' });
  await assert.rejects(signed(world, 'wd_other', 5n), { code: 'hsm/unavailable' });
  assert.equal(world.driver.made(), 0, 'A key signed what the slots do not know.');
  second.down = false;
  const { signature } = await world.core().sign(asked);
  assert.deepEqual((await world.core().sign(asked)).signature, signature);
  assert.equal(world.driver.made(), 1);
  second.late = true;
  await assert.rejects(signed(world, 'wd_late', 6n), { code: 'hsm/unavailable' });
  second.late = false;
  await signed(world, 'wd_after', 7n);
});

test('while a slot is away the log runs ahead of it by one group and no more, so that a restart goes on', async () => {
  await using world = await openWorld();
  const [, second] = world.heads;
  second.down = true;
  for (const index of [0, 1, 2]) {
    await assert.rejects(signed(world, `wd_away-${index}`, BigInt(index)), { code: 'hsm/unavailable' });
  }
  await world.stop();
  second.down = false;
  await world.restart();
  assert.equal(world.core().mode(), 'ready');
  await signed(world, 'wd_away-0', 0n);
  await signed(world, 'wd_away-2', 2n);
});

test('what was given out survives a loss of power: the kernel writes each record through to the disk', async () => {
  await using world = await openWorld();
  const place = join(world.directory, stateFileName);
  const open = readdirSync('/proc/self/fd').filter((descriptor) => targetOf(descriptor) === place);
  assert.equal(open.length, 1, 'The log is open once.');
  const [, flags] = /^flags:\s*([0-7]+)$/mu.exec(readFileSync(`/proc/self/fdinfo/${open[0]}`, 'utf8')) ?? [];
  assert.notEqual(Number.parseInt(flags ?? '0', 8) & constants.O_DSYNC, 0, `flags ${flags}`);
});

/** What a descriptor of this process is open on. The one that the folder itself was read with is gone. */
function targetOf(descriptor: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return undefined;
  }
}

test('with fewer heads required a slot may be away and is caught up, unless it holds something else', async () => {
  await using world = await openWorld({ limits: { headsRequired: 1 } });
  const [first, second] = world.heads;
  second.down = true;
  for (const index of [0, 1, 2]) await signed(world, `wd_away-${index}`, BigInt(index));
  second.down = false;
  await signed(world, 'wd_back', 3n);
  assert.deepEqual(second.head, first.head);
  await world.stop();
  second.head = undefined;
  await assert.rejects(
    async () => {
      await world.restart({ limits: {} });
      await signed(world, 'wd_fresh', 4n);
    },
    { code: 'signer/state-rewound' },
  );
  await world.restart();
  assert.deepEqual(second.head, first.head);
  second.down = true;
  await signed(world, 'wd_without', 4n);
  second.down = false;
  second.head = { sequence: 5n, hash: 'ff'.repeat(32) };
  await assert.rejects(signed(world, 'wd_foreign', 5n), { code: 'signer/other-signer-active' });
});

test('a disk that is full: nothing leaves, and the core refuses until it was started again', async () => {
  await using world = await openWorld();
  let full = false;
  const openFile = async (directory: string): Promise<StateFile> => {
    const file = await openStateFile(directory);
    return {
      ...file,
      async append(bytes) {
        await file.append(full ? bytes.subarray(0, 20) : bytes);
        if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      },
    };
  };
  await world.restart({ openFile });
  full = true;
  const asked = request(world, withdrawal(world));
  await assert.rejects(world.core().sign(asked), { code: 'signer/not-ready', message: /ENOSPC.*started again/u });
  full = false;
  await assert.rejects(world.core().sign(asked), { code: 'signer/not-ready' });
  const stateNow = async (): Promise<readonly (readonly [boolean, string])[]> =>
    (await world.core().status()).slots
      .filter(({ name }) => name === 'state')
      .map(({ healthy, detail }) => [healthy, detail]);
  const [[healthy, detail] = [true, ''], ...more] = await stateNow();
  assert.deepEqual([healthy, more.length], [false, 0], 'whoever asks how it is hears that it signs nothing');
  assert.match(detail, /ENOSPC.*started again/u);
  await world.restart();
  assert.deepEqual(await stateNow(), []);
  await world.core().sign(asked);
});

test('a module that fails while it signs leaves the way open for the same intent', async () => {
  await using world = await openWorld();
  const asked = request(world, withdrawal(world));
  world.driver.fail(true);
  await assert.rejects(world.core().sign(asked), { code: 'hsm/unavailable' });
  world.driver.fail(false);
  await world.core().sign(asked);
});

test('a change waits for decisions under way, and they are by the version before', async () => {
  await using world = await openWorld();
  let release = (): void => undefined;
  world.driver.hold(new Promise((resolve) => (release = resolve)));
  const order: string[] = [];
  const signing = world
    .core()
    .sign(request(world, withdrawal(world)))
    .then(() => order.push('signed'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const { intent, list } = registry.listed('enrolment', [{ item: 'person-suspended', person: 'dora' }], {
    id: 'en_suspend',
    before: 2n,
    expiresAt: world.clock.seconds + 60n,
  });
  const changing = world
    .core()
    .change({ intent, list, evidence: world.approved(intent) })
    .then(() => order.push('changed'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  release();
  await Promise.all([signing, changing]);
  assert.deepEqual(order, ['signed', 'changed']);
});

test('a ceremony writes over nothing', async () => {
  await using world = await openWorld();
  await world.stop();
  const genesis = { deployment: registry.deployment, list: 'bulkhead-registry-list-v1\n' };
  await assert.rejects(createState({ ...world.options, genesis }), { code: 'signer/registry-list' });
  const text = readFileSync(pathOf(world), 'utf8');
  const [line = ''] = text.split('\n');
  const { list } = JSON.parse(line.slice(65));
  const same = { deployment: registry.deployment, list: String(list) };
  await assert.rejects(createState({ ...world.options, genesis: same }), { code: 'signer/state-exists' });
  truncateSync(pathOf(world), 0);
  await assert.rejects(createState({ ...world.options, genesis: same }), { code: 'signer/state-exists' });
  await assert.rejects(openSignerCore(world.options), { code: 'signer/state-damaged' });
  for (const slot of world.heads) slot.head = undefined;
  await assert.rejects(openSignerCore(world.options), { code: 'signer/not-ready' });
  await createState({ ...world.options, genesis: same });
});
