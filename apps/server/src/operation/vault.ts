import type { Operations } from '@bulkhead/api';
import {
  agreeVault,
  certifyVault,
  type Custody,
  draftVault,
  flushVault,
  notFound,
  receiptVault,
  signOneOff,
  vaultViews,
} from '@bulkhead/custody';
import { invariant } from '@bulkhead/domain';
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
  | 'signOneOff'
>;

/** The contracts of compartments: from the draft to the address, and what the chain says of them. */
export function vaultOperations(custody: Custody): VaultOperations {
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
    signOneOff: (call, { withdrawalId: id, signature }) => signOneOff(custody, call, { id, signature }),
  };
}
