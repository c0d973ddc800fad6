import {
  type AssetId,
  type BlockRef,
  type BreakAction,
  type BreakCause,
  type BreakFacts,
  type BreakState,
  type BreakType,
  type ChainId,
  type Compartment,
  type Refused,
  breakFreezes,
  checksumAddress,
  decideBreak,
  houseFees,
  invariant,
  kindOf,
  nativeAsset,
  parseAddress,
  parseAssetId,
  parseChainId,
  parseCompartment,
  refuse,
} from '@bulkhead/domain';
import { openBook } from '@bulkhead/ledger';
import {
  bigint,
  bigintOrNull,
  date,
  dateOrNull,
  type Queries,
  type Row,
  text,
  textOrNull,
  type Transaction,
} from '@bulkhead/postgres';
import { postAll } from './books.ts';
import { type Answer, type WriteCall, command, notFound } from './command.ts';
import type { Custody } from './custody.ts';
import { liftFreeze } from './freeze.ts';
import { record } from './journal.ts';
import { lineSides, walletPosition } from './reconciliation-line.ts';
import { readState, writeState } from './state.ts';

/** How a break ended: by people, or by a reconciliation that found it gone or explained otherwise. */
export type BreakEnd = BreakAction | 'vanished' | 'reclassified';

export type BreakView = {
  readonly id: string;
  readonly type: BreakType;
  readonly state: 'open' | 'resolved';
  readonly freezes: boolean;
  readonly chain: string;
  readonly compartment: number | null;
  readonly walletId: string | null;
  readonly address: string | null;
  readonly asset: string | null;
  /** Null on a reorg, which is about a chain and not about a wallet. */
  readonly books: string | null;
  readonly onChain: string | null;
  readonly difference: string | null;
  readonly block: { readonly number: string; readonly hash: string } | null;
  /** What is there and what had to be, where the amounts do not say it. */
  readonly detail: string | null;
  readonly reconciliationId: string | null;
  readonly lastReconciliationId: string | null;
  readonly owner: string;
  readonly openedAt: string;
  readonly ageSeconds: number;
  readonly deadline: string;
  readonly proposal: { readonly by: string; readonly action: BreakAction; readonly note: string } | null;
  readonly resolution: {
    readonly action: BreakEnd;
    readonly note: string;
    readonly by: readonly string[];
    readonly at: string;
  } | null;
};

/** What a reconciliation saw of the line, kept beside the numbers. Absent on a reorg. */
export type BreakEvidence = {
  readonly block?: BlockRef;
  readonly causes?: readonly BreakCause[];
  readonly removed?: readonly BlockRef[];
  /** Keccak-256 of a token's code, as it was reviewed and as it is. */
  readonly code?: { readonly expected: string; readonly found: string };
  /** What of a deployed vault is not as its certificate says. */
  readonly vault?: {
    readonly what: 'code' | 'event' | 'certificate';
    readonly expected: string;
    readonly found: string;
  };
};

export type BreakResolution = { readonly action: BreakEnd; readonly note: string; readonly by: readonly string[] };

/** A row of the table, read once. */
type StoredBreak = {
  readonly id: string;
  readonly type: BreakType;
  readonly chain: ChainId;
  /** Undefined where it is about a chain or an asset, whoever has it. */
  readonly compartment: Compartment | undefined;
  readonly line: { readonly compartment: Compartment; readonly wallet: string; readonly asset: AssetId } | undefined;
  readonly books: bigint;
  readonly onChain: bigint;
  readonly difference: bigint;
  readonly evidence: BreakEvidence;
  readonly state: BreakState;
  readonly resolution: BreakResolution | undefined;
};

// JSON is read as text, so that amounts in it are parsed by readState and never by the driver.
const columns = `b.*, b.evidence::text as evidence_json, b.proposal::text as proposal_json, b.resolution::text as resolution_json,
  (select w.address from custody.wallet w where w.id = b.wallet) as address`;

const types: readonly string[] = [
  'pending',
  'fee',
  'unknown-deposit',
  'missing-movement',
  'shortfall',
  'excess',
  'reorg',
  'token-code',
  'vault-code',
] satisfies BreakType[];

export function breakTypeOf(value: string): BreakType {
  const found = types.find((type): type is BreakType => type === value);
  invariant(found !== undefined, `"${value}" is no type of break.`);
  return found;
}

function breakOf(row: Row): StoredBreak {
  const wallet = textOrNull(row, 'wallet');
  const compartment = bigintOrNull(row, 'compartment');
  const asset = textOrNull(row, 'asset');
  const proposal = textOrNull(row, 'proposal_json');
  const resolution = textOrNull(row, 'resolution_json');
  const resolved = resolution === null ? undefined : readState<BreakResolution>(resolution);
  return {
    id: text(row, 'id'),
    type: breakTypeOf(text(row, 'type')),
    chain: parseChainId(text(row, 'chain')),
    compartment: compartment === null ? undefined : parseCompartment(Number(compartment)),
    line:
      wallet === null || compartment === null || asset === null
        ? undefined
        : { wallet, compartment: parseCompartment(Number(compartment)), asset: parseAssetId(asset) },
    books: bigintOrNull(row, 'books') ?? 0n,
    onChain: bigintOrNull(row, 'chain_balance') ?? 0n,
    difference: bigintOrNull(row, 'difference') ?? 0n,
    evidence: readState<BreakEvidence>(text(row, 'evidence_json')),
    state: proposal === null ? {} : { proposal: readState<NonNullable<BreakState['proposal']>>(proposal) },
    resolution: resolved,
  };
}

function detailOf({ code, vault }: BreakEvidence): string | null {
  if (code !== undefined) {
    return `The token's code has the Keccak-256 ${code.found}; what was reviewed has ${code.expected}.`;
  }
  if (vault === undefined) return null;
  const what = {
    code: 'the Keccak-256 of its code',
    event: 'the configuration that the factory told of',
    certificate: 'what is stored of it',
  };
  return `After its deployment the vault is not what its certificate says: ${what[vault.what]} is ${vault.found}, and must be ${vault.expected}.`;
}

function viewOf(row: Row, now: Date): BreakView {
  const stored = breakOf(row);
  const opened = date(row, 'opened_at');
  const resolvedAt = dateOrNull(row, 'resolved_at');
  const address = textOrNull(row, 'address');
  const { block } = stored.evidence;
  const { proposal } = stored.state;
  const { resolution } = stored;
  return {
    id: stored.id,
    type: stored.type,
    state: resolvedAt === null ? 'open' : 'resolved',
    freezes: breakFreezes(stored.type),
    chain: stored.chain,
    compartment: stored.compartment ?? null,
    walletId: textOrNull(row, 'wallet'),
    address: address === null ? null : checksumAddress(parseAddress(address)),
    asset: textOrNull(row, 'asset'),
    books: stored.line === undefined ? null : stored.books.toString(),
    onChain: stored.line === undefined ? null : stored.onChain.toString(),
    difference: stored.line === undefined ? null : stored.difference.toString(),
    block: block === undefined ? null : { number: block.number.toString(), hash: block.hash },
    detail: detailOf(stored.evidence),
    reconciliationId: textOrNull(row, 'first_reconciliation'),
    lastReconciliationId: textOrNull(row, 'last_reconciliation'),
    owner: text(row, 'owner'),
    openedAt: opened.toISOString(),
    ageSeconds: Math.max(0, Math.floor(((resolvedAt ?? now).getTime() - opened.getTime()) / 1000)),
    deadline: date(row, 'deadline').toISOString(),
    proposal: proposal === undefined ? null : { by: proposal.by, action: proposal.action, note: proposal.note },
    resolution:
      resolution === undefined || resolvedAt === null
        ? null
        : { action: resolution.action, note: resolution.note, by: resolution.by, at: resolvedAt.toISOString() },
  };
}

export type BreakFilter = {
  readonly state?: 'open' | 'resolved';
  readonly type?: BreakType;
  readonly chain?: string;
  readonly compartment?: number;
  /** Id of the last break of the page before. */
  readonly after: string | null;
  readonly limit: number;
};

/** Breaks in the order of their ids. Age is counted to now, or to the resolution. */
export async function breakViews(db: Queries, filter: BreakFilter, now: Date): Promise<readonly BreakView[]> {
  const rows = await db.query(
    `select ${columns} from custody.break b
     where ($1::text is null or (resolved_at is null) = ($1 = 'open')) and ($2::text is null or type = $2)
       and ($3::text is null or chain = $3)
       and ($4::bigint is null or compartment = $4 or exists (select from custody.freeze f where f.cause = b.id and f.compartment = $4))
       and ($5::text is null or id > $5)
     order by id limit $6`,
    [
      filter.state ?? null,
      filter.type ?? null,
      filter.chain ?? null,
      filter.compartment ?? null,
      filter.after,
      filter.limit,
    ],
  );
  return rows.map((row) => viewOf(row, now));
}

export async function findBreak(db: Queries, id: string, now: Date): Promise<BreakView | undefined> {
  const [row] = await db.query(`select ${columns} from custody.break b where id = $1`, [id]);
  return row === undefined ? undefined : viewOf(row, now);
}

async function lockedBreak(tx: Transaction, id: string): Promise<StoredBreak | undefined> {
  const [row] = await tx.query(`select ${columns} from custody.break b where id = $1 for update of b`, [id]);
  return row === undefined ? undefined : breakOf(row);
}

async function viewAgain(tx: Queries, id: string, now: Date): Promise<BreakView> {
  const view = await findBreak(tx, id, now);
  invariant(view !== undefined, 'A break that was just changed is not there.', { id });
  return view;
}

/** Hands an open break to somebody. */
export async function setBreakOwner(
  custody: Custody,
  call: WriteCall,
  input: { breakId: string; owner: string },
): Promise<Answer<BreakView>> {
  return command(custody, call, async (tx, now) => {
    const stored = await lockedBreak(tx, input.breakId);
    if (stored === undefined) return notFound('break', input.breakId);
    if (stored.resolution !== undefined) return alreadyResolved(stored);
    await tx.query('update custody.break set owner = $2 where id = $1', [stored.id, input.owner]);
    await record(tx, now, {
      actor: call.actor,
      subject: stored.id,
      event: 'break-owner-set',
      data: { owner: input.owner },
    });
    return viewAgain(tx, stored.id, now);
  });
}

function alreadyResolved(stored: StoredBreak): Refused {
  return refuse('break/already-resolved', `Break ${stored.id} is resolved (${stored.resolution?.action ?? ''}).`, {
    id: stored.id,
  });
}

export type ResolutionInput = { readonly breakId: string; readonly action: BreakAction; readonly note: string };

/**
 * One person's word on how a break ends; the second person's word does it. Books, the marks on the movements that the booking
 * explains, the break and the freeze commit together, so a crash leaves either an open break and untouched books or neither.
 */
export async function resolveBreak(
  custody: Custody,
  call: WriteCall,
  input: ResolutionInput,
): Promise<Answer<BreakView>> {
  return command(custody, call, async (tx, now) => {
    const refused = await lockChainOf(tx, input.breakId);
    if (refused !== undefined) return refused;
    const stored = await lockedBreak(tx, input.breakId);
    if (stored === undefined) return notFound('break', input.breakId);
    if (stored.resolution !== undefined) return alreadyResolved(stored);
    const facts = factsOf(stored);
    const decided = decideBreak(facts, stored.state, { by: call.actor.name, action: input.action, note: input.note });
    if (decided.status === 'refused') return decided;
    const { proposal, resolution } = decided.state;
    if (resolution === undefined) {
      await tx.query('update custody.break set proposal = $2 where id = $1', [stored.id, writeState(proposal ?? {})]);
      const event = 'break-resolution-proposed';
      await record(tx, now, {
        actor: call.actor,
        subject: stored.id,
        event,
        data: { action: input.action, note: input.note },
      });
      return viewAgain(tx, stored.id, now);
    }
    if (resolution.action !== 'acknowledge') {
      const outdated = await changedSince(tx, stored);
      if (outdated !== undefined) return outdated;
      await explainCauses(tx, stored);
    }
    await endBreak(tx, now, { id: stored.id, resolution });
    await record(tx, now, { actor: call.actor, subject: stored.id, event: 'break-resolved', data: resolution });
    const view = await viewAgain(tx, stored.id, now);
    await openBooks(tx, facts);
    await postAll(tx, decided.transfers, now);
    return view;
  });
}

/**
 * Finality, reconciliation and resolutions of one chain take turns on its cursor, so that none of them books or judges by what
 * another is about to change.
 */
async function lockChainOf(tx: Transaction, id: string): Promise<Refused | undefined> {
  const [row] = await tx.query('select chain from custody.break where id = $1', [id]);
  if (row === undefined) return notFound('break', id);
  await tx.query('select chain from custody.chain_cursor where chain = $1 for update', [text(row, 'chain')]);
  return undefined;
}

function factsOf(stored: StoredBreak): BreakFacts {
  const { id, type, line, difference, evidence } = stored;
  if (line === undefined) return { id, type };
  invariant(evidence.block !== undefined, 'A break of a wallet does not say at which block it was seen.', { id });
  return { id, type, line: { ...line, difference, block: evidence.block, causes: evidence.causes ?? [] } };
}

/**
 * What is to be booked was seen by a reconciliation. It is booked only while nothing has changed since: the same books at that
 * block, the same sides that no book knows, none of them on its way into the books. Otherwise the same coins could be booked
 * twice, by people here and by a workflow there.
 */
async function changedSince(tx: Queries, stored: StoredBreak): Promise<Refused | undefined> {
  const { line, evidence, id } = stored;
  if (line === undefined || evidence.block === undefined) return undefined;
  const place = { ...line, chain: stored.chain };
  const books = await walletPosition(tx, place, evidence.block);
  const sides = await lineSides(tx, place, evidence.block);
  const known = (evidence.causes ?? []).map((cause) => `${cause.kind} ${cause.reference}`).toSorted();
  const now = sides.map((side) => `${side.kind} ${side.reference}`).toSorted();
  if (books === stored.books && now.join() === known.join() && !sides.some((side) => side.pending)) {
    return beforeSweep(tx, stored, evidence.block);
  }
  return refuse(
    'break/outdated',
    `What the books know of ${line.wallet} up to block ${evidence.block.number} changed since break ${id} was last seen, or is about to; reconcile ${stored.chain} again first.`,
    { id },
  );
}

/**
 * Native coin whose way in nothing showed is searched for by the balance sweep, which opens a deposit for it. Until the sweep has
 * looked at the pinned block people do not book it, or the deposit would book it once more.
 */
async function beforeSweep(
  tx: Queries,
  { id, chain, line, difference, evidence }: StoredBreak,
  at: BlockRef,
): Promise<Refused | undefined> {
  if (line?.asset !== nativeAsset(chain) || difference < 0n || (evidence.causes ?? []).length > 0) return undefined;
  const [row] = await tx.query('select swept_number from custody.chain_cursor where chain = $1', [chain]);
  const swept = row === undefined ? undefined : bigint(row, 'swept_number');
  if (swept === undefined || swept >= at.number) return undefined;
  return refuse(
    'break/outdated',
    `The balances of ${chain} were searched up to block ${swept}, and break ${id} was seen at block ${at.number}: the search may still find how the coins came. Resolve it afterwards.`,
    { id },
  );
}

/** Marks every side that the booking explains, so that no later reconciliation counts it as unknown again. */
async function explainCauses(tx: Transaction, stored: StoredBreak): Promise<void> {
  for (const cause of stored.evidence.causes ?? []) {
    const marked = await explainCause(tx, stored, cause);
    invariant(marked.length === 1, 'What a break would explain was explained by something else meanwhile.', {
      id: stored.id,
      cause: cause.reference,
    });
  }
}

async function explainCause(tx: Transaction, { id, chain }: StoredBreak, cause: BreakCause): Promise<readonly Row[]> {
  switch (cause.kind) {
    case 'out':
      return tx.query(
        'update custody.movement set out_explained = $2 where id = $1 and out_explained is null returning id',
        [cause.reference, id],
      );
    case 'in':
      return tx.query(
        'update custody.movement set in_explained = $2 where id = $1 and in_explained is null returning id',
        [cause.reference, id],
      );
    case 'fee':
      return tx.query(
        `update custody.sent set explained = $2
         where transaction_hash = $1 and chain = $3 and block_hash = $4 and explained is null returning transaction_hash`,
        [cause.reference, id, chain, cause.block.hash],
      );
  }
}

/** Ends an open break and lifts what it froze. */
export async function endBreak(
  tx: Transaction,
  now: Date,
  end: { id: string; resolution: BreakResolution },
): Promise<void> {
  await tx.query('update custody.break set resolved_at = $2, resolution = $3 where id = $1 and resolved_at is null', [
    end.id,
    now,
    writeState(end.resolution),
  ]);
  await liftFreeze(tx, now, end.id);
}

async function openBooks(tx: Transaction, { line }: BreakFacts): Promise<void> {
  if (line === undefined) return;
  await openBook(tx, line);
  if (kindOf(line.compartment) !== 'house') await openBook(tx, { compartment: houseFees, asset: line.asset });
}
