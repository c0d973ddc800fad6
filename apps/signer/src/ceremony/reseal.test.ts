import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { listText } from '@bulkhead/authority';
import {
  createTokenIdentity,
  openSealedSeed,
  openToken,
  openTokenIdentity,
  slotNames,
  type Token,
  tokenHeadStore,
} from '@bulkhead/keys';
import { temporaryToken } from '@bulkhead/keys/testing';
import { clientOne, compartments, deployment, genesisItems, mainChain } from '../core/testing/registry.ts';
import { change, openWorld, request, withdrawal } from '../core/testing/world.ts';
import type { SignerCoreOptions } from '../core/index.ts';
import { parseAccounts } from './accounts.ts';
import type { CeremonyTokens } from './ceremony-token.ts';
import { runCeremony } from './conductor.ts';
import { recordDrill } from './drill.ts';
import { drillAgeDaysMax, drillLines, type DrillsRead, verifyDrills } from './drill-record.ts';
import { planText } from './plan.ts';
import { type ResealOrder, resealSlot } from './reseal.ts';
import { ceremonyFiles } from './stage.ts';
import { people } from './testing/people.ts';
import { verifyBundle } from './verification.ts';

const directory = mkdtempSync(join(tmpdir(), 'bulkhead-reseal-'));
const stack = new AsyncDisposableStack();
after(async () => {
  await stack.disposeAsync();
  rmSync(directory, { recursive: true, force: true });
});

const stores = {
  first: temporaryToken({ label: 'site-a' }),
  lost: temporaryToken({ label: 'site-b' }),
  fresh: temporaryToken({ label: 'site-c' }),
  spoilt: temporaryToken({ label: 'site-d' }),
};
for (const store of Object.values(stores)) stack.use(store);
const opened = async (store: (typeof stores)['first']): Promise<Token> => stack.use(await openToken(store.options()));
const first = await opened(stores.first);
const lost = await openToken(stores.lost.options());
const fresh = await opened(stores.fresh);
const spoilt = await opened(stores.spoilt);

const list = listText(genesisItems);
const program = 'ab'.repeat(32);
const [one, two] = slotNames;
const place = { environment: {}, library: '/opt/vendor.so' };
const plan = planText({
  name: 'Opening',
  deployment,
  performer: 'Petra',
  witnesses: ['Wim'],
  confirmations: 1,
  slots: [
    { ...place, name: one, label: 'site-a' },
    { ...place, name: two, label: 'site-b' },
  ],
  program,
  dice: false,
  threshold: 2,
  holders: ['Hana', 'Hugo'],
  compartments: [1, 100_000],
  list,
});
const clock = { now: () => new Date() };
const bundle = await runCeremony({
  planText: plan,
  list,
  directory,
  console: people(plan),
  clock,
  tokens: async () => ({ hsm_slot_1: first, hsm_slot_2: lost }),
  programDigest: async () => program,
});
const record = {
  path: join(directory, ceremonyFiles.drills),
  bundle: readFileSync(join(directory, ceremonyFiles.bundle), 'utf8'),
};
const envelope = join(directory, ceremonyFiles.envelope);
const named = { record, envelope, performer: 'Petra', witness: 'Wim', clock };

const dayMs = 86_400_000;
const inDays = (days: number): Date => new Date(Date.now() + days * dayMs);
const judged = (text: string, now = new Date()): DrillsRead => verifyDrills(bundle, { record, text, now });
const faultsOf = (text: string, now = new Date()): readonly string[] =>
  judged(text, now).findings.flatMap(({ part, faults }) => faults.map((fault) => `${part}: ${fault}`));

test('drills are judged by their chain, their signatures and their age', async () => {
  for (const { faults } of verifyBundle(bundle)) assert.deepEqual(faults, []);
  // The ceremony held the first drill of each slot.
  assert.deepEqual(faultsOf('', inDays(drillAgeDaysMax - 1)), []);
  const late = faultsOf('', inDays(drillAgeDaysMax + 1));
  assert.equal(late.length, 2);
  assert.match(late.join('\n'), /hsm_slot_1: .* 93 days ago; 92 are allowed[^]*hsm_slot_2: /u);

  const day = (days: number): { readonly now: () => Date } => ({ now: () => inDays(days) });
  await recordDrill({ ...named, slot: one, token: first, clock: day(80) });
  await recordDrill({ ...named, slot: two, token: lost, clock: day(81) });
  await recordDrill({ ...named, slot: one, token: first, clock: day(90) });
  const text = await drillLines(record.path);
  const lines = text.split('\n');
  assert.deepEqual(faultsOf(text, inDays(120)), []);
  const stale = faultsOf(text, inDays(175));
  assert.deepEqual([stale.length, stale[0]?.slice(0, 10)], [1, 'hsm_slot_2']);

  const changed = (at: number, from: string, to: string): string =>
    lines.map((line, index) => (index === at ? line.replace(from, to) : line)).join('\n');
  const wrong: readonly (readonly [string, RegExp])[] = [
    [changed(1, 'Petra', 'Pedro'), /^drills: line 2 was changed: its signature/u],
    [changed(2, 'restored', 'restaurated'), /^drills: line 3 was changed: its signature/u],
    [lines.toSpliced(1, 1).join('\n'), /^drills: line 2 does not follow/u],
    [lines.toSpliced(0, 1).join('\n'), /^drills: line 1 does not follow/u],
    [changed(0, '"identity"', '"identitx"'), /^drills: line 1 is not in its form/u],
    [text.slice(0, -3), /^drills: the last line is not whole/u],
  ];
  for (const [other, fault] of wrong) assert.match(faultsOf(other, inDays(100))[0] ?? 'nothing', fault);
  // Whoever cuts lines off leaves a record that is older.
  assert.equal(faultsOf('', inDays(120)).length, 2);
  rmSync(record.path);
});

test('a drill that did not pass, or that another token has signed, does not count', async () => {
  await recordDrill({ ...named, slot: two, token: lost });
  const sound = await drillLines(record.path);
  assert.deepEqual(faultsOf(sound), []);
  await recordDrill({ ...named, slot: one, token: lost });
  assert.match(
    faultsOf(await drillLines(record.path))[0] ?? '',
    /^drills: line 2 is signed by \w+, which is not the key/u,
  );
  rmSync(record.path);
  await recordDrill({ ...named, envelope: await otherEnvelope(), slot: one, token: first });
  assert.match(faultsOf(await drillLines(record.path))[0] ?? '', /^hsm_slot_1: .* did not pass/u);
  rmSync(record.path);
});

/** The same file with a byte of the first slot changed. */
async function otherEnvelope(): Promise<string> {
  const path = join(directory, 'changed.json');
  const text = readFileSync(envelope, 'utf8');
  await writeFile(
    path,
    text.replace(/("ciphertext": ")(..)/u, (_, name: string, byte: string) => name + (byte === '00' ? '01' : '00')),
    { mode: 0o600 },
  );
  return path;
}

test('a lost token is replaced from the one that answers, and the signer goes on with both required', async () => {
  const heads = (...tokens: readonly Token[]) => tokens.map((token) => tokenHeadStore(token));
  // The world opens a state of its own over the seed and the tokens of the ceremony.
  for (const token of [first, lost]) {
    for (const object of ['a', 'b']) await token.destroy(`bulkhead/head-${object}`).catch(() => undefined);
  }
  const treeOf = async (second: Token): Promise<SignerCoreOptions['drivers']> => ({
    tree: stack.use(
      await openSealedSeed({
        path: envelope,
        tokens: { hsm_slot_1: async () => first, hsm_slot_2: async () => second },
      }),
    ),
  });
  const old = [await openTokenIdentity(first), await openTokenIdentity(lost)] as const;
  await using world = await openWorld({ drivers: await treeOf(lost), identities: old, heads: heads(first, lost) });
  const granted = request(world, withdrawal(world));
  const original = await world.core().sign(granted);
  await world.stop();
  await lost[Symbol.asyncDispose]();
  stores.lost.vanish();
  const before = readFileSync(envelope, 'utf8');

  const tokens: CeremonyTokens = { hsm_slot_1: first, hsm_slot_2: fresh };
  const order: ResealOrder = { ...named, bundle, directory, slot: two, tokens };
  // What cannot be is refused, and the file is as it was.
  await createTokenIdentity(spoilt);
  await assert.rejects(resealSlot({ ...order, tokens: { hsm_slot_1: first, hsm_slot_2: spoilt } }), {
    code: 'hsm/key-exists',
  });
  await assert.rejects(resealSlot({ ...order, tokens: { hsm_slot_1: spoilt, hsm_slot_2: fresh } }), {
    code: 'ceremony/damaged-bundle',
  });
  assert.equal(readFileSync(envelope, 'utf8'), before);

  const resealed = await resealSlot(order);
  const made = await openTokenIdentity(fresh);
  assert.deepEqual(resealed.identities, { hsm_slot_1: old[0].publicKey, hsm_slot_2: made.publicKey });
  const remembered = await tokenHeadStore(fresh).read();
  assert.deepEqual(remembered, await tokenHeadStore(first).read());
  assert.equal(remembered?.sequence, resealed.head);
  const certified = parseAccounts(readFileSync(resealed.certificates, 'utf8'));
  assert.deepEqual(
    certified.map(({ xpub }) => xpub),
    bundle.accounts.map(({ xpub }) => xpub),
  );
  assert.equal(certified[0]?.certificates[1]?.identity, made.publicKey);

  // The line counts for both slots, and from then on the key of the fresh token is the one of its slot.
  const text = await drillLines(record.path);
  const read = judged(text);
  assert.deepEqual([faultsOf(text), read.identities], [[], resealed.identities]);
  await recordDrill({ ...named, slot: two, token: fresh });
  assert.deepEqual(faultsOf(await drillLines(record.path)), []);
  assert.match(faultsOf(text.replace(made.publicKey, old[1].publicKey))[0] ?? '', /line 1 was changed/u);

  const started = { drivers: await treeOf(fresh), heads: heads(first, fresh) };
  await world.restart({ ...started, identities: [old[0]] });
  assert.deepEqual((await world.core().sign(granted)).signature, original.signature);
  const listed = change(world, {
    kind: 'policy-change',
    items: [{ item: 'identities', publicKeys: Object.values(resealed.identities).toSorted() }],
    id: 'pc_reseal',
    before: 2n,
  });
  assert.ok(listed.list.includes(resealed.item));
  await world.core().change(listed);
  await world.restart({ ...started, identities: [made, old[0]] });
  await world.core().sign(request(world, withdrawal(world, { id: 'wd_two' }), { nonce: 1n }));
  const claim = { client: clientOne, chain: mainChain, key: { compartment: compartments.first, index: 3 } } as const;
  assert.equal((await world.core().certifyAddress(claim)).identity, made.publicKey);
  assert.deepEqual(await tokenHeadStore(fresh).read(), await tokenHeadStore(first).read());
});
