import { CustodyError, type Signature } from '@bulkhead/domain';
import { nativeModules } from './native.ts';

/** Bytes of what ECDSA signs here. SoftHSM for one signs any length without complaint. */
export const digestBytes: number = 32;

/** @throws CustodyError `hsm/digest-length` */
export function assertDigest(digest: Uint8Array): void {
  if (digest.length === digestBytes) return;
  throw new CustodyError(
    'hsm/digest-length',
    `A digest of ${digest.length} bytes was to be signed; it must have ${digestBytes}. Nothing was signed.`,
  );
}

/**
 * Makes of `r` and `s` (64 bytes) what a transaction carries: `s` in the lower half (EIP-2), and the recovery id for which the
 * signature recovers to the key that must have made it. That also catches a computation that went wrong and a wrong key: a
 * faulty signature can betray the key, so none is given out.
 *
 * @param publicKey uncompressed, 65 bytes
 * @throws CustodyError `hsm/signature-invalid`
 */
export function checkedSignature(made: {
  readonly compact: Uint8Array;
  readonly digest: Uint8Array;
  readonly publicKey: Uint8Array;
  /** What the signing library says, so that the right one is tried first. */
  readonly recovery?: number;
}): Signature {
  const { secp256k1 } = nativeModules();
  const compact = Uint8Array.from(made.compact);
  for (const yParity of made.recovery === 1 ? ([1, 0] as const) : ([0, 1] as const)) {
    let recovered: Uint8Array;
    try {
      secp256k1.signatureNormalize(compact);
      recovered = secp256k1.ecdsaRecover(compact, yParity, made.digest, false);
    } catch {
      continue;
    }
    if (Buffer.compare(recovered, made.publicKey) === 0) {
      const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
      return { r: number(compact.subarray(0, 32)), s: number(compact.subarray(32)), yParity };
    }
  }
  throw new CustodyError(
    'hsm/signature-invalid',
    'A signature does not recover to the public key of the key that was asked for. It is not given out: check the module, and whether another key has the same label.',
  );
}

/**
 * Whether an Ed25519 signature (RFC 8032) is right, by libsodium: in less time than it takes to hand the work to a thread and to take it
 * back. Keys and points of small order, which other libraries let pass, make no signature.
 *
 * @param claim a public key of 32 bytes and a signature of 64
 * @throws CustodyError `key/native-module-missing`
 */
export function isEd25519Signature(claim: {
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}): boolean {
  return nativeModules().sodium.crypto_sign_verify_detached(claim.signature, claim.message, claim.publicKey);
}
