import { type BlockRef, type ChainId, type Hash, type TransferRequest, invariant } from '@bulkhead/domain';
import type { Transaction } from '@bulkhead/postgres';
import type { Custody } from './custody.ts';
import { dispatchColumns, dispatchOf, stepDispatch } from './dispatch.ts';
import { finishDispatch } from './finish.ts';

/** A transaction of one of our addresses in a final block. */
export type FinalSent = {
  readonly hash: Hash;
  /** Id of the wallet that sent it. */
  readonly wallet: string;
  readonly nonce: bigint;
  readonly succeeded: boolean;
  /** Wei. */
  readonly fee: bigint;
};

export type SettleOrder = {
  readonly chain: ChainId;
  readonly block: BlockRef;
  readonly sent: readonly FinalSent[];
  readonly now: Date;
};

export type ExplainedBy = { readonly dispatch: string; readonly wallet: string; readonly toWallet: string | undefined; readonly asset: string };

export type Settled = {
  readonly groups: TransferRequest[][];
  /** Our own transactions of the block by hash; what is not here was made by somebody else who has the key. */
  readonly explained: ReadonlyMap<Hash, ExplainedBy>;
};

/**
 * Ends the dispatches whose nonces a final block consumed. It is the nonce that decides, not our own receipt: if it was taken
 * by a transaction we do not know, ours has become impossible and what it held goes back. The groups are for the caller to
 * post in the same transaction.
 */
export async function settleSent(custody: Custody, tx: Transaction, order: SettleOrder): Promise<Settled> {
  const explained = new Map<Hash, ExplainedBy>();
  const groups: TransferRequest[][] = [];
  if (order.sent.length === 0) return { groups, explained };
  const rows = await tx.query(
    `select ${dispatchColumns} from custody.dispatch d
     where exists (select 1 from unnest($1::text[], $2::numeric[]) as s (wallet, nonce) where s.wallet = d.wallet and s.nonce = d.nonce)
     order by d.id for update`,
    [order.sent.map((sent) => sent.wallet), order.sent.map((sent) => sent.nonce)],
  );
  for (const row of rows) {
    const dispatch = dispatchOf(row);
    const nonce = dispatch.state.step === 'queued' ? undefined : dispatch.state.nonce;
    const sent = order.sent.find((one) => one.wallet === dispatch.wallet && one.nonce === nonce);
    invariant(sent !== undefined, 'A dispatch was found by a nonce that it does not have.', { id: dispatch.id });
    const wasDone = dispatch.state.step === 'done';
    const event = { type: 'nonce-final', hash: sent.hash, succeeded: sent.succeeded, fee: sent.fee, block: order.block } as const;
    const stepped = await stepDispatch(tx, dispatch, { event, now: order.now });
    const { state } = stepped.dispatch;
    invariant(state.step === 'done', 'A dispatch whose nonce is final is over.', { id: dispatch.id });
    if (state.outcome !== 'superseded') {
      explained.set(sent.hash, { dispatch: dispatch.id, wallet: dispatch.wallet, toWallet: dispatch.toWallet, asset: dispatch.asset });
    }
    if (wasDone) continue;
    groups.push(
      ...(await finishDispatch(custody, tx, {
        dispatch: stepped.dispatch,
        outcome: state.outcome,
        fee: state.fee,
        block: order.block,
        hadNonce: true,
        now: order.now,
      })),
    );
  }
  return { groups, explained };
}
