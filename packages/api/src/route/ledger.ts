import { chainListQuery, chainResumption, chainView, dispatch, dispatchListQuery } from '../resource/chain.ts';
import { account, accountListQuery, transfer, transferListQuery } from '../resource/ledger.ts';
import { page } from '../resource/page.ts';
import { chainPath, dispatchPath, nothing } from './path.ts';
import { read, write } from './route.ts';
import type { Route } from './route.ts';

const tag = 'Ledger and chains';

export const ledger: readonly Route[] = [
  read({
    operation: 'listAccounts',
    url: '/v1/ledger/accounts',
    tag,
    summary: 'Lists accounts with their positions',
    params: nothing,
    query: accountListQuery,
    view: page(account),
    run: (operations) => operations.listAccounts,
  }),
  read({
    operation: 'listTransfers',
    url: '/v1/ledger/transfers',
    tag,
    summary: 'Lists transfers in the order of the ledger',
    params: nothing,
    query: transferListQuery,
    view: page(transfer),
    run: (operations) => operations.listTransfers,
  }),
  read({
    operation: 'listDispatches',
    url: '/v1/dispatches',
    tag,
    summary: 'Lists the outgoing transactions',
    params: nothing,
    query: dispatchListQuery,
    view: page(dispatch),
    run: (operations) => operations.listDispatches,
  }),
  read({
    operation: 'getDispatch',
    url: '/v1/dispatches/:dispatchId',
    tag,
    summary: 'Shows an outgoing transaction with its attempts',
    params: dispatchPath,
    query: nothing,
    view: dispatch,
    run: (operations) => operations.getDispatch,
  }),
  read({
    operation: 'listChains',
    url: '/v1/chains',
    tag,
    summary: 'Lists the chains and how far each is seen',
    params: nothing,
    query: chainListQuery,
    view: page(chainView),
    run: (operations) => operations.listChains,
  }),
  read({
    operation: 'getChain',
    url: '/v1/chains/:chain',
    tag,
    summary: 'Shows how far a chain is seen',
    params: chainPath,
    query: nothing,
    view: chainView,
    run: (operations) => operations.getChain,
  }),
  write({
    operation: 'resumeChain',
    url: '/v1/chains/:chain/resumption',
    tag,
    summary: 'Lets a chain go on that stood still, once the reason is mended',
    success: 200,
    params: chainPath,
    query: nothing,
    body: nothing,
    view: chainResumption,
    run: (operations) => operations.resumeChain,
  }),
];
