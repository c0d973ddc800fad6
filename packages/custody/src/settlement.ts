import { type BlockRef, type ChainId, type Hash, type TransferRequest, contractOf, invariant } from '@bulkhead/domain';
import { boolean, only, type Transaction } from '@bulkhead/postgres';
import type { Custody } from './custody.ts';
import { type Dispatch, dispatchColumns, dispatchOf, stepDispatch } from './dispatch.ts';
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

export type ExplainedBy = {
  readonly dispatch: string;
  readonly wallet: string;
  readonly toWallet: string | undefined;
  readonly asset: string;
};

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
    // A receipt says that nothing reverted; a token may return false and move nothing all the same.
    const succeeded = sent.succeeded && (await movedSomething(tx, dispatch, { hash: sent.hash, order }));
    const event = { type: 'nonce-final', hash: sent.hash, succeeded, fee: sent.fee, block: order.block } as const;
    const stepped = await stepDispatch(tx, dispatch, { event, now: order.now });
    const { state } = stepped.dispatch;
    invariant(state.step === 'done', 'A dispatch whose nonce is final is over.', { id: dispatch.id });
    if (state.outcome !== 'superseded') {
      explained.set(sent.hash, {
        dispatch: dispatch.id,
        wallet: dispatch.wallet,
        toWallet: dispatch.toWallet,
        asset: dispatch.asset,
      });
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

/** Whether the transaction took coins of the dispatch's asset out of its wallet, as far as the block shows. */
async function movedSomething(
  tx: Transaction,
  dispatch: Dispatch,
  { hash, order }: { hash: Hash; order: SettleOrder },
): Promise<boolean> {
  if (contractOf(dispatch.asset) === undefined) return true;
  const row = only(
    await tx.query(
      `select exists (
         select 1 from custody.movement m join custody.wallet w on w.chain = m.chain and w.address = m.from_address
         where m.chain = $1 and m.block_hash = $2 and m.transaction_hash = $3 and m.removed_at is null
           and w.id = $4 and m.asset = $5 and m.amount > 0
       ) as moved`,
      [order.chain, order.block.hash, hash, dispatch.wallet, dispatch.asset],
    ),
  );
  return boolean(row, 'moved');
}
