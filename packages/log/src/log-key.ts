import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { CustodyError } from '@bulkhead/domain';
import {
  type KeyPurpose,
  type Sha256,
  type TreeHead,
  type VerifierKey,
  verifierKey,
  type VerifyEd25519,
} from '@bulkhead/tlog';

/** Who signs checkpoints: a log, or a witness. The key may be anywhere. */
export type NoteSigner = {
  readonly key: VerifierKey;
  /**
   * Ed25519 over exactly these bytes. Returned means: whoever has the key accepted to sign them, and the same bytes are signed again
   * when asked again.
   */
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>;
};

/** Which checkpoint is to be signed, and what shows that it continues an older one. */
export type CheckpointOrder = {
  readonly head: TreeHead;
  /** Leaves of the newest checkpoint that is stored; 0 where there is none. */
  readonly signed: number;
  /** Consistency of the tree of so many leaves with this one (RFC 6962, section 2.1.2). */
  readonly continuation: (older: number) => Promise<readonly Uint8Array[]>;
};

/** Who signs checkpoints of one log. A key that believes nobody wants to be shown more than the text. */
export type CheckpointSigner = {
  readonly key: VerifierKey;
  /** As {@link NoteSigner.sign}. */
  readonly sign: (message: Uint8Array, order: CheckpointOrder) => Promise<Uint8Array>;
};

/** What stands before the 32 bytes of a public key of Ed25519 in DER (RFC 8410). */
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');

const publicKeys = new Map<string, KeyObject>();
const publicKeysMax = 1_000;

function publicKeyOf(bytes: Uint8Array): KeyObject {
  const name = Buffer.from(bytes).toString('hex');
  const known = publicKeys.get(name);
  if (known !== undefined) return known;
  const made = createPublicKey({ key: Buffer.concat([publicPrefix, bytes]), format: 'der', type: 'spki' });
  if (publicKeys.size < publicKeysMax) publicKeys.set(name, made);
  return made;
}

/** SHA-256 of OpenSSL, several times as fast as the portable one for what is longer than a block. */
export const nativeSha256: Sha256 = (bytes) => hash('sha256', bytes, 'buffer');

/** Ed25519 of OpenSSL. */
export const verifyEd25519: VerifyEd25519 = ({ signature, message, publicKey }) => {
  try {
    return verify(null, message, publicKeyOf(publicKey), signature);
  } catch {
    // Not every 32 bytes are a key.
    return false;
  }
};

/** A new key, as the text of a private file (PKCS#8 in PEM, not encrypted). */
export function newKeyPem(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/**
 * A key that this process itself holds, from the text of its file. Whoever can read that file can sign: it is for development and
 * for witnesses, and no key of a wallet.
 *
 * @throws CustodyError `key/damaged-file`
 */
export function softwareSigner(pem: string, name: string, purpose: KeyPurpose): NoteSigner {
  let secret: KeyObject;
  try {
    secret = createPrivateKey(pem);
  } catch (cause) {
    throw new CustodyError('key/damaged-file', `The key of "${name}" is no private key in PEM.`, { cause });
  }
  if (secret.asymmetricKeyType !== 'ed25519') {
    throw new CustodyError('key/damaged-file', `The key of "${name}" is no key of Ed25519.`);
  }
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' });
  const key = verifierKey(name, purpose, Uint8Array.from(spki.subarray(publicPrefix.length)));
  return { key, sign: (message) => Promise.resolve(Uint8Array.from(sign(null, message, secret))) };
}
