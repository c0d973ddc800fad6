import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CustodyError, parseAssetId, parseHash } from '@bulkhead/domain';
import { ledgerMigrations } from '@bulkhead/ledger';
import { readFacts } from '@bulkhead/log';
import { sqlState } from '@bulkhead/postgres';
import { testDatabase, type TestDatabase } from '@bulkhead/postgres/testing';
import { contextOf, type ReserveHeader } from '@bulkhead/proofs';
import {
  advanceEpoch,
  beginEpoch,
  epochs,
  type EpochStep,
  hexOf,
  newestEpoch,
  recordBundle,
  stateOf,
} from './epoch.ts';
import { reservesMigrations } from './migrations.ts';

const now = new Date('2030-01-02T03:04:05Z');
const asset = parseAssetId('eip155:31337/slip44:60');
const registry = new Uint8Array(20).fill(7);
const stream = { asset, registryChain: 31_337n, registry };
const transaction = parseHash(`0x${'ab'.repeat(32)}`);
const record = new Uint8Array(32).fill(1);
const manifest = new Uint8Array(32).fill(2);

function header(epoch: bigint, more: Partial<ReserveHeader> = {}): ReserveHeader {
  return {
    tier: 'confidential',
    bits: 64,
    registryChain: stream.registryChain,
    registry,
    custodian: new Uint8Array(32).fill(9),
    epoch,
    asset,
    unitExponent: 9,
    blockNumber: 10n * epoch,
    blockHash: new Uint8Array(32).fill(3),
    ledgerPosition: epoch,
    takenAt: 1_800_000_000n + epoch,
    previous: new Uint8Array(32),
    ...more,
  };
}

const made: EpochStep = { state: 'made', record, reserves: 5n };
const pinned = (state: 'committed' | 'lapsed' | 'drawn' | 'proven'): EpochStep => ({ state, transaction, block: 77n });
const refused = { code: 'reserves/wrong-state' };

let db: TestDatabase;
before(async () => {
  db = await testDatabase({ migrations: [ledgerMigrations, reservesMigrations] });
});
after(() => db[Symbol.asyncDispose]());

/** A stream of its own for each test. */
function anew(name: number): (epoch: bigint, more?: Partial<ReserveHeader>) => ReserveHeader {
  return (epoch, more) => header(epoch, { registry: new Uint8Array(20).fill(name), ...more });
}

async function advance(of: ReserveHeader, ...steps: readonly EpochStep[]): Promise<void> {
  for (const step of steps) await advanceEpoch(db.app, { context: contextOf(of), now }, step);
}

test('an epoch goes its steps in their order, each once, and the next one follows its context', async () => {
  const of = anew(1);
  const first = of(1n);
  const context = contextOf(first);
  assert.equal(stateOf(await beginEpoch(db.app, first, now)), 'begun');
  for (const early of [pinned('committed'), pinned('drawn'), pinned('proven')]) {
    await assert.rejects(advance(first, early), refused);
  }
  await assert.rejects(recordBundle(db.app, { context, now }, manifest), refused);
  await advance(first, made, made, pinned('committed'), pinned('drawn'));
  await assert.rejects(advance(first, pinned('proven')), refused, 'without its files');
  await recordBundle(db.app, { context, now }, manifest);
  await recordBundle(db.app, { context, now }, manifest);
  await assert.rejects(recordBundle(db.app, { context, now }, record), refused, 'other files');
  await advance(first, pinned('proven'));
  const stored = await newestEpoch(db.app, { ...stream, registry: first.registry });
  assert.ok(stored !== undefined);
  assert.deepEqual(
    [stored.header, stored.made?.record, stored.bundle?.manifest, stored.proven?.block],
    [first, record, manifest, 77n],
  );
  await beginEpoch(db.app, of(2n, { previous: context }), now);
});

test('numbers have no gap, contexts are chained, and block and position lie behind those before', async () => {
  const of = anew(2);
  await assert.rejects(beginEpoch(db.app, of(2n), now), refused);
  await assert.rejects(beginEpoch(db.app, of(1n, { previous: record }), now), refused);
  const first = of(1n);
  await beginEpoch(db.app, first, now);
  const previous = contextOf(first);
  await advance(first, made);
  await assert.rejects(beginEpoch(db.app, of(2n, { previous }), now), refused, 'the first is not committed');
  await advance(first, pinned('committed'));
  await assert.rejects(beginEpoch(db.app, of(1n, { takenAt: 9n }), now), refused, 'the number is taken');
  await assert.rejects(beginEpoch(db.app, of(2n, { previous, blockNumber: 10n }), now), refused);
  await assert.rejects(beginEpoch(db.app, of(2n, { previous, ledgerPosition: 0n }), now), refused);
  await beginEpoch(db.app, of(2n, { previous }), now);
});

test('a number is free again where its epoch was abandoned, which a committed one never is', async () => {
  const of = anew(3);
  const first = of(1n);
  await beginEpoch(db.app, first, now);
  await advance(first, made, { state: 'abandoned', reason: 'too late for the registry' });
  await assert.rejects(advance(first, pinned('committed')), refused);
  const second = of(1n, { blockNumber: 11n });
  await beginEpoch(db.app, second, now);
  await advance(second, made, pinned('committed'));
  await assert.rejects(advance(second, { state: 'abandoned', reason: 'no' }), refused);
  const found = await epochs(db.app, { asset, epoch: 1n });
  assert.deepEqual(found.filter((one) => one.header.registry[0] === 3).map(stateOf), ['committed', 'abandoned']);
});

test('one that lapsed in the registry keeps its number, is followed, and never becomes anything else', async () => {
  const of = anew(8);
  const first = of(1n);
  const previous = contextOf(first);
  await beginEpoch(db.app, first, now);
  await assert.rejects(advance(first, pinned('lapsed')), refused, 'nothing was signed');
  await advance(first, made, pinned('lapsed'), pinned('lapsed'));
  for (const state of ['committed', 'drawn', 'proven'] as const) {
    await assert.rejects(advance(first, pinned(state)), refused);
  }
  await assert.rejects(advance(first, { state: 'abandoned', reason: 'no' }), refused);
  await assert.rejects(beginEpoch(db.app, of(1n, { blockNumber: 11n }), now), refused, 'the number is taken');
  const second = of(2n, { previous });
  await beginEpoch(db.app, second, now);
  await advance(second, made, pinned('committed'), pinned('committed'));
  await assert.rejects(advance(second, pinned('lapsed')), refused);
  const found = await epochs(db.app, { context: previous });
  assert.deepEqual([found.map(stateOf), found[0]?.lapsed?.block], [['lapsed'], 77n]);
});

test('of many that begin at once one wins, and the same header is the same epoch', async () => {
  const of = anew(4);
  const others = Array.from({ length: 8 }, (_, n) => of(1n, { takenAt: BigInt(n) }));
  const began = await Promise.allSettled(others.map((one) => beginEpoch(db.app, one, now)));
  assert.equal(began.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const each of began) {
    const code = each.status === 'rejected' && each.reason instanceof CustodyError ? each.reason.code : each.status;
    assert.ok(code === 'fulfilled' || code === 'reserves/wrong-state', code);
  }
  const winner = await newestEpoch(db.app, { ...stream, registry: others[0]?.registry ?? registry });
  assert.ok(winner !== undefined);
  const again = await beginEpoch(db.app, winner.header, now);
  assert.deepEqual(again, winner);
});

test('whoever made something else of the same header is refused', async () => {
  const first = anew(5)(1n);
  await beginEpoch(db.app, first, now);
  await advance(first, made);
  await assert.rejects(advance(first, { state: 'made', record: manifest, reserves: 5n }), refused);
  await assert.rejects(advance(first, { state: 'made', record, reserves: 6n }), refused);
  await assert.rejects(advanceEpoch(db.app, { context: manifest, now }, made), { code: 'reserves/unknown-epoch' });
});

test('nothing is changed or removed, by the application or by the owner', async () => {
  const first = anew(6)(1n);
  await beginEpoch(db.app, first, now);
  await advance(first, made);
  await recordBundle(db.app, { context: contextOf(first), now }, manifest);
  for (const table of ['epoch', 'step', 'bundle']) {
    for (const change of [`update reserves.${table} set context = context`, `delete from reserves.${table}`]) {
      await assert.rejects(db.app.query(change), (error) => sqlState(error) === '42501', change);
      await assert.rejects(db.owner.query(change), (error) => sqlState(error) === 'BH001', change);
    }
    const truncated = db.owner.query(`truncate reserves.${table} cascade`);
    await assert.rejects(truncated, (error) => sqlState(error) === 'BH001', table);
  }
});

test('each step is a fact of the audit log, about the context', async () => {
  const first = anew(7)(1n);
  await beginEpoch(db.app, first, now);
  await advance(first, made, pinned('committed'), pinned('drawn'));
  await recordBundle(db.app, { context: contextOf(first), now }, manifest);
  await advance(first, pinned('proven'));
  const facts = await readFacts(db.app, ['ledger.facts', 'reserves.facts'], {
    after: 0n,
    until: 10_000n,
    limit: 1_000,
  });
  const ours = facts.filter(({ id }) => id === hexOf(contextOf(first)));
  assert.deepEqual(
    ours.map(({ kind, content }) => {
      const { event, data }: { event: string; data: { record?: string; manifest?: string; epoch: string } } =
        JSON.parse(content ?? '');
      return [kind, event, data.epoch, data.record ?? data.manifest];
    }),
    [
      ['epoch-begun', undefined],
      ['epoch-made', hexOf(record)],
      ['epoch-committed', undefined],
      ['epoch-drawn', undefined],
      ['epoch-bundled', hexOf(manifest)],
      ['epoch-proven', undefined],
    ].map(([event, digest]) => ['proof-published', event, '1', digest]),
  );
});
