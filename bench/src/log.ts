import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseAssetId, parseCompartment } from '@bulkhead/domain';
import { ledgerMigrations, openBook } from '@bulkhead/ledger';
import {
  leavesAtOnce,
  logMigrations,
  newKeyPem,
  readFacts,
  Sequencer,
  signHead,
  softwareSigner,
  verifyLog,
} from '@bulkhead/log';
import { type Database, integer, migrate, only, openDatabase, startEmbedded } from '@bulkhead/postgres';

const views = ['ledger.facts'] as const;
const thresholds = { leavesPerSecond: 20_000, verifyS: 60 } as const;
/** Leaves between two checkpoints, as a log has them that grows at some thousand a second. */
const checkpointLeaves = 20_000;
const workMsMax = 3_600_000;

/**
 * Sequences transfers that are there, beside a bare copy of the same facts into one table, and verifies the log from its first leaf.
 * With `fsync`, and a transaction for each batch of either.
 *
 * @returns whether the thresholds hold
 */
export async function benchLog(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({ args: [...args], options: { leaves: { type: 'string', default: '1000000' } } });
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-bench-log-'));
  try {
    return await measure(directory, Number(values.leaves));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(directory: string, leaves: number): Promise<boolean> {
  await using server = await startEmbedded({ directory });
  const { owner: ownerAccess, app } = server.access;
  await using owner = openDatabase({ ...ownerAccess, connections: 1, statementTimeoutMs: workMsMax });
  await migrate(owner, [ledgerMigrations, logMigrations]);
  await using db = openDatabase({ ...app, connections: 1, statementTimeoutMs: workMsMax });
  await fill(owner, db, leaves);
  const copied = await copyBare(owner, db, Math.min(leaves, 200_000));
  const log = softwareSigner(newKeyPem(), 'bench.example.com/log', 'ed25519');
  const sequencer = new Sequencer(db, { views });
  let [size, signedAt] = [0, 0];
  const spent = await processorTime(db);
  const began = performance.now();
  while (size < leaves) {
    const step = await sequencer.step();
    if (step.status === 'sequenced') size = step.size;
    if (size - signedAt >= checkpointLeaves || size === leaves) signedAt = await signHead(db, log, new Date());
  }
  const perSecond = (leaves * 1000) / (performance.now() - began);
  const sequenced = await spent();
  const spentAgain = await processorTime(db);
  const from = performance.now();
  const report = await db.transaction((tx) => verifyLog(tx, { log: log.key, views }), { isolation: 'repeatable read' });
  const verifyS = (performance.now() - from) / 1000;
  const verified = await spentAgain();
  const sound = report.findings.length === 0 && report.leaves === leaves;
  const limitS = Math.max(1, (thresholds.verifyS * leaves) / 1_000_000);
  process.stdout.write(
    `  ${leaves} leaves sequenced       ${perSecond.toFixed(0)} in a second (wanted ${thresholds.leavesPerSecond})\n`,
  );
  process.stdout.write(
    `  against a bare copy          ${(perSecond / copied).toFixed(2)} of its ${copied.toFixed(0)} facts in a second\n`,
  );
  process.stdout.write(
    `  verified                     ${verifyS.toFixed(1)} s, ${report.checkpoints} checkpoints, ${sound ? 'sound' : 'NOT SOUND'} (limit ${limitS.toFixed(0)} s)\n`,
  );
  const each = (seconds: number): string => ((seconds * 1_000_000) / leaves).toFixed(1);
  process.stdout.write(
    `  processor time of a leaf     sequenced ${each(sequenced.here)} us here and ${each(sequenced.session)} in the database's session, verified ${each(verified.here)} and ${each(verified.session)}\n`,
  );
  return sound && perSecond >= thresholds.leavesPerSecond && verifyS <= limitS;
}

/** Transfers as the ledger has them, written past it: how fast it posts is measured elsewhere. */
async function fill(owner: Database, db: Database, count: number): Promise<void> {
  const [compartment, asset] = [parseCompartment(100_000), parseAssetId('eip155:1/slip44:60')];
  await openBook(db, { compartment, asset });
  await owner.query(
    `insert into ledger.account (book, kind, holder, debit_normal, never_negative)
     select b.id, 'available', 'cl_' || n, false, true from ledger.book b, generate_series(1, 1000) n`,
  );
  await owner.query(
    `insert into ledger.transfer (position, key, type, book, debit, credit, amount, debit_after, credit_after, code, reference, digest)
     select nextval('ledger.transfer_position'), gen_random_uuid(), 'post', b.id, a.first + n % 500, a.first + 500 + n % 500,
       (10 ^ 18 + n)::numeric(78, 0), 0, 0, 'bench', 'wd_' || gen_random_uuid(), sha256(n::text::bytea)
     from generate_series(1, $1::integer) n, ledger.book b, (select min(number) as first from ledger.account) a`,
    [count],
  );
  await owner.query('analyze ledger.transfer');
}

/** The same facts read and written back as they are, in batches of the same length: no leaf, no hash, no order to keep. */
async function copyBare(owner: Database, db: Database, count: number): Promise<number> {
  await owner.query('create schema bare');
  await owner.query('create table bare.fact (position bigint primary key, content text not null)');
  await owner.query('grant usage on schema bare to bulkhead_app; grant insert on bare.fact to bulkhead_app');
  const began = performance.now();
  let after = 0n;
  for (let done = 0; done < count; done += leavesAtOnce) {
    after = await db.transaction(async (tx) => {
      const facts = await readFacts(tx, views, { after, until: BigInt(count), limit: leavesAtOnce });
      await tx.query('insert into bare.fact select * from unnest($1::bigint[], $2::text[])', [
        facts.map(({ position }) => position),
        facts.map(({ content }) => content ?? ''),
      ]);
      return facts.at(-1)?.position ?? after;
    });
  }
  return (count * 1000) / (performance.now() - began);
}

/** Clock ticks of Linux in a second, as /proc counts them. */
const ticksPerSecond = 100;

/** Seconds of a processor that this process and its one session of the database spend from now on: they say what others on the machine do not change. */
async function processorTime(
  db: Database,
): Promise<() => Promise<{ readonly here: number; readonly session: number }>> {
  const read = async (): Promise<{ here: number; session: number }> => {
    const pid = integer(only(await db.query('select pg_backend_pid() as pid')), 'pid');
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /u, '')
      .split(' ');
    const { user, system } = process.cpuUsage();
    return {
      here: (user + system) / 1_000_000,
      session: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    };
  };
  const before = await read();
  return async () => {
    const now = await read();
    return { here: now.here - before.here, session: now.session - before.session };
  };
}
