import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeStatement, FakeSignerLog, foreignIdentity } from '@bulkhead/fakes';
import {
  pullSignerRecords,
  signerLogView,
  signerRecordsAtOnce,
  signerRecordViews,
  signerRefusalCounts,
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
  await bench.custody.db.transaction((tx) => storeRecord(bench.custody, tx, third));
  await bench.custody.db.transaction((tx) => storeRecord(bench.custody, tx, third));
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

test('a signer on an older state is found out: by the first other record that it signs there, for ever', async () => {
  await using bench = await openBench();
  await decides(bench, 5);
  await pullSignerRecords(bench.custody);
  bench.signer.log.rewind(3n);
  for (let n = 0; n < 6; n += 1) bench.signer.log.append('granted', { n: String(n) });
  await pullSignerRecords(bench.custody);
  assert.match(await troubleOf(bench), /forked/u);
  const before = await signerRecordViews(bench.custody.db, { after: null, limit: 100 });
  await pullSignerRecords(bench.custody);
  assert.deepEqual(await signerRecordViews(bench.custody.db, { after: null, limit: 100 }), before, 'it stands still');
  const [noted] = await bench.custody.db.query(`select event from custody.journal where subject = 'signer'`);
  assert.equal(noted?.['event'], 'signer-log-trouble');
  await assert.rejects(bench.database.owner.query('update custody.signer_log set trouble = null'), /written once/u);
});

test('fewer records than were stored are shown, and only while that is what is said', async () => {
  await using bench = await openBench();
  await decides(bench, 5);
  await pullSignerRecords(bench.custody);
  const kept = bench.signer.log.records(0n, 100);
  const rightful = bench.signer.status.bind(bench.signer);
  bench.signer.status = async () => ({ ...(await rightful()), sequence: 3n });
  for (let n = 0; n < 3; n += 1) await pullSignerRecords(bench.custody);
  assert.match(await troubleOf(bench), /has 3 records, and 6 were stored .* older state/u);
  const noted = await bench.custody.db.query(`select event from custody.journal where subject = 'signer'`);
  assert.deepEqual(
    noted.map(({ event }) => event),
    ['signer-answer-not-believed'],
    'said once',
  );
  bench.signer.status = rightful;
  await pullSignerRecords(bench.custody);
  const shown = await signerRecordViews(bench.custody.db, { after: null, limit: 100 });
  assert.deepEqual([await troubleOf(bench), shown.length], ['', kept.length]);
});

test('whoever answers at the socket without an identity of the signer stores nothing and leaves nothing behind', async () => {
  await using bench = await openBench();
  await decides(bench, 4);
  await pullSignerRecords(bench.custody);
  await decides(bench, 3);
  const rightful = bench.signer.records.bind(bench.signer);
  const foreign = new FakeSignerLog(bench.clock, foreignIdentity);
  for (let n = 0; n < 9; n += 1) foreign.append('granted', { n: `foreign ${n}` });
  bench.signer.records = async (after, limit) => foreign.records(after, limit);
  await pullSignerRecords(bench.custody);
  assert.match(await troubleOf(bench), /Record 6 that the signer gives is not stored \(signer\/certificate-invalid\)/u);
  const [other] = foreign.records(6n, 1);
  assert.ok(other !== undefined);
  await assert.rejects(
    bench.custody.db.transaction((tx) => storeRecord(bench.custody, tx, other)),
    { code: 'signer/certificate-invalid' },
  );
  assert.equal((await signerRecordViews(bench.custody.db, { after: null, limit: 100 })).length, 5);
  bench.signer.records = rightful;
  await pullSignerRecords(bench.custody);
  const { sequence, trouble } = await signerLogView(bench.custody.db);
  assert.deepEqual([sequence, trouble], [bench.signer.log.sequence.toString(), null]);
});

test('a grant that contradicts what is stored is made known, and stored nowhere', async () => {
  await using bench = await openBench();
  await decides(bench, 2);
  await pullSignerRecords(bench.custody);
  bench.signer.log.rewind(2n);
  const other = bench.signer.log.append('granted', { n: 'other' });
  await bench.custody.db.transaction((tx) => storeRecord(bench.custody, tx, other));
  assert.match(await troubleOf(bench), /Record 3 .* forked/u);
});

test('records with a hole between them, or of another branch, are trouble for ever', async () => {
  for (const name of ['missing', 'forked'] as const) {
    await using bench = await openBench();
    await decides(bench, 4);
    const [first, second, third] = bench.signer.log.records(0n, 3);
    const branch = new FakeSignerLog(bench.clock);
    branch.append('opened', { other: 'branch' });
    const other = branch.append('refused', {});
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    bench.signer.records = async () => (name === 'missing' ? [first, third] : [first, other]);
    await pullSignerRecords(bench.custody);
    assert.match(await troubleOf(bench), new RegExp(name, 'u'));
    const { sequence } = await signerLogView(bench.custody.db);
    assert.equal(sequence, '1', 'up to there it is right');
    bench.signer.records = async () => [second];
    await pullSignerRecords(bench.custody);
    assert.match(await troubleOf(bench), new RegExp(name, 'u'));
  }
});

test('a line that was changed, moved or put below another head is not stored', async () => {
  for (const change of [
    { line: '{"other":"line"}' },
    { previous: '1'.repeat(64) },
    { sequence: 3n },
    { following: ['2'.repeat(64)] },
    { head: fakeStatement('head', { sequence: '2', hash: '3'.repeat(64) }) },
  ]) {
    await using bench = await openBench();
    await decides(bench, 4);
    const [first, second] = bench.signer.log.records(0n, 2);
    assert.ok(first !== undefined && second !== undefined);
    bench.signer.records = async () => [first, { ...second, ...change }];
    await pullSignerRecords(bench.custody);
    assert.match(await troubleOf(bench), /is not stored/u);
    const shown = await signerRecordViews(bench.custody.db, { after: null, limit: 100 });
    assert.deepEqual(
      shown.map(({ sequence }) => sequence),
      ['1'],
    );
  }
});

test('refusals are counted by code, whatever they quote, and no record is read again for it', async () => {
  await using bench = await openBench();
  const { log } = bench.signer;
  log.append('refused', { code: 'signer/unknown-client', message: 'a NUL \0 and "type":"granted"' });
  log.append('refused', { code: 'signer/unknown-client', message: '' });
  log.append('refused', { code: 'signer/intent-spent', message: '' });
  log.append('granted', { message: '"type":"refused","code":"signer/hardening"' });
  await pullSignerRecords(bench.custody);
  const counts = await signerRefusalCounts(bench.custody.db);
  assert.deepEqual(Object.fromEntries(counts), { 'signer/intent-spent': 1, 'signer/unknown-client': 2 });
  const rows = await bench.database.owner.query(
    `select attgenerated::text as generated from pg_attribute where attrelid = 'custody.signer_record'::regclass and attname = 'refused'`,
  );
  assert.deepEqual(rows, [{ generated: 's' }]);
});
