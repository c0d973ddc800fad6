import {
  assertConforms,
  assertDelegates,
  type Authorization,
  type IsOwn,
  listedWallet,
  parseAuthorization,
  parseUnsignedTransaction,
  type Registry,
  relayBytesMax,
  type UnsignedTransaction,
} from '@bulkhead/authority';
import {
  type Address,
  canonicalIntent,
  CustodyError,
  type DecisionRecord,
  type Granted,
  intentText,
  invariant,
  isMovement,
  type MovementIntent,
  type Signature,
  type SignRequest,
} from '@bulkhead/domain';
import { keyText, tierOfKey } from './addresses.ts';
import { announced } from './announcement.ts';
import { approvalsOf, type VerifiedEvidence } from './approvals.ts';
import type { CoreParts } from './core-parts.ts';
import { attemptsOf, chargedFor, claimOf, reserve } from './knowledge.ts';
import { assertPaced, compartmentsOf, judge, ownAddresses } from './question.ts';
import { counterFields, evidenceFields } from './record-fields.ts';
import { recordOf } from './record-lookup.ts';
import { refusalError } from './refusals.ts';

/** Bytes of an unsigned transfer. That of a token has about 130. */
export const transferBytesMax: number = 1_024;

/** Bytes of an unsigned transaction that carries a call for a contract, with what is around the call. */
export const unsignedBytesMax: number = relayBytesMax + transferBytesMax;

/** A request as it was read back from its canonical bytes: what is judged below is what the digest stands for. */
type Asked = {
  readonly request: SignRequest;
  readonly intent: MovementIntent;
  readonly text: string;
  readonly digest: string;
  readonly key: string;
  readonly unsigned: string;
  readonly bytes: Uint8Array;
  /** Name of the attempt: intent, key and bytes. */
  readonly attempt: string;
};

/** Grants that are being made, by attempt. */
type Making = Map<string, Promise<Granted>>;

/**
 * Judges each request by its own evidence, and signs each attempt once: two callers who are both allowed to have it get the same
 * signature, and one whose evidence is worth nothing spoils nothing for the other.
 */
export function openSigning(parts: CoreParts): (request: SignRequest) => Promise<Granted> {
  const making: Making = new Map();
  return async (request) => answer(parts, making, readRequest(parts, request));
}

function readRequest({ hashes, knowledge }: CoreParts, request: SignRequest): Asked {
  const intent = canonicalIntent(request.intent);
  const bytesMax = intent.kind === 'relay' ? unsignedBytesMax : transferBytesMax;
  if (request.unsigned.length > bytesMax) {
    throw new CustodyError(
      'signer/protocol',
      `The unsigned transaction of a ${intent.kind} has ${request.unsigned.length} bytes, at most ${bytesMax} are read.`,
    );
  }
  const bytes = Uint8Array.from(request.unsigned);
  const text = intentText(intent);
  if (!isMovement(intent)) {
    throw new CustodyError(
      'signer/protocol',
      `A ${intent.kind} has no transaction: ask for the change or the signature that it is about.`,
    );
  }
  const digest = hashes.sha256Hex(text);
  const key = `${request.key.compartment}/${keyText(request.key)}`;
  const unsigned = Buffer.from(bytes).toString('hex');
  const attempt = knowledge.attemptName({ digest, key, unsigned });
  return { request, intent, text, digest, key, unsigned, bytes, attempt };
}

async function answer(parts: CoreParts, making: Making, asked: Asked): Promise<Granted> {
  const earlier = parts.knowledge.granted(asked.attempt);
  // Expiry and policy of today do not matter: the grant counts, and whoever asks may have lost its signature in a crash.
  if (earlier !== undefined) return repeated(parts, asked, earlier);
  const { intent, digest } = asked;
  const transaction = parts.hashes.sha256Hex(asked.bytes);
  const about = { id: intent.id, digest, key: asked.key.slice(0, 120), transaction };
  return parts.gate.shared(async () =>
    announced(parts, {
      refused: { request: 'sign', about },
      prepare: async () => {
        const [own] = await Promise.all([
          parts.addresses.of(asked.request.key),
          parts.verifier.prepare(parts.knowledge.registry(), asked, approvalsOf(asked.request.evidence)),
          parts.addresses.prepare(parts.knowledge.registry(), compartmentsOf(intent)),
        ]);
        return own;
      },
      decide: async (own, arrived) => grantOnce(parts, making, { asked, own, arrived }),
    }),
  );
}

/** A grant that is in the log. Its record must count first, which a slot that was away may have held up. */
async function repeated(parts: CoreParts, asked: Asked, sequence: bigint): Promise<Granted> {
  await parts.committer.settle();
  const { record } = await recordOf(parts, sequence);
  return { signature: await signatureOf(parts, asked, record), record };
}

async function signatureOf(parts: CoreParts, asked: Asked, { sequence }: DecisionRecord): Promise<Signature> {
  return parts.signatures.of({ sequence, key: asked.request.key, bytes: asked.bytes });
}

type Prepared = { readonly asked: Asked; readonly own: Address; readonly arrived: () => void };

/** Nothing is waited for between the judgement and the entry of the grant among those being made. */
async function grantOnce(parts: CoreParts, making: Making, at: Prepared): Promise<Granted> {
  const { attempt } = at.asked;
  const earlier = parts.knowledge.granted(attempt);
  // Granted while this request waited for its turn.
  if (earlier !== undefined) {
    at.arrived();
    return repeated(parts, at.asked, earlier);
  }
  const allowed = allowedGrant(parts, at);
  at.arrived();
  const running = making.get(attempt);
  if (running !== undefined) return running;
  assertFurther(parts, allowed);
  const granted = grant(parts, allowed).finally(() => making.delete(attempt));
  making.set(attempt, granted);
  return granted;
}

/** Limits of how many there may be; the same request beside one that is being made is not one more. */
function assertFurther(parts: CoreParts, { asked, fee, now, evidence }: AllowedGrant): void {
  const { knowledge, limits } = parts;
  knowledge.attempts.assertFurther({ intent: attemptsOf(asked.intent), name: asked.attempt, fee }, limits);
  assertPaced(parts, { intent: asked.intent, at: now, approved: evidence.approvedBy.length > 0 });
}

type AllowedGrant = Proposed & { readonly evidence: CountedEvidence };

function allowedGrant(parts: CoreParts, { asked, own }: { asked: Asked; own: Address }): AllowedGrant {
  const now = parts.time.now();
  const proposed = { asked, own, ...unsignedOf(asked), now };
  return { ...proposed, evidence: assertAllowed(parts, proposed) };
}

/** What the bytes are: a transaction and the most that it can burn, or an authorisation, which another transaction carries. */
function unsignedOf({ intent, bytes }: Asked): Unsigned {
  if (intent.kind === 'delegation') {
    const authorization = parseAuthorization(bytes);
    return { authorization, nonce: authorization.nonce, fee: 0n };
  }
  const transaction = parseUnsignedTransaction(bytes);
  return { transaction, nonce: transaction.nonce, fee: transaction.gasLimit * transaction.maxFeePerGas };
}

type Unsigned = { readonly nonce: bigint; readonly fee: bigint } & (
  | { readonly transaction: UnsignedTransaction; readonly authorization?: undefined }
  | { readonly authorization: Authorization; readonly transaction?: undefined }
);

async function grant(parts: CoreParts, { asked, own, nonce, fee, now, evidence }: AllowedGrant): Promise<Granted> {
  const { knowledge, committer } = parts;
  // From here to the record there may be other decisions: what this one takes is taken now. If the hardware then fails, it stays
  // taken until the next start, which only makes the signer stricter: the same intent may try again.
  const { intent, digest, key, unsigned, text, attempt } = asked;
  const charged = chargedFor(knowledge, { intent, fee });
  const approved = evidence.approvedBy.length > 0;
  reserve(knowledge, { intent, digest, from: own, nonce, fee, charged, at: now, attempt, approved });
  knowledge.signCounts.accept(evidence.counters);
  knowledge.expectGrant(digest, intent);
  // A crash before this returns leaves a grant without a signature, or none. So whoever takes such a grant out of the folder again has
  // nothing in his hands, and may have the intent granted on another nonce.
  const record = await committer.commit({
    type: 'granted',
    at: now,
    fields: {
      intent: text,
      digest,
      key,
      unsigned,
      from: own,
      nonce: String(nonce),
      fee: String(fee),
      charged: String(charged),
      registryVersion: String(knowledge.registry().version),
      approvedBy: evidence.approvedBy,
      evidence: evidenceFields(asked.request.evidence),
      counters: counterFields(evidence.counters),
    },
  });
  // A crash from here on: the grant counts, and the same request gets the signature of the log, or the first one.
  return { signature: await signatureOf(parts, asked, record), record };
}

/** `approvedBy` are the people who counted, which whoever signed besides does not. */
type CountedEvidence = VerifiedEvidence & { readonly approvedBy: readonly string[] };

type Proposed = Unsigned & { readonly asked: Asked; readonly own: Address; readonly now: bigint };

/** Everything that must hold, without waiting for anything: no other decision comes in between. */
function assertAllowed(parts: CoreParts, proposed: Proposed): CountedEvidence {
  const { knowledge, verifier, addresses } = parts;
  const { asked, own, nonce, fee, now } = proposed;
  const { intent, digest, request } = asked;
  const registry = knowledge.registry();
  const tier = tierOfKey(registry, request.key);
  assertPurpose(registry, asked);
  const evidence = verifier.evidence(registry, { intent, digest }, request.evidence);
  knowledge.signCounts.assertRising(evidence.counters);
  const isOwn = ownAddresses(parts);
  const { requester, approvers } = evidence;
  const residency = addresses.residencyOf(request.key);
  const { refusal, approvedBy } = judge(parts, { intent, tier, residency, requester, approvers, now, fee, isOwn });
  if (refusal !== undefined) throw refusalError(refusal);
  assertAsAsked(parts, proposed, isOwn);
  knowledge.nonces.assertFree(claimOf({ intent, digest, from: own, nonce }));
  return { ...evidence, approvedBy };
}

/** A key of a set of signers signs no transaction, and an address that is more than a deposit address lets no code act for it. */
function assertPurpose(registry: Registry, { intent, request }: Asked): void {
  const purpose = listedWallet(registry, request.key)?.purpose;
  const forbidden =
    purpose === 'vault-signer' || (intent.kind === 'delegation' && (purpose ?? 'deposit') !== 'deposit');
  if (!forbidden) return;
  throw new CustodyError(
    'signer/unknown-wallet',
    `${keyText(request.key)} of compartment ${request.key.compartment} is a wallet for ${purpose}, and signs no ${intent.kind}.`,
    { details: { compartment: request.key.compartment, key: keyText(request.key) } },
  );
}

function assertAsAsked({ hashes, knowledge }: CoreParts, proposed: Proposed, isOwn: IsOwn): void {
  const { asked, own, transaction, authorization } = proposed;
  const { intent, request } = asked;
  const { compartment } = request.key;
  const registry = knowledge.registry();
  if (intent.kind === 'delegation') {
    invariant(authorization !== undefined, 'An authorisation was not read.');
    assertDelegates(hashes, { intent, compartment, own, authorization, registry });
    return;
  }
  invariant(transaction !== undefined, 'A transaction was not read.');
  const granted = intent.kind === 'relay' ? knowledge.vaultGrants.digest(intent.relays) : undefined;
  assertConforms(hashes, { intent, compartment, own, transaction, isOwn, registry, granted });
}
