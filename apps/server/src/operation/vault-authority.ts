import type { Operations } from '@bulkhead/api';
import {
  approveKeyRecovery,
  approveSetChange,
  cancelKeyRecovery,
  cancelSetChange,
  type Custody,
  keyRecoveryText,
  keyRecoveryViews,
  notFound,
  requestKeyRecovery,
  requestSetChange,
  setChangeText,
  setChangeViews,
} from '@bulkhead/custody';
import { intentView } from './intent-view.ts';
import { pageOf } from './paging.ts';

export type VaultAuthorityOperations = Pick<
  Operations,
  | 'recoverVaultKey'
  | 'listKeyRecoveries'
  | 'getKeyRecovery'
  | 'getKeyRecoveryIntent'
  | 'approveKeyRecovery'
  | 'cancelKeyRecovery'
  | 'changeSignerSet'
  | 'listSignerSetChanges'
  | 'getSignerSetChange'
  | 'getSignerSetChangeIntent'
  | 'approveSignerSetChange'
  | 'cancelSignerSetChange'
>;

/** Who has authority over vaults: keys of clients that were lost, and the set of signers. */
export function vaultAuthorityOperations(custody: Custody, approvalPage: string | undefined): VaultAuthorityOperations {
  const { db } = custody;
  return {
    recoverVaultKey: (call, input) => requestKeyRecovery(custody, call, input),
    listKeyRecoveries: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => keyRecoveryViews(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (recovery) => recovery,
      }),
    getKeyRecovery: async (_call, { keyRecoveryId: id }) =>
      (await keyRecoveryViews(db, { id, after: null, limit: 1 }))[0] ?? notFound('key recovery', id),
    getKeyRecoveryIntent: async (_call, { keyRecoveryId: id }) => {
      const found = await keyRecoveryText(custody, id);
      if (found === undefined) return notFound('key recovery', id);
      const { intent, brief } = found;
      return { keyRecoveryId: id, intent: intentView(intent, approvalPage, brief === null ? {} : { brief }), brief };
    },
    approveKeyRecovery: (call, { keyRecoveryId: id, approval }) => approveKeyRecovery(custody, call, { id, approval }),
    cancelKeyRecovery: (call, { keyRecoveryId: id }) => cancelKeyRecovery(custody, call, id),
    changeSignerSet: (call, { chain, members, threshold }) =>
      requestSetChange(custody, call, { chain, members, threshold: BigInt(threshold) }),
    listSignerSetChanges: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => setChangeViews(custody, db, { after, limit }),
        place: ({ id }) => id,
        view: (change) => change,
      }),
    getSignerSetChange: async (_call, { signerSetChangeId: id }) =>
      (await setChangeViews(custody, db, { id, after: null, limit: 1 }))[0] ??
      notFound('change of the set of signers', id),
    getSignerSetChangeIntent: async (_call, { signerSetChangeId: id }) => {
      const found = await setChangeText(custody, id);
      if (found === undefined) return notFound('change of the set of signers', id);
      const { intent, brief } = found;
      const view = intentView(intent, approvalPage, brief === null ? {} : { brief });
      return { signerSetChangeId: id, intent: view, brief };
    },
    approveSignerSetChange: (call, { signerSetChangeId: id, approval }) =>
      approveSetChange(custody, call, { id, approval }),
    cancelSignerSetChange: (call, { signerSetChangeId: id }) => cancelSetChange(custody, call, id),
  };
}
