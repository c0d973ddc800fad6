import { type AssetId, type ChainId, type Compartment, withdrawalEnded } from '@bulkhead/domain';
import { type Queries, text, textOrNull } from '@bulkhead/postgres';
import { listAssets } from './asset.ts';
import { posted } from './books.ts';
import { findWithdrawal } from './withdrawal-step.ts';

/** What a move is looked at by, to say what it waits for. */
export type Waiting = {
  readonly id: string;
  readonly client: string;
  readonly chain: ChainId;
  readonly from: Compartment;
};

/** The withdrawal by which an asset is on its way. */
export async function openHalf(tx: Queries, { id }: Waiting, asset: AssetId): Promise<string | undefined> {
  const rows = await tx.query(
    `select h.withdrawal from custody.segregation_half h join custody.withdrawal w on w.id = h.withdrawal where h.move = $1 and w.asset = $2`,
    [id, asset],
  );
  for (const row of rows) {
    const found = await findWithdrawal(tx, text(row, 'withdrawal'));
    if (found !== undefined && !withdrawalEnded(found.state.step)) return text(row, 'withdrawal');
  }
  return undefined;
}

const whyLeft = {
  available: 'held by other withdrawals, and moves when they are over',
  quarantine: 'in quarantine: release or return the deposits',
  'fee-payable': 'owed as a fee, and is collected first',
} as const;

/** Why not everything of the client has left the old compartment, whatever kind of claim; undefined where it has. */
export async function leftBehind(tx: Queries, move: Waiting): Promise<string | undefined> {
  for (const { id: asset } of await listAssets(tx, move.chain)) {
    for (const kind of ['available', 'quarantine', 'fee-payable'] as const) {
      const account = { kind, holder: move.client } as const;
      const left = await posted(tx, { compartment: move.from, asset, account });
      if (left === 0n) continue;
      const half = kind === 'available' ? await openHalf(tx, move, asset) : undefined;
      const why = half === undefined ? whyLeft[kind] : `on its way with withdrawal ${half}`;
      return `${left} of ${asset} in compartment ${move.from} is ${why}.`;
    }
  }
  return undefined;
}

/** Which half has not arrived for the client yet; undefined where all have. */
export async function unjoined(tx: Queries, { id }: Waiting): Promise<string | undefined> {
  const [row] = await tx.query(
    `select h.withdrawal, w.step, h.deposit from custody.segregation_half h join custody.withdrawal w on w.id = h.withdrawal
     left join custody.deposit d on d.id = h.deposit
     where h.move = $1 and (w.step not in ('settled', 'failed', 'rejected', 'cancelled', 'expired')
       or (w.step = 'settled' and coalesce(d.step, '') not in ('released', 'exited')))
     order by h.withdrawal limit 1`,
    [id],
  );
  if (row === undefined) return undefined;
  const withdrawal = text(row, 'withdrawal');
  const deposit = textOrNull(row, 'deposit');
  if (deposit !== null) return `Deposit ${deposit}, which withdrawal ${withdrawal} became, is not released yet.`;
  return text(row, 'step') === 'settled'
    ? `What withdrawal ${withdrawal} paid has not been seen as a deposit yet.`
    : `Withdrawal ${withdrawal} is not over yet.`;
}
