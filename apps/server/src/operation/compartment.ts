import type { Operations } from '@bulkhead/api';
import {
  allowAsset,
  assetViews,
  compartmentViews,
  type Custody,
  issueCompartmentWallet,
  notFound,
  walletViews,
} from '@bulkhead/custody';
import { type Asset, chainOf } from '@bulkhead/domain';
import type { ChainBoard } from '../chain-board.ts';
import { ordinal, pageOf } from './paging.ts';

export type CompartmentOperations = Pick<
  Operations,
  | 'listAssets'
  | 'allowAsset'
  | 'listCompartments'
  | 'getCompartment'
  | 'listCompartmentWallets'
  | 'issueCompartmentWallet'
>;

/** The ring-fences, their wallets and books, and the assets allowed in them. */
export function compartmentOperations(custody: Custody, board: ChainBoard): CompartmentOperations {
  const { db } = custody;
  return {
    listAssets: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) => assetViews(db, { ...query, after, limit }),
        place: ({ asset }) => asset,
        view: (asset) => asset,
      }),
    allowAsset: async (call, { asset: id, dti, ...terms }) => {
      const asset: Asset = { id, ...terms, ...(dti === undefined ? {} : { dti }) };
      board.known(chainOf(id));
      const answer = await allowAsset(custody, call, asset);
      // The caller may be paid in it from now on: the chain must look at its contract before the answer goes out.
      await board.refresh(chainOf(id));
      return answer;
    },
    listCompartments: async (_call, query) =>
      pageOf(query, {
        read: (after, limit) =>
          compartmentViews(db, { ...query, after: after === null ? null : ordinal(after), limit }),
        place: ({ number }) => String(number),
        view: (compartment) => compartment,
      }),
    getCompartment: async (_call, { compartment }) => {
      const [view] = await compartmentViews(db, { number: compartment, after: null, limit: 1 });
      return view ?? notFound('compartment', String(compartment));
    },
    listCompartmentWallets: async (_call, { compartment, ...query }) =>
      pageOf(query, {
        read: (after, limit) => walletViews(custody, { ...query, compartment, after, limit }),
        place: ({ id }) => id,
        view: (wallet) => wallet,
      }),
    issueCompartmentWallet: (call, input) => issueCompartmentWallet(custody, call, input),
  };
}
