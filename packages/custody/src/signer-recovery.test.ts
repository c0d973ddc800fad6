import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intentBytes } from '@bulkhead/domain';
import { pullSignerRecords, signerLogView, signerRecordViews, storeRecord } from './signer-record.ts';
import { type Following, followRecovery } from './signer-recovery.ts';
import { readState } from './state.ts';
import { type Bench, openBench } from './testing/bench.ts';

const refusals = (bench: Bench, times: number): void => {
  for (let n = 0; n < times; n += 1) bench.signer.log.append('refused', { n: `${n} ${bench.signer.log.sequence}` });
};

/** The books have six records, the signer has lost all after the third. */
async function rewound(bench: Bench): Promise<Following> {
  refusals(bench, 5);
  await pullSignerRecords(bench.custody);
  bench.signer.log.rewind(3n);
  const { signer, deployment } = bench.custody;
  return { owner: bench.database.owner, signer, verify: () => undefined, deployment, clock: bench.clock };
}

async function followed(bench: Bench): Promise<[string, string | null]> {
  const { sequence, trouble } = await signerLogView(bench.custody.db);
  return [sequence, trouble];
}

/** What the signer writes when the root quorum lets it go on. */
function recover(bench: Bench, about: { readonly sequence: bigint; readonly head?: string }): void {
  const [last] = bench.signer.log.records(2n, 1);
  const [lost] = bench.signer.log.records(1n, 1);
  assert.ok(last !== undefined && lost !== undefined);
  const intent = Buffer.from(
    intentBytes({
      deployment: bench.custody.deployment,
      kind: 'state-recovery',
      id: 'sr_1',
      sequence: about.sequence,
      head: about.head ?? last.head.statement.match(/"hash":"([0-9a-f]{64})"/u)?.[1] ?? '',
      expiresAt: 2_000_000_000n,
    }),
  ).toString();
  bench.signer.log.append('recovered', { intent });
}

test('books follow a recovered signer again, keep what it lost, and only the owner can make them', async () => {
  await using bench = await openBench();
  const following = await rewound(bench);
  await pullSignerRecords(bench.custody);
  assert.match((await signerLogView(bench.custody.db)).trouble ?? '', /older state/u);
  recover(bench, { sequence: 3n });
  refusals(bench, 4);
  await assert.rejects(followRecovery({ ...following, owner: bench.custody.db }), /permission denied|may not|denied/u);
  assert.deepEqual(await followRecovery(following), { recovery: 4n, lost: 3n });
  await pullSignerRecords(bench.custody);
  const { sequence, trouble } = await signerLogView(bench.custody.db);
  assert.deepEqual([sequence, trouble], ['8', null]);
  const shown = await signerRecordViews(bench.custody.db, { after: null, limit: 100 });
  assert.deepEqual(
    shown.map(({ line }) => line),
    bench.signer.log.records(0n, 100).map(({ line }) => line),
  );
  const lost = await bench.custody.db.query('select sequence from custody.signer_record_lost order by sequence');
  assert.deepEqual(
    lost.map((row) => String(row['sequence'])),
    ['4', '5', '6'],
  );
  await assert.rejects(bench.database.owner.query('delete from custody.signer_record_lost'), /never deleted/u);
  await assert.rejects(bench.database.owner.query('delete from custody.signer_record'), /never deleted/u);
  await assert.rejects(bench.database.owner.query('update custody.signer_log set sequence = 1'), /never falls/u);
  assert.equal(await followRecovery(following), undefined, 'there is nothing left to follow');
});

test('records that came with grants, ahead of what was fetched, are put aside as well', async () => {
  await using bench = await openBench();
  const following = await rewound(bench);
  refusals(bench, 6);
  const [ahead] = bench.signer.log.records(7n, 1);
  assert.ok(ahead !== undefined);
  bench.signer.log.rewind(3n);
  recover(bench, { sequence: 3n });
  await bench.custody.db.transaction((tx) => storeRecord(bench.custody, tx, ahead));
  assert.deepEqual(await followRecovery(following), { recovery: 4n, lost: 4n });
  await pullSignerRecords(bench.custody);
  assert.deepEqual(await followed(bench), ['4', null]);
});

test('trouble is over once the newest copy is back, and not while an older one is there', async () => {
  await using bench = await openBench();
  const following = await rewound(bench);
  const lines = (await signerRecordViews(bench.custody.db, { after: '3', limit: 10 })).map(({ line }) => line);
  await pullSignerRecords(bench.custody);
  await assert.rejects(followRecovery(following), { code: 'signer/state-rewound' });
  assert.match((await followed(bench))[1] ?? '', /older state/u);
  for (const line of lines) {
    const { n } = readState<{ readonly n: string }>(line);
    bench.signer.log.append('refused', { n });
  }
  assert.deepEqual(await followRecovery(following), { recovery: null, lost: 0n });
  await pullSignerRecords(bench.custody);
  assert.deepEqual(await followed(bench), ['6', null]);
});

test('a log that forked without a recovery is not followed, nor one whose recovery is of another end or is not signed', async () => {
  const forks: readonly ((bench: Bench) => void)[] = [
    (bench) => refusals(bench, 2),
    (bench) => recover(bench, { sequence: 2n }),
    (bench) => recover(bench, { sequence: 3n, head: 'ab'.repeat(32) }),
  ];
  for (const fork of forks) {
    await using bench = await openBench();
    const following = await rewound(bench);
    fork(bench);
    await assert.rejects(followRecovery(following), { code: 'signer/state-rewound' });
    assert.equal((await bench.custody.db.query('select from custody.signer_record')).length, 6);
  }
  await using bench = await openBench();
  const following = await rewound(bench);
  recover(bench, { sequence: 3n });
  const verify = (): never => {
    throw new Error('not signed');
  };
  await assert.rejects(followRecovery({ ...following, verify }), /not signed/u);
  assert.equal((await bench.custody.db.query('select from custody.signer_record_lost')).length, 0);
});
