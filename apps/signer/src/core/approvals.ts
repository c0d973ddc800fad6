import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import {
  type ApproverKey,
  assertAssertion,
  eip712Digest,
  ed25519Message,
  type Hashes,
  type Person,
  type Registry,
  type WebauthnApproval,
  type WebauthnKey,
} from '@bulkhead/authority';
import { type Approval, CustodyError, type Evidence, evidenceApprovalsMax, type Intent } from '@bulkhead/domain';
import { addressOfPublicKey, isEd25519Signature, nativeModules } from '@bulkhead/keys';
import { type BoundedCache, boundedCache } from './bounded-cache.ts';

/** Signatures that are remembered as verified; the least recently used goes first. */
export const verifiedRememberedMax: number = 8_192;

const publicKeysCachedMax = 4_096;

/** What a counting authenticator said, and which assertion said it. */
export type Counter = {
  readonly credential: string;
  readonly count: number;
  /** SHA-256 over credential, authenticator data and client data: the assertion without its signature, which can be malleable. */
  readonly fingerprint: string;
};

/** An approval whose signature is right. Whether the person may give it is for the judgement. */
export type VerifiedApproval = { readonly person: string; readonly counter?: Counter };

export type VerifiedEvidence = {
  readonly requester: string | undefined;
  readonly approvers: readonly string[];
  readonly counters: readonly Counter[];
};

/** Every signature of the evidence, whatever it is for. */
export function approvalsOf({ request, approvals }: Evidence): readonly Approval[] {
  return request === undefined ? approvals : [request, ...approvals];
}

/** What approvals are about: the intent, and the SHA-256 of its canonical bytes in hex. */
export type Subject = { readonly intent: Intent; readonly digest: string };

export type ApprovalVerifier = {
  /**
   * Does the arithmetic of signatures ahead: that of passkeys in threads, the rest meanwhile. It decides nothing: what is right is remembered, and what is not is found out
   * again by whoever asks for it. Never throws, and returns in the order of the calls: counters of passkeys rise, so whoever comes
   * later must not be decided first.
   */
  prepare(registry: Registry, subject: Subject, approvals: readonly Approval[]): Promise<void>;
  /** @throws CustodyError `signer/approval-invalid`, `signer/person-not-entitled`, `signer/wrong-deployment` */
  approval(registry: Registry, subject: Subject, approval: Approval): VerifiedApproval;
  evidence(registry: Registry, subject: Subject, evidence: Evidence): VerifiedEvidence;
};

/**
 * Verifies with OpenSSL, libsodium and libsecp256k1. What is public is kept parsed, since parsing a point costs as much as a signature; and a
 * signature that was right for an intent and a registered key stays right, so it is verified once, however often it is shown. Whether
 * the person and the key are registered is asked each time.
 */
export function approvalVerifier(hashes: Hashes): ApprovalVerifier {
  const parts: Parts = {
    hashes,
    keys: boundedCache(publicKeysCachedMax),
    points: boundedCache(publicKeysCachedMax),
    remembered: boundedCache(verifiedRememberedMax),
    names: new WeakMap(),
  };
  let turn: Promise<unknown> = Promise.resolve();
  const approval = (registry: Registry, subject: Subject, given: Approval): VerifiedApproval => {
    const key = keyOf(registry, subject, given);
    const name = nameOf(parts, subject, given);
    const known = parts.remembered.peek(name);
    if (known?.key === key) return known.verified;
    const claim = claimOf(parts, { key, subject, given });
    if (!isRight(claim)) throw invalid(given, claim.otherwise);
    parts.remembered.set(name, { key, verified: claim.verified });
    return claim.verified;
  };
  return {
    approval,
    async prepare(registry, subject, approvals) {
      const before = turn;
      const ahead = approvals.slice(0, evidenceApprovalsMax);
      // What threads do comes first, so that they do it while the rest is done here.
      const mine = Promise.all(ahead.map((given) => verifyAhead(parts, { registry, subject, given })));
      for (const given of ahead) verifyHere(approval, { registry, subject, given });
      turn = before.then(() => mine);
      await turn;
    },
    evidence(registry, subject, { request, approvals }) {
      if (approvals.length > evidenceApprovalsMax) {
        throw new CustodyError(
          'signer/protocol',
          `The request carries ${approvals.length} approvals, at most ${evidenceApprovalsMax} are looked at.`,
        );
      }
      const requested = request === undefined ? undefined : approval(registry, subject, request);
      const approved = approvals.map((each) => approval(registry, subject, each));
      const all = requested === undefined ? approved : [requested, ...approved];
      return {
        requester: requested?.person,
        approvers: approved.map(({ person }) => person),
        counters: all.flatMap(({ counter }) => (counter === undefined ? [] : [counter])),
      };
    },
  };
}

type Parts = {
  readonly hashes: Hashes;
  readonly keys: BoundedCache<string, KeyObject>;
  /** Public keys that were recovered and belonged to a registered address, by that address. */
  readonly points: BoundedCache<string, Uint8Array>;
  /** Signatures that were right, by {@link nameOf}, and the entry of the registry that they were right for. */
  readonly remembered: BoundedCache<string, { readonly key: ApproverKey; readonly verified: VerifiedApproval }>;
  /** What {@link nameOf} has made: an approval is asked for ahead, and again where it is needed. Nobody changes one meanwhile. */
  readonly names: WeakMap<Approval, { readonly digest: string; readonly name: string }>;
};

/** A signature, what it must be over, and what follows when it is. */
type Claim = {
  readonly verified: VerifiedApproval;
  /** What is wrong when it is not. */
  readonly otherwise: string;
} & (
  | {
      readonly algorithm: 'P-256';
      readonly message: Uint8Array;
      readonly publicKey: KeyObject;
      readonly signature: Uint8Array;
    }
  | {
      readonly algorithm: 'Ed25519';
      readonly message: Uint8Array;
      readonly publicKey: Uint8Array;
      readonly signature: Uint8Array;
    }
  /** The key is not known beforehand, only its address: the arithmetic was done when the claim was made. */
  | { readonly algorithm: 'recovered' }
);

/** The registered key that an approval names. Nothing about it is remembered from before: keys and people come and go. */
function keyOf(registry: Registry, subject: Subject, given: Approval): ApproverKey {
  if (subject.intent.deployment !== registry.deployment) throw wrongDeployment(registry, subject);
  const person = personOf(registry, given.person);
  const key = person.keys.find((own) => own.id === given.key);
  if (key !== undefined && key.kind === given.kind) return key;
  throw invalid(given, `${given.person} has no key "${given.key.slice(0, 90)}" of the kind ${given.kind}`);
}

/** Everything that a signature depends on, in one digest: the intent, the names, and each byte that was sent. */
function nameOf({ hashes, names }: Parts, { digest }: Subject, given: Approval): string {
  const known = names.get(given);
  if (known?.digest === digest) return known.name;
  const { person, key, kind, signature } = given;
  const rest = given.kind === 'webauthn' ? [given.authenticatorData, given.clientDataJson] : [];
  const name = hashes.sha256Hex(JSON.stringify([digest, person, key, kind, signature, ...rest]));
  names.set(given, { digest, name });
  return name;
}

type Given = { readonly key: ApproverKey; readonly subject: Subject; readonly given: Approval };

function claimOf(parts: Parts, { key, subject, given }: Given): Claim {
  switch (given.kind) {
    case 'webauthn':
      if (key.kind !== 'webauthn') throw invalid(given, 'its kind is another');
      return assertionClaim(parts, { key, digest: subject.digest, given });
    case 'eip712':
      if (key.kind !== 'eip712') throw invalid(given, 'its kind is another');
      assertRecovers(parts, { key, subject, given });
      return { verified: { person: given.person }, otherwise: '', algorithm: 'recovered' };
    case 'ed25519':
      if (key.kind !== 'ed25519') throw invalid(given, 'its kind is another');
      return edwardsClaim({ key, subject, given });
    default: {
      const other: { readonly kind?: unknown } = given satisfies never;
      throw new CustodyError('signer/approval-invalid', `"${String(other.kind)}" is no kind of approval.`);
    }
  }
}

/** OpenSSL throws for bytes that are no signature at all. */
function isRight(claim: Claim): boolean {
  if (claim.algorithm === 'recovered') return true;
  if (claim.algorithm === 'Ed25519') return isEd25519Signature(claim);
  try {
    return verify('sha256', claim.message, claim.publicKey, claim.signature);
  } catch {
    return false;
  }
}

type Ahead = { readonly registry: Registry; readonly subject: Subject; readonly given: Approval };

async function verifyAhead(parts: Parts, { registry, subject, given }: Ahead): Promise<void> {
  // Others cost less than the way to a thread and back.
  if (given.kind !== 'webauthn') return;
  try {
    const key = keyOf(registry, subject, given);
    const name = nameOf(parts, subject, given);
    if (parts.remembered.peek(name)?.key === key) return;
    const claim = claimOf(parts, { key, subject, given });
    if (claim.algorithm !== 'P-256') return;
    const { message, publicKey, signature } = claim;
    const right = await new Promise((resolve) => {
      verify('sha256', message, publicKey, signature, (error, result) => resolve(error === null && result));
    });
    if (right === true) parts.remembered.set(name, { key, verified: claim.verified });
  } catch {
    // It is verified again where it is needed, and refused there with its reason.
    return;
  }
}

function verifyHere(approval: ApprovalVerifier['approval'], { registry, subject, given }: Ahead): void {
  if (given.kind === 'webauthn') return;
  try {
    approval(registry, subject, given);
  } catch {
    // It is verified again where it is needed, and refused there with its reason.
    return;
  }
}

function personOf(registry: Registry, id: string): Person {
  const person = registry.people.get(id);
  if (person !== undefined && !person.suspended) return person;
  throw new CustodyError(
    'signer/person-not-entitled',
    `"${id.slice(0, 90)}" is ${person === undefined ? 'not in the registry' : 'suspended'}: the signature counts for nothing.`,
    { details: { person: id.slice(0, 90) } },
  );
}

function assertionClaim(
  { hashes, keys }: Parts,
  { key, digest, given }: { readonly key: WebauthnKey; readonly digest: string; readonly given: WebauthnApproval },
): Claim {
  const assertion = assertAssertion(hashes, { approval: given, key, digest });
  const text = `${key.credential}.${given.authenticatorData}.${given.clientDataJson}`;
  const fingerprint = Buffer.from(hashes.sha256(Buffer.from(text, 'latin1'))).toString('hex');
  return {
    verified: {
      person: given.person,
      counter: { credential: key.credential, count: assertion.signCount, fingerprint },
    },
    otherwise: 'the signature is not of this passkey over this assertion',
    algorithm: 'P-256',
    message: assertion.signed,
    publicKey: keys.get(key.publicKey, () => pointKey(key)),
    signature: Buffer.from(given.signature, 'hex'),
  };
}

function pointKey({ publicKey }: WebauthnKey): KeyObject {
  const point = Buffer.from(publicKey, 'hex');
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  };
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch (cause) {
    throw new CustodyError('signer/approval-invalid', 'The registered public key is no point of its curve.', { cause });
  }
}

type Typed = Extract<Approval, { readonly kind: 'eip712' }>;
type TypedKey = Extract<ApproverKey, { readonly kind: 'eip712' }>;

/** Half the order of secp256k1, rounded down: the largest `s` of the form that cannot be turned into a second signature (EIP-2). */
const lowestHigh = Buffer.from('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0', 'hex');

function assertRecovers(
  { hashes, points }: Parts,
  { key, subject, given: approval }: { key: TypedKey; subject: Subject; given: Typed },
): void {
  const bytes = Buffer.from(approval.signature, 'hex');
  if (bytes.length !== 65 || bytes.toString('hex') !== approval.signature) {
    throw invalid(approval, 'it is not 65 bytes of lower-case hex');
  }
  const recovery = (bytes[64] ?? 0) - 27;
  if (recovery !== 0 && recovery !== 1) throw invalid(approval, `its v is ${bytes[64]}, not 27 or 28`);
  if (bytes.subarray(32, 64).compare(lowestHigh) > 0) throw invalid(approval, 'its s is in the upper half (EIP-2)');
  const digest = eip712Digest(hashes, subject.intent);
  let address: string;
  try {
    const point = nativeModules().secp256k1.ecdsaRecover(
      new Uint8Array(bytes.subarray(0, 64)),
      recovery,
      digest,
      false,
    );
    const known = points.peek(key.address);
    if (known !== undefined && Buffer.compare(known, point) === 0) return;
    address = addressOfPublicKey(point);
    if (address === key.address) points.set(address, point);
  } catch (cause) {
    throw invalid(approval, 'no key has made it', cause);
  }
  if (address !== key.address) throw invalid(approval, `it recovers to ${address}, and the key is ${key.address}`);
}

type Edwards = Extract<Approval, { readonly kind: 'ed25519' }>;
type EdwardsKey = Extract<ApproverKey, { readonly kind: 'ed25519' }>;

function edwardsClaim({ key, subject, given }: { key: EdwardsKey; subject: Subject; given: Edwards }): Claim {
  const signature = Buffer.from(given.signature, 'hex');
  if (signature.length !== 64 || signature.toString('hex') !== given.signature) {
    throw invalid(given, 'it is not 64 bytes of lower-case hex');
  }
  return {
    verified: { person: given.person },
    otherwise: 'the signature is not of this key over this intent',
    algorithm: 'Ed25519',
    message: ed25519Message(subject.digest),
    publicKey: Buffer.from(key.publicKey, 'hex'),
    signature,
  };
}

function wrongDeployment(registry: Registry, { intent }: Subject): CustodyError {
  return new CustodyError(
    'signer/wrong-deployment',
    `The intent belongs to the installation ${intent.deployment}, and this is ${registry.deployment}. Nothing approved there counts here.`,
    { details: { found: intent.deployment, wanted: registry.deployment } },
  );
}

function invalid({ person, kind }: Approval, fact: string, cause?: unknown): CustodyError {
  return new CustodyError(
    'signer/approval-invalid',
    `The ${kind} signature of ${person.slice(0, 90)} counts for nothing: ${fact}. Approve this very intent again, with a registered key.`,
    { details: { person: person.slice(0, 90), kind }, cause },
  );
}
