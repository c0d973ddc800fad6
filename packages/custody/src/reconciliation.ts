import {
  type AssetId,
  type BreakType,
  type Chain,
  type ChainId,
  type Refused,
  CustodyError,
  breakFreezes,
  checksumAddress,
  followBreak,
  invariant,
  nativeAsset,
  refuse,
} from '@bulkhead/domain';
import { bigint, date, type Queries, text, type Transaction } from '@bulkhead/postgres';
import { listAssets } from './asset.ts';
import { type BreakEvidence, breakTypeOf, endBreak } from './break.ts';
import { type Answer, type WriteCall, command, isRefused } from './command.ts';
import { type Actor, type Custody, machine, type SourceAgreement } from './custody.ts';
import { chainPort, hash } from './cursor.ts';
import { freeze, openReorgBreak } from './freeze.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import {
  type ChainPosition,
  type LineWallet,
  type Marker,
  type WalletLine,
  chainWallets,
  checkEquation,
  compareWithBooks,
  lineKey,
} from './reconciliation-line.ts';
import { type ReconciliationLineView, type ReconciliationView, storedReconciliation } from './reconciliation-view.ts';
import { writeState } from './state.ts';
import { lookAtCodes } from './token-code.ts';

/** Balances asked of the chain port in one call; the adapter batches them into RPC calls by hundreds. */
export const balanceQueriesMax = 20_000;
/** How far back a marked block is looked for that is still on the chain. Reorganisations of final blocks beyond it need people. */
export const markersLookedAtMax = 128;

/** What the chain said, before the books are asked. */
type Sighting = {
  readonly chain: ChainId;
  readonly agreement: SourceAgreement;
  readonly marker: Marker;
  /** Newer markers whose blocks are no longer on the chain. */
  readonly orphaned: readonly Marker[];
  readonly wallets: readonly LineWallet[];
  readonly positions: readonly ChainPosition[];
  readonly startedAt: Date;
};

/**
 * Holds every wallet and asset of a chain against the books, at one block that is final, fully booked, and on the chain by the
 * word of the required number of sources. Tolerance zero: every difference is a break, and all but a pending one freeze their
 * compartment. Run again it finds the same breaks and opens no new ones.
 *
 * The chain is asked without a database transaction; since the block is fixed, blocks that become final meanwhile change
 * neither side. The books are read and everything is stored in one transaction at the end: a crash before its commit leaves
 * nothing behind, and the next run finds the same.
 *
 * @throws CustodyError `chain/unavailable`, `chain/disagreement`, `chain/nonsense`: nothing was stored
 * @throws CustodyError `chain/behind-books`: the sources have not reached the block; nothing was stored
 * @throws CustodyError `chain/finality-violated`: no marked block within reach is on the chain; the break for it is stored
 */
export async function reconcile(
  custody: Custody,
  input: { chain: ChainId; actor: Actor },
): Promise<ReconciliationView | Refused> {
  const sighting = await lookAtChain(custody, input.chain);
  if (isRefused(sighting)) return sighting;
  return custody.db.transaction(async (tx) =>
    store(custody, tx, { sighting, actor: input.actor, now: custody.clock.now() }),
  );
}

/** {@link reconcile} as a write with an idempotency key. A repeated key asks the chain again and stores nothing. */
export async function requestReconciliation(
  custody: Custody,
  call: WriteCall,
  input: { chain: ChainId },
): Promise<Answer<ReconciliationView>> {
  const sighting = await lookAtChain(custody, input.chain);
  return command(custody, call, async (tx, now) =>
    isRefused(sighting) ? sighting : store(custody, tx, { sighting, actor: call.actor, now }),
  );
}

async function lookAtChain(custody: Custody, chain: ChainId): Promise<Sighting | Refused> {
  const startedAt = custody.clock.now();
  // Balances are what the code of a token says they are.
  await lookAtCodes(custody, chain);
  const port = chainPort(custody, chain);
  const pinned = await pin(custody, port);
  if (isRefused(pinned)) return pinned;
  const wallets = await chainWallets(custody.db, chain);
  const listed = await listAssets(custody.db, chain);
  const assets = [...new Set([nativeAsset(chain), ...listed.map((asset) => asset.id)])];
  const positions = await balancesAt(port, pinned.marker, { wallets, assets });
  const agreement = custody.policy.agreement.get(chain);
  invariant(agreement !== undefined, 'The policy does not say which sources of a chain must agree.', { chain });
  return { chain, agreement, ...pinned, wallets, positions, startedAt };
}

type Pinned = { readonly marker: Marker; readonly orphaned: readonly Marker[] };

/** The newest marker whose block the chain confirms now. */
async function pin(custody: Custody, port: Chain): Promise<Pinned | Refused> {
  const markers = await newestMarkers(custody.db, port.id);
  if (markers.length === 0) {
    return refuse(
      'reconciliation/nothing-booked',
      `No block of ${port.id} is booked yet; reconcile when the first one is final.`,
      {
        chain: port.id,
      },
    );
  }
  const orphaned: Marker[] = [];
  for (const marker of markers) {
    const found = await port.hashAt(marker.number);
    if (found === undefined) {
      throw new CustodyError(
        'chain/behind-books',
        `${port.id} has no block ${marker.number}, which is in the books as final: the sources are behind, or serve another chain. Nothing was reconciled.`,
        { details: { chain: port.id, block: marker.number.toString() } },
      );
    }
    if (found === marker.hash) return { marker, orphaned };
    orphaned.push(marker);
  }
  const now = custody.clock.now();
  await custody.db.transaction(async (tx) => {
    await lockChain(tx, port.id);
    await openReorgBreak(custody, tx, { chain: port.id, removed: [], now });
  });
  throw new CustodyError(
    'chain/finality-violated',
    `None of the ${markers.length} newest booked blocks of ${port.id} is on the chain; its compartments are frozen. Compare the sources.`,
    { details: { chain: port.id } },
  );
}

async function newestMarkers(db: Queries, chain: ChainId): Promise<readonly Marker[]> {
  const rows = await db.query(
    `select block_number, '0x' || encode(block_hash, 'hex') as block_hash, position from ledger.markers
     where chain = $1 order by block_number desc limit $2`,
    [chain, markersLookedAtMax],
  );
  return rows.map((row) => ({
    number: bigint(row, 'block_number'),
    hash: hash(row, 'block_hash'),
    position: bigint(row, 'position'),
  }));
}

async function balancesAt(
  port: Chain,
  { number, hash: blockHash }: Marker,
  { wallets, assets }: { wallets: readonly LineWallet[]; assets: readonly AssetId[] },
): Promise<readonly ChainPosition[]> {
  const asked = wallets.flatMap((wallet) => assets.map((asset) => ({ wallet, asset })));
  const positions: ChainPosition[] = [];
  for (let start = 0; start < asked.length; start += balanceQueriesMax) {
    const part = asked.slice(start, start + balanceQueriesMax);
    const queries = part.map(({ wallet, asset }) => ({ asset, address: wallet.address }));
    const balances = await port.balances(queries, { number, hash: blockHash });
    invariant(
      balances.length === part.length,
      `${part.length} balances were asked for and ${balances.length} came back.`,
    );
    for (const [n, balance] of balances.entries()) {
      const line = part[n];
      if (line !== undefined) positions.push({ ...line, balance });
    }
  }
  return positions;
}

async function lockChain(tx: Transaction, chain: ChainId): Promise<void> {
  // First in the order of locks. A chain that stands still can be reconciled too, so the row is locked as it is.
  await tx.query('select chain from custody.chain_cursor where chain = $1 for update', [chain]);
}

type Storing = { readonly sighting: Sighting; readonly actor: Actor; readonly now: Date };

/** A break that a line belongs to after this run. */
type Followed = { readonly line: WalletLine; readonly known: KnownBreak | undefined; readonly id: string | undefined };

async function store(
  custody: Custody,
  tx: Transaction,
  { sighting, actor, now }: Storing,
): Promise<ReconciliationView> {
  const { chain, marker, orphaned, positions, wallets, startedAt } = sighting;
  await lockChain(tx, chain);
  const lines = await compareWithBooks(tx, chain, { at: marker, positions });
  await checkEquation(tx, chain, marker);
  const known = await knownBreaks(tx, chain);
  const followed = lines.map((line) => followLine(line, known.get(lineKey(line.wallet.id, line.asset)), now));
  const shown = followed.filter(({ line }) => line.books !== 0n || line.chain !== 0n);
  const breaks = followed.filter(({ line }) => line.type !== undefined).length + (orphaned.length > 0 ? 1 : 0);
  const id = newId('rec', now);
  await tx.query(
    `insert into custody.reconciliation
       (id, chain, block_number, block_hash, ledger_position, sources, wallets, lines, breaks, requested_by, started_at, finished_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [
      id,
      chain,
      marker.number,
      marker.hash,
      marker.position,
      JSON.stringify(sighting.agreement),
      wallets.length,
      JSON.stringify(shown.map(lineViewOf)),
      breaks,
      actor.name,
      startedAt,
      now,
    ],
  );
  if (orphaned.length > 0) {
    const removed = orphaned.map(({ number, hash: blockHash }) => ({ number, hash: blockHash }));
    await openReorgBreak(custody, tx, { chain, removed, now });
  }
  for (const one of followed) await writeBreak(custody, tx, { followed: one, chain, marker, reconciliation: id, now });
  const data = { chain, block: marker.number, hash: marker.hash, wallets: wallets.length, breaks };
  await record(tx, now, { actor, subject: id, event: 'reconciled', data });
  return storedReconciliation(tx, id);
}

type KnownBreak = {
  readonly id: string;
  readonly type: BreakType;
  readonly owner: string;
  readonly openedAt: Date;
  readonly deadline: Date;
};

async function knownBreaks(tx: Transaction, chain: ChainId): Promise<ReadonlyMap<string, KnownBreak>> {
  const rows = await tx.query(
    `select id, type, wallet, asset, owner, opened_at, deadline from custody.break
     where chain = $1 and wallet is not null and asset is not null and resolved_at is null order by id for update`,
    [chain],
  );
  return new Map(
    rows.map((row) => [
      lineKey(text(row, 'wallet'), text(row, 'asset')),
      {
        id: text(row, 'id'),
        type: breakTypeOf(text(row, 'type')),
        owner: text(row, 'owner'),
        openedAt: date(row, 'opened_at'),
        deadline: date(row, 'deadline'),
      },
    ]),
  );
}

function followLine(line: WalletLine, known: KnownBreak | undefined, now: Date): Followed {
  if (line.type === undefined) return { line, known, id: undefined };
  return { line, known, id: known?.type === line.type ? known.id : newId('brk', now) };
}

type Writing = {
  readonly followed: Followed;
  readonly chain: ChainId;
  readonly marker: Marker;
  readonly reconciliation: string;
  readonly now: Date;
};

async function writeBreak(custody: Custody, tx: Transaction, writing: Writing): Promise<void> {
  const { followed, reconciliation, now } = writing;
  const { line, known, id } = followed;
  const step = followBreak(known?.type, line.type);
  if (step === 'none') return;
  if (known !== undefined && (step === 'vanish' || step === 'reclassify')) {
    const gone =
      step === 'vanish'
        ? 'Books and chain agree again.'
        : `The difference is now of type ${line.type ?? ''}: ${id ?? ''}.`;
    const action = step === 'vanish' ? 'vanished' : 'reclassified';
    await endBreak(tx, now, { id: known.id, resolution: { action, note: gone, by: [machine.name] } });
    await record(tx, now, { actor: machine, subject: known.id, event: `break-${action}`, data: { reconciliation } });
  }
  if (id === undefined) return;
  if (step === 'keep') await refreshBreak(tx, writing, id);
  else await openBreak(custody, tx, { ...writing, id });
}

function evidenceOf({ followed: { line }, marker }: Writing): string {
  const evidence: BreakEvidence = { block: { number: marker.number, hash: marker.hash }, causes: line.causes };
  return writeState(evidence);
}

async function refreshBreak(tx: Transaction, writing: Writing, id: string): Promise<void> {
  const { line } = writing.followed;
  await tx.query(
    `update custody.break set books = $2, chain_balance = $3, difference = $4, evidence = $5, last_reconciliation = $6 where id = $1`,
    [id, line.books, line.chain, line.difference, evidenceOf(writing), writing.reconciliation],
  );
}

/** A difference that is only explained otherwise than before keeps its age, its deadline and its owner. */
async function openBreak(custody: Custody, tx: Transaction, writing: Writing & { readonly id: string }): Promise<void> {
  const { id, chain, now, reconciliation } = writing;
  const { line, known } = writing.followed;
  const { wallet, asset, type } = line;
  invariant(type !== undefined, 'A break without a difference was to be opened.', { id });
  const { breakOwner, breakDeadlineMs } = custody.policy;
  await tx.query(
    `insert into custody.break (id, type, chain, compartment, wallet, asset, books, chain_balance, difference, evidence, owner,
       deadline, first_reconciliation, last_reconciliation, opened_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14)`,
    [
      id,
      type,
      chain,
      wallet.compartment,
      wallet.id,
      asset,
      line.books,
      line.chain,
      line.difference,
      evidenceOf(writing),
      known?.owner ?? breakOwner,
      known?.deadline ?? new Date(now.getTime() + breakDeadlineMs),
      reconciliation,
      known?.openedAt ?? now,
    ],
  );
  const data = { type, wallet: wallet.id, asset, difference: line.difference, compartment: wallet.compartment };
  await record(tx, now, { actor: machine, subject: id, event: 'break-opened', data });
  if (breakFreezes(type)) await freeze(tx, now, { compartment: wallet.compartment, cause: id });
}

function lineViewOf({ line, id }: Followed): ReconciliationLineView {
  return {
    compartment: line.wallet.compartment,
    walletId: line.wallet.id,
    address: checksumAddress(line.wallet.address),
    asset: line.asset,
    books: line.books.toString(),
    onChain: line.chain.toString(),
    difference: line.difference.toString(),
    pendingIn: line.pendingIn.toString(),
    pendingOut: line.pendingOut.toString(),
    unbookedIn: line.unbookedIn.toString(),
    unbookedOut: line.unbookedOut.toString(),
    unbookedFees: line.unbookedFees.toString(),
    breakType: line.type ?? null,
    breakId: id ?? null,
  };
}
