import { page } from '../resource/page.ts';
import {
  addressCertificate,
  certificatePath,
  certificateQuery,
  clientProof,
  clientProofQuery,
  proof,
  proofDetail,
  proofListQuery,
  proofPath,
  segregationProof,
} from '../resource/proof.ts';
import { clientPath, nothing } from './path.ts';
import { read } from './route.ts';
import type { Route } from './route.ts';

const tag = 'Proofs';

export const proofs: readonly Route[] = [
  read({
    operation: 'listProofs',
    url: '/v1/proofs',
    tag,
    summary: 'Lists the epochs of proofs of reserves, newest first',
    params: nothing,
    query: proofListQuery,
    view: page(proof),
    run: (operations) => operations.listProofs,
  }),
  read({
    operation: 'getProof',
    url: '/v1/proofs/:asset/:epoch',
    tag,
    summary: 'Shows an epoch: what is pinned, and its files with their digests',
    params: proofPath,
    query: nothing,
    view: proofDetail,
    run: (operations) => operations.getProof,
  }),
  read({
    operation: 'getClientProof',
    url: '/v1/clients/:clientId/proof',
    tag,
    summary: 'Gives a client its packages and balance statements of an epoch',
    params: clientPath,
    query: clientProofQuery,
    view: clientProof,
    run: (operations) => operations.getClientProof,
  }),
  read({
    operation: 'getSegregationProof',
    url: '/v1/clients/:clientId/proof-of-segregation',
    tag,
    summary: 'Gives a client the proof that its compartment has no claim of another client',
    params: clientPath,
    query: clientProofQuery,
    view: segregationProof,
    run: (operations) => operations.getSegregationProof,
  }),
  read({
    operation: 'getAddressCertificate',
    url: '/v1/addresses/:address/certificate',
    tag,
    summary: 'Shows the certificate that was given for an address of a client',
    params: certificatePath,
    query: certificateQuery,
    view: addressCertificate,
    run: (operations) => operations.getAddressCertificate,
  }),
];
