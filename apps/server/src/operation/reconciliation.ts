import type { Operations } from '@bulkhead/api';
import {
  breakViews,
  type Custody,
  findBreak,
  findReconciliation,
  notFound,
  reconciliationLines,
  reconciliationViews,
  lookForUnseen,
  requestReconciliation,
  resolveBreak,
  setBreakOwner,
} from '@bulkhead/custody';
import { ordinal, pageOf } from './paging.ts';

export type ReconciliationOperations = Pick<
  Operations,
  | 'listReconciliations'
  | 'getReconciliation'
  | 'listReconciliationLines'
  | 'startReconciliation'
  | 'listBreaks'
  | 'getBreak'
  | 'resolveBreak'
  | 'assignBreak'
>;

/** Books against chain, and the differences found. */
export function reconciliationOperations(custody: Custody): ReconciliationOperations {
  const { db, clock } = custody;
  return {
    listReconciliations: async (_call, { state, ...query }) =>
      pageOf(query, {
        // A reconciliation is stored when it is finished: nothing is in another state.
        read: async (after, limit) =>
          state === undefined || state === 'finished' ? reconciliationViews(db, { ...query, after, limit }) : [],
        place: ({ id }) => id,
        view: (reconciliation) => reconciliation,
      }),
    getReconciliation: async (_call, { reconciliationId }) =>
      (await findReconciliation(db, reconciliationId)) ?? notFound('reconciliation', reconciliationId),
    listReconciliationLines: async (_call, { reconciliationId, ...query }) => {
      if ((await findReconciliation(db, reconciliationId)) === undefined) {
        return notFound('reconciliation', reconciliationId);
      }
      return pageOf(query, {
        read: (after, limit) =>
          reconciliationLines(db, { ...query, reconciliationId, after: after === null ? 0 : ordinal(after), limit }),
        place: ({ place }) => String(place),
        view: ({ line }) => line,
      });
    },
    startReconciliation: async (call, { chain }) => {
      await lookForUnseen(custody, chain);
      return requestReconciliation(custody, call, { chain });
    },
    listBreaks: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => breakViews(db, { ...query, after, limit }, clock.now()),
        place: ({ id }) => id,
        view: (found) => found,
      }),
    getBreak: async (_call, { breakId }) => (await findBreak(db, breakId, clock.now())) ?? notFound('break', breakId),
    resolveBreak: (call, input) => resolveBreak(custody, call, input),
    assignBreak: (call, input) => setBreakOwner(custody, call, input),
  };
}
