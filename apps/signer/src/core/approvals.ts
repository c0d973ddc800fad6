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
import { type Approval, CustodyError, type Evidence, type Intent } from '@bulkhead/domain';
import { addressOfPublicKey, nativeModules } from '@bulkhead/keys';
import { boundedCache } from './bounded-cache.ts';

/** Approvals that one request carries: more people than any rule can ask for. */
export const evidenceApprovalsMax: number = 32;

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

/** What approvals are about: the intent, and the SHA-256 of its canonical bytes in hex. */
export type Subject = { readonly intent: Intent; readonly digest: string };

export type ApprovalVerifier = {
  /** @throws CustodyError `signer/approval-invalid`, `signer/person-not-entitled`, `signer/wrong-deployment` */
  approval(registry: Registry, subject: Subject, approval: Approval): VerifiedApproval;
  evidence(registry: Registry, subject: Subject, evidence: Evidence): VerifiedEvidence;
};

/** Verifies with OpenSSL and libsecp256k1. What is public is kept parsed, since parsing a point costs as much as a signature. */
export function approvalVerifier(hashes: Hashes): ApprovalVerifier {
  const keys = boundedCache<string, KeyObject>(publicKeysCachedMax);
  const approval = (registry: Registry, subject: Subject, given: Approval): VerifiedApproval => {
    if (subject.intent.deployment !== registry.deployment) throw wrongDeployment(registry, subject);
    const person = personOf(registry, given.person);
    const key = person.keys.find((own) => own.id === given.key);
    if (key === undefined || key.kind !== given.kind) {
      throw invalid(given, `${given.person} has no key "${given.key.slice(0, 90)}" of the kind ${given.kind}`);
    }
    switch (given.kind) {
      case 'webauthn':
        if (key.kind !== 'webauthn') throw invalid(given, 'its kind is another');
        return { person: person.id, ...verifyAssertion({ hashes, keys, key, digest: subject.digest }, given) };
      case 'eip712':
        if (key.kind !== 'eip712') throw invalid(given, 'its kind is another');
        verifyTyped({ hashes, key, subject }, given);
        return { person: person.id };
      case 'ed25519':
        if (key.kind !== 'ed25519') throw invalid(given, 'its kind is another');
        verifyEdwards({ keys, key, subject }, given);
        return { person: person.id };
      default: {
        const other: { readonly kind?: unknown } = given satisfies never;
        throw new CustodyError('signer/approval-invalid', `"${String(other.kind)}" is no kind of approval.`);
      }
    }
  };
  return {
    approval,
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

function personOf(registry: Registry, id: string): Person {
  const person = registry.people.get(id);
  if (person !== undefined && !person.suspended) return person;
  throw new CustodyError(
    'signer/person-not-entitled',
    `"${id.slice(0, 90)}" is ${person === undefined ? 'not in the registry' : 'suspended'}: the signature counts for nothing.`,
    { details: { person: id.slice(0, 90) } },
  );
}

type AssertionParts = {
  readonly hashes: Hashes;
  readonly keys: KeyCache;
  readonly key: WebauthnKey;
  readonly digest: string;
};
type KeyCache = { get(name: string, make: () => KeyObject): KeyObject };

function verifyAssertion(
  { hashes, keys, key, digest }: AssertionParts,
  approval: WebauthnApproval,
): { readonly counter?: Counter } {
  const assertion = assertAssertion(hashes, { approval, key, digest });
  const publicKey = keys.get(key.publicKey, () => pointKey(key));
  if (!verified(() => verify('sha256', assertion.signed, publicKey, Buffer.from(approval.signature, 'hex')))) {
    throw invalid(approval, 'the signature is not of this passkey over this assertion');
  }
  const text = `${key.credential}.${approval.authenticatorData}.${approval.clientDataJson}`;
  const fingerprint = Buffer.from(hashes.sha256(Buffer.from(text, 'latin1'))).toString('hex');
  return { counter: { credential: key.credential, count: assertion.signCount, fingerprint } };
}

function pointKey({ publicKey }: WebauthnKey): KeyObject {
  const point = Buffer.from(publicKey, 'hex');
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  };
  return publicKeyOf(jwk);
}

function publicKeyOf(key: { kty: string; crv: string; x: string; y?: string }): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' });
  } catch (cause) {
    throw new CustodyError('signer/approval-invalid', 'The registered public key is no point of its curve.', { cause });
  }
}

type Typed = Extract<Approval, { readonly kind: 'eip712' }>;
type TypedKey = Extract<ApproverKey, { readonly kind: 'eip712' }>;

/** Half the order of secp256k1, rounded down: the largest `s` of the form that cannot be turned into a second signature (EIP-2). */
const lowestHigh = Buffer.from('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0', 'hex');

function verifyTyped(
  { hashes, key, subject }: { hashes: Hashes; key: TypedKey; subject: Subject },
  approval: Typed,
): void {
  if (!/^[0-9a-f]{130}$/u.test(approval.signature)) throw invalid(approval, 'it is not 65 bytes of lower-case hex');
  const bytes = Buffer.from(approval.signature, 'hex');
  const recovery = (bytes[64] ?? 0) - 27;
  if (recovery !== 0 && recovery !== 1) throw invalid(approval, `its v is ${bytes[64]}, not 27 or 28`);
  if (bytes.subarray(32, 64).compare(lowestHigh) > 0) throw invalid(approval, 'its s is in the upper half (EIP-2)');
  const digest = eip712Digest(hashes, subject.intent);
  let address: string;
  try {
    const signature = Uint8Array.from(bytes.subarray(0, 64));
    address = addressOfPublicKey(nativeModules().secp256k1.ecdsaRecover(signature, recovery, digest, false));
  } catch (cause) {
    throw invalid(approval, 'no key has made it', cause);
  }
  if (address !== key.address) throw invalid(approval, `it recovers to ${address}, and the key is ${key.address}`);
}

type Edwards = Extract<Approval, { readonly kind: 'ed25519' }>;
type EdwardsKey = Extract<ApproverKey, { readonly kind: 'ed25519' }>;

function verifyEdwards(
  { keys, key, subject }: { keys: KeyCache; key: EdwardsKey; subject: Subject },
  approval: Edwards,
): void {
  if (!/^[0-9a-f]{128}$/u.test(approval.signature)) throw invalid(approval, 'it is not 64 bytes of lower-case hex');
  const x = Buffer.from(key.publicKey, 'hex').toString('base64url');
  const publicKey = keys.get(key.publicKey, () => publicKeyOf({ kty: 'OKP', crv: 'Ed25519', x }));
  const message = ed25519Message(subject.digest);
  if (!verified(() => verify(null, message, publicKey, Buffer.from(approval.signature, 'hex')))) {
    throw invalid(approval, 'the signature is not of this key over this intent');
  }
}

/** OpenSSL throws for bytes that are no signature at all. */
function verified(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
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
