import type { Operations } from '@bulkhead/api';
import {
  cancelSweep,
  chargeFee,
  type Custody,
  delegationViews,
  feePaymentViews,
  notFound,
  payFees,
  requestSweep,
  retrySweep,
  revokeDelegation,
  sweepViews,
} from '@bulkhead/custody';
import { pageOf } from './paging.ts';

export type SweepOperations = Pick<
  Operations,
  | 'listSweeps'
  | 'getSweep'
  | 'requestSweep'
  | 'cancelSweep'
  | 'retrySweep'
  | 'listDelegations'
  | 'revokeDelegation'
  | 'chargeFee'
  | 'listFeePayments'
  | 'getFeePayment'
  | 'payFees'
>;

/** What moves inside a compartment, and what clients owe. */
export function sweepOperations(custody: Custody): SweepOperations {
  const { db } = custody;
  return {
    listSweeps: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => sweepViews(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (sweep) => sweep,
      }),
    getSweep: async (_call, { sweepId }) => {
      const [sweep] = await sweepViews(db, { ids: [sweepId], after: null, limit: 1 });
      return sweep ?? notFound('sweep', sweepId);
    },
    requestSweep: (call, input) => requestSweep(custody, call, input),
    cancelSweep: (call, { sweepId }) => cancelSweep(custody, call, sweepId),
    retrySweep: (call, { sweepId }) => retrySweep(custody, call, sweepId),
    listDelegations: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => delegationViews(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (delegation) => delegation,
      }),
    revokeDelegation: (call, { walletId }) => revokeDelegation(custody, call, walletId),
    chargeFee: (call, input) => chargeFee(custody, call, input),
    listFeePayments: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => feePaymentViews(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (payment) => payment,
      }),
    getFeePayment: async (_call, { feePaymentId }) => {
      const [payment] = await feePaymentViews(db, { ids: [feePaymentId], after: null, limit: 1 });
      return payment ?? notFound('fee payment', feePaymentId);
    },
    payFees: (call, input) => payFees(custody, call, input),
  };
}
