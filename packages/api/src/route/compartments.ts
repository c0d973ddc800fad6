import { allowedAsset, assetAllowInput, assetListQuery } from '../resource/asset.ts';
import {
  compartmentListQuery,
  compartmentView,
  compartmentWalletInput,
  listedWallet,
  wallet,
  walletCertificate,
  walletListQuery,
} from '../resource/compartment.ts';
import { page } from '../resource/page.ts';
import { compartmentPath, nothing, walletPath } from './path.ts';
import { read, write } from './route.ts';
import type { Route } from './route.ts';

const tag = 'Compartments';

export const compartments: readonly Route[] = [
  read({
    operation: 'listAssets',
    url: '/v1/assets',
    tag,
    summary: 'Lists the allow-listed assets',
    params: nothing,
    query: assetListQuery,
    view: page(allowedAsset),
    run: (operations) => operations.listAssets,
  }),
  write({
    operation: 'allowAsset',
    url: '/v1/assets',
    tag,
    summary: 'Allow-lists an asset',
    success: 201,
    params: nothing,
    query: nothing,
    body: assetAllowInput,
    view: allowedAsset,
    run: (operations) => operations.allowAsset,
  }),
  read({
    operation: 'listCompartments',
    url: '/v1/compartments',
    tag,
    summary: 'Lists the compartments with their books',
    params: nothing,
    query: compartmentListQuery,
    view: page(compartmentView),
    run: (operations) => operations.listCompartments,
  }),
  read({
    operation: 'getCompartment',
    url: '/v1/compartments/:compartment',
    tag,
    summary: 'Shows a compartment with its books',
    params: compartmentPath,
    query: nothing,
    view: compartmentView,
    run: (operations) => operations.getCompartment,
  }),
  read({
    operation: 'listCompartmentWallets',
    url: '/v1/compartments/:compartment/wallets',
    tag,
    summary: 'Lists the wallets of a compartment',
    params: compartmentPath,
    query: walletListQuery,
    view: page(listedWallet),
    run: (operations) => operations.listCompartmentWallets,
  }),
  write({
    operation: 'issueCompartmentWallet',
    url: '/v1/compartments/:compartment/wallets',
    tag,
    summary: 'Issues an unassigned, pool, gas or fees wallet',
    success: 201,
    params: compartmentPath,
    query: nothing,
    body: compartmentWalletInput,
    view: wallet,
    run: (operations) => operations.issueCompartmentWallet,
  }),
  write({
    operation: 'certifyWallet',
    url: '/v1/wallets/:walletId/certificate',
    tag,
    summary:
      "Gives the deposit-address certificate of a client's wallet, with a key or a contract; the same one each time",
    success: 200,
    params: walletPath,
    query: nothing,
    body: nothing,
    view: walletCertificate,
    run: (operations) => operations.certifyWallet,
  }),
];
