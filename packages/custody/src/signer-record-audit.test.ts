import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditSignerRecords, countedSignerLogView } from './signer-record-audit.ts';
import { pullSignerRecords, storeRecord } from './signer-record.ts';
import { type Bench, openBench } from './testing/bench.ts';

/** Writes with the rights of the owner of the tables, past every trigger. */
async function tamper(bench: Bench, change: string): Promise<void> {
  const { owner } = bench.database;
  await owner.query('alter table custody.signer_record disable trigger user');
  await owner.query(change);
  await owner.query('alter table custody.signer_record enable trigger user');
}

/** The signer decides so often that the records are read in several pages, and the newest comes with its grant. */
async function openWithRecords(): Promise<Bench> {
  const bench = await openBench();
  const { log } = bench.signer;
  while (log.sequence < 1_003n) log.append('refused', { n: String(log.sequence) });
  await pullSignerRecords(bench.custody);
  log.append('granted', { n: 'not stored yet' });
  const ahead = log.append('granted', { n: 'ahead' });
  await bench.custody.db.transaction((tx) => storeRecord(bench.custody, tx, ahead));
  return bench;
}

const audited = ({ custody }: Bench): Promise<string | undefined> =>
  auditSignerRecords(custody.db, custody.verifyRecord);

const told = async ({ custody }: Bench): Promise<string | null> => (await countedSignerLogView(custody.db)).trouble;

test('stored records are proven from the first to the position that is noted, and a hole after it is none', async () => {
  await using bench = await openWithRecords();
  assert.deepEqual([await audited(bench), await told(bench)], [undefined, null]);
  await using empty = await openBench();
  assert.deepEqual([await audited(empty), await told(empty)], [undefined, null]);
});

test('the first record that the owner of the tables deleted is named', async () => {
  await using bench = await openWithRecords();
  for (const [where, first] of [
    ['sequence = 1003', 1003],
    ['sequence in (500, 501, 700)', 500],
    ['sequence = 1', 1],
    ['true', 1],
  ] as const) {
    await tamper(bench, `delete from custody.signer_record where ${where}`);
    const said = new RegExp(`^Record ${first} of the signer is missing, and all up to 1003 were stored`, 'u');
    assert.match((await audited(bench)) ?? '', said);
    assert.match((await told(bench)) ?? '', said);
  }
});

test('the record that was changed is named, whatever of it was changed', async () => {
  await using bench = await openWithRecords();
  const { owner } = bench.database;
  await owner.query('create table custody.kept as select * from custody.signer_record');
  // The last column is generated: the database writes it itself.
  await owner.query('alter table custody.kept drop column refused');
  const zeros = '0'.repeat(64);
  for (const [change, said] of [
    [`line = replace(line, 'refused', 'granted') where sequence = 600`, /^Record 600 of the signer is not what was/u],
    [`previous = '${zeros}' where sequence = 601`, /^Record 601 of the signer is not what was/u],
    [`head = 'null' where sequence = 7`, /^Record 7 of the signer is not what was stored: it holds no proof/u],
    [`line = replace(line, 'ahead', 'other') where sequence = 1005`, /^Record 1005 of the signer is not what was/u],
    // A whole row of another position, which is proven for itself.
    [`sequence = 9000 where sequence = 1003`, /^Record 1003 of the signer is missing/u],
  ] as const) {
    await tamper(bench, `update custody.signer_record set ${change}`);
    assert.match((await audited(bench)) ?? '', said);
    await tamper(bench, 'delete from custody.signer_record');
    await tamper(bench, 'insert into custody.signer_record select * from custody.kept');
  }
  assert.equal(await audited(bench), undefined);
});

test('records of another log that prove themselves do not fit the hash that is noted', async () => {
  await using bench = await openWithRecords();
  const { log } = bench.signer;
  log.rewind(1_002n);
  const other = log.append('granted', { n: 'other' });
  await tamper(bench, 'delete from custody.signer_record where sequence > 1002');
  await bench.custody.db.transaction((tx) => storeRecord(bench.custody, tx, other));
  const said = /up to record 1003, as it is stored, is not the one that was noted/u;
  assert.match((await audited(bench)) ?? '', said);
  assert.match((await told(bench)) ?? '', said);
});
