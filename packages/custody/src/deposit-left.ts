import { type AssetId, claimOf, type Compartment, type TransferRequest } from '@bulkhead/domain';
import type { Transaction } from '@bulkhead/postgres';
import { machine } from './custody.ts';
import { stepped } from './deposit-detection.ts';
import { depositColumns, depositOf, stepDeposit } from './deposit-row.ts';

export type Left = {
  readonly compartment: Compartment;
  readonly asset: AssetId;
  /** The wallet that the coins left. */
  readonly wallet: string;
  /** What the books said about it. */
  readonly group: readonly TransferRequest[];
  readonly now: Date;
};

/**
 * Takes what the books debited in quarantine and in suspense off the deposits whose claims these were: those of the wallet that the coins
 * left first, the oldest first. A release or a return of what is gone would otherwise be paid with the claim of the next deposit, which
 * nobody has screened.
 */
export async function leaveDeposits(tx: Transaction, left: Left): Promise<void> {
  for (const [kind, of] of [
    ['quarantine', clientsDeposits],
    ['suspense', nobodysDeposits],
  ] as const) {
    for (const [holder, amount] of debited(left.group, kind)) await leave(tx, left, { of, holder, amount });
  }
}

const clientsDeposits = `d.state ->> 'disposition' = 'client' and d.state ->> 'client' = $4`;
const nobodysDeposits = `d.state ->> 'disposition' in ('unassigned', 'dust', 'unexplained') and $4 = ''`;

function debited(group: readonly TransferRequest[], kind: 'quarantine' | 'suspense'): ReadonlyMap<string, bigint> {
  const sums = new Map<string, bigint>();
  for (const one of group) {
    if (one.type !== 'post' || one.debit.kind !== kind) continue;
    sums.set(one.debit.holder, (sums.get(one.debit.holder) ?? 0n) + one.amount);
  }
  return sums;
}

type Debited = { readonly of: string; readonly holder: string; readonly amount: bigint };

async function leave(tx: Transaction, left: Left, { of, holder, amount }: Debited): Promise<void> {
  // What is being sent back is held for that, and was not free to be debited.
  const rows = await tx.query(
    `select ${depositColumns} from custody.deposit d
     where d.compartment = $1 and d.asset = $2 and d.step in ('final', 'frozen') and d.state ->> 'returnedBy' is null and ${of}
     order by d.wallet = $3 desc, d.id for update of d`,
    [left.compartment, left.asset, left.wallet, holder],
  );
  let rest = amount;
  for (const deposit of rows.map(depositOf)) {
    const claim = claimOf(deposit.state);
    const part = rest < claim ? rest : claim;
    if (part <= 0n) continue;
    const event = { type: 'claim-left', amount: part } as const;
    stepped(await stepDeposit(tx, { deposit, event, actor: machine, now: left.now }));
    rest -= part;
  }
}
