import type { Intent, ProofSigner, Signer, VaultSigner } from '@bulkhead/domain';
import { type Calls, decodeParams, encodeAnswer, type Method } from '@bulkhead/signer-client';

/** What stands behind the socket. */
export type Served = Signer & VaultSigner & ProofSigner;

type Handlers = {
  readonly [M in Method]: (signer: Served, params: Calls[M]['params']) => Promise<Calls[M]['answer']>;
};

/** Every call there is. None of them takes a digest. */
const handlers: Handlers = {
  status: (signer) => signer.status(),
  account: (signer, { compartment }) => signer.account(compartment),
  wallet: (signer, { key }) => signer.wallet(key),
  certifyAddress: (signer, { claim }) => signer.certifyAddress(claim),
  outlook: (signer, { intent, evidence }) => signer.outlook(intent, evidence),
  lodge: (signer, { intent, approval }) => signer.lodge(intent, approval),
  sign: (signer, request) => signer.sign(request),
  signVault: (signer, request) => signer.signVault(request),
  certifyVault: (signer, { claim }) => signer.certifyVault(claim),
  certifyForwarder: (signer, { claim }) => signer.certifyForwarder(claim),
  signReserves: (signer, request) => signer.signReserves(request),
  signControl: (signer, request) => signer.signControl(request),
  signCheckpoint: (signer, request) => signer.signCheckpoint(request),
  logKey: (signer) => signer.logKey(),
  change: (signer, change) => signer.change(change),
  records: (signer, { after, limit }) => signer.records(after, limit),
};

/** A call whose params were read and found right. */
export type PreparedCall = {
  /** Id of the intent it is about, for the log. */
  readonly intent: string | undefined;
  readonly run: (signer: Served) => Promise<unknown>;
};

/** @throws CustodyError `signer/protocol` for params that the method does not have */
export function prepareCall<M extends Method>(method: M, wire: unknown): PreparedCall {
  const params = decodeParams(method, wire);
  return {
    intent: 'intent' in params ? intentId(params.intent) : undefined,
    run: async (signer) => encodeAnswer(method, await handlers[method](signer, params)),
  };
}

function intentId(intent: Intent): string {
  return intent.id;
}
