import {
  type Address,
  type AssetId,
  type ChainId,
  type Compartment,
  CustodyError,
  type Hash,
  houseFees,
  houseGas,
  parseAddress,
  parseCompartment,
} from '@bulkhead/domain';
import { type Custody, migrateWorker, migrationSources, type Policy, type WalletView } from '@bulkhead/custody';
import {
  FakeChain,
  fakeDeployment,
  fakeDerive,
  FakeScreening,
  FakeSigner,
  fakeVerifyAccount,
  fakeVerifyDepositAddress,
  fakeVerifyRecord,
  fakeVerifyWallet,
  ManualClock,
  type Random,
  seededRandom,
} from '@bulkhead/fakes';
import type { Database } from '@bulkhead/postgres';
import { type TestDatabase, testDatabase } from '@bulkhead/postgres/testing';
import { mortalChain, mortalDatabase, Mortality, mortalSigner, type SignerWeather } from './interruption.ts';
import { makeVaulting, type Vaulting, vaultSetup } from './vaulting.ts';

export const ether = 10n ** 18n;
export const gwei = 10n ** 9n;
/** Blocks that a reorg can reach back at most. */
export const finalLag = 6n;
export const sweepEveryBlocks = 12n;
export const withdrawalHours = 48;
const startHeight = 3;
const vaultsEvery = 2;

/** One process: the same database and chain as its siblings, and a life of its own. */
export type Process = { readonly name: string; readonly custody: Custody; readonly mortality: Mortality };

/** With the model that it was admitted with. */
export type WorldClient = { readonly id: string; readonly segregation: 'individual' | 'omnibus' };
export type WorldWallet = {
  readonly id: string;
  readonly address: Address;
  readonly compartment: Compartment;
  readonly purpose: string;
  readonly kind: WalletView['kind'];
};
export type WorldWithdrawal = {
  readonly id: string;
  readonly asset: AssetId;
  readonly amount: bigint;
  readonly destination: Address;
  /** Paid by a vault, if at all. */
  readonly byVault: boolean;
};
export type Theft = { readonly address: Address; readonly asset: AssetId; readonly hash: Hash };

/** What a seed makes: the ports, the processes over one database, and what the world knows that the books must find out. */
export type World = {
  readonly random: Random;
  readonly clock: ManualClock;
  readonly chain: FakeChain;
  readonly signer: FakeSigner;
  /** How often a call of the signer is lost on its way there or back, in per cent. */
  readonly signerFaults: { percent: number };
  readonly screening: FakeScreening;
  readonly database: TestDatabase;
  readonly processes: readonly [Process, Process];
  readonly assets: { readonly native: AssetId; readonly dollar: AssetId; readonly taxed: AssetId };
  /** In every second world. */
  readonly vaulting: Vaulting | undefined;
  readonly clients: WorldClient[];
  readonly wallets: WorldWallet[];
  readonly withdrawals: WorldWithdrawal[];
  readonly thefts: Theft[];
  /** What people have booked as lost, by wallet and asset. */
  readonly written: Map<string, bigint>;
  /** Base fee of the next block, in wei per gas. */
  baseFee: bigint;
  /** How often something happened, by name: a world in which nothing happens proves nothing. */
  readonly tally: Map<string, number>;
};

export const chainId: ChainId = new FakeChain().id;
export const pool: Compartment = parseCompartment(10_000);

function policyOf(chain: ChainId): Policy {
  return {
    quorum: 2,
    withdrawalTtlMs: withdrawalHours * 3_600_000,
    releaseUnscreenedDeposits: true,
    releaseUnscreenedWithdrawals: true,
    omnibusCompartment: pool,
    feeCaps: new Map([[chain, { maxFeePerGas: 100n * gwei, nativeGas: 21_000n, tokenGas: 60_000n }]]),
    agreement: new Map([[chain, { sources: ['fake'], required: 1 }]]),
    bumpAfterMs: 600_000,
    gasGrantTransactions: 3n,
    balanceSweepBlocks: sweepEveryBlocks,
    breakOwner: 'olga',
    breakDeadlineMs: 86_400_000,
  };
}

const jobQueue = { name: 'job queue', into: migrateWorker };

/** Makes an empty world on a database of its own. Dispose of its database at the end. */
export async function makeWorld(seed: number): Promise<World> {
  const random = seededRandom(`world ${seed}`);
  const clock = new ManualClock();
  const fees = { baseFee: gwei };
  const hasVaults = seed % vaultsEvery === 0;
  // Coins leave vaults and forwarders by inner calls: without traces no vault is followed.
  const traces = random.percent(70) || hasVaults;
  const chain = new FakeChain({ finalLag, traces, baseFee: () => fees.baseFee });
  const signer = new FakeSigner(clock);
  const vaulting = hasVaults ? makeVaulting(chain, signer, random.fork('vaulting')) : undefined;
  const screening = new FakeScreening(random.pick(['clear', 'not-screened']));
  const database = await testDatabase({ migrations: migrationSources, addition: jobQueue });
  const assets = {
    native: chain.native,
    dollar: chain.ground.deployToken({ name: 'USD' }),
    taxed: chain.ground.deployToken({ name: 'TAX', feePercent: 10n }),
  };
  chain.ground.mineMany(startHeight + Number(finalLag));
  const base = {
    deployment: fakeDeployment,
    screening,
    clock,
    deriveAddress: fakeDerive,
    verifyAccount: fakeVerifyAccount,
    verifyWallet: fakeVerifyWallet,
    verifyDepositAddress: fakeVerifyDepositAddress,
    verifyRecord: fakeVerifyRecord,
    policy: policyOf(chain.id),
  };
  const signerFaults = { random: random.fork('signer'), percent: 0 };
  const weather: SignerWeather = {
    pass: () => {
      if (signerFaults.random.percent(signerFaults.percent)) {
        throw new CustodyError('signer/unavailable', 'The connection to the signer broke.');
      }
    },
  };
  const processOf = (name: string): Process => {
    const mortality = new Mortality();
    const db: Database = mortalDatabase(database.app, mortality);
    const chains = new Map([[chain.id, mortalChain(chain, mortality)]]);
    const custody = { ...base, db, chains, signer: mortalSigner(signer, mortality, weather) };
    const vaults = vaulting === undefined ? {} : { vaults: vaultSetup(vaulting, chain, { mortality, weather }) };
    return { name, mortality, custody: { ...custody, ...vaults } };
  };
  return {
    random,
    clock,
    chain,
    signer,
    signerFaults,
    screening,
    database,
    processes: [processOf('first'), processOf('second')],
    assets,
    vaulting,
    clients: [],
    wallets: [],
    withdrawals: [],
    thefts: [],
    written: new Map(),
    get baseFee() {
      return fees.baseFee;
    },
    set baseFee(value) {
      fees.baseFee = value;
    },
    tally: new Map(),
  };
}

export function count(world: World, what: string): void {
  world.tally.set(what, (world.tally.get(what) ?? 0) + 1);
}

/** Faults that the world causes on purpose; everything else that is thrown is a bug. */
export function isExpected(error: unknown): boolean {
  const expected = [
    'chain/unavailable',
    'chain/nonsense',
    'chain/disagreement',
    'chain/behind-books',
    'database/busy',
    'signer/unavailable',
  ];
  return error instanceof CustodyError && expected.includes(error.code);
}

export function walletOf(
  view: Pick<WalletView, 'id' | 'address' | 'compartment' | 'kind'> & { readonly purpose: string },
): WorldWallet {
  const { id, purpose, kind } = view;
  return { id, address: parseAddress(view.address), compartment: parseCompartment(view.compartment), purpose, kind };
}

/** The chain's time catches up with ours: blocks are told apart by the clock of whoever waits for a deadline. */
export function keepTime({ chain, clock }: World): void {
  const behind = BigInt(Math.floor(clock.now().getTime() / 1000)) - chain.ground.nextTimestamp;
  if (behind > 0n) chain.ground.skipTime(behind);
}

export const house = { gas: houseGas, fees: houseFees };
