import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecisionRecord } from '@bulkhead/domain';
import {
  pullSignerRecords,
  signerLogView,
  signerRecordsAtOnce,
  signerRecordViews,
  storeRecord,
} from './signer-record.ts';
import { type Bench, openBench } from './testing/bench.ts';

async function decides(bench: Bench, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) bench.signer.log.append('refused', { n: String(n) });
}

async function troubleOf(bench: Bench): Promise<string> {
  return (await signerLogView(bench.custody.db)).trouble ?? '';
}

test('records are fetched without a hole, page by page, and shown as they were made', async () => {
  await using bench = await openBench();
  await decides(bench, signerRecordsAtOnce * 2 + 7);
  await pullSignerRecords(bench.custody);
  const { sequence, hash, trouble } = await signerLogView(bench.custody.db);
  assert.deepEqual([sequence, trouble], [bench.signer.log.sequence.toString(), null]);
  const made = bench.signer.log.records(0n, 1_000);
  const shown = await signerRecordViews(bench.custody.db, { after: null, limit: 1_000 });
  assert.deepEqual(
    shown,
    made.map((record) => ({ ...record, sequence: record.sequence.toString() })),
  );
  const page = await signerRecordViews(bench.custody.db, { after: '3', limit: 2 });
  assert.deepEqual(
    page.map((record) => record.sequence),
    ['4', '5'],
  );
  await decides(bench, 1);
  await Promise.all([pullSignerRecords(bench.custody), pullSignerRecords(bench.custody)]);
  const later = await signerLogView(bench.custody.db);
  assert.equal(later.sequence, bench.signer.log.sequence.toString());
  const [last] = bench.signer.log.records(BigInt(sequence), 1);
  assert.equal(last?.previous, hash, 'the next record follows the hash that is stored');
});

test('a record that came with its grant is not fetched twice, and the ones before it are fetched', async () => {
  await using bench = await openBench();
  await decides(bench, 4);
  const [third] = bench.signer.log.records(2n, 1);
  assert.ok(third !== undefined);
  await bench.custody.db.transaction((tx) => storeRecord(tx, third, bench.clock.now()));
  await bench.custody.db.transaction((tx) => storeRecord(tx, third, bench.clock.now()));
  assert.equal((await signerLogView(bench.custody.db)).sequence, '0');
  await pullSignerRecords(bench.custody);
  const shown = await signerRecordViews(bench.custody.db, { after: null, limit: 10 });
  assert.deepEqual([shown.length, await troubleOf(bench)], [5, '']);
});

test('a signer that does not answer is asked again by the next run', async () => {
  await using bench = await openBench();
  bench.signer.down = true;
  await pullSignerRecords(bench.custody);
  assert.equal((await signerLogView(bench.custody.db)).sequence, '0');
  bench.signer.down = false;
  await pullSignerRecords(bench.custody);
  assert.equal((await signerLogView(bench.custody.db)).sequence, '1');
});

test('a signer on an older state is found out: by fewer records, and by others at the same place', async () => {
  for (const after of ['nothing', 'others'] as const) {
    await using bench = await openBench();
    await decides(bench, 5);
    await pullSignerRecords(bench.custody);
    bench.signer.log.rewind(3n);
    if (after === 'others') for (let n = 0; n < 6; n += 1) bench.signer.log.append('granted', { n: String(n) });
    await pullSignerRecords(bench.custody);
    assert.match(await troubleOf(bench), after === 'others' ? /forked/u : /older state/u);
    const before = await signerRecordViews(bench.custody.db, { after: null, limit: 100 });
    await pullSignerRecords(bench.custody);
    assert.deepEqual(await signerRecordViews(bench.custody.db, { after: null, limit: 100 }), before, 'it stands still');
    const [noted] = await bench.custody.db.query(`select event from custody.journal where subject = 'signer'`);
    assert.equal(noted?.['event'], 'signer-log-trouble');
    await assert.rejects(bench.database.owner.query('update custody.signer_log set trouble = null'), /written once/u);
  }
});

test('a grant that contradicts what is stored is made known, and stored nowhere', async () => {
  await using bench = await openBench();
  await decides(bench, 2);
  await pullSignerRecords(bench.custody);
  bench.signer.log.rewind(2n);
  const other = bench.signer.log.append('granted', { n: 'other' });
  await bench.custody.db.transaction((tx) => storeRecord(tx, other, bench.clock.now()));
  assert.match(await troubleOf(bench), /Record 3 .* forked/u);
});

test('records with a hole between them, or that do not follow each other, are not believed', async () => {
  const record = (bench: Bench, n: bigint): DecisionRecord => {
    const [found] = bench.signer.log.records(n - 1n, 1);
    assert.ok(found !== undefined);
    return found;
  };
  for (const [name, of] of [
    ['missing', (bench: Bench) => [record(bench, 1n), record(bench, 3n)]],
    ['forked', (bench: Bench) => [record(bench, 1n), { ...record(bench, 2n), previous: '1'.repeat(64) }]],
    ['forked', (bench: Bench) => [{ ...record(bench, 1n), line: '{"other":"line"}' }, record(bench, 2n)]],
  ] as const) {
    await using bench = await openBench();
    await decides(bench, 4);
    const records = of(bench);
    bench.signer.records = async () => records;
    await pullSignerRecords(bench.custody);
    assert.match(await troubleOf(bench), new RegExp(name, 'u'));
    const { sequence } = await signerLogView(bench.custody.db);
    assert.equal(sequence, '1', 'up to there it is right');
  }
});
