import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { listText } from '@bulkhead/authority';
import { openSealedSeed, openToken, openTokenIdentity, slotNames, tokenHeadStore } from '@bulkhead/keys';
import { temporaryToken } from '@bulkhead/keys/testing';
import { genesisItems } from '../core/testing/registry.ts';
import { bundleText, parseBundle } from './bundle.ts';
import { type CeremonyTokens, clearToken } from './ceremony-token.ts';
import { recordDrill } from './drill.ts';
import { openSignerCore } from '../core/index.ts';
import { nativeHashes } from '../process/native-hashes.ts';
import { runCeremony } from './conductor.ts';
import type { CeremonyConsole } from './console.ts';
import { people } from './testing/people.ts';
import { planDigest, type PlanOrder, planText } from './plan.ts';
import { ceremonyFiles, type CeremonyOrder } from './stage.ts';
import { stepIds } from './steps.ts';
import { verifyBundle } from './verification.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-ceremony-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const list = listText(genesisItems);
const program = 'ab'.repeat(32);
const [one, two] = [temporaryToken({ label: 'site-a' }), temporaryToken({ label: 'site-b' })];
after(() => {
  one[Symbol.dispose]();
  two[Symbol.dispose]();
});
const opened = new AsyncDisposableStack();
after(() => opened.disposeAsync());
const tokens: CeremonyTokens = {
  hsm_slot_1: opened.use(await openToken(one.options())),
  hsm_slot_2: opened.use(await openToken(two.options())),
};

const place = (token: typeof one, name: (typeof slotNames)[number]) => ({
  name,
  library: token.library,
  label: token.label,
  environment: { ...token.environment },
});
const planned: PlanOrder = {
  name: 'Opening',
  performer: 'Petra',
  witnesses: ['Wanda', 'Wim'],
  confirmations: 1,
  slots: [
    { ...place(one, 'hsm_slot_1'), name: 'hsm_slot_1' },
    { ...place(two, 'hsm_slot_2'), name: 'hsm_slot_2' },
  ],
  program,
  dice: false,
  threshold: 2,
  holders: ['Hana', 'Hugo'],
  compartments: [1, 100_000],
  list,
};

function order(planned_: string, console: CeremonyConsole): CeremonyOrder {
  return {
    planText: planned_,
    list,
    directory: folder,
    console,
    clock: { now: () => new Date() },
    tokens: async () => tokens,
    programDigest: async () => program,
  };
}

test('interrupted before every confirmation, and with a torn line, the ceremony still ends with a sound bundle', async () => {
  const plan = planText(planned);
  const record = join(folder, ceremonyFiles.record);
  for (const id of stepIds) {
    const interrupt = new RegExp(`^Witness .* to confirm step "${id}":$`, 'u');
    await assert.rejects(runCeremony(order(plan, people(plan, interrupt))), { code: 'ceremony/interrupted' });
    const lines = readFileSync(record, 'utf8');
    assert.ok(!lines.includes(`"step":"${id}","type":"step"`), `${id} was recorded unconfirmed`);
    if (id === 'drill') truncateSync(record, statSync(record).size - 5);
  }
  const bundle = await runCeremony(order(plan, people(plan)));
  for (const { part, faults } of verifyBundle(bundle)) assert.deepEqual([part, faults], [part, []]);
  const text = readFileSync(join(folder, ceremonyFiles.bundle), 'utf8');
  assert.equal(bundleText(parseBundle(text)), text);
  const interruptions = bundle.record.filter((line) => line.includes('"type":"interrupted"'));
  assert.ok(interruptions.length >= stepIds.length - 1);
  assert.ok(interruptions.some((line) => line.includes('new entropy is made')));
  assert.ok(bundle.record.some((line) => line.includes('bytes of an unfinished line')));
  for (const slot of slotNames) assert.equal((await tokenHeadStore(tokens[slot]).read())?.sequence, 1n);

  // Once more on a closed record: the same bytes.
  await runCeremony(order(plan, people(plan)));
  assert.equal(readFileSync(join(folder, ceremonyFiles.bundle), 'utf8'), text);
});

test('who stops after a failure does not take it out of the record', async () => {
  const directory = mkdtempSync(join(folder, 'failed-'));
  const plan = planText({ ...planned, deployment: '12'.repeat(16) });
  const wrong = planText({ ...planned, deployment: '34'.repeat(16) });
  const here = { ...order(plan, people(wrong)), directory };
  await assert.rejects(runCeremony(here), { code: 'ceremony/malformed-plan' });
  const [line = '', ...rest] = readFileSync(join(directory, ceremonyFiles.record), 'utf8').split('\n');
  assert.deepEqual(rest, ['']);
  assert.match(line, /"exceptions":\["ceremony\/malformed-plan: .*"result":\{\}.*"type":"failed","witnesses":\[\]/u);
  const interrupt = /confirm step "program"/u;
  await assert.rejects(runCeremony({ ...here, console: people(plan, interrupt) }), { code: 'ceremony/interrupted' });
  const types = readFileSync(join(directory, ceremonyFiles.record), 'utf8').matchAll(/"type":"(\w+)"/gu);
  assert.deepEqual(
    [...types].map(([, type]) => type),
    ['failed', 'interrupted', 'step'],
  );
});

test('an interrupted run clears only the tokens that it began with', async () => {
  const [other, another] = [temporaryToken({ label: 'site-c' }), temporaryToken({ label: 'site-d' })];
  const directory = mkdtempSync(join(folder, 'other-'));
  const plan = planText({ ...planned, deployment: 'ef'.repeat(16) });
  try {
    await using fresh = {
      hsm_slot_1: await openToken(other.options()),
      hsm_slot_2: await openToken(another.options()),
      async [Symbol.asyncDispose]() {
        await fresh.hsm_slot_1[Symbol.asyncDispose]();
        await fresh.hsm_slot_2[Symbol.asyncDispose]();
      },
    };
    const here = { ...order(plan, people(plan, /confirm step "shares"/u)), directory, tokens: async () => fresh };
    await assert.rejects(runCeremony(here), { code: 'ceremony/interrupted' });
    const swapped = { ...here, console: people(plan), tokens: async () => tokens };
    await assert.rejects(runCeremony(swapped), { code: 'hsm/refused' });
    for (const slot of slotNames) assert.equal((await tokens[slot].attributes('bulkhead-seal')).local, true);
    const changed = { ...here, planText: plan.replace('"Opening"', '"Closing"') };
    await assert.rejects(runCeremony(changed), /line 1 of the record belongs to another plan/u);
  } finally {
    other[Symbol.dispose]();
    another[Symbol.dispose]();
  }
});

test('the signer starts on what the ceremony left, and from then on nothing of it is cleared', async () => {
  const bundle = parseBundle(readFileSync(join(folder, ceremonyFiles.bundle), 'utf8'));
  await using open = new AsyncDisposableStack();
  const envelope = join(folder, ceremonyFiles.envelope);
  const tree = open.use(
    await openSealedSeed({
      path: envelope,
      tokens: { hsm_slot_1: async () => tokens.hsm_slot_1, hsm_slot_2: async () => tokens.hsm_slot_2 },
    }),
  );
  const identities = [await openTokenIdentity(tokens.hsm_slot_1), await openTokenIdentity(tokens.hsm_slot_2)];
  const core = open.use(
    await openSignerCore({
      stateDirectory: join(folder, ceremonyFiles.state),
      drivers: { tree },
      identities,
      heads: slotNames.map((slot) => tokenHeadStore(tokens[slot])),
      hashes: nativeHashes(),
      clock: { now: () => new Date() },
    }),
  );
  assert.equal(core.mode(), 'ready');
  for (const { compartment, xpub, certificates } of bundle.accounts) {
    const account = await core.account(compartment);
    assert.equal(account.xpub, xpub);
    assert.deepEqual(account.certificate, certificates[0]);
  }
  for (const slot of slotNames) {
    await assert.rejects(clearToken(slot, tokens[slot]), { code: 'signer/state-exists' });
    assert.equal((await tokens[slot].attributes('bulkhead-seal')).local, true);
  }
});

test('a drill that does not pass is written down as such, and a torn record of drills is not gone on with', async () => {
  const text = readFileSync(join(folder, ceremonyFiles.bundle), 'utf8');
  const record = join(folder, ceremonyFiles.drills);
  const drill = {
    record: { path: record, bundle: text },
    envelope: join(folder, ceremonyFiles.envelope),
    slot: 'hsm_slot_1',
    performer: 'Petra',
    witness: 'Wim',
    clock: { now: () => new Date() },
  } as const;
  assert.equal((await recordDrill({ ...drill, token: tokens.hsm_slot_1 })).passed, true);
  assert.equal((await recordDrill({ ...drill, token: tokens.hsm_slot_2 })).passed, false);
  const lines = readFileSync(record, 'utf8').split('\n');
  assert.ok(lines[0]?.includes(`\\"previous\\":\\"${planDigest(text)}\\"`));
  assert.ok(lines[1]?.includes(`\\"previous\\":\\"${planDigest(lines[0] ?? '')}\\"`));
  assert.ok(lines[1]?.includes('\\"passed\\":\\"false\\"'));
  truncateSync(record, statSync(record).size - 3);
  await assert.rejects(recordDrill({ ...drill, token: tokens.hsm_slot_1 }), { code: 'ceremony/damaged-bundle' });
});

test('tokens that served a signer are refused, and nothing of theirs is touched', async () => {
  const plan = planText({ ...planned, deployment: 'cd'.repeat(16) });
  const directory = mkdtempSync(join(folder, 'again-'));
  await assert.rejects(runCeremony({ ...order(plan, people(plan)), directory }), { code: 'hsm/key-exists' });
  assert.equal((await tokens.hsm_slot_1.attributes('bulkhead-seal')).local, true);
});

test('the signatures cover what the verifier does not trust: people, order, completeness', async () => {
  const bundle = parseBundle(readFileSync(join(folder, ceremonyFiles.bundle), 'utf8'));
  const faultsOf = (changed: typeof bundle): string =>
    verifyBundle(changed)
      .flatMap(({ part, faults }) => faults.map((fault) => `${part}: ${fault}`))
      .join('\n');
  const last = bundle.record.at(-1) ?? '';
  assert.match(faultsOf({ ...bundle, record: bundle.record.slice(0, -1) }), /record: step "bundle" is not confirmed/u);
  assert.match(
    faultsOf({ ...bundle, record: bundle.record.toSpliced(2, 1) }),
    /record: line 3 of the record has the number 4/u,
  );
  const unwatched = last.replace('["Wim"]', '[]');
  assert.match(
    faultsOf({ ...bundle, record: [...bundle.record.slice(0, -1), unwatched] }),
    /confirmed by 0 witnesses, 1 are needed/u,
  );
  const stranger = last.replace('["Wim"]', '["Eve"]');
  assert.match(faultsOf({ ...bundle, record: [...bundle.record.slice(0, -1), stranger] }), /confirmed by 0 witnesses/u);
  assert.match(
    faultsOf({ ...bundle, accounts: bundle.accounts.slice(1) }),
    /not those of the compartments in the plan/u,
  );
  const [first, second] = bundle.signatures;
  assert.ok(first !== undefined && second !== undefined);
  assert.match(faultsOf({ ...bundle, signatures: [first, first] }), /both signatures are of one key/u);
  const swapped = bundle.accounts.map((account, at) => ({ ...account, xpub: bundle.accounts[1 - at]?.xpub ?? '' }));
  assert.match(faultsOf({ ...bundle, accounts: swapped }), /belongs to account 100000'/u);
  const trusted = verifyBundle(bundle, { planHash: '00000000', identities: [first.identity] });
  const faults = trusted.flatMap((each) => each.faults);
  assert.equal(faults.length, 2);
  assert.match(faults.join('\n'), /is none of those that were written down[^]*00000000 is expected/u);
});
