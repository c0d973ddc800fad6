import {
  countedSignerLogView,
  type Custody,
  heartbeatClock,
  type HeartbeatClock,
  type ProofClock,
  proofClocks,
  signerRefusalCounts,
} from '@bulkhead/custody';
import type { ChainId } from '@bulkhead/domain';
import { bigint, text } from '@bulkhead/postgres';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ChainBoard } from './chain-board.ts';
import type { ReachedSigners } from './reached-signer.ts';
import { conditionOf } from './signer-condition.ts';
import { type QuorumStanding, quorumViews, type Standing, standingsOf } from './signer-standing.ts';
import { reachedNow } from './vaults.ts';

/** The longest that one answer to a scrape may take to collect, for sources that are slow. */
const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export type Metrics = {
  readonly registry: Registry;
  readonly blocksObserved: Counter<'chain'>;
  readonly blocksRemoved: Counter<'chain'>;
  readonly blocksBooked: Counter<'chain'>;
  readonly followerFaults: Counter<'chain' | 'code'>;
  readonly jobFaults: Counter<'task'>;
  readonly answers: Histogram<'method' | 'route' | 'status'>;
};

/** A registry of our own: nothing global, so that several servers in one process do not meet in it. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'bulkhead_' });
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> =>
    new Counter({ name: `bulkhead_${name}_total`, help, labelNames, registers });
  return {
    registry,
    blocksObserved: counter('blocks_observed', 'Blocks whose observations were stored', ['chain']),
    blocksRemoved: counter('blocks_removed', 'Blocks that a reorganisation took away', ['chain']),
    blocksBooked: counter('blocks_booked', 'Final blocks that were booked', ['chain']),
    followerFaults: counter('follower_faults', 'Faults that a follower met', ['chain', 'code']),
    jobFaults: counter('job_faults', 'Runs of jobs that failed', ['task']),
    answers: new Histogram({
      name: 'bulkhead_http_answer_seconds',
      help: 'Time until a request was answered',
      labelNames: ['method', 'route', 'status'],
      buckets,
      registers,
    }),
  };
}

/** Adds what is read from books and chains when somebody asks. */
export function gaugeBooks(registry: Registry, custody: Pick<Custody, 'db'>, board: ChainBoard): void {
  const { db } = custody;
  const registers = [registry];
  const counted = (
    name: string,
    order: { readonly help: string; readonly label: string; readonly sql: string },
  ): void => {
    const { help, label, sql } = order;
    const gauge: Gauge = new Gauge({
      name: `bulkhead_${name}`,
      help,
      labelNames: [label],
      registers,
      async collect() {
        const rows = await db.query(sql);
        gauge.reset();
        for (const row of rows) gauge.set({ [label]: text(row, 'label') }, Number(bigint(row, 'count')));
      },
    });
  };
  counted('deposits', {
    help: 'Deposits by state',
    label: 'state',
    sql: 'select step as label, count(*) from custody.deposit group by step',
  });
  counted('withdrawals', {
    help: 'Withdrawals by state',
    label: 'state',
    sql: 'select step as label, count(*) from custody.withdrawal group by step',
  });
  counted('dispatches_open', {
    help: 'Outgoing transactions that are not over, by step',
    label: 'step',
    sql: `select step as label, count(*) from custody.dispatch where step <> 'done' group by step`,
  });
  counted('breaks_open', {
    help: 'Open breaks by type',
    label: 'type',
    sql: 'select type as label, count(*) from custody.break where resolved_at is null group by type',
  });
  counted('jobs', {
    help: 'Jobs in the queue; `given-up` used all their attempts',
    label: 'state',
    sql: `select case when attempts >= max_attempts then 'given-up' when attempts > 0 then 'failing' else 'waiting' end as label, count(*)
          from graphile_worker._private_jobs group by label`,
  });
  const position: Gauge = new Gauge({
    name: 'bulkhead_ledger_position',
    help: 'Highest position in the ledger; grows with every posted transfer',
    registers,
    async collect() {
      const [row] = await db.query('select coalesce(max(position), 0) as position from ledger.transfers');
      if (row !== undefined) position.set(Number(bigint(row, 'position')));
    },
  });
  gaugeChains(registers, board);
}

function gaugeChains(registers: Registry[], board: ChainBoard): void {
  const look = oneLook(async () =>
    Promise.all(board.ids.map(async (chain) => ({ chain, view: await board.view(chain) }))),
  );
  type Seen = Awaited<ReturnType<typeof look>>[number];
  const gauge = (
    name: string,
    help: string,
    value: (view: Seen['view']) => string | number | null | undefined,
  ): void => {
    const one: Gauge<'chain'> = new Gauge({
      name: `bulkhead_chain_${name}`,
      help,
      labelNames: ['chain'],
      registers,
      async collect() {
        for (const { chain, view } of await look()) {
          const measured = value(view);
          if (measured !== null && measured !== undefined) one.set({ chain }, Number(measured));
        }
      },
    });
  };
  gauge('covered_height', 'Newest block whose observations are stored', (view) => view.covered?.number);
  gauge('booked_height', 'Newest block that is in the books', (view) => view.booked);
  gauge('tip_height', 'Newest block of the sources', (view) => view.tip?.number);
  gauge('lag_blocks', 'Blocks between the two', (view) => view.lagBlocks);
  gauge('stalled', '1 while the chain stands still', (view) => (view.state === 'stalled' ? 1 : 0));
}

/** Gauges of one scrape are collected beside each other: they share one look, and the next scrape takes a new one. */
function oneLook<Seen>(look: () => Promise<Seen>): () => Promise<Seen> {
  let looking: Promise<Seen> | undefined;
  return async () => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
    return looking;
  };
}

/** Adds what concerns the signers: who answers, what waits for people, and what was refused. */
export function gaugeSigners(registry: Registry, custody: Custody, reached: ReachedSigners): void {
  gaugeStandings([registry], custody, reached);
  gaugeHeartbeats([registry], custody, [...reached.vaultSystems.keys()]);
  gaugeRecords(registry, custody);
}

function gaugeStandings(registers: Registry[], custody: Custody, reached: ReachedSigners): void {
  const look = oneLook(async () => standingsOf(reached));
  const gauge = (name: string, help: string, value: (standing: Standing) => number | bigint | undefined): void => {
    const one: Gauge<'signer'> = new Gauge({
      name: `bulkhead_signer_${name}`,
      help,
      labelNames: ['signer'],
      registers,
      async collect() {
        const standings = await look();
        // What it had when it answered last is no measurement of now.
        one.reset();
        for (const standing of standings) {
          const measured = value(standing);
          if (measured !== undefined) one.set({ signer: standing.reached.name }, Number(measured));
        }
      },
    });
  };
  gauge('answers', '1 while this signer answers', ({ heard }) => ('status' in heard ? 1 : 0));
  gauge('signs', '1 while this signer answers and is not in recovery', ({ heard }) =>
    conditionOf(heard) === 'signing' ? 1 : 0,
  );
  gauge('registry_version', 'Version of the registry of this signer', ({ heard }) =>
    'status' in heard ? heard.status.registryVersion : undefined,
  );
  gauge('log_sequence', 'Newest record in the log of this signer', ({ heard }) =>
    'status' in heard ? heard.status.sequence : undefined,
  );
  const quorum = (name: string, help: string, value: (view: QuorumStanding) => number): void => {
    const one: Gauge<'chain'> = new Gauge({
      name: `bulkhead_signers_${name}`,
      help,
      labelNames: ['chain'],
      registers,
      async collect() {
        const now = await reachedNow(custody, reached);
        for (const view of quorumViews(now, await look())) one.set({ chain: view.chain }, value(view));
      },
    });
  };
  quorum('needed', 'Signers that must sign for a vault of this chain', ({ threshold }) => threshold);
  quorum('signing', 'Members of the signer set of this chain that would sign now', ({ signing }) => signing);
  const reachable: Gauge = new Gauge({
    name: 'bulkhead_signer_reachable',
    help: '1 while the signer with the keys of the wallets answers; without it withdrawals wait',
    registers,
    async collect() {
      const [first] = await look();
      reachable.set('status' in first.heard ? 1 : 0);
    },
  });
}

function gaugeHeartbeats(registers: Registry[], custody: Custody, chains: readonly ChainId[]): void {
  const look = oneLook(async () => Promise.all(chains.map((chain) => heartbeatClock(custody, chain))));
  const gauge = (name: string, help: string, value: (clock: HeartbeatClock) => number): void => {
    const one: Gauge<'chain'> = new Gauge({
      name: `bulkhead_heartbeat_${name}`,
      help,
      labelNames: ['chain'],
      registers,
      async collect() {
        for (const clock of await look()) if (clock !== undefined) one.set({ chain: clock.chain }, value(clock));
      },
    });
  };
  gauge('age_seconds', 'Seconds since the signer set of this chain was last given a heartbeat', ({ age }) =>
    Number(age),
  );
  gauge('missed', '1 while the next heartbeat is overdue; silence opens the exits of all vaults', ({ missed }) =>
    missed ? 1 : 0,
  );
}

function gaugeRecords(registry: Registry, custody: Pick<Custody, 'db'>): void {
  const { db } = custody;
  const registers = [registry];
  const waiting: Gauge = new Gauge({
    name: 'bulkhead_approvals_pending',
    help: 'Withdrawals that wait for signatures of people',
    registers,
    async collect() {
      const [row] = await db.query(`select count(*) from custody.withdrawal where step = 'awaiting-approval'`);
      if (row !== undefined) waiting.set(Number(bigint(row, 'count')));
    },
  });
  const refused: Gauge<'code'> = new Gauge({
    name: 'bulkhead_signer_refusals',
    help: 'Refusals in the stored records of the signer, by code',
    labelNames: ['code'],
    registers,
    async collect() {
      const counts = await signerRefusalCounts(db);
      refused.reset();
      for (const [code, count] of counts) refused.set({ code }, count);
    },
  });
  const trouble: Gauge = new Gauge({
    name: 'bulkhead_signer_log_trouble',
    help: '1 when the log of the signer contradicts what was stored of it, or stored records are gone: find out why before anything else',
    registers,
    async collect() {
      trouble.set((await countedSignerLogView(db)).trouble === null ? 0 : 1);
    },
  });
}

/** Adds how fresh the proofs of reserves are, by asset. */
export function gaugeProofs(registry: Registry, custody: Custody): void {
  const registers = [registry];
  const gauge = (name: string, help: string, value: (clock: ProofClock) => number): void => {
    const one: Gauge<'asset'> = new Gauge({
      name: `bulkhead_proof_${name}`,
      help,
      labelNames: ['asset'],
      registers,
      async collect() {
        one.reset();
        for (const clock of await proofClocks(custody)) one.set({ asset: clock.asset }, value(clock));
      },
    });
  };
  gauge('fresh', '1 while contracts are told that the proofs of this asset are fresh', ({ fresh }) => (fresh ? 1 : 0));
  gauge('age_seconds', 'Seconds since the newest epoch of this asset came into the registry', ({ age }) => Number(age));
  gauge('epoch', 'The newest epoch of this asset in the registry', ({ epoch }) => Number(epoch));
  gauge('trouble', '1 while the proofs of this asset do not go on; /readyz has the sentence', ({ trouble }) =>
    trouble === null ? 0 : 1,
  );
}
