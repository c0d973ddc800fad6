import { randomUUID } from 'node:crypto';
import {
  type AccountName,
  type Address,
  type Asset,
  type AssetId,
  type Chain,
  type ChainId,
  type Compartment,
  houseFees,
  houseGas,
  invariant,
  parseAddress,
  parseCompartment,
  type Segregation,
} from '@bulkhead/domain';
import {
  FakeChain,
  type FakeChainOptions,
  fakeDeployment,
  fakeDerive,
  FakeScreening,
  FakeSigner,
  fakeVerifyAccount,
  fakeVerifyDepositAddress,
  fakeVerifyRecord,
  fakeVerifyWallet,
  ManualClock,
} from '@bulkhead/fakes';
import { audit, lastMarker } from '@bulkhead/ledger';
import { type Database, text } from '@bulkhead/postgres';
import { type TemplateAddition, type TestDatabase, testDatabase } from '@bulkhead/postgres/testing';
import { allowAsset } from '../asset.ts';
import { posted } from '../books.ts';
import { createClient } from '../client.ts';
import type { Answer, WriteCall } from '../command.ts';
import { coverageCertificate } from '../coverage.ts';
import { storedBlock } from '../cursor.ts';
import type { Custody, Policy } from '../custody.ts';
import { screenDeposit } from '../deposit.ts';
import { type DepositView, depositViews } from '../deposit-view.ts';
import { finalize } from '../finality.ts';
import { observe, startChain } from '../follower.ts';
import { migrateWorker, migrationSources } from '../migrations.ts';
import { blockMovements, blockSent } from '../movement.ts';
import type { ProofSetup } from '../proof-setup.ts';
import { checkEquation } from '../reconciliation-line.ts';
import { checkTokenCodes } from '../token-code.ts';
import type { VaultSetup } from '../vault-setup.ts';
import type { WalletPurpose } from '../wallet.ts';
import { issueClientWallet, issueCompartmentWallet } from '../wallet-issue.ts';
import { watchSet } from '../watch.ts';

export const pool: Compartment = parseCompartment(10_000);

/** Jobs that one call of {@link Bench.work} runs, so that a job that enqueues itself for ever ends a test. */
export const benchJobsMax = 2_000;

/** The queue of jobs, for the template of a database. */
export const jobQueue: TemplateAddition = { name: 'job queue', into: migrateWorker };

/** How a job is carried out, by its task. */
export type Workers = Readonly<Record<string, (custody: Custody, id: string) => Promise<void>>>;

export type BenchOptions = {
  readonly chain?: FakeChainOptions;
  readonly policy?: Partial<Policy>;
  /** Stands between the workflows and the database, to interrupt them. */
  readonly database?: (db: Database) => Database;
  /** Stands between the workflows and the chain. */
  readonly port?: (chain: FakeChain) => Chain;
  /** Dust limit of the native coin, in wei. */
  readonly dustMax?: bigint;
  readonly workers?: Workers;
  /** Leaves the chain unstarted. */
  readonly unstarted?: boolean;
  /** Vaults, for a bench that has any. */
  readonly vaults?: (parts: { readonly chain: FakeChain; readonly signer: FakeSigner }) => VaultSetup;
  /** Proofs of reserves, for a bench that publishes any. */
  readonly proofs?: (parts: {
    readonly chain: FakeChain;
    readonly signer: FakeSigner;
    readonly db: Database;
  }) => ProofSetup;
};

export type BenchWallet = { readonly id: string; readonly address: Address; readonly compartment: Compartment };

/** A custodian on a fake chain and a real database, with a hand on everything that the world does to it. */
export type Bench = AsyncDisposable & {
  readonly database: TestDatabase;
  readonly custody: Custody;
  readonly chain: FakeChain;
  readonly id: ChainId;
  readonly native: AssetId;
  readonly clock: ManualClock;
  readonly screening: FakeScreening;
  readonly signer: FakeSigner;
  /** A write by a person, under a key of its own or a given one. */
  readonly as: (name: string, key?: string) => WriteCall;
  readonly token: (
    name: string,
    terms?: { feePercent?: bigint; dustMax?: bigint; behaviour?: Asset['behaviour'] },
  ) => Promise<AssetId>;
  readonly client: (segregation?: Segregation) => Promise<string>;
  readonly wallet: (client: string) => Promise<BenchWallet>;
  readonly ownWallet: (purpose: Exclude<WalletPurpose, 'deposit'>) => Promise<BenchWallet>;
  /** Observes to the head and books to the final block. */
  readonly follow: () => Promise<void>;
  /** Mines until everything is final, follows, and runs the jobs. */
  readonly settle: () => Promise<void>;
  /** Runs waiting jobs until none is left, whatever their time; answers how many ran. */
  readonly work: () => Promise<number>;
  readonly deposits: () => Promise<readonly DepositView[]>;
  readonly posted: (compartment: Compartment, asset: AssetId, account: AccountName) => Promise<bigint>;
  /** Throws unless books, coverage and markers are whole. */
  readonly prove: () => Promise<void>;
};

export const benchPolicy: Omit<Policy, 'feeCaps' | 'agreement'> = {
  quorum: 2,
  withdrawalTtlMs: 86_400_000,
  releaseUnscreenedDeposits: false,
  releaseUnscreenedWithdrawals: false,
  omnibusCompartment: pool,
  bumpAfterMs: 600_000,
  gasGrantTransactions: 2n,
  balanceSweepBlocks: 10n,
  breakOwner: 'reconciliation-desk',
  breakDeadlineMs: 86_400_000,
};

/** What the answer of a command holds; anything but done ends the test. */
export function viewOf<View>({ outcome }: Answer<View>): View {
  invariant(
    outcome.status === 'done',
    `The command was not done: ${outcome.status === 'refused' ? outcome.message : outcome.status}`,
  );
  return outcome.view;
}

/** The code of a refusal, or what happened instead. */
export function refusalOf(answer: Answer<unknown>): string {
  return answer.outcome.status === 'refused' ? answer.outcome.code : answer.outcome.status;
}

export async function openBench(options: BenchOptions = {}): Promise<Bench> {
  const database = await testDatabase({ migrations: migrationSources, addition: jobQueue });
  const chain = new FakeChain(options.chain);
  const clock = new ManualClock();
  const screening = new FakeScreening();
  const signer = new FakeSigner(clock);
  const db = options.database?.(database.app) ?? database.app;
  const { id, native } = chain;
  const vaults = options.vaults?.({ chain, signer });
  const proofs = options.proofs?.({ chain, signer, db: database.app });
  const custody: Custody = {
    ...(vaults === undefined ? {} : { vaults }),
    ...(proofs === undefined ? {} : { proofs }),
    deployment: fakeDeployment,
    db,
    chains: new Map([[id, options.port?.(chain) ?? chain]]),
    signer,
    deriveAddress: fakeDerive,
    verifyAccount: fakeVerifyAccount,
    verifyWallet: fakeVerifyWallet,
    verifyDepositAddress: fakeVerifyDepositAddress,
    verifyRecord: fakeVerifyRecord,
    screening,
    clock,
    policy: {
      ...benchPolicy,
      feeCaps: new Map([[id, { maxFeePerGas: 100_000_000_000n, nativeGas: 21_000n, tokenGas: 100_000n }]]),
      agreement: new Map([[id, { sources: ['fake'], required: 1 }]]),
      ...options.policy,
    },
  };
  const plain: Custody = { ...custody, db: database.app, chains: new Map([[id, chain]]) };
  const parts = {
    database,
    custody,
    plain,
    chain,
    clock,
    screening,
    signer,
    // Tests reconcile by hand, when they want to know.
    workers: {
      'screen-deposit': screenDeposit,
      'check-token-codes': checkTokenCodes,
      reconcile: async () => undefined,
      ...options.workers,
    },
  };
  await allowAsset(plain, callAs('admin'), {
    id: native,
    symbol: 'ETH',
    decimals: 18,
    behaviour: 'native',
    dustMax: options.dustMax ?? 0n,
  });
  if (options.unstarted !== true) await startChain(plain, id);
  return { ...parts, id, native, ...actions(parts), [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
}

function callAs(name: string, key: string = randomUUID()): WriteCall {
  return { actor: { name, role: 'operator' }, idempotency: { key, fingerprint: key } };
}

type Parts = Pick<Bench, 'database' | 'custody' | 'chain' | 'clock' | 'screening' | 'signer'> & {
  /** The same custody with nothing between it and the database, for what a test itself does. */
  readonly plain: Custody;
  readonly workers: Workers;
};

function actions(
  parts: Parts,
): Pick<
  Bench,
  'as' | 'token' | 'client' | 'wallet' | 'ownWallet' | 'follow' | 'settle' | 'work' | 'deposits' | 'posted' | 'prove'
> {
  const { custody, plain, chain } = parts;
  const { id } = chain;
  const follow = async (): Promise<void> => {
    while (!(await observe(custody, id)).atHead);
    while (!(await finalize(custody, id)).atFinal);
  };
  const work = (): Promise<number> => runJobs(parts);
  let clients = 0;
  return {
    as: callAs,
    token: async (
      name,
      { feePercent = 0n, dustMax = 0n, behaviour = feePercent === 0n ? 'standard' : 'fee-on-transfer' } = {},
    ) => {
      const asset = chain.ground.deployToken({ name, feePercent });
      await allowAsset(plain, callAs('admin'), { id: asset, symbol: name, decimals: 6, behaviour, dustMax });
      return asset;
    },
    client: async (segregation = 'individual') => {
      clients += 1;
      const client = viewOf(
        await createClient(plain, callAs('admin'), {
          reference: `C-${clients}`,
          kind: 'legal',
          segregation,
          agreement: agreementTerms,
        }),
      );
      return client.id;
    },
    wallet: async (clientId) =>
      benchWallet(viewOf(await issueClientWallet(plain, callAs('operator'), { clientId, chain: id }))),
    ownWallet: async (purpose) => {
      const compartment = purpose === 'gas' ? houseGas : purpose === 'fees' ? houseFees : pool;
      return benchWallet(
        viewOf(await issueCompartmentWallet(plain, callAs('operator'), { compartment, chain: id, purpose })),
      );
    },
    follow,
    settle: async () => {
      chain.mine();
      chain.settle();
      await follow();
      await work();
    },
    work,
    deposits: () => depositViews(plain.db, { after: null, limit: 1_000 }),
    posted: (compartment, asset, account) => posted(plain.db, { compartment, asset, account }),
    prove: () => prove(parts),
  };
}

const agreementTerms = {
  parties: 'Custodian and client',
  service: 'Custody of crypto-assets',
  custodyPolicy: 'Policy of the custodian',
  communication: 'Portal',
  security: 'Keys in devices',
  fees: 'As agreed',
  applicableLaw: 'Austria',
  signedAt: '2029-12-31T00:00:00.000Z',
};

function benchWallet(view: {
  readonly id: string;
  readonly address: string;
  readonly compartment: number;
}): BenchWallet {
  return { id: view.id, address: parseAddress(view.address), compartment: parseCompartment(view.compartment) };
}

/** Takes waiting jobs in the order they were enqueued and runs them here; one that fails throws and stays. */
async function runJobs({ database, custody, workers }: Parts): Promise<number> {
  for (let ran = 0; ran < benchJobsMax; ran += 1) {
    const [job] = await database.admin.query(
      `select j.id::text as id, t.identifier, j.payload ->> 'id' as subject
       from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id order by j.id limit 1`,
    );
    if (job === undefined) return ran;
    const task = text(job, 'identifier');
    const worker = workers[task];
    invariant(worker !== undefined, `The bench has no worker for ${task}.`);
    // Deleted first: the worker may enqueue the same job again, which would otherwise take the place of this one.
    await database.admin.query('delete from graphile_worker._private_jobs where id = $1', [text(job, 'id')]);
    await worker(custody, text(job, 'subject'));
  }
  invariant(false, `More than ${benchJobsMax} jobs: some job enqueues itself for ever.`);
}

async function prove({ plain, chain }: Parts): Promise<void> {
  const [violation] = await audit(plain.db);
  invariant(
    violation === undefined,
    `The audit of the books found: ${JSON.stringify(violation, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))}`,
  );
  const certificate = await coverageCertificate(plain.db, chain.id);
  invariant(
    certificate !== undefined && certificate.holes.length === 0,
    `The run of blocks has holes: ${certificate?.holes.join(', ')}.`,
  );
  const expected = BigInt(certificate.to) - BigInt(certificate.from) + 1n;
  invariant(
    BigInt(certificate.blocks) === expected,
    `The run of blocks has ${certificate.blocks} blocks, not ${expected}.`,
  );
  await proveObservations(plain.db, chain, { from: BigInt(certificate.from), to: BigInt(certificate.to) });
  const marker = await lastMarker(plain.db, chain.id);
  invariant(marker !== undefined, 'Nothing is marked as covered.');
  await checkEquation(plain.db, chain.id, { ...marker.block, position: marker.position });
}

/** Holds every stored block against the chain: its hash, and every movement and transaction of ours in it. */
async function proveObservations(
  db: Database,
  chain: FakeChain,
  run: { readonly from: bigint; readonly to: bigint },
): Promise<void> {
  const watch = await watchSet(db, chain.id);
  for (let height = run.from; height <= run.to; height += 1n) {
    const block = await chain.block(height, watch);
    const stored = await storedBlock(db, chain.id, height);
    invariant(block !== undefined && stored?.hash === block.hash, `Block ${height} is not the one of the chain.`);
    if (height === run.from) continue;
    const seen = block.movements.map(({ kind, reference, amount }) => `${kind} ${reference} ${amount}`).toSorted();
    const kept = (await blockMovements(db, chain.id, block.hash)).filter(({ kind }) => kind !== 'balance-difference');
    const told = kept.map(({ kind, reference, amount }) => `${kind} ${reference} ${amount}`).toSorted();
    invariant(
      told.join() === seen.join(),
      `Block ${height} has the movements ${seen.join()}, stored are ${told.join()}.`,
    );
    const sent = (await blockSent(db, chain.id, block.hash)).map(({ hash, fee }) => `${hash} ${fee}`).toSorted();
    const made = block.sent.map(({ hash, fee }) => `${hash} ${fee}`).toSorted();
    invariant(
      sent.join() === made.join(),
      `Block ${height} has the transactions ${made.join()}, stored are ${sent.join()}.`,
    );
  }
  const heights = 'block_number <= $2 or block_number > $3';
  for (const table of ['movement', 'sent']) {
    const [stray] = await db.query(
      `select block_number::text as height from custody.${table} where chain = $1 and removed_at is null and (${heights}) limit 1`,
      [chain.id, run.from, run.to],
    );
    invariant(
      stray === undefined,
      `A ${table} stands in block ${stray === undefined ? '' : text(stray, 'height')}, which is not followed.`,
    );
    const [orphan] = await db.query(
      `select t.block_hash from custody.${table} t join custody.block b on b.chain = t.chain and b.hash = t.block_hash
       where t.chain = $1 and (t.removed_at is null) <> (b.removed_at is null) limit 1`,
      [chain.id],
    );
    invariant(
      orphan === undefined,
      `A ${table} and its block do not stand or fall together: ${orphan === undefined ? '' : text(orphan, 'block_hash')}.`,
    );
  }
}
