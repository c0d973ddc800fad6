import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type AssetId, type Chain, chainOf, type Clock, CustodyError, invariant } from '@bulkhead/domain';
import { type Database, type Guard, takeGuard } from '@bulkhead/postgres';
import { type ReserveHeader, type Tier } from '@bulkhead/proofs';
import { runBook } from './book-thread.ts';
import { type BookWork, isMade } from './book-work.ts';
import {
  advanceEpoch,
  beginEpoch,
  epochs,
  epochsMax,
  isInRegistry,
  newestEpoch,
  type ReserveStream,
  stateOf,
  type StoredEpoch,
} from './epoch.ts';
import { rowsOf, unitsHeld } from './epoch-book.ts';
import { assetFolder, epochFolders } from './folders.ts';
import {
  blockTime,
  type CompartmentPosition,
  differing,
  expectOnChain,
  expectSolvent,
  pinnedMarker,
  type WalletSource,
} from './position.ts';
import { stepsOf, type Tell } from './progress.ts';
import { threadsDefault } from './proving.ts';
import { type Snapshot, snapshotIn } from './snapshot.ts';

/** What a maker works with. It has a secret: it is never printed or logged. */
export type Maker = {
  /** With the rights of the application. */
  readonly db: Database;
  readonly chain: Chain;
  readonly wallets: WalletSource;
  /** At least 32 bytes, from which every salt and blinding follows; as secret as all balances together. */
  readonly master: Uint8Array;
  /** Where files are written, {@link epochFolders}. */
  readonly folder: string;
  readonly clock: Clock;
  /** Threads that prove; one for each core where nothing is said. */
  readonly threads?: number;
  readonly tell?: Tell;
};

/** What an epoch is to be. */
export type MakeOrder = {
  readonly stream: ReserveStream;
  /** 32 bytes. */
  readonly custodian: Uint8Array;
  readonly tier: Tier;
  readonly bits: 64 | 128;
  readonly unitExponent: number;
  /** The newest one that is booked whole where none is named. */
  readonly block?: bigint;
  /** Compartments that have less on the chain than in the books, and are proven with what is there. */
  readonly declared?: ReadonlySet<number>;
};

/** An epoch with a record, ready for the registry. */
export type MadeEpoch = {
  readonly epoch: StoredEpoch;
  /** Compartments with other coins on the chain than in the books. */
  readonly differences: readonly CompartmentPosition[];
};

const quiet: Tell = () => undefined;

export const tellOf = ({ tell }: Maker): Tell => tell ?? quiet;

/**
 * Makes the next epoch of an asset as far as the registry needs it: what is owed and held at one block, the trees over it, their record, and
 * the packages of clients. An epoch that is begun and not pinned is gone on with; one that is made already is answered as it is.
 *
 * Everything follows from header, master secret and books, so a crash anywhere loses time alone: what the snapshot read is kept, the
 * number belongs to the header from the moment that it is begun, and nothing counts before the record is stored.
 *
 * @throws CustodyError `reserves/not-covered`, `reserves/chain-has-less`, `reserves/insolvent`: nothing was begun
 * @throws CustodyError `reserves/maker-busy` while another process works in the same folder
 */
export async function makeEpoch(maker: Maker, order: MakeOrder): Promise<MadeEpoch> {
  await using _guard = await guarded(maker, order.stream.asset);
  const newest = await newestEpoch(maker.db, order.stream);
  if (newest !== undefined && !isInRegistry(newest)) {
    fitsOrder(newest, order);
    return await madeOf(maker, newest, order.declared);
  }
  const header = await nextHeader(maker, order, newest);
  await sweep(maker, header);
  // Read and looked at before the number is taken: a refused epoch leaves nothing behind that would have to be abandoned.
  expectProvable(await snapshotOf(maker, header), order.declared);
  return await madeOf(maker, await beginEpoch(maker.db, header, maker.clock.now()), order.declared);
}

async function madeOf(maker: Maker, epoch: StoredEpoch, declared: ReadonlySet<number> | undefined): Promise<MadeEpoch> {
  const { header, context } = epoch;
  const snapshot = await snapshotOf(maker, header);
  const differences = differing(snapshot.compartments);
  const work = workOf(maker, header);
  if (epoch.made === undefined) expectProvable(snapshot, declared);
  else if (isMade(work, epoch.made.record)) return { epoch, differences };
  const result = await runBook(work, { step: 'make' }, tellOf(maker));
  invariant(result.step === 'make', 'A book was made.');
  const { record } = result;
  const made = { state: 'made', record, reserves: unitsHeld(snapshot) } as const;
  return { epoch: await advanceEpoch(maker.db, { context, now: maker.clock.now() }, made), differences };
}

/** What the work of an epoch is done with. */
export function workOf(maker: Maker, header: ReserveHeader): BookWork {
  const { shown, kept } = epochFolders(maker.folder, header);
  return { header, master: maker.master, kept, shown, threads: maker.threads ?? threadsDefault };
}

function expectProvable(snapshot: Snapshot, declared: ReadonlySet<number> = new Set()): void {
  expectOnChain(snapshot.compartments, declared);
  expectSolvent(rowsOf(snapshot));
}

/**
 * Removes what was read for headers of this number that nobody began: epochs that were refused, or whose maker was ended before. Claims of
 * clients do not lie about.
 */
async function sweep(maker: Maker, header: ReserveHeader): Promise<void> {
  const { kept } = epochFolders(maker.folder, header);
  const begun = await epochs(maker.db, { asset: header.asset, epoch: header.epoch, limit: epochsMax });
  const known = new Set([kept, ...begun.map((one) => epochFolders(maker.folder, one.header).kept)]);
  const folder = dirname(kept);
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const other = join(folder, name);
    if (name.startsWith(`${header.epoch}-`) && !known.has(other)) rmSync(other, { recursive: true, force: true });
  }
}

/** One process at a time in one folder and asset: two would write the same files. The kernel ends the guard with the process. */
export async function guarded({ folder }: Maker, asset: AssetId): Promise<Guard> {
  mkdirSync(join(folder, 'private'), { recursive: true, mode: 0o700 });
  const guard = await takeGuard(`reserves ${realpathSync(folder)} ${assetFolder(asset)}`);
  if (guard !== undefined) return guard;
  throw new CustodyError(
    'reserves/maker-busy',
    `Another process makes a proof of ${asset} in ${folder}. Let it go on: what it does is not lost.`,
  );
}

/** What an epoch is made of: kept, or read. */
export async function snapshotOf(maker: Maker, header: ReserveHeader): Promise<Snapshot> {
  const steps = stepsOf(tellOf(maker), 'reading', 1);
  const snapshot = await snapshotIn(epochFolders(maker.folder, header).kept, header, maker);
  steps.one();
  return snapshot;
}

/** An epoch that is under way decides what it is: another tier or unit would be another epoch of the same number. */
function fitsOrder({ header, ...rest }: StoredEpoch, order: MakeOrder): void {
  const same = (['tier', 'bits', 'unitExponent'] as const).every((name) => header[name] === order[name]);
  const block = order.block === undefined || order.block === header.blockNumber;
  if (same && block && Buffer.from(header.custodian).equals(order.custodian)) return;
  const state = stateOf({ header, ...rest });
  throw new CustodyError(
    'reserves/wrong-state',
    `Epoch ${header.epoch} of ${header.asset} is ${state}, ${header.tier} with ${header.bits} bits at block ${header.blockNumber}: publish it before another one, or go on with the same words.`,
  );
}

/** A reader follows epochs of one form: with another one it would have to believe that nothing changed in between. */
function fitsBefore({ header }: StoredEpoch, { tier, unitExponent, custodian }: MakeOrder): void {
  const same = header.tier === tier && header.unitExponent === unitExponent;
  if (same && Buffer.from(header.custodian).equals(custodian)) return;
  throw new CustodyError(
    'reserves/wrong-state',
    `Epochs of ${header.asset} in this registry are ${header.tier}, in units of 10^${header.unitExponent}, of one custodian, and stay so. Correct the configuration, or use another registry.`,
  );
}

async function nextHeader(
  { db, chain }: Maker,
  order: MakeOrder,
  newest: StoredEpoch | undefined,
): Promise<ReserveHeader> {
  const { stream, custodian, tier, bits, unitExponent } = order;
  if (chain.id !== chainOf(stream.asset)) {
    throw new CustodyError('chain/unknown', `${stream.asset} is not of ${chain.id}, whose blocks would be proven.`);
  }
  const { block, position } = await pinnedMarker(db, chain, { block: order.block });
  if (newest !== undefined) fitsBefore(newest, order);
  if (newest !== undefined && block.number <= newest.header.blockNumber) {
    throw new CustodyError(
      'reserves/not-covered',
      `Block ${block.number} does not lie behind block ${newest.header.blockNumber} of epoch ${newest.header.epoch}. Wait until a later one is booked.`,
    );
  }
  return {
    tier,
    bits,
    registryChain: stream.registryChain,
    registry: stream.registry,
    custodian,
    epoch: (newest?.header.epoch ?? 0n) + 1n,
    asset: stream.asset,
    unitExponent,
    blockNumber: block.number,
    blockHash: Uint8Array.from(Buffer.from(block.hash.slice(2), 'hex')),
    ledgerPosition: position,
    // The block's own time: two makers of one block make one header, and nobody can take it later than it was.
    takenAt: await blockTime(chain, block),
    previous: newest?.context ?? new Uint8Array(32),
  };
}
