import { type AssetId, type Compartment, compartmentFirst, parseCompartment } from '@bulkhead/domain';
import { bigint, integer, text, type Transaction } from '@bulkhead/postgres';
import type { Claim, ClaimKind } from '@bulkhead/proofs';

/** Rows that are asked of the database at once: what is held in memory, whatever the number of clients. */
export const claimsFetched = 5_000;

/** A claim and the compartment whose coins it is on. */
export type BookedClaim = Claim & { readonly compartment: Compartment };

/** Holders of what belongs to no client, of the kind `suspense`. */
export const nobodys = {
  /** What arrived and is not assigned. */
  suspense: 'suspense',
  /** Coin for network fees of the compartment that was given to no one client. */
  gas: 'gas',
} as const;

/**
 * Accounts that are claims, in the order of leaves: by compartment, kind, and the bytes of the holder. Losses are none, and what the house
 * has is in compartments of its own. Each balance is that of now without what came after the position, because that is little: to look up
 * the last transfer of each account would take a million looks, and a plan that reads all transfers for each of them.
 */
const claimAccounts = `
  declare reserve_claims no scroll cursor without hold for
  with later as materialized (
    select e.account, sum(e.amount) as amount from ledger.entries e where e.position > $2 group by e.account
  )
  select n.compartment, n.kind, n.holder, n.posted - coalesce(l.amount, 0) as balance from (
    select a.number, a.compartment, a.posted,
      case when a.kind = 'suspense' or a.holder = '' then 3 when a.kind = 'fee-payable' then 2 else 1 end as kind,
      case when a.holder <> '' then a.holder when a.kind = 'gas' then '${nobodys.gas}' else '${nobodys.suspense}' end as holder
    from ledger.accounts a
    where a.asset = $1 and a.compartment >= $3 and a.kind in ('available', 'quarantine', 'gas', 'fee-payable', 'suspense')
  ) n left join later l on l.account = n.number
  order by n.compartment, n.kind, n.holder collate "C"`;

const kinds: Readonly<Record<number, ClaimKind>> = { 1: 'client', 2: 'fee-payable', 3: 'suspense' };

/**
 * All claims on the coins of clients as they were behind a ledger position, in the order of leaves: what a client has available, in
 * quarantine and for gas is one claim. Who had nothing then has none, whether the account was there or not: the same position gives the same
 * claims for ever. Compartments of the house are not among them.
 *
 * A cursor in the caller's transaction; read all of it, or end the transaction.
 */
export async function* claimsBehind(
  tx: Transaction,
  at: { readonly asset: AssetId; readonly position: bigint },
): AsyncGenerator<BookedClaim, undefined> {
  await tx.query(claimAccounts, [at.asset, at.position, compartmentFirst.group]);
  let open: BookedClaim | undefined;
  for (;;) {
    const rows = await tx.query(`fetch ${claimsFetched} from reserve_claims`);
    for (const row of rows) {
      const next = claimOf(row);
      if (open !== undefined && isSame(open, next)) {
        open = { ...open, amount: open.amount + next.amount };
        continue;
      }
      if (open !== undefined && open.amount > 0n) yield open;
      open = next;
    }
    if (rows.length < claimsFetched) break;
  }
  await tx.query('close reserve_claims');
  if (open !== undefined && open.amount > 0n) yield open;
}

function claimOf(row: Parameters<typeof text>[0]): BookedClaim {
  return {
    compartment: parseCompartment(integer(row, 'compartment')),
    kind: kinds[integer(row, 'kind')] ?? 'suspense',
    holder: new TextEncoder().encode(text(row, 'holder')),
    amount: bigint(row, 'balance'),
  };
}

function isSame(a: BookedClaim, b: BookedClaim): boolean {
  return a.compartment === b.compartment && a.kind === b.kind && Buffer.compare(a.holder, b.holder) === 0;
}
