import { page } from '../resource/page.ts';
import { dispatch } from '../resource/chain.ts';
import { flushInput, vault, vaultInput, vaultListQuery, vaultSignatureInput } from '../resource/vault.ts';
import { withdrawal } from '../resource/withdrawal.ts';
import { nothing, vaultPath, withdrawalPath } from './path.ts';
import { read, write } from './route.ts';
import type { Route } from './route.ts';

const tag = 'Vaults';

export const vaults: readonly Route[] = [
  read({
    operation: 'listVaults',
    url: '/v1/vaults',
    tag,
    summary: 'Lists the vaults, or finds one by its address',
    params: nothing,
    query: vaultListQuery,
    view: page(vault),
    run: (operations) => operations.listVaults,
  }),
  read({
    operation: 'getVault',
    url: '/v1/vaults/:vaultId',
    tag,
    summary: 'Shows a vault: what was agreed, and what the chain says of limits, destinations, queue, pauses and exit',
    params: vaultPath,
    query: nothing,
    view: vault,
    run: (operations) => operations.getVault,
  }),
  write({
    operation: 'draftVault',
    url: '/v1/vaults',
    tag,
    summary: 'Makes a configuration for a client or a pool, and says what the client key has to sign',
    success: 201,
    params: nothing,
    query: nothing,
    body: vaultInput,
    view: vault,
    run: (operations) => operations.draftVault,
  }),
  write({
    operation: 'agreeVault',
    url: '/v1/vaults/:vaultId/agreement',
    tag,
    summary: "Takes the client key's signature over configuration and policy",
    success: 200,
    params: vaultPath,
    query: nothing,
    body: vaultSignatureInput,
    view: vault,
    run: (operations) => operations.agreeVault,
  }),
  write({
    operation: 'certifyVault',
    url: '/v1/vaults/:vaultId/certificate',
    tag,
    summary: 'Has the signers certify a vault that their registry lists, and backs the certificate up',
    success: 200,
    params: vaultPath,
    query: nothing,
    body: nothing,
    view: vault,
    run: (operations) => operations.certifyVault,
  }),
  write({
    operation: 'acknowledgeVault',
    url: '/v1/vaults/:vaultId/receipt',
    tag,
    summary: "Takes the client key's receipt for the certificate; the address is shown from then on",
    success: 200,
    params: vaultPath,
    query: nothing,
    body: vaultSignatureInput,
    view: vault,
    run: (operations) => operations.acknowledgeVault,
  }),
  write({
    operation: 'flushVault',
    url: '/v1/vaults/:vaultId/flush',
    tag,
    summary: "Has what lies at a pool's forwarders sent on to its vault",
    success: 201,
    params: vaultPath,
    query: nothing,
    body: flushInput,
    view: dispatch,
    run: (operations) => operations.flushVault,
  }),
  write({
    operation: 'signOneOff',
    url: '/v1/withdrawals/:withdrawalId/client-signature',
    tag,
    summary: "Takes the client key's signature over a one-off payment of a vault",
    success: 200,
    params: withdrawalPath,
    query: nothing,
    body: vaultSignatureInput,
    view: withdrawal,
    run: (operations) => operations.signOneOff,
  }),
];
