import {
  type AddressClaim,
  type Approval,
  type CertifiedAccount,
  type CertifiedLogKey,
  type CertifiedWallet,
  type CheckpointGrant,
  type CheckpointSignRequest,
  type Compartment,
  type ControlGrant,
  type ControlSignRequest,
  CustodyError,
  type DecisionRecord,
  type Evidence,
  type ForwarderClaim,
  type Granted,
  type Intent,
  type KeyLabel,
  type Outlook,
  type ProofSigner,
  type RegistryChange,
  type ReserveSignRequest,
  type SignedStatement,
  type Signer,
  type SignerStatus,
  type SignRequest,
  type VaultClaim,
  type VaultGrant,
  type VaultSigner,
  type VaultSignRequest,
} from '@bulkhead/domain';
import { type Connection, openConnection } from './connection.ts';
import { type ClientCredentials, type Endpoint, parseEndpoint } from './endpoint.ts';
import { type Calls, type Method, outstandingMax, requestMsMax } from './protocol.ts';
import { decodeAnswer, encodeParams } from './wire.ts';

/** First wait after a signer could not be reached; it doubles up to {@link backOffMsMax}. */
export const backOffMsMin = 20;
export const backOffMsMax = 2_000;

export type SignerClientOptions = {
  /** `unix:/path` or `tls://host:port`. */
  readonly endpoint: string;
  /** Needed for `tls:`. */
  readonly credentials?: ClientCredentials;
  readonly requestMsMax?: number;
  readonly outstandingMax?: number;
};

/**
 * The ports {@link Signer}, {@link VaultSigner} and {@link ProofSigner} over a socket. It connects with the first request and again after each break; requests share one
 * connection and are answered in any order.
 *
 * Throws what the signer throws, with the same code. `signer/unavailable` is its own word for: nobody answered. The outcome is
 * unknown then, and the same request may be made again without harm, because the signer answers a repetition with the signature
 * that it gave before. `signer/protocol` says that the other side answered what cannot be read.
 */
export class SignerClient implements Signer, VaultSigner, ProofSigner, AsyncDisposable {
  readonly #endpoint: Endpoint;
  readonly #credentials: ClientCredentials | undefined;
  readonly #requestMsMax: number;
  readonly #outstandingMax: number;
  #connection: Connection | undefined;
  #outstanding = 0;
  #requests = 0;
  #backOffMs = 0;
  #nextDialAt = 0;
  #closed = false;

  /** @throws CustodyError `config/invalid` for an endpoint that is none */
  constructor(options: SignerClientOptions) {
    this.#endpoint = parseEndpoint(options.endpoint);
    this.#credentials = options.credentials;
    this.#requestMsMax = options.requestMsMax ?? requestMsMax;
    this.#outstandingMax = options.outstandingMax ?? outstandingMax;
  }

  status(): Promise<SignerStatus> {
    return this.#ask('status', {});
  }

  account(compartment: Compartment): Promise<CertifiedAccount> {
    return this.#ask('account', { compartment });
  }

  wallet({ compartment, label }: KeyLabel): Promise<CertifiedWallet> {
    return this.#ask('wallet', { key: { compartment, label } });
  }

  certifyAddress(claim: AddressClaim): Promise<SignedStatement> {
    return this.#ask('certifyAddress', { claim });
  }

  outlook(intent: Intent, evidence: Evidence): Promise<Outlook> {
    return this.#ask('outlook', { intent, evidence });
  }

  lodge(intent: Intent, approval: Approval): Promise<{ readonly person: string }> {
    return this.#ask('lodge', { intent, approval });
  }

  sign(request: SignRequest): Promise<Granted> {
    return this.#ask('sign', request);
  }

  signVault(request: VaultSignRequest): Promise<VaultGrant> {
    return this.#ask('signVault', request);
  }

  certifyVault(claim: VaultClaim): Promise<SignedStatement> {
    return this.#ask('certifyVault', { claim });
  }

  certifyForwarder(claim: ForwarderClaim): Promise<SignedStatement> {
    return this.#ask('certifyForwarder', { claim });
  }

  signReserves(request: ReserveSignRequest): Promise<VaultGrant> {
    return this.#ask('signReserves', request);
  }

  signControl(request: ControlSignRequest): Promise<ControlGrant> {
    return this.#ask('signControl', request);
  }

  signCheckpoint(request: CheckpointSignRequest): Promise<CheckpointGrant> {
    return this.#ask('signCheckpoint', request);
  }

  logKey(): Promise<CertifiedLogKey> {
    return this.#ask('logKey', {});
  }

  change(change: RegistryChange): Promise<{ readonly version: bigint; readonly record: DecisionRecord }> {
    return this.#ask('change', change);
  }

  records(after: bigint, limit: number): Promise<readonly DecisionRecord[]> {
    return this.#ask('records', { after, limit });
  }

  /** Breaks the connection: what waits fails with `signer/unavailable`, and so does what comes after. */
  close(): Promise<void> {
    this.#closed = true;
    this.#connection?.close(unavailable('The connection to the signer was closed on this side'));
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #ask<M extends Method>(method: M, params: Calls[M]['params']): Promise<Calls[M]['answer']> {
    const wire = encodeParams(method, params);
    if (this.#closed) throw unavailable('This client of the signer is closed');
    if (this.#outstanding >= this.#outstandingMax) {
      throw unavailable(`${this.#outstanding} requests wait for the signer already`);
    }
    this.#outstanding += 1;
    try {
      const id = `${(this.#requests += 1)}`;
      const ok = await this.#connected().ask({ id, method, params: wire }, this.#requestMsMax);
      this.#backOffMs = 0;
      return decodeAnswer(method, ok);
    } finally {
      this.#outstanding -= 1;
    }
  }

  #connected(): Connection {
    if (this.#connection?.broken === false) return this.#connection;
    const waitMs = this.#nextDialAt - performance.now();
    if (waitMs > 0) throw unavailable(`The signer was not there; it is called again in ${Math.ceil(waitMs)} ms`);
    // An answer takes the waiting back to nothing. A signer that breaks off each time is called less and less often.
    this.#backOffMs = Math.min(backOffMsMax, Math.max(backOffMsMin, this.#backOffMs * 2));
    const backOffMs = this.#backOffMs;
    this.#connection = openConnection({
      endpoint: this.#endpoint,
      credentials: this.#credentials,
      onBroken: () => {
        this.#nextDialAt = performance.now() + backOffMs;
      },
    });
    return this.#connection;
  }
}

function unavailable(fact: string): CustodyError {
  return new CustodyError('signer/unavailable', `${fact}. Try the same request again later.`);
}
