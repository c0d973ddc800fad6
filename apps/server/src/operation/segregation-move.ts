import type { Operations } from '@bulkhead/api';
import { confirmMove, type Custody, moveViews, notFound, proposeMove, withdrawMove } from '@bulkhead/custody';
import { pageOf } from './paging.ts';

export type SegregationMoveOperations = Pick<
  Operations,
  | 'listSegregationMoves'
  | 'getSegregationMove'
  | 'proposeSegregationMove'
  | 'confirmSegregationMove'
  | 'withdrawSegregationMove'
>;

/** Clients that move from a pool to a compartment of their own, and back. */
export function segregationMoveOperations(custody: Custody): SegregationMoveOperations {
  const { db } = custody;
  return {
    listSegregationMoves: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => moveViews(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (move) => move,
      }),
    getSegregationMove: async (_call, { segregationMoveId: id }) =>
      (await moveViews(db, { id, after: null, limit: 1 }))[0] ?? notFound('segregation move', id),
    proposeSegregationMove: (call, { clientId, chain, segregation }) =>
      proposeMove(custody, call, { clientId, chain, model: segregation }),
    confirmSegregationMove: (call, { segregationMoveId }) => confirmMove(custody, call, segregationMoveId),
    withdrawSegregationMove: (call, { segregationMoveId }) => withdrawMove(custody, call, segregationMoveId),
  };
}
