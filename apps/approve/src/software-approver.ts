import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { type ApproverKey, eip712Digest, ed25519Message, nobleHashes } from '@bulkhead/authority';
import { type Approval, type Intent, intentDigest, parseAddress } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import type { Pins } from './examination.ts';
import { addressOfPoint, walletSignature } from './wallet-signature.ts';

/** Kinds of approver keys that can be a file. Passkeys cannot: that is their point. */
export type SoftwareKind = 'ed25519' | 'eip712';

/** A software approver key, opened. */
export type SoftwareApprover = {
  readonly person: string;
  /** Its entry in the registry. */
  readonly entry: ApproverKey;
  readonly pins?: Pins;
  readonly kind: SoftwareKind;
  /** 32 bytes. `closeApproverKey` wipes them. */
  readonly secret: Uint8Array;
};

/**
 * Signs an intent. Whoever calls this has shown the intent to somebody, or is a robot that knows what it wants.
 *
 * @throws CustodyError `intent/malformed` for what is no intent
 */
export function signApproval({ kind, person, entry, secret }: SoftwareApprover, intent: Intent): Approval {
  const digest = intentDigest(intent);
  if (kind === 'ed25519') {
    const signature = sign(null, ed25519Message(digest), edwardsKey(secret)).toString('hex');
    return { person, key: entry.id, kind, signature };
  }
  const signature = secp256k1.sign(eip712Digest(nobleHashes, intent), secret, { prehash: false, format: 'recovered' });
  return { person, key: entry.id, kind, signature: walletSignature(signature) };
}

/** The public half: an Ed25519 key in hex, or an address. @throws for bytes that are no key of the kind */
export function softwarePublic(kind: SoftwareKind, secret: Uint8Array): string {
  if (kind === 'eip712') return addressOfPoint(secp256k1.getPublicKey(secret, false));
  const { x = '' } = createPublicKey(edwardsKey(secret)).export({ format: 'jwk' });
  return Buffer.from(x, 'base64url').toString('hex');
}

/** The key as the registry lists it. */
export function softwareEntry(kind: SoftwareKind, id: string, publicHalf: string): ApproverKey {
  return kind === 'eip712' ? { id, kind, address: parseAddress(publicHalf) } : { id, kind, publicKey: publicHalf };
}

/** Everything of a PKCS#8 document (RFC 8410) but the 32 bytes of the key. */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex');

function edwardsKey(secret: Uint8Array): KeyObject {
  const document = Buffer.concat([pkcs8Head, secret]);
  try {
    return createPrivateKey({ key: document, format: 'der', type: 'pkcs8' });
  } finally {
    document.fill(0);
  }
}
