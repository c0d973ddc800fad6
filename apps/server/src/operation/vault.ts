import type { Operations } from '@bulkhead/api';
import {
  agreeVault,
  approveRestriction,
  cancelRestriction,
  certifyVault,
  type Custody,
  draftVault,
  flushVault,
  notFound,
  receiptVault,
  requestRestriction,
  restrictionText,
  restrictionViews,
  signOneOff,
  vaultViews,
} from '@bulkhead/custody';
import { invariant } from '@bulkhead/domain';
import { intentView } from './intent-view.ts';
import { pageOf } from './paging.ts';

export type VaultOperations = Pick<
  Operations,
  | 'listVaults'
  | 'getVault'
  | 'draftVault'
  | 'agreeVault'
  | 'certifyVault'
  | 'acknowledgeVault'
  | 'flushVault'
  | 'restrictVault'
  | 'listVaultRestrictions'
  | 'getVaultRestriction'
  | 'getVaultRestrictionIntent'
  | 'approveVaultRestriction'
  | 'cancelVaultRestriction'
  | 'signOneOff'
>;

/** The contracts of compartments: from the draft to the address, and what the chain says of them. */
export function vaultOperations(custody: Custody, approvalPage: string | undefined): VaultOperations {
  const { db } = custody;
  return {
    listVaults: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => vaultViews(custody, db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (vault) => vault,
      }),
    getVault: async (_call, { vaultId }) =>
      (await vaultViews(custody, db, { id: vaultId, after: null, limit: 1 }))[0] ?? notFound('vault', vaultId),
    draftVault: (call, { clientId, compartment, ...choice }) => {
      if (clientId !== undefined) return draftVault(custody, call, { ...choice, clientId });
      invariant(compartment !== undefined, 'A vault is of a client or of a pool.');
      return draftVault(custody, call, { ...choice, compartment });
    },
    agreeVault: (call, input) => agreeVault(custody, call, input),
    certifyVault: (call, { vaultId }) => certifyVault(custody, call, vaultId),
    acknowledgeVault: (call, input) => receiptVault(custody, call, input),
    flushVault: (call, input) => flushVault(custody, call, input),
    restrictVault: (call, { vaultId, ...restriction }) => requestRestriction(custody, call, { vaultId, restriction }),
    listVaultRestrictions: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => restrictionViews(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (restriction) => restriction,
      }),
    getVaultRestriction: async (_call, { vaultRestrictionId: id }) =>
      (await restrictionViews(db, { id, after: null, limit: 1 }))[0] ?? notFound('vault restriction', id),
    getVaultRestrictionIntent: async (_call, { vaultRestrictionId: id }) => {
      const found = await restrictionText(custody, id);
      if (found === undefined) return notFound('vault restriction', id);
      const { intent, brief } = found;
      return { restrictionId: id, intent: intentView(intent, approvalPage, brief === null ? {} : { brief }), brief };
    },
    approveVaultRestriction: (call, { vaultRestrictionId: id, approval }) =>
      approveRestriction(custody, call, { id, approval }),
    cancelVaultRestriction: (call, { vaultRestrictionId: id }) => cancelRestriction(custody, call, id),
    signOneOff: (call, { withdrawalId: id, signature }) => signOneOff(custody, call, { id, signature }),
  };
}
