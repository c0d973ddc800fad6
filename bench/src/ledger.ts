import { randomInt } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type AssetId,
  type Compartment,
  invariant,
  parseAssetId,
  parseCompartment,
  parseHash,
  parseTransferKey,
  type TransferKey,
  type TransferRequest,
} from '@bulkhead/domain';
import { ledgerMigrations, LedgerQueue, openBook, postTransfers } from '@bulkhead/ledger';
import {
  type Database,
  type EmbeddedServer,
  migrate,
  only,
  openDatabase,
  startEmbedded,
  text,
} from '@bulkhead/postgres';
import { alternate, type Candidate, cpuMeter, type Round } from './measure.ts';
import { accountCount, hotPair, randomPair, timeOrderedKey, timeOrderedReference } from './ledger-load.ts';
import { bareCandidate, createBaselines, textbookCandidate } from './ledger-baselines.ts';

const clients = 512;
const batch = 512;
const smallEntries = 100_000;
const growEntriesDefault = 1_000_000;
const compartment: Compartment = parseCompartment(10_000);
const asset: AssetId = parseAssetId('eip155:1/slip44:60');
const thresholds = { random: 15, hot: 50, bare: 0.45, p99Ms: 3, growth: 0.7 } as const;

type Options = {
  readonly durationMs: number;
  readonly rounds: number;
  readonly grow: number;
  readonly skipGrow: boolean;
};

function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      grow: { type: 'string', default: String(growEntriesDefault) },
      'skip-grow': { type: 'boolean', default: false },
    },
  });
  return {
    durationMs: Number(values.seconds) * 1000,
    rounds: Number(values.rounds),
    grow: Number(values.grow),
    skipGrow: values['skip-grow'],
  };
}

function newKey(): TransferKey {
  return parseTransferKey(timeOrderedKey());
}

function transferBetween(debit: number, credit: number): TransferRequest {
  const key = newKey();
  return {
    type: 'post',
    key,
    code: 'bench',
    reference: timeOrderedReference(),
    compartment,
    asset,
    debit: { kind: 'available', holder: `client-${debit}` },
    credit: { kind: 'available', holder: `client-${credit}` },
    amount: BigInt(randomInt(1, 1_000_000)) * 10n ** 12n,
  };
}

async function fund(db: Database): Promise<void> {
  await openBook(db, { compartment, asset });
  const block = { number: 1n, hash: parseHash(`0x${'1'.repeat(64)}`) };
  for (let from = 0; from < accountCount; from += batch) {
    const groups = Array.from({ length: Math.min(batch, accountCount - from) }, (_, index): TransferRequest[] => [
      {
        ...transferBetween(0, from + index),
        type: 'post',
        compartment,
        asset,
        debit: { kind: 'wallet', holder: 'wallet' },
        credit: { kind: 'available', holder: `client-${from + index}` },
        amount: 10n ** 30n,
        block,
      },
    ]);
    await postTransfers(db, groups, { now: new Date() });
  }
}

function queueCandidate(name: string, queue: LedgerQueue, pair: () => readonly [number, number]): Candidate {
  return {
    name,
    clients,
    async operation() {
      const [outcome] = await queue.post([transferBetween(...pair())], { now: new Date() });
      invariant(
        outcome?.status === 'created',
        `A transfer of the bench was not created: ${JSON.stringify(outcome?.status)}`,
      );
      return 1;
    },
  };
}

function singleCandidate(queue: LedgerQueue): Candidate {
  return { ...queueCandidate('single', queue, randomPair), clients: 1 };
}

async function fill(db: Database, entries: number): Promise<void> {
  const queue = new LedgerQueue(db);
  let left = entries / 2 - accountCount;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (left > 0) {
        left -= 1;
        await queue.post([transferBetween(...randomPair())], { now: new Date() });
      }
    }),
  );
  await queue[Symbol.asyncDispose]();
}

/** A database of its own with the ledger in it and every account funded. */
async function newLedger(server: EmbeddedServer, name: string): Promise<{ owner: Database; app: Database }> {
  await using admin = openDatabase({ url: server.adminUrl, connections: 1 });
  await admin.query(`create database ${name} owner bulkhead_owner`);
  const of = (url: string): string => url.replace(/\/bulkhead$/u, `/${name}`);
  const owner = openDatabase({
    ...server.access.owner,
    url: of(server.access.owner.url),
    connections: 4,
    statementTimeoutMs: 600_000,
  });
  await migrate(owner, [ledgerMigrations]);
  const app = openDatabase({ ...server.access.app, url: of(server.access.app.url), connections: 4 });
  await fund(app);
  return { owner, app };
}

async function describeServer(db: Database): Promise<string> {
  const row = only(
    await db.query(`select version() as version, current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
      current_setting('full_page_writes') as pages, current_setting('shared_buffers') as buffers`),
  );
  invariant(
    text(row, 'fsync') === 'on' && text(row, 'commit') === 'on',
    'Without fsync and synchronous_commit there is no result.',
  );
  return `${text(row, 'version').split(' on ')[0]} fsync=on synchronous_commit=on full_page_writes=${text(row, 'pages')} shared_buffers=${text(row, 'buffers')}`;
}

function rate(round: Round | undefined): number {
  invariant(round !== undefined, 'A candidate of the bench has no result.');
  return round.perSecond;
}

function line(parts: {
  readonly what: string;
  readonly value: number;
  readonly limit: number;
  readonly below?: boolean;
  readonly note: string;
}): boolean {
  const isGood = parts.below === true ? parts.value < parts.limit : parts.value >= parts.limit;
  const limit = `${parts.below === true ? '<' : '>='} ${parts.limit}`;
  process.stdout.write(
    `  ${parts.what.padEnd(44)}${parts.value.toFixed(2).padStart(9)}  (${limit})  ${isGood ? 'holds' : 'FAILS'}   ${parts.note}\n`,
  );
  return isGood;
}

function perSecond(value: number): string {
  return `${value < 10_000 ? value.toFixed(0) : `${(value / 1000).toFixed(1)}k`}/s`;
}

async function benchSpeed(server: EmbeddedServer, options: Options): Promise<boolean> {
  const ledger = await newLedger(server, 'bench_speed');
  await using owner = ledger.owner;
  await using app = ledger.app;
  await createBaselines(owner);
  const bench = { ...server.access.owner, url: server.access.owner.url.replace(/\/bulkhead$/u, '/bench_speed') };
  await using textbook = openDatabase({ ...bench, connections: 32 });
  // A batch of the ledger waits for the rows of the one before it, so its two connections write one stream of rows: compared
  // with one connection that inserts without a pause. What two of those do that wait for nothing is printed beside it.
  await using bare = openDatabase({ ...bench, connections: 2 });
  await using queue = new LedgerQueue(app);
  const candidates = [
    queueCandidate('ledger random', queue, randomPair),
    textbookCandidate('textbook random', textbook, randomPair),
    bareCandidate('bare', bare, 1),
    bareCandidate('bare, two connections', bare, 2),
    queueCandidate('ledger hot', queue, hotPair),
    textbookCandidate('textbook hot', textbook, hotPair),
    singleCandidate(queue),
  ];
  const before = async (): Promise<void> => {
    await using admin = openDatabase({ url: server.adminUrl, connections: 1 });
    await admin.query('checkpoint');
  };
  const results = await alternate(candidates, { ...options, before });
  const get = (name: string): Round | undefined => results.get(name);
  const [random, hot, rows] = [rate(get('ledger random')), rate(get('ledger hot')), rate(get('bare'))];
  const rowsOfTwo = rate(get('bare, two connections'));
  const single = get('single');
  const note = (name: string): string => {
    const round = get(name);
    return `${name} ${perSecond(rate(round))}, p50/p99 ${round?.p50Ms.toFixed(1)}/${round?.p99Ms.toFixed(1)} ms`;
  };
  const held = [
    line({
      what: 'random accounts, times textbook',
      value: random / rate(get('textbook random')),
      limit: thresholds.random,
      note: `${note('ledger random')}; ${note('textbook random')}`,
    }),
    line({
      what: 'one hot account, times textbook',
      value: hot / rate(get('textbook hot')),
      limit: thresholds.hot,
      note: `${note('ledger hot')}; ${note('textbook hot')}`,
    }),
    line({
      what: 'random accounts, share of a bare insert',
      value: random / rows,
      limit: thresholds.bare,
      note: `bare ${perSecond(rows)} in batches of ${batch} on one connection; ${perSecond(rowsOfTwo)} on two, share ${(random / rowsOfTwo).toFixed(2)}`,
    }),
    line({
      what: 'one client, p99 ms',
      value: single?.p99Ms ?? Infinity,
      limit: thresholds.p99Ms,
      below: true,
      note: note('single'),
    }),
  ];
  return held.every(Boolean);
}

async function benchGrowth(server: EmbeddedServer, options: Options): Promise<boolean> {
  const small = await newLedger(server, 'bench_small');
  const large = await newLedger(server, 'bench_large');
  await using smallOwner = small.owner;
  await using smallApp = small.app;
  await using largeOwner = large.owner;
  await using largeApp = large.app;
  await fill(smallApp, smallEntries);
  process.stdout.write(`  filling one ledger with ${options.grow} entries …\n`);
  await fill(largeApp, options.grow);
  await Promise.all([smallOwner.query('analyze'), largeOwner.query('analyze')]);
  await using smallQueue = new LedgerQueue(smallApp);
  await using largeQueue = new LedgerQueue(largeApp);
  const before = async (): Promise<void> => {
    await using admin = openDatabase({ url: server.adminUrl, connections: 1, statementTimeoutMs: 600_000 });
    await admin.query('checkpoint');
  };
  const results = await alternate(
    [queueCandidate('small', smallQueue, randomPair), queueCandidate('large', largeQueue, randomPair)],
    { ...options, before },
  );
  const [first, second] = [rate(results.get('small')), rate(results.get('large'))];
  return line({
    what: `${options.grow} entries, share of ${smallEntries}`,
    value: second / first,
    limit: thresholds.growth,
    note: `${perSecond(first)} and ${perSecond(second)}, right after a checkpoint${options.grow < 10_000_000 ? '; the full run is --grow 10000000' : ''}`,
  });
}

/** The ledger against its baselines in one run on one server. Answers whether every threshold holds. */
export async function benchLedger(args: readonly string[]): Promise<boolean> {
  const options = readOptions(args);
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-bench-'));
  chmodSync(directory, 0o711);
  const busy = cpuMeter();
  try {
    await using server = await startEmbedded({ directory });
    await using admin = openDatabase({ url: server.adminUrl, connections: 1 });
    process.stdout.write(`  ${await describeServer(admin)}\n`);
    process.stdout.write(
      `  ${cpus().length} cores, load before ${(loadavg()[0] ?? 0).toFixed(2)}; ${accountCount} accounts, ${clients} clients, `,
    );
    process.stdout.write(
      `median of ${options.rounds} alternating rounds of ${options.durationMs / 1000} s, checkpoint before each\n`,
    );
    const speed = await benchSpeed(server, options);
    const growth = options.skipGrow ? true : await benchGrowth(server, options);
    process.stdout.write(
      `  cores busy during the run: ${busy().toFixed(2)} of ${cpus().length}, other programs included\n`,
    );
    return speed && growth;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
