import type { Operations } from '@bulkhead/api';
import { accountViews, type Custody, dispatchViews, notFound, resumeChain, transferViews } from '@bulkhead/custody';
import { ordinal, pageOf, pageOfAll, position } from './paging.ts';
import type { ChainBoard } from '../chain-board.ts';

export type LedgerOperations = Pick<
  Operations,
  'listAccounts' | 'listTransfers' | 'listDispatches' | 'getDispatch' | 'listChains' | 'getChain' | 'resumeChain'
>;

/** The books entry by entry, outgoing transactions, and how far each chain is seen. */
export function ledgerOperations(custody: Custody, board: ChainBoard): LedgerOperations {
  const { db } = custody;
  return {
    listAccounts: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => accountViews(db, { ...query, after: after === null ? null : ordinal(after), limit }),
        place: ({ number }) => String(number),
        view: (account) => account,
      }),
    listTransfers: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => transferViews(db, { ...query, after: after === null ? null : position(after), limit }),
        place: (transfer) => transfer.position,
        view: (transfer) => transfer,
      }),
    listDispatches: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => dispatchViews(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (dispatch) => dispatch,
      }),
    getDispatch: async (_call, { dispatchId }) => {
      const [dispatch] = await dispatchViews(db, { id: dispatchId, after: null, limit: 1 });
      return dispatch ?? notFound('dispatch', dispatchId);
    },
    listChains: async (_call, query) => pageOfAll(query, await Promise.all(board.ids.map((id) => board.view(id)))),
    getChain: async (_call, { chain }) => (board.ids.includes(chain) ? board.view(chain) : notFound('chain', chain)),
    resumeChain: (call, input) => resumeChain(custody, call, input),
  };
}
