import { createHash } from 'node:crypto';
import { invariant } from '@bulkhead/domain';
import { ripemd160 } from '@noble/hashes/legacy.js';
import { createBase58check } from '@scure/base';

/** First hardened child number of BIP-32. */
export const hardenedOffset: number = 2 ** 31;

/** Public half of a node of BIP-32, as its text carries it. */
export type ExtendedPublicKey = {
  readonly depth: number;
  /** First four bytes of the hash of the parent's public key. */
  readonly parentFingerprint: Uint8Array;
  readonly childNumber: number;
  /** 32 bytes. */
  readonly chainCode: Uint8Array;
  /** Compressed, 33 bytes; not yet known to be a point of the curve. */
  readonly publicKey: Uint8Array;
};

const publicVersion = 0x0488b21e;
const privateVersion = 0x0488ade4;
const encodedBytes = 78;

const base58check = createBase58check((bytes: Uint8Array) => createHash('sha256').update(bytes).digest());

/** The text that begins with `xpub` (BIP-32, serialization format). */
export function writeXpub(key: ExtendedPublicKey): string {
  const bytes = Buffer.alloc(encodedBytes);
  bytes.writeUInt32BE(publicVersion, 0);
  bytes.writeUInt8(key.depth, 4);
  bytes.set(key.parentFingerprint, 5);
  bytes.writeUInt32BE(key.childNumber, 9);
  bytes.set(key.chainCode, 13);
  bytes.set(key.publicKey, 45);
  return base58check.encode(bytes);
}

/** Reads a text whose checksum and version are right. A private key is told apart and wiped; the rest of a node is not judged. */
export function parseXpub(text: string): ExtendedPublicKey | 'private' | undefined {
  if (text.length > 120) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = base58check.decode(text);
  } catch {
    // Neither the text nor the error that may quote it goes on: an xpub is confidential, and the text may be a private key.
    return undefined;
  }
  if (bytes.length !== encodedBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, encodedBytes);
  const version = view.getUint32(0);
  if (version === privateVersion) {
    bytes.fill(0);
    return 'private';
  }
  if (version !== publicVersion) return undefined;
  return {
    depth: view.getUint8(4),
    parentFingerprint: bytes.slice(5, 9),
    childNumber: view.getUint32(9),
    chainCode: bytes.slice(13, 45),
    publicKey: bytes.slice(45),
  };
}

/** What BIP-32 calls a node by: the first four bytes of RIPEMD-160 over SHA-256 of its compressed public key. */
export function fingerprintOf(publicKey: Uint8Array): Uint8Array {
  invariant(publicKey.length === 33, 'A fingerprint is made of a compressed public key.');
  return ripemd160(createHash('sha256').update(publicKey).digest()).slice(0, 4);
}
