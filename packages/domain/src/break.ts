import type { AccountName } from './account.ts';
import type { AssetId } from './asset.ts';
import type { BlockRef } from './chain.ts';
import { type Compartment, houseFees, kindOf } from './compartment.ts';
import { invariant } from './fault.ts';
import type { BreakType } from './reconciliation.ts';
import { type Decided, type Refused, refuse } from './refusal.ts';
import { type TransferRequest, transferKey } from './transfer.ts';

/**
 * How people end a break.
 * - `book-loss`: value is gone without anybody here having asked for it; the books follow the chain, the claims of the
 *   clients stay whole, and the house owes what is missing;
 * - `book-suspense`: value is there that no book knows; it is booked as belonging to nobody yet;
 * - `acknowledge`: nothing has to be booked.
 */
export type BreakAction = 'book-loss' | 'book-suspense' | 'acknowledge';

/** An observed side of a movement, or a fee, that no book knows and that the break is made of. Amounts in base units. */
export type BreakCause = {
  readonly kind: 'in' | 'out' | 'fee';
  /** Id of the movement, or the hash of the transaction that burnt the fee. */
  readonly reference: string;
  readonly amount: bigint;
  readonly block: BlockRef;
};

/** A break as the latest reconciliation left it. */
export type BreakFacts = {
  readonly id: string;
  readonly type: BreakType;
  /** What is missing on a chain as a whole (a reorg) has no line. */
  readonly line?: {
    readonly compartment: Compartment;
    readonly wallet: string;
    readonly asset: AssetId;
    /** Chain less books, in base units. */
    readonly difference: bigint;
    /** The pinned block at which the difference was seen. */
    readonly block: BlockRef;
    readonly causes: readonly BreakCause[];
  };
};

export type BreakProposal = {
  readonly by: string;
  readonly action: BreakAction;
  readonly note: string;
  /** What the first person saw; a break that has changed since needs two people again. */
  readonly type: BreakType;
  readonly difference: bigint;
};

export type BreakState = {
  readonly proposal?: BreakProposal;
  readonly resolution?: { readonly action: BreakAction; readonly note: string; readonly by: readonly [string, string] };
};

export type ResolutionAsked = { readonly by: string; readonly action: BreakAction; readonly note: string };

export type BreakEffect = { readonly type: 'resolved' };
export type BreakResult = Decided<BreakState, BreakEffect> | Refused;

/**
 * One person's word on a break. The first proposes; another one who asks for the same action while the difference is still
 * what it was confirms, and only then are the books touched.
 */
export function decideBreak(facts: BreakFacts, state: BreakState, asked: ResolutionAsked): BreakResult {
  if (state.resolution !== undefined) {
    return refuse('break/already-resolved', `Break ${facts.id} is resolved (${state.resolution.action}).`, {
      id: facts.id,
    });
  }
  const wrong = wrongAction(facts, asked.action);
  if (wrong !== undefined) return wrong;
  const difference = facts.line?.difference ?? 0n;
  const { proposal } = state;
  const same = proposal?.action === asked.action && proposal.type === facts.type && proposal.difference === difference;
  if (proposal === undefined || !same) {
    const { by, action, note } = asked;
    return {
      status: 'decided',
      state: { proposal: { by, action, note, type: facts.type, difference } },
      transfers: [],
      effects: [],
    };
  }
  if (proposal.by === asked.by) {
    return refuse(
      'four-eyes/second-person-needed',
      `${asked.by} proposed the resolution of ${facts.id}; another person must confirm it.`,
      { id: facts.id },
    );
  }
  const transfers = resolutionTransfers(facts, asked.action);
  return {
    status: 'decided',
    state: { proposal, resolution: { action: asked.action, note: proposal.note, by: [proposal.by, asked.by] } },
    transfers: transfers.length === 0 ? [] : [transfers],
    effects: [{ type: 'resolved' }],
  };
}

/**
 * Which action fits. An acknowledgement books nothing, so it is refused where books and chain differ: it would let a
 * compartment with a hole pay out again, until the next reconciliation found the hole anew.
 */
function wrongAction(facts: BreakFacts, action: BreakAction): Refused | undefined {
  const difference = facts.line?.difference ?? 0n;
  const fits = fittingActions(facts.type, difference);
  if (fits.includes(action)) return undefined;
  const advice = fits.length === 0 ? 'wait for the next look at the chain' : `resolve it with ${fits.join(' or ')}`;
  return refuse(
    'break/wrong-type',
    `Break ${facts.id} is of type ${facts.type} with a difference of ${difference}; ${action} does not fit: ${advice}.`,
    { id: facts.id, type: facts.type },
  );
}

function fittingActions(type: BreakType, difference: bigint): readonly BreakAction[] {
  switch (type) {
    case 'pending':
    case 'reorg':
      // Booking what is on its way would book it twice; after a reorg the lines of the next reconciliation say what to book.
      return ['acknowledge'];
    case 'vault-code':
    case 'token-code':
      // No word of people makes code right: it ends when the code is what the signer lists, be it another list, or what was certified.
      return [];
    case 'fee':
    case 'missing-movement':
    case 'shortfall':
    case 'unknown-deposit':
    case 'excess':
      return difference < 0n ? ['book-loss'] : difference > 0n ? ['book-suspense'] : [];
  }
}

/** Linked transfers that make the books say what the chain says. */
function resolutionTransfers(facts: BreakFacts, action: BreakAction): readonly TransferRequest[] {
  if (action === 'acknowledge') return [];
  const { line } = facts;
  invariant(line !== undefined, 'A break without a line has nothing to book.', { id: facts.id });
  const parts = partsOf(line, action === 'book-loss' ? -line.difference : line.difference);
  return parts.flatMap((part, n) => (action === 'book-loss' ? lossOf(facts, part, n) : [suspenseOf(facts, part, n)]));
}

type Line = NonNullable<BreakFacts['line']>;
type Part = { readonly amount: bigint; readonly block: BlockRef };

/**
 * What is booked at which block. Where the observed causes all go one way and add up to the difference, each is booked at its
 * own block, so that the wallet's position at every past block comes out right; otherwise the whole at the pinned block.
 */
function partsOf(line: Line, amount: bigint): readonly Part[] {
  const moved = line.causes.filter((cause) => cause.amount > 0n);
  const oneWay = moved.every((cause) => (cause.kind === 'in') === line.difference > 0n);
  const sum = moved.reduce((total, cause) => total + cause.amount, 0n);
  return oneWay && sum === amount ? moved : [{ amount, block: line.block }];
}

/**
 * A loss in the books of a client or group compartment is a receivable from the house, so the same step writes what the house
 * owes into the house's own book: four accounts, two books, each transfer inside one of them, joined by the break's id.
 * The house owes itself nothing: a loss of its own lowers its equity.
 */
function lossOf(facts: BreakFacts, part: Part, n: number): readonly TransferRequest[] {
  const { line } = facts;
  invariant(line !== undefined, 'A loss needs a line.', { id: facts.id });
  const own = kindOf(line.compartment) === 'house';
  const wallet = transferOf(facts, {
    key: ['loss', n],
    compartment: line.compartment,
    asset: line.asset,
    debit: { kind: own ? 'equity' : 'loss', holder: '' },
    credit: { kind: 'wallet', holder: line.wallet },
    amount: part.amount,
    block: part.block,
  });
  if (own) return [wallet];
  const obligation = transferOf(facts, {
    key: ['obligation', n],
    compartment: houseFees,
    asset: line.asset,
    debit: { kind: 'equity', holder: '' },
    credit: { kind: 'obligation', holder: '' },
    amount: part.amount,
  });
  return [
    { ...wallet, link: facts.id },
    { ...obligation, link: facts.id },
  ];
}

function suspenseOf(facts: BreakFacts, part: Part, n: number): TransferRequest {
  const { line } = facts;
  invariant(line !== undefined, 'Suspense needs a line.', { id: facts.id });
  return transferOf(facts, {
    key: ['suspense', n],
    compartment: line.compartment,
    asset: line.asset,
    debit: { kind: 'wallet', holder: line.wallet },
    credit: { kind: 'suspense', holder: '' },
    amount: part.amount,
    block: part.block,
  });
}

type Legs = {
  readonly key: readonly [code: string, n: number];
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly debit: AccountName;
  readonly credit: AccountName;
  readonly amount: bigint;
  readonly block?: BlockRef;
};

function transferOf(facts: BreakFacts, { key: [code, n], ...legs }: Legs): Extract<TransferRequest, { type: 'post' }> {
  return {
    type: 'post',
    key: transferKey('break', facts.id, code, String(n)),
    code: `break-${code}`,
    reference: facts.id,
    ...legs,
  };
}

/**
 * What a reconciliation does to the break it knows of a wallet and asset, when it now finds `found` there.
 * - `open`: a new difference; `keep`: the same one, its values brought up to date;
 * - `reclassify`: still a difference, now explained otherwise: a new break of the new type that keeps the age of the old one;
 * - `vanish`: books and chain agree again; `none`: they agreed and agree.
 */
export function followBreak(
  known: BreakType | undefined,
  found: BreakType | undefined,
): 'open' | 'keep' | 'reclassify' | 'vanish' | 'none' {
  if (known === undefined) return found === undefined ? 'none' : 'open';
  if (found === undefined) return 'vanish';
  return known === found ? 'keep' : 'reclassify';
}
