import type { AccountKind, AccountName } from './account.ts';
import type { AssetId } from './asset.ts';
import type { BlockRef } from './chain.ts';
import type { Compartment } from './compartment.ts';
import { type TransferRequest, transferKey } from './transfer.ts';

/**
 * Whose claims become less when a vault's client took assets out without us: what the client may dispose of first, then what waits
 * for screening, then what is owed to the house, gas, and last what belongs to nobody yet. Among several holders in the order given.
 */
export const exitOrder: readonly AccountKind[] = ['available', 'quarantine', 'fee-payable', 'gas', 'suspense'];

/** A claim in the book that the assets left. `free` is what no open hold will take, in base units. */
export type BookClaim = { readonly account: AccountName; readonly free: bigint };

/** An outflow of a vault that nobody here asked for, or what a token kept for itself when a forwarder was flushed. */
export type VaultOutflow = {
  /** What names it for ever: the id of the stored event. */
  readonly id: string;
  readonly code: 'vault-exit' | 'vault-late-payment' | 'vault-late-fee' | 'flush-toll';
  readonly compartment: Compartment;
  readonly asset: AssetId;
  /** The vault's wallet, or the forwarder's. */
  readonly wallet: string;
  readonly amount: bigint;
  readonly block: BlockRef;
};

/**
 * Debits the claims of an individual compartment by what left it, in {@link exitOrder}, as one linked group; by no more than is free in
 * them. Less is free where the books did not know all of it, or where open holds want it: the caller looks after both before.
 */
export function outflowTransfers(outflow: VaultOutflow, claims: readonly BookClaim[]): readonly TransferRequest[] {
  return debitsOf(outflow, inOrder(claims));
}

function debitsOf(outflow: VaultOutflow, claims: readonly BookClaim[]): readonly PostRequest[] {
  const transfers: PostRequest[] = [];
  let left = outflow.amount;
  for (const { account, free } of claims) {
    const amount = left < free ? left : free;
    if (amount <= 0n) continue;
    transfers.push(leaves(outflow, { account, amount, part: transfers.length }));
    left -= amount;
  }
  return transfers;
}

/**
 * The exit of a pool: every claim of the book moves to the account of the administrator, who owes the clients from now on, and
 * what left is debited there. What did not leave yet (coins at forwarders) stays in that account.
 */
export function administratorTransfers(
  outflow: VaultOutflow,
  { administrator, claims }: { readonly administrator: string; readonly claims: readonly BookClaim[] },
): readonly TransferRequest[] {
  const account: AccountName = { kind: 'available', holder: administrator };
  const moved = inOrder(claims).filter(
    (claim) => claim.free > 0n && !(claim.account.kind === account.kind && claim.account.holder === administrator),
  );
  const handed = moved.map((claim, part): TransferRequest => {
    return {
      type: 'post',
      key: transferKey('vault-exit', outflow.id, 'claim', String(part)),
      compartment: outflow.compartment,
      asset: outflow.asset,
      debit: claim.account,
      credit: account,
      amount: claim.free,
      code: 'vault-exit-claim',
      reference: outflow.id,
    };
  });
  const free = claims.reduce((sum, claim) => sum + (claim.free > 0n ? claim.free : 0n), 0n);
  const amount = outflow.amount < free ? outflow.amount : free;
  return amount > 0n ? [...handed, leaves(outflow, { account, amount, part: 0 })] : handed;
}

/**
 * What a token that keeps a part of every transfer kept when somebody flushed a forwarder: the client whose address that is had the
 * deposit, and bears it. Where its claims went to the administrator of the pool, or to nobody yet, it comes out of those.
 */
export function tollTransfers(
  outflow: VaultOutflow,
  {
    client,
    administrator,
    claims,
  }: { readonly client: string; readonly administrator: string; readonly claims: readonly BookClaim[] },
): readonly TransferRequest[] {
  const bears = ({ kind, holder }: AccountName): boolean =>
    kind === 'suspense' || holder === client || (kind === 'available' && holder === administrator);
  const borne = inOrder(claims.filter(({ account }) => bears(account)));
  const own = borne.filter(({ account }) => account.holder === client);
  return debitsOf(outflow, [...own, ...borne.filter((claim) => !own.includes(claim))]);
}

/** Where a fee arrived that left a vault. */
export type FeeArrival = {
  readonly client: string;
  readonly toCompartment: Compartment;
  /** The fee wallet of the house. */
  readonly toWallet: string;
};

/**
 * A fee that was given up when an exit took the assets, and that the vault paid all the same once the exit was cancelled: out of what
 * this client owes first, then as an exit debits; and income of the house, joined by the link.
 */
export function lateFeeTransfers(
  outflow: VaultOutflow,
  { claims, arrival }: { readonly claims: readonly BookClaim[]; readonly arrival: FeeArrival },
): readonly TransferRequest[] {
  const owes = ({ account }: BookClaim): boolean => account.kind === 'fee-payable' && account.holder === arrival.client;
  const debits = debitsOf(outflow, [...claims.filter(owes), ...inOrder(claims.filter((claim) => !owes(claim)))]);
  const { id, asset, amount, block } = outflow;
  return [
    ...debits.map((one): TransferRequest => ({ ...one, link: id })),
    {
      type: 'post',
      key: transferKey('vault-exit', id, 'arrival'),
      compartment: arrival.toCompartment,
      asset,
      debit: { kind: 'wallet', holder: arrival.toWallet },
      credit: { kind: 'fee-income', holder: '' },
      amount,
      code: 'fee-income',
      reference: id,
      block,
      link: id,
    },
  ];
}

function inOrder(claims: readonly BookClaim[]): readonly BookClaim[] {
  return exitOrder.flatMap((kind) => claims.filter(({ account }) => account.kind === kind));
}

type Leaving = { readonly account: AccountName; readonly amount: bigint; readonly part: number };

type PostRequest = Extract<TransferRequest, { readonly type: 'post' }>;

function leaves(outflow: VaultOutflow, { account, amount, part }: Leaving): PostRequest {
  return {
    type: 'post',
    key: transferKey('vault-exit', outflow.id, 'out', String(part)),
    compartment: outflow.compartment,
    asset: outflow.asset,
    debit: account,
    credit: { kind: 'wallet', holder: outflow.wallet },
    amount,
    code: outflow.code,
    reference: outflow.id,
    block: outflow.block,
  };
}
