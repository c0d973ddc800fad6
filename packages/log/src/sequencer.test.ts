import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CustodyError, parseAssetId, parseCompartment, type TransferKey, equalBytes } from '@bulkhead/domain';
import { openBook, postTransfers } from '@bulkhead/ledger';
import {
  bigint,
  bytes,
  type Database,
  only,
  openDatabase,
  type Queries,
  sqlState,
  text,
  type Transaction,
} from '@bulkhead/postgres';
import { emptyFrontier, extend, leafHash, parseLeaf, rootOf } from '@bulkhead/tlog';
import { committedHead } from './log-reading.ts';
import { signHead } from './publishing.ts';
import { Sequencer } from './sequencer.ts';
import { logDatabase, newLogSigner, note, notes, views } from './testing/facts.ts';
import { verifyLog } from './verification.ts';

const now = new Date('2026-01-02T03:04:05.678Z');
const stepsMax = 200;

/** Steps until the log has so many leaves. Transactions of other tests on the same server hold it back for a while. */
async function sequence(sequencer: Sequencer, size: number): Promise<void> {
  for (let n = 0; n < stepsMax; n += 1) {
    const step = await sequencer.step();
    if (step.status === 'sequenced' && step.size >= size) return;
    await sleep(25);
  }
  assert.fail(`The log did not reach ${size} leaves.`);
}

async function idsOf(db: Queries): Promise<readonly string[]> {
  const rows = await db.query('select entry from log.leaf order by index');
  return rows.map((row) => parseLeaf(bytes(row, 'entry')).id);
}

test('transfers and other facts become leaves in the order in which they were written', async () => {
  await using db = await logDatabase();
  const [compartment, asset] = [parseCompartment(100_000), parseAssetId('eip155:31337/slip44:60')];
  await openBook(db.app, { compartment, asset });
  await note(db.app, 'before');
  const key = '00000000-0000-4000-8000-000000000002' as TransferKey;
  const fresh = { type: 'post', key, compartment, asset, amount: 5n, code: 'test', reference: 'ref' } as const;
  const legs = { debit: { kind: 'loss', holder: '' }, credit: { kind: 'available', holder: 'cl_1' } } as const;
  const [created] = await postTransfers(db.app, [[{ ...fresh, ...legs }]], { now });
  assert.equal(created?.[0]?.status, 'created');
  await note(db.app, 'after');
  await sequence(new Sequencer(db.app, { views }), 3);
  assert.deepEqual(await idsOf(db.app), ['before', key, 'after']);
  const report = await verifyLog(db.app, { log: newLogSigner().key, views });
  assert.deepEqual([report.leaves, report.findings, report.waiting], [3, [], false]);
});

test('an open transaction holds back what comes after the place it may still fill, and nothing before', async () => {
  await using db = await logDatabase();
  const sequencer = new Sequencer(db.app, { views });
  await note(db.app, 'a');
  await sequence(sequencer, 1);
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let started: () => void = () => undefined;
  const isStarted = new Promise<void>((resolve) => {
    started = resolve;
  });
  const long = db.app.transaction(async (tx) => {
    await note(tx, 'long');
    started();
    await ended;
    await note(tx, 'long-again');
  });
  try {
    await isStarted;
    await note(db.app, 'b');
    for (let n = 0; n < 5; n += 1) {
      await sequencer.step();
      await sleep(10);
    }
    assert.deepEqual(await idsOf(db.app), ['a'], 'a place before b is not filled yet');
  } finally {
    end();
    await long;
  }
  await sequence(sequencer, 4);
  assert.deepEqual(await idsOf(db.app), ['a', 'long', 'b', 'long-again']);
});

test('facts that a fence stands behind are taken while a later transaction is open', async () => {
  await using db = await logDatabase();
  const sequencer = new Sequencer(db.app, { views, leavesAtOnce: 2 });
  await note(db.app, 'a', 'b', 'c', 'd', 'e');
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  // The first step sees that all five are there, and takes two of them.
  await sequence(sequencer, 2);
  const long = db.app.transaction(async (tx) => {
    await note(tx, 'long');
    await ended;
  });
  try {
    await sequence(sequencer, 5);
    assert.deepEqual(await idsOf(db.app), ['a', 'b', 'c', 'd', 'e']);
  } finally {
    end();
    await long;
  }
});

test('nothing is left out and nothing comes too early while many write, some for long and some in vain', async () => {
  await using db = await logDatabase(14);
  const sequencer = new Sequencer(db.app, { views, leavesAtOnce: 7 });
  let written = 0;
  let running = true;
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; n < 25; n += 1) {
      const fails = (writer + n) % 7 === 0;
      try {
        await db.app.transaction(async (tx) => {
          await note(tx, `${writer}-${n}-first`);
          await sleep((writer * n) % 13);
          await note(tx, `${writer}-${n}-second`);
          if (fails) throw new CustodyError('request/timed-out', 'given up');
        });
        written += 2;
      } catch (error) {
        if (!fails) throw error;
      }
    }
  };
  const stepping = (async (): Promise<void> => {
    while (running) {
      await sequencer.step();
      await sleep(1);
    }
  })();
  await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer + 1)));
  running = false;
  await stepping;
  await sequence(sequencer, written);
  const [all] = await db.app.query('select count(*) as count, count(distinct position) as places from log.leaf');
  assert.deepEqual([bigint(all ?? {}, 'count'), bigint(all ?? {}, 'places')], [BigInt(written), BigInt(written)]);
  const inOrder = await db.app.query('select id from diary.note order by position');
  assert.deepEqual(
    await idsOf(db.app),
    inOrder.map((row) => text(row, 'id')),
  );
});

test('the stored head is the root of the stored leaves', async () => {
  await using db = await logDatabase();
  const sequencer = new Sequencer(db.app, { views, leavesAtOnce: 300 });
  await notes(db.app, 1_000);
  await sequence(sequencer, 1_000);
  const rows = await db.app.query('select entry from log.leaf order by index');
  const rebuilt = extend(
    emptyFrontier,
    rows.map((row) => leafHash(bytes(row, 'entry'))),
  );
  const head = await committedHead(db.app);
  assert.equal(head.size, 1_000);
  assert.ok(equalBytes(head.root, rootOf(rebuilt)));
  const nodes = only(await db.app.query('select count(*) as count from log.node'));
  assert.equal(bigint(nodes, 'count'), 3n, 'three full tiles of 256');
});

test('of two sequencers one works; the other takes over when it resigns, and when it says nothing for too long', async () => {
  await using db = await logDatabase();
  const [first, second] = [
    new Sequencer(db.app, { views, leaseMs: 60_000 }),
    new Sequencer(db.app, { views, leaseMs: 60_000 }),
  ];
  await note(db.app, 'a');
  await sequence(first, 1);
  assert.equal((await second.step()).status, 'elsewhere');
  await first.resign();
  await note(db.app, 'b');
  await sequence(second, 2);
  assert.equal((await first.step()).status, 'elsewhere', 'who resigned waits as everybody');
  const impatient = new Sequencer(db.app, { views, leaseMs: 1 });
  await sleep(20);
  await note(db.app, 'c');
  await sequence(impatient, 3);
  // The second one comes back after its lease: it finds another token, and its fences count no longer.
  const back = await second.step();
  assert.equal(back.status, 'elsewhere');
  const [row] = await db.app.query('select token from log.sequencer');
  assert.equal(bigint(row ?? {}, 'token'), 3n);
  assert.deepEqual(await idsOf(db.app), ['a', 'b', 'c']);
});

test('while one sequencer writes, another does not wait for it', async () => {
  await using db = await logDatabase();
  const other = new Sequencer(db.app, { views, leaseMs: 1 });
  await note(db.app, 'a');
  await db.app.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock(7207281944380118241)');
    assert.equal((await other.step()).status, 'elsewhere');
  });
  await sequence(other, 1);
});

test('many sequencers at once add each fact once', async () => {
  await using db = await logDatabase(14);
  await notes(db.app, 400);
  const all = Array.from({ length: 5 }, () => new Sequencer(db.app, { views, leaseMs: 1, leavesAtOnce: 9 }));
  for (let n = 0; n < stepsMax; n += 1) {
    await Promise.all(all.map((sequencer) => sequencer.step()));
    if ((await committedHead(db.app)).size >= 400) break;
  }
  const report = await verifyLog(db.app, { log: newLogSigner().key, views });
  assert.deepEqual([report.leaves, report.findings], [400, []]);
});

/** A database whose connection breaks at the n-th statement of a transaction, or after its commit. */
function breaking(db: Database, at: number): Database & { readonly broke: () => boolean } {
  let broke = false;
  let statements = 0;
  const lost = (): never => {
    broke = true;
    throw new CustodyError('database/unavailable', 'the connection broke');
  };
  return {
    broke: () => broke,
    query: (sql, values, options) => db.query(sql, values, options),
    transaction: async (work, options) => {
      const result = await db.transaction(
        (tx) =>
          work({
            savepoint: (part) => tx.savepoint(part),
            query: async (sql, values, named) => {
              statements += 1;
              if (!broke && statements === at) lost();
              return tx.query(sql, values, named);
            },
          } satisfies Transaction),
        options,
      );
      if (!broke && statements < at) lost();
      return result;
    },
    close: () => db.close(),
    [Symbol.asyncDispose]: () => db.close(),
  };
}

test('a crash at any statement, and after the commit, leaves a log that goes on as if nothing had been', async () => {
  let places = 0;
  for (let at = 1; at <= 12; at += 1) {
    await using db = await logDatabase();
    await notes(db.app, 600);
    const broken = breaking(db.app, at);
    const sequencer = new Sequencer(broken, { views, leavesAtOnce: 500, leaseMs: 1 });
    await assert.rejects(sequencer.step(), { code: 'database/unavailable' });
    if (!broken.broke()) break;
    places += 1;
    await sleep(5);
    await sequence(sequencer, 600);
    const report = await verifyLog(db.app, { log: newLogSigner().key, views });
    assert.deepEqual([report.leaves, report.findings], [600, []], `statement ${at}`);
  }
  assert.equal(places, 12);
});

test('a head is signed when it is committed, and a crash before its note is stored has the same bytes signed again', async () => {
  await using db = await logDatabase();
  const signer = newLogSigner();
  const signed: string[] = [];
  const watched = {
    ...signer,
    sign: (message: Uint8Array) => {
      signed.push(Buffer.from(message).toString());
      return signer.sign(message);
    },
  };
  assert.equal(await signHead(db.app, watched, now), 0, 'an empty log has no checkpoint');
  const sequencer = new Sequencer(db.app, { views });
  await note(db.app, 'a', 'b');
  await sequence(sequencer, 2);
  const refusing: Database = {
    ...db.app,
    query: (sql, values, options) =>
      sql.startsWith('insert')
        ? Promise.reject(new CustodyError('database/unavailable', 'the connection broke'))
        : db.app.query(sql, values, options),
    transaction: (work, options) => db.app.transaction(work, options),
    close: () => db.app.close(),
    [Symbol.asyncDispose]: () => db.app.close(),
  };
  await assert.rejects(signHead(refusing, watched, now));
  assert.equal(await signHead(db.app, watched, now), 2);
  assert.equal(await signHead(db.app, watched, now), 2, 'once is enough');
  assert.deepEqual(signed, [signed[0], signed[0]]);
  const report = await verifyLog(db.app, { log: signer.key, views });
  assert.deepEqual([report.checkpoints, report.findings], [1, []]);
});

test('the application adds and cannot change, the owner is refused by the triggers', async () => {
  await using db = await logDatabase();
  const signer = newLogSigner();
  await notes(db.app, 300);
  await sequence(new Sequencer(db.app, { views }), 300);
  await signHead(db.app, signer, now);
  await db.app.query(`insert into log.cosignature values (300, 'w', 'x', now())`);
  for (const table of ['leaf', 'opening', 'node', 'checkpoint', 'cosignature', 'retention', 'sequencer']) {
    for (const statement of [`delete from log.${table}`, `truncate log.${table} cascade`]) {
      await assert.rejects(db.app.query(statement), (error) => sqlState(error) === '42501', statement);
      if (table === 'opening' && statement.startsWith('delete')) continue;
      await assert.rejects(db.owner.query(statement), (error) => sqlState(error) === 'BH001', statement);
    }
  }
  for (const statement of [
    `update log.leaf set entry = '\\x00'`,
    `update log.opening set salt = sha256('')`,
    `update log.node set hash = sha256('')`,
    `update log.checkpoint set note = ''`,
    `update log.cosignature set line = ''`,
    `update log.retention set period = interval '1 day'`,
  ]) {
    await assert.rejects(db.app.query(statement), (error) => sqlState(error) === '42501', statement);
    await assert.rejects(db.owner.query(statement), (error) => sqlState(error) === 'BH001', statement);
  }
  for (const statement of [
    'update log.sequencer set size = size - 1',
    'update log.sequencer set position = position - 1',
    'update log.sequencer set token = token - 1',
    `update log.sequencer set root = sha256('')`,
  ]) {
    await assert.rejects(db.app.query(statement), (error) => sqlState(error) === 'BH001', statement);
  }
  await assert.rejects(
    db.app.query(`insert into log.retention values ('1 year', '', now())`),
    (error) => sqlState(error) === '42501',
  );
  await assert.rejects(db.app.query('delete from log.opening'), (error) => sqlState(error) === '42501');
  await assert.rejects(db.app.query('create table log.mine (n integer)'), (error) => sqlState(error) === '42501');
});

test('a sequencer of another connection pool sees the same', async () => {
  await using db = await logDatabase();
  await using second = openDatabase({ url: db.urls.app, connections: 2 });
  await note(db.app, 'a');
  await sequence(new Sequencer(second, { views }), 1);
  assert.equal((await new Sequencer(db.app, { views }).step()).status, 'elsewhere');
});
