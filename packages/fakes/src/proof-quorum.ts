import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import {
  type Address,
  type CertifiedLogKey,
  type ChainId,
  type CheckpointGrant,
  type CheckpointSignRequest,
  type ControlGrant,
  type ControlSignRequest,
  CustodyError,
  type FaultCode,
  intentDigest,
  intentText,
  type LogCheckpointIntent,
  type ProofIntent,
  type ProofQuorum,
  type QuorumGrant,
  type ReserveIntent,
  type ReserveSignRequest,
  type VaultGrant,
} from '@bulkhead/domain';
import { decodeHeader } from '@bulkhead/proofs/header';
import { checkpointText, verifyConsistency } from '@bulkhead/tlog';
import { contextOfHeader, reserveIntentDigest, walletControlPreimage } from '@bulkhead/vaults';
import { addressOfKey, digestOf, namedAddress, signAs } from './key.ts';
import type { FakeSigner } from './signer.ts';
import { fakeDeployment, fakeStatement, isFakeStatement } from './signer-log.ts';
import { fakeKeccak, fakeThreshold, memberSignature } from './vault-program.ts';
import type { FakeQuorum } from './vault-quorum.ts';

/** The proof registry that the fake signers know, on whatever chain a test lists it. */
export const fakeProofRegistry: Address = namedAddress('proof registry');
/** Who the custodian is in everything fake, 64 hex digits. */
export const fakeCustodian: string = digestOf('custodian');
/** Name of the audit log whose key the fake signer has. */
export const fakeLogOrigin: string = `bulkhead.invalid/${fakeDeployment}`;

/** PKCS#8 of a key of Ed25519 (RFC 8410), before its 32 bytes. */
const privatePrefix = '302e020100300506032b657004220420';
const logKey = createPrivateKey({
  key: Buffer.from(privatePrefix + digestOf('log key'), 'hex'),
  format: 'der',
  type: 'pkcs8',
});
const logPublicKey = createPublicKey(logKey).export({ format: 'der', type: 'spki' }).subarray(12).toString('hex');

function logKeyStatement(): CertifiedLogKey['certificate'] {
  return fakeStatement('log-key-certificate', { origin: fakeLogOrigin, publicKey: logPublicKey });
}

/** Refuses a key of a log that the fake signer did not certify, as the port of the server must. */
export function fakeVerifyLogKey({ origin, publicKey, certificate }: CertifiedLogKey): void {
  const said = fakeStatement('log-key-certificate', { origin, publicKey });
  if (isFakeStatement(certificate) && certificate.statement === said.statement) return;
  throw refusal('signer/certificate-invalid', `The certificate of the key of the log "${origin}" is not right.`);
}

type Epoch = { readonly context: string; readonly content: string };

/**
 * The signers of a fake quorum, for what is shown to others: one commitment for an epoch, the rest only for what was committed, and
 * a log that only grows. Signatures of members and wallets are as fake as the others; that of the log is a real one, because readers
 * of logs verify it.
 */
export class FakeProofQuorum implements ProofQuorum {
  /** Chains that have the proof registry. */
  readonly listed: Set<ChainId> = new Set();
  /** Everything that was signed, repetitions too. */
  readonly signed: ProofIntent[] = [];
  readonly #signer: FakeSigner;
  readonly #quorum: Pick<FakeQuorum, 'awake'>;
  /** What was committed, by registry, asset and epoch; the newest epoch of each asset; and all contexts. */
  readonly #epochs: Map<string, Epoch> = new Map();
  readonly #newest: Map<string, bigint> = new Map();
  readonly #contexts: Set<string> = new Set();
  readonly #statements: Map<string, string> = new Map();
  #log: { readonly size: number; readonly root: Uint8Array; readonly grant: CheckpointGrant } | undefined;

  constructor(signer: FakeSigner, quorum: Pick<FakeQuorum, 'awake'>) {
    this.#signer = signer;
    this.#quorum = quorum;
  }

  async signReserves({ intent }: ReserveSignRequest): Promise<QuorumGrant> {
    const { awake } = this.#quorum;
    if (this.#signer.down || awake.length < Number(fakeThreshold)) {
      throw refusal('signer/unavailable', `${awake.length} signers answer, and two must agree.`);
    }
    this.#assertOwn(intent);
    if (!this.listed.has(intent.chain) || intent.registry !== fakeProofRegistry) {
      throw refusal(
        'signer/unknown-proof-registry',
        `No proof registry ${intent.registry} on ${intent.chain} is known.`,
      );
    }
    if (intent.kind === 'reserve-commitment') this.#commit(intent);
    else this.#assertCommitted(intent.context);
    if (intent.kind === 'balance-statements') this.#state(intent);
    const digest = reserveIntentDigest(fakeKeccak, intent);
    const grants = awake.slice(0, Number(fakeThreshold)).map((member): VaultGrant => {
      const record = this.#signer.log.append('reserve-granted', { digest: intentDigest(intent), member });
      return { signature: { r: 1n, s: 1n, yParity: 0 }, member, record };
    });
    this.signed.push(intent);
    const signatures = grants.map(({ member }) => memberSignature(member, digest).slice(2)).join('');
    return { signatures: Uint8Array.from(Buffer.from(signatures, 'hex')), grants, answers: [] };
  }

  async signControl({ intent, key }: ControlSignRequest): Promise<ControlGrant> {
    this.#answers();
    this.#assertOwn(intent);
    const { wallet, compartment, context, custodian } = intent;
    if (addressOfKey(key) !== wallet || key.compartment !== compartment) {
      throw refusal('signer/unknown-wallet', `${wallet} is no wallet of compartment ${compartment} with this key.`);
    }
    this.#assertCommitted(context);
    if (custodian !== fakeCustodian) throw refusal('signer/header-mismatch', `The custodian is not ${custodian}.`);
    const record = this.#signer.log.append('control-granted', { digest: intentDigest(intent) });
    this.signed.push(intent);
    return { signature: signAs(wallet, walletControlPreimage(fakeKeccak, intent)), record };
  }

  async signCheckpoint({ intent, oldSize, proof }: CheckpointSignRequest): Promise<CheckpointGrant> {
    this.#answers();
    this.#assertOwn(intent);
    if (intent.origin !== fakeLogOrigin) throw refusal('signer/unknown-log', `No log "${intent.origin}" is known.`);
    const size = Number(intent.size);
    const root = Uint8Array.from(Buffer.from(intent.root, 'hex'));
    const last = this.#log;
    if (last?.size === size && Buffer.from(last.root).equals(root)) return last.grant;
    if (last !== undefined && size <= last.size) throw forked(intent, last.size);
    if (oldSize !== BigInt(last?.size ?? 0)) {
      throw new CustodyError('signer/log-position', `The proof begins at ${oldSize}.`, {
        details: { size: String(last?.size ?? 0) },
      });
    }
    const hashes = proof.map((hash) => Uint8Array.from(Buffer.from(hash, 'hex')));
    const continues = last === undefined ? hashes.length === 0 : verifyConsistency(last, { size, root }, hashes);
    if (!continues) throw forked(intent, last?.size ?? 0);
    const text = checkpointText({ origin: intent.origin, size, root });
    const record = this.#signer.log.append('checkpoint-granted', { intent: intentText(intent) });
    const grant = {
      signature: Uint8Array.from(sign(null, Buffer.from(text), logKey)),
      publicKey: logPublicKey,
      record,
    };
    this.#log = { size, root, grant };
    this.signed.push(intent);
    return grant;
  }

  async logKey(): Promise<CertifiedLogKey> {
    this.#answers();
    return { origin: fakeLogOrigin, publicKey: logPublicKey, certificate: logKeyStatement() };
  }

  #answers(): void {
    if (this.#signer.down) throw refusal('signer/unavailable', 'Nobody answers at the socket of the signer.');
  }

  #assertOwn({ id, deployment }: ProofIntent): void {
    if (deployment === fakeDeployment) return;
    throw refusal('signer/wrong-deployment', `Intent ${id} is of another installation.`);
  }

  #commit(intent: Extract<ReserveIntent, { readonly kind: 'reserve-commitment' }>): void {
    const header = decodeHeader(Buffer.from(intent.header, 'hex'));
    const custodian = header === undefined ? undefined : Buffer.from(header.custodian).toString('hex');
    if (header === undefined || custodian !== fakeCustodian) {
      throw refusal('signer/header-mismatch', `The header of ${intent.id} cannot be read, or is of another custodian.`);
    }
    const stream = `${intent.chain} ${intent.registry} ${header.asset}`;
    const place = `${stream} ${header.epoch}`;
    const context = contextOfHeader(fakeKeccak, intent.header);
    const content = `${context} ${intent.record} ${intent.reserves}`;
    const known = this.#epochs.get(place);
    if (known !== undefined && known.content !== content) {
      throw refusal('signer/epoch-taken', `Epoch ${header.epoch} of ${header.asset} has another commitment.`);
    }
    const newest = this.#newest.get(stream) ?? 0n;
    if (known === undefined && header.epoch <= newest) {
      throw refusal('signer/epoch-out-of-order', `Epoch ${header.epoch} of ${header.asset} comes after ${newest}.`);
    }
    this.#epochs.set(place, { context, content });
    this.#newest.set(stream, header.epoch > newest ? header.epoch : newest);
    this.#contexts.add(context);
  }

  #assertCommitted(context: string): void {
    if (this.#contexts.has(context)) return;
    throw refusal('signer/unknown-context', `Nothing was committed with the context ${context}.`);
  }

  #state({ context, root, count }: Extract<ReserveIntent, { readonly kind: 'balance-statements' }>): void {
    const content = `${root} ${count}`;
    if ((this.#statements.get(context) ?? content) !== content) {
      throw refusal('signer/epoch-taken', `The context ${context} has other statements.`);
    }
    this.#statements.set(context, content);
  }
}

function forked({ origin, size }: LogCheckpointIntent, last: number): CustodyError {
  return refusal('signer/log-forked', `The log "${origin}" of ${size} leaves does not continue that of ${last}.`);
}

function refusal(code: FaultCode, message: string): CustodyError {
  return new CustodyError(code, message);
}
