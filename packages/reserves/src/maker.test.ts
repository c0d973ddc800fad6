import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CustodyError, parseHash } from '@bulkhead/domain';
import { ManualClock } from '@bulkhead/fakes';
import {
  fastGroup,
  openStatement,
  readManifest,
  type Tier,
  verifyConfidentialLeaves,
  verifyConfidentialPackage,
  verifyConfidentialSummary,
  verifyPlainPackage,
  verifyPlainPublication,
  verifySegregation,
} from '@bulkhead/proofs';
import { archived } from './archive.ts';
import { claimsHere } from './book-thread.ts';
import { archives, workAt } from './book-work.ts';
import { bundleEpoch } from './bundle.ts';
import { advanceEpoch, epochs, type ReserveStream, stateOf, type StoredEpoch } from './epoch.ts';
import type { EvidenceSource } from './evidence.ts';
import { epochFolders } from './folders.ts';
import { makeEpoch, type MakeOrder, type Maker } from './maker.ts';
import type { Progress } from './progress.ts';
import { ProofFile } from './proof-file.ts';
import { ada, bob, client, openWorld, pool, type World } from './testing/world.ts';

const root = mkdtempSync(join(tmpdir(), 'bulkhead-reserves-'));
const master = new Uint8Array(32).fill(5);
const custodian = new Uint8Array(32).fill(9);
const group = fastGroup();
const transaction = parseHash(`0x${'ab'.repeat(32)}`);

let world: World;
let streams = 0;

before(async () => {
  world = await openWorld();
  await world.deposit(pool, client('cl_a'), 1_500n);
  await world.deposit(pool, client('cl_b'), 70n);
  await world.deposit(pool, { kind: 'suspense', holder: '' }, 11n);
  await world.deposit(ada, client('cl_c'), 500n);
  await world.move(ada, [client('cl_c'), { kind: 'fee-payable', holder: 'cl_c' }], 4n);
  await world.settle();
});
after(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

/** A registry of its own, so that each test begins with the first epoch. */
function newStream(): ReserveStream {
  streams += 1;
  return { asset: world.asset, registryChain: 31_337n, registry: new Uint8Array(20).fill(streams) };
}

function maker(name: string, more: Partial<Maker> = {}): Maker {
  const { database, chain, wallets } = world;
  const folder = join(root, name);
  return { db: database.app, chain, wallets, master, folder, clock: new ManualClock(), threads: 1, ...more };
}

const orderOf = (stream: ReserveStream, tier: Tier, more: Partial<MakeOrder> = {}): MakeOrder => ({
  stream,
  custodian,
  tier,
  bits: tier === 'plain' ? 128 : 64,
  unitExponent: 0,
  ...more,
});

const unsigned: EvidenceSource = {
  balances: { form: 'account' },
  wallet: async ({ held: { address } }) => ({
    wallets: [{ address, certificate: undefined, sort: 'key', signature: undefined }],
    certificates: [],
  }),
  statements: async () => [new Uint8Array(65).fill(1)],
};

/** The same with a certificate, which names a client. */
const certified: EvidenceSource = {
  ...unsigned,
  wallet: async (of) => ({
    ...(await unsigned.wallet(of)),
    certificates: [
      {
        identity: new Uint8Array(32).fill(1),
        signature: new Uint8Array(64).fill(2),
        statement: 'bulkhead-statement-v1\n{"client":"cl_c"}',
      },
    ],
  }),
};

async function committed(of: StoredEpoch): Promise<void> {
  const at = { context: of.context, now: new Date() };
  await advanceEpoch(world.database.app, at, { state: 'committed', transaction, block: 1n });
}

/** Every file below a folder, with its bytes. */
function filesOf(folder: string): ReadonlyMap<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
  return new Map(names.toSorted().map((name) => [name, readFileSync(join(folder, name)).toString('hex')]));
}

function codeOf(error: unknown): string {
  return error instanceof CustodyError ? error.code : String(error);
}

const bytesOf = (path: string): Uint8Array => Uint8Array.from(readFileSync(path));
const holder = (name: string): Uint8Array => new TextEncoder().encode(name);

test('the plain tier: what everybody and what each holder is given holds against the record, and nothing private is shown', async () => {
  const made = await makeEpoch(maker('plain'), orderOf(newStream(), 'plain'));
  const { header, context } = made.epoch;
  const record = made.epoch.made?.record ?? new Uint8Array();
  assert.deepEqual([made.epoch.made?.reserves, made.differences], [2_081n, []]);
  const { shown, epoch } = await bundleEpoch(maker('plain'), context, certified);
  const { kept } = epochFolders(join(root, 'plain'), header);
  const pin = { context, record };
  const seen = verifyPlainPublication(bytesOf(join(shown, 'publication.bin')), pin);
  assert.ok(seen.holds);
  assert.deepEqual(
    seen.rows.map(({ compartment, liabilities, reserves }) => [compartment, liabilities, reserves]),
    [
      [pool, 1_581n, 1_581n],
      [ada, 500n, 500n],
    ],
  );
  const manifest = readManifest(bytesOf(join(shown, 'manifest.txt')));
  const listed = ['publication.bin', 'wallets.bin', 'certificates.bin', 'statements.bin'] as const;
  assert.deepEqual([...(manifest?.files.keys() ?? [])], listed);
  // Certificates name clients: their digest is shown, and they are not.
  const certificates = createHash('sha256')
    .update(bytesOf(join(kept, 'certificates.bin')))
    .digest();
  assert.deepEqual(manifest?.files.get('certificates.bin'), Uint8Array.from(certificates));
  assert.deepEqual(readdirSync(shown).toSorted(), ['manifest.txt', 'publication.bin', 'statements.bin', 'wallets.bin']);
  assert.equal(stateOf(epoch), 'made');
  for (const [compartment, name, kind, amount] of [
    [pool, 'cl_a', 'client', 1_500n],
    [pool, 'suspense', 'suspense', 11n],
    [ada, 'cl_c', 'client', 496n],
    [ada, 'cl_c', 'fee-payable', 4n],
  ] as const) {
    const own = { compartment, kind, holder: holder(name), amount };
    const [found] = archived(join(kept, archives.packages), own.holder).filter((one) => one.kind === kind);
    const verdict = verifyPlainPackage(found?.bytes ?? new Uint8Array(), { pin, own });
    assert.ok(verdict.holds, `${name} ${kind}`);
    const [statement] = archived(join(kept, archives.statements), own.holder).filter((one) => one.kind === kind);
    const stated = openStatement(statement?.bytes ?? new Uint8Array(), { context, own });
    assert.ok(stated.holds && stated.amount === amount, `${name} ${kind}`);
  }
  const [alone] = archived(join(kept, archives.segregation), holder('cl_c'));
  const known = { pin, compartment: ada, holder: holder('cl_c'), group };
  assert.ok(verifySegregation(alone?.bytes ?? new Uint8Array(), known).holds);
  assert.deepEqual(archived(join(kept, archives.segregation), holder('cl_a')), [], 'a pool is shared');
  assert.deepEqual(archived(join(kept, archives.packages), holder('cl_nobody')), []);
  const secret = [...filesOf(join(root, 'plain', 'public')).values()].join(' ');
  for (const name of ['cl_a', 'cl_c']) assert.ok(!secret.includes(Buffer.from(name).toString('hex')), name);
  assert.equal(statSync(join(root, 'plain', 'private')).mode & 0o077, 0);
  for (const name of filesOf(kept).keys()) assert.equal(statSync(join(kept, name)).mode & 0o077, 0, name);
});

test('the same books, block and secret give the same bytes, another secret others, and another epoch other tags', async () => {
  const stream = newStream();
  const order = orderOf(stream, 'confidential');
  const first = await makeEpoch(maker('one'), order);
  // Elsewhere, from the books again, while the first is not committed: the same epoch and the same record.
  const second = await makeEpoch(maker('two'), order);
  assert.deepEqual(second.epoch, first.epoch);
  const { header, context } = first.epoch;
  const [one, two] = [epochFolders(join(root, 'one'), header), epochFolders(join(root, 'two'), header)];
  assert.deepEqual(filesOf(two.kept), filesOf(one.kept));
  const other = maker('three', { master: new Uint8Array(32).fill(6) });
  await assert.rejects(makeEpoch(other, order), { code: 'reserves/wrong-state' });
  const wrong = maker('one', { master: new Uint8Array(32).fill(6) });
  await assert.rejects(bundleEpoch(wrong, context, unsigned), { code: 'reserves/wrong-state' });
  await committed(first.epoch);
  for (const more of [{ tier: 'plain', bits: 128 }, { unitExponent: 1 }, { custodian: master }] as const) {
    await assert.rejects(makeEpoch(maker('one'), { ...order, ...more }), { code: 'reserves/wrong-state' });
  }
  const again = makeEpoch(maker('one'), { ...order, block: header.blockNumber });
  await assert.rejects(again, { code: 'reserves/not-covered' });
  await world.settle();
  const next = await makeEpoch(maker('one'), order);
  assert.deepEqual([next.epoch.header.epoch, next.epoch.header.previous], [2n, context]);
  const of = (epoch: StoredEpoch): string => {
    const { kept } = epochFolders(join(root, 'one'), epoch.header);
    const [found] = archived(join(kept, archives.packages), holder('cl_a'));
    return Buffer.from(found?.bytes ?? []).toString('hex');
  };
  // Salt, blinding and commitment of one client in two epochs with the same balance: no run of 32 bytes is the same.
  const [before, later] = [of(first.epoch), of(next.epoch)];
  const headerDigits = 2 * 251;
  for (let at = headerDigits; at + 64 <= before.length; at += 2) {
    assert.ok(!later.slice(headerDigits).includes(before.slice(at, at + 64)), `${at}`);
  }
});

test('a maker that is killed in the midst of its proofs goes on where it was, to the same files', async () => {
  const stream = newStream();
  const { epoch } = await makeEpoch(maker('killed'), orderOf(stream, 'confidential'));
  const { header, context } = epoch;
  cpSync(join(root, 'killed'), join(root, 'whole'), { recursive: true });
  const masterFile = join(root, 'master');
  writeFileSync(masterFile, master);
  const program = fileURLToPath(new URL('testing/bundling.ts', import.meta.url));
  const words = [
    program,
    world.database.urls.app,
    join(root, 'killed'),
    Buffer.from(context).toString('hex'),
    masterFile,
  ];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const chunk of child.stdout) if (/proving [1-9]/u.test(String(chunk))) child.kill('SIGKILL');
  const { shown } = epochFolders(join(root, 'killed'), header);
  assert.ok(!existsSync(shown), 'nothing is shown before everything is there');
  const told: Progress[] = [];
  const again = await bundleEpoch(maker('killed', { tell: (progress) => told.push(progress) }), context, unsigned);
  const proving = told.filter(({ phase }) => phase === 'proving');
  const kept = (proving.find(({ leftMs }) => leftMs !== undefined)?.done ?? 0) - 1;
  assert.ok(kept >= 1 && kept < (proving[0]?.total ?? 0), `${kept} proofs of the killed one were kept`);
  const whole = await bundleEpoch(maker('whole'), context, unsigned);
  assert.deepEqual(whole.epoch, again.epoch);
  assert.deepEqual(filesOf(whole.shown), filesOf(shown));
  const pin = { context, record: epoch.made?.record ?? new Uint8Array() };
  const summary = verifyConfidentialSummary(group, bytesOf(join(shown, 'summary.bin')), pin);
  assert.ok(summary.holds);
  assert.ok(verifyConfidentialLeaves(group, bytesOf(join(shown, 'leaves.bin')), summary).holds);
  const { kept: folder } = epochFolders(join(root, 'killed'), header);
  const own = { compartment: pool, kind: 'client', holder: holder('cl_b'), amount: 70n } as const;
  const [found] = archived(join(folder, archives.packages), own.holder);
  assert.ok(verifyConfidentialPackage(group, found?.bytes ?? new Uint8Array(), { pin, own }).holds);
  // A crash between the renaming and the database: what is shown counts, whatever would be signed now.
  const other: EvidenceSource = { ...unsigned, statements: async () => undefined };
  assert.deepEqual((await bundleEpoch(maker('killed'), context, other)).epoch, again.epoch);
});

test('two makers at once in one folder: one works and the other is told so', async () => {
  const stream = newStream();
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => makeEpoch(maker('busy'), orderOf(stream, 'plain'))));
  const codes = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'made' : codeOf(outcome.reason)));
  assert.deepEqual(new Set(codes), new Set(['made', 'reserves/maker-busy']));
  assert.equal(codes.filter((code) => code === 'made').length, 1);
});

test('two makers at once in folders of their own make one epoch', async () => {
  const stream = newStream();
  const makers = [maker('left'), maker('right', { master: new Uint8Array(32).fill(8) })];
  const outcomes = await Promise.allSettled(makers.map((one) => makeEpoch(one, orderOf(stream, 'plain'))));
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  const ours = (await epochs(world.database.app, { asset: world.asset })).filter(
    ({ header }) => header.registry[0] === stream.registry[0],
  );
  assert.deepEqual(ours.map(stateOf), ['made']);
});

test('a surplus in one compartment does not hide a hole in another, and a refused epoch takes no number', async () => {
  await using own = await openWorld();
  await own.deposit(pool, client('cl_a'), 1_000n);
  await own.deposit(ada, client('cl_c'), 500n);
  const stream = { ...newStream(), asset: own.asset };
  const at = (more: Partial<Maker> = {}): Maker => ({
    ...maker('holes', more),
    db: own.database.app,
    chain: own.chain,
    wallets: own.wallets,
  });
  const { chain, settle } = own;
  // Coins that nobody booked arrive in the pool; booked ones that never arrived are missing in another compartment.
  own.arrive(pool, 9_000n);
  await settle();
  await own.book(bob, client('cl_d'), { amount: 40n, block: (await chain.heads()).final });
  await settle();
  for (const tier of ['plain', 'confidential'] as const) {
    const order = orderOf(stream, tier);
    await assert.rejects(makeEpoch(at(), order), {
      code: 'reserves/chain-has-less',
      message: /compartment 100001 has 0 of 40\./u,
    });
    // Declared, it no longer stands in the way of the comparison, and is still insolvent by itself.
    await assert.rejects(makeEpoch(at(), { ...order, declared: new Set([bob]) }), {
      code: 'reserves/insolvent',
      message: /compartment 100001 owes 40 units and holds 0\./u,
    });
  }
  assert.deepEqual(await epochs(own.database.app), []);
  // The hole is booked: the loss stands in the books, the claim too, and the compartment is insolvent all the same.
  const block = (await chain.heads()).final;
  await own.move(
    bob,
    [
      { kind: 'loss', holder: '' },
      { kind: 'wallet', holder: `wal_${bob}` },
    ],
    { amount: 40n, block },
  );
  await settle();
  await assert.rejects(makeEpoch(at(), orderOf(stream, 'plain')), { code: 'reserves/insolvent' });
  // Its coins arrive: what is proven is what the chain has, the surplus of the pool included, and the difference is said.
  own.arrive(bob, 40n);
  await settle();
  const { epoch, differences } = await makeEpoch(at(), orderOf(stream, 'plain'));
  assert.equal(epoch.made?.reserves, 10_540n);
  assert.deepEqual(
    differences.map(({ compartment, booked, held }) => [compartment, booked, held]),
    [
      [pool, 1_000n, 10_000n],
      [bob, 0n, 40n],
    ],
  );
});

test('units round against the custodian: claims up one by one, coins of a compartment down', async () => {
  await using own = await openWorld();
  await own.deposit(pool, client('cl_a'), 1_001n);
  await own.deposit(pool, client('cl_b'), 999n);
  const at = { ...maker('units'), db: own.database.app, chain: own.chain, wallets: own.wallets };
  const order = { ...orderOf({ ...newStream(), asset: own.asset }, 'plain'), unitExponent: 3 };
  await assert.rejects(makeEpoch(at, order), { message: /compartment 10000 owes 3 units and holds 2\./u });
  own.arrive(pool, 1_000n);
  await own.settle();
  assert.equal((await makeEpoch(at, order)).epoch.made?.reserves, 3n);
});

test('a book of many claims is worked at in a thread of its own, to the same end, and its faults come back', async () => {
  await using own = await openWorld();
  const { database, asset, chain } = own;
  const block = own.arrive(pool, 1_000_000n);
  const count = claimsHere + 50;
  await Promise.all(
    Array.from({ length: count }, (_, n) => own.book(pool, client(`cl_${n}`), { amount: BigInt(n + 1), block })),
  );
  await own.settle();
  const told: Progress[] = [];
  const at = {
    ...maker('crowd'),
    db: database.app,
    chain,
    wallets: own.wallets,
    tell: (progress: Progress) => told.push(progress),
  };
  const stream = { ...newStream(), asset };
  const { epoch } = await makeEpoch(at, orderOf(stream, 'plain'));
  const { kept } = epochFolders(at.folder, epoch.header);
  const pin = { context: epoch.context, record: epoch.made?.record ?? new Uint8Array() };
  const { header, work } = { header: epoch.header, work: { ...at, kept, shown: '', threads: 1 } };
  const here = await workAt({ ...work, header }, { step: 'make' }, () => undefined);
  assert.deepEqual(here, { step: 'make', record: pin.record });
  for (const n of [0, 77, count - 1]) {
    const claim = { compartment: pool, kind: 'client', holder: holder(`cl_${n}`), amount: BigInt(n + 1) } as const;
    const [found, ...more] = archived(join(kept, archives.packages), claim.holder);
    assert.ok(verifyPlainPackage(found?.bytes ?? new Uint8Array(), { pin, own: claim }).holds);
    assert.deepEqual(more, []);
  }
  assert.deepEqual(
    told.filter(({ done, total }) => done === total).map(({ phase, total }) => [phase, total]),
    [
      ['reading', 1],
      ['reading', 1],
      ['trees', count],
      ['packages', count],
    ],
  );
  await bundleEpoch(at, epoch.context, unsigned);
  // A claim that 64 bits do not hold.
  const wide = own.arrive(ada, 2n ** 64n);
  await own.book(ada, client('cl_wide'), { amount: 2n ** 64n, block: wide });
  await own.settle();
  const narrow = makeEpoch(at, orderOf({ ...newStream(), asset }, 'confidential'));
  await assert.rejects(narrow, { code: 'proof/malformed', message: /has more than 64 bits/u });
});

test('what was read for an epoch that was refused is removed when the next one is tried', async () => {
  await using own = await openWorld();
  await own.deposit(pool, client('cl_a'), 10n);
  await own.book(pool, client('cl_b'), { amount: 1n, block: (await own.chain.heads()).final });
  await own.settle();
  const at = { ...maker('swept'), db: own.database.app, chain: own.chain, wallets: own.wallets };
  const order = orderOf({ ...newStream(), asset: own.asset }, 'plain');
  await assert.rejects(makeEpoch(at, order), { code: 'reserves/chain-has-less' });
  own.arrive(pool, 1n);
  await own.settle();
  const { epoch } = await makeEpoch(at, order);
  const { kept } = epochFolders(at.folder, epoch.header);
  assert.deepEqual(readdirSync(dirname(kept)), [basename(kept)]);
});

test('a proof that was damaged on the disk, or is of other leaves, is made again', () => {
  using file = new ProofFile(join(root, 'some.proofs'));
  const task = { subject: { kind: 'leaves' }, context: custodian, index: 3, bits: 64, hashes: [master] } as const;
  const asked = { ...task, commitments: [], values: [], blindings: [], nonceKey: master };
  const proof = new Uint8Array(672).fill(7);
  assert.equal(file.find(asked), undefined);
  file.keep(asked, proof);
  assert.deepEqual(file.find(asked), proof);
  assert.equal(file.find({ ...asked, hashes: [custodian] }), undefined);
  assert.equal(file.find({ ...asked, context: master }), undefined);
  assert.equal(file.find({ ...asked, index: 2 }), undefined);
  const bytes = readFileSync(join(root, 'some.proofs'));
  bytes[bytes.length - 900] = (bytes[bytes.length - 900] ?? 0) ^ 1;
  writeFileSync(join(root, 'some.proofs'), bytes);
  assert.equal(file.find(asked), undefined);
});
