import type { Operations } from '@bulkhead/api';
import {
  balanceViews,
  changeSegregation,
  createClient,
  type Custody,
  findClient,
  issueClientWallet,
  listAgreements,
  listClients,
  listSegregation,
  notFound,
  recordAgreement,
  walletViews,
} from '@bulkhead/custody';
import type { Refused } from '@bulkhead/domain';
import { ordinal, pageOf, pageOfAll } from './paging.ts';

export type ClientOperations = Pick<
  Operations,
  | 'listClients'
  | 'getClient'
  | 'createClient'
  | 'listAgreements'
  | 'recordAgreement'
  | 'listSegregation'
  | 'setSegregation'
  | 'listClientWallets'
  | 'issueClientWallet'
  | 'listBalances'
>;

/** Who has claims, under which agreement, and kept apart how. */
export function clientOperations(custody: Custody): ClientOperations {
  const { db } = custody;
  const unknown = async (clientId: string): Promise<Refused | undefined> =>
    (await findClient(db, clientId)) === undefined ? notFound('client', clientId) : undefined;
  return {
    listClients: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => listClients(db, { ...query, after, limit }),
        place: ({ id }) => id,
        view: (client) => client,
      }),
    getClient: async (_call, { clientId }) => (await findClient(db, clientId)) ?? notFound('client', clientId),
    createClient: (call, input) => createClient(custody, call, input),
    listAgreements: async (_call, { clientId, ...query }) =>
      (await unknown(clientId)) ?? pageOfAll(query, await listAgreements(db, clientId)),
    recordAgreement: (call, { clientId, ...terms }) => recordAgreement(custody, call, { clientId, terms }),
    listSegregation: async (_call, { clientId, chain, ...query }) => {
      const versions = await listSegregation(db, clientId);
      const wanted = versions.filter((version) => chain === undefined || version.chain === chain);
      return (await unknown(clientId)) ?? pageOfAll(query, wanted);
    },
    setSegregation: (call, { clientId, chain, segregation }) =>
      changeSegregation(custody, call, { clientId, chain, model: segregation }),
    listClientWallets: async (_call, { clientId, ...query }) =>
      (await unknown(clientId)) ??
      pageOf(query, {
        read: (after, limit) => walletViews(custody, { ...query, client: clientId, after, limit }),
        place: ({ id }) => id,
        view: (wallet) => wallet,
      }),
    issueClientWallet: (call, { clientId, chain }) => issueClientWallet(custody, call, { clientId, chain }),
    listBalances: async (_call, { clientId, ...query }) =>
      (await unknown(clientId)) ??
      pageOf(query, {
        read: (after, limit) =>
          balanceViews(db, { ...query, clientId, after: after === null ? null : ordinal(after), limit }),
        place: ({ book }) => String(book),
        view: ({ balance }) => balance,
      }),
  };
}
