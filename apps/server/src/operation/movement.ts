import type { Operations } from '@bulkhead/api';
import {
  approveWithdrawal,
  assignDeposit,
  cancelWithdrawal,
  type Custody,
  depositView,
  depositViews,
  freezeDeposit,
  notFound,
  rejectWithdrawal,
  releaseDeposit,
  releaseWithdrawal,
  requestWithdrawal,
  returnDeposit,
  signWithdrawalRequest,
  withdrawalIntentText,
  type WithdrawalView,
  withdrawalViews,
} from '@bulkhead/custody';
import { intentView } from './intent-view.ts';
import { pageOf, pageOfAll } from './paging.ts';

export type MovementOperations = Pick<
  Operations,
  | 'listDeposits'
  | 'getDeposit'
  | 'releaseDeposit'
  | 'freezeDeposit'
  | 'assignDeposit'
  | 'returnDeposit'
  | 'listWithdrawals'
  | 'getWithdrawal'
  | 'requestWithdrawal'
  | 'releaseWithdrawal'
  | 'listApprovals'
  | 'getWithdrawalIntent'
  | 'signWithdrawal'
  | 'approveWithdrawal'
  | 'rejectWithdrawal'
  | 'cancelWithdrawal'
>;

/** What arrives from outside and what leaves. */
export function movementOperations(custody: Custody, approvalPage: string | undefined): MovementOperations {
  const { db } = custody;
  const withdrawalOf = async (id: string): Promise<WithdrawalView | undefined> =>
    (await withdrawalViews(db, { id, after: null, limit: 1 }))[0];
  return {
    listDeposits: async (_call, { clientId, ...query }) =>
      pageOf(query, {
        read: (after, limit) =>
          depositViews(db, { ...query, ...(clientId === undefined ? {} : { client: clientId }), after, limit }),
        place: ({ id }) => id,
        view: (deposit) => deposit,
      }),
    getDeposit: async (_call, { depositId }) => (await depositView(db, depositId)) ?? notFound('deposit', depositId),
    releaseDeposit: (call, { depositId }) => releaseDeposit(custody, call, depositId),
    freezeDeposit: (call, { depositId }) => freezeDeposit(custody, call, depositId),
    assignDeposit: (call, { depositId, clientId }) => assignDeposit(custody, call, { id: depositId, clientId }),
    returnDeposit: (call, { depositId, ...rest }) => returnDeposit(custody, call, { id: depositId, ...rest }),
    listWithdrawals: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => withdrawalViews(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (withdrawal) => withdrawal,
      }),
    getWithdrawal: async (_call, { withdrawalId }) =>
      (await withdrawalOf(withdrawalId)) ?? notFound('withdrawal', withdrawalId),
    requestWithdrawal: (call, input) => requestWithdrawal(custody, call, input),
    releaseWithdrawal: (call, { withdrawalId }) => releaseWithdrawal(custody, call, withdrawalId),
    listApprovals: async (_call, { withdrawalId, ...query }) => {
      const withdrawal = await withdrawalOf(withdrawalId);
      return withdrawal === undefined ? notFound('withdrawal', withdrawalId) : pageOfAll(query, withdrawal.approvals);
    },
    getWithdrawalIntent: async (_call, { withdrawalId }) => {
      const found = await withdrawalIntentText(custody, withdrawalId);
      if (found === undefined) return notFound('withdrawal', withdrawalId);
      const { intent, withdrawalId: id, requestedBy, requestSigned, brief, createdAt } = found;
      const view = intentView(intent, approvalPage, brief === null ? {} : { brief });
      return { withdrawalId: id, intent: view, requestedBy, requestSigned, brief, createdAt };
    },
    signWithdrawal: (call, { withdrawalId, approval }) =>
      signWithdrawalRequest(custody, call, { id: withdrawalId, approval }),
    approveWithdrawal: (call, { withdrawalId, approval }) =>
      approveWithdrawal(custody, call, { id: withdrawalId, approval }),
    rejectWithdrawal: (call, { withdrawalId, reason }) => rejectWithdrawal(custody, call, { id: withdrawalId, reason }),
    cancelWithdrawal: (call, { withdrawalId }) => cancelWithdrawal(custody, call, withdrawalId),
  };
}
