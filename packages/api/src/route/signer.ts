import { approvalInput } from '../resource/approval.ts';
import { page } from '../resource/page.ts';
import {
  registryBodyBytesMax,
  registryChange,
  registryChangeDetail,
  registryChangeInput,
  registryChangeListQuery,
} from '../resource/registry-change.ts';
import { heartbeat, heartbeatListQuery, signerRecord, signerRecordListQuery, signerView } from '../resource/signer.ts';
import { nothing, registryChangePath } from './path.ts';
import { read, write } from './route.ts';
import type { Route } from './route.ts';

const tag = 'Signer';

export const signer: readonly Route[] = [
  read({
    operation: 'getSigner',
    url: '/v1/signer',
    tag,
    summary: 'Shows the signer: its identities, keys, registry and whether it answers',
    params: nothing,
    query: nothing,
    view: signerView,
    run: (operations) => operations.getSigner,
  }),
  read({
    operation: 'listSignerRecords',
    url: '/v1/signer/records',
    tag,
    summary: 'Lists the decisions of the signer as it recorded and signed them',
    params: nothing,
    query: signerRecordListQuery,
    view: page(signerRecord),
    run: (operations) => operations.listSignerRecords,
  }),
  read({
    operation: 'listHeartbeats',
    url: '/v1/heartbeats',
    tag,
    summary: 'Lists the heartbeats of the signer sets that this server had made',
    params: nothing,
    query: heartbeatListQuery,
    view: page(heartbeat),
    run: (operations) => operations.listHeartbeats,
  }),
  read({
    operation: 'listRegistryChanges',
    url: '/v1/registry-changes',
    tag,
    summary: "Lists the changes of the signer's registry",
    params: nothing,
    query: registryChangeListQuery,
    view: page(registryChange),
    run: (operations) => operations.listRegistryChanges,
  }),
  read({
    operation: 'getRegistryChange',
    url: '/v1/registry-changes/:registryChangeId',
    tag,
    summary: "Shows a change of the signer's registry with the texts that people sign",
    params: registryChangePath,
    query: nothing,
    view: registryChangeDetail,
    run: (operations) => operations.getRegistryChange,
  }),
  write({
    operation: 'requestRegistryChange',
    url: '/v1/registry-changes',
    tag,
    summary: 'Proposes a list of clients and destinations, or of people, assets and policy',
    success: 201,
    bodyBytesMax: registryBodyBytesMax,
    params: nothing,
    query: nothing,
    body: registryChangeInput,
    view: registryChangeDetail,
    run: (operations) => operations.requestRegistryChange,
  }),
  write({
    operation: 'approveRegistryChange',
    url: '/v1/registry-changes/:registryChangeId/approvals',
    tag,
    summary: 'Hands in the approval of a change; with the last one needed the signer makes it',
    success: 201,
    params: registryChangePath,
    query: nothing,
    body: approvalInput,
    view: registryChange,
    run: (operations) => operations.approveRegistryChange,
  }),
];
