import {
  type AccountName,
  type AssetId,
  type Compartment,
  type TransferRefusal,
  type TransferRequest,
  invariant,
} from '@bulkhead/domain';
import { postTransfers } from '@bulkhead/ledger';
import { type Queries, type Transaction, bigint } from '@bulkhead/postgres';

/** Linked groups: each one happens whole or not at all. */
export type TransferGroups = readonly (readonly TransferRequest[])[];

/**
 * Posts what a decision demands. A refusal here means that the decision and the books disagree about the world, so the whole
 * step fails and is rolled back: better a workflow that stands still than one that went on without its money.
 */
export async function postAll(tx: Transaction, groups: TransferGroups, now: Date): Promise<void> {
  const refused = await firstRefusal(tx, groups, now);
  invariant(refused === undefined, `The books refuse ${refused?.transfer.code ?? ''}: ${refused?.reason ?? ''}.`, {
    reference: refused?.transfer.reference ?? '',
    reason: refused?.reason ?? '',
  });
}

export type RefusedTransfer = { readonly transfer: TransferRequest; readonly reason: TransferRefusal };

/** Posts and answers the first refusal, for commands that turn it into a refusal of their own and roll back. */
export async function firstRefusal(
  tx: Transaction,
  groups: TransferGroups,
  now: Date,
): Promise<RefusedTransfer | undefined> {
  const filled = groups.filter((group) => group.length > 0);
  if (filled.length === 0) return undefined;
  const outcomes = await postTransfers(tx, filled, { now });
  let linked: RefusedTransfer | undefined;
  for (const [g, group] of filled.entries()) {
    for (const [t, transfer] of group.entries()) {
      const outcome = outcomes[g]?.[t];
      invariant(outcome !== undefined, 'The ledger answered fewer outcomes than it was given transfers.');
      if (outcome.status !== 'refused') continue;
      // A neighbour's refusal only says that another one of the group is to blame: look for that one first.
      if (outcome.reason !== 'linked-transfer-refused') return { transfer, reason: outcome.reason };
      linked ??= { transfer, reason: outcome.reason };
    }
  }
  return linked;
}

/** Whether a transfer was refused because the coins are not there; where there is no book yet, there never were any. */
export function lacksFunds({ reason }: RefusedTransfer): boolean {
  return reason === 'insufficient-funds' || reason === 'book-unknown';
}

export type AccountQuery = {
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly account: AccountName;
};

/** Posted balance less open holds against it; zero for an account that was never used. */
export async function disposable(tx: Queries, query: AccountQuery): Promise<bigint> {
  const [row] = await tx.query(
    `select posted - pending_out as free from ledger.accounts
     where compartment = $1 and asset = $2 and kind = $3 and holder = $4`,
    [query.compartment, query.asset, query.account.kind, query.account.holder],
  );
  return row === undefined ? 0n : bigint(row, 'free');
}

/** Posted balance of an account; zero for one that was never used. */
export async function posted(tx: Queries, query: AccountQuery): Promise<bigint> {
  const [row] = await tx.query(
    `select posted from ledger.accounts where compartment = $1 and asset = $2 and kind = $3 and holder = $4`,
    [query.compartment, query.asset, query.account.kind, query.account.holder],
  );
  return row === undefined ? 0n : bigint(row, 'posted');
}
