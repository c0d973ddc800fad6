import { CustodyError } from '@bulkhead/domain';
import { accountOf, accountSignatureBytes, type Hex, keyId, parsePasskeySignature } from '@bulkhead/vaults';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { hashes } from './keccak.ts';

/** Flags of an authenticator (W3C WebAuthn level 3): somebody was there, and was verified. */
const userPresent = 0x01;
const userVerified = 0x04;

/**
 * Whether a key of a client signed a digest, by the rules of the contracts: what is stored or relayed here is what they take too.
 * Verified with public values alone.
 */
export function isSignedBy(key: Hex, digest: Uint8Array, signature: Hex): boolean {
  try {
    const account = accountOf(key);
    return account === undefined
      ? isAsserted(key, digest, signature)
      : recovered(digest, hexToBytes(signature.slice(2))) === account;
  } catch (error) {
    // What is no signature at all was made by nobody.
    if (error instanceof CustodyError || error instanceof Error) return false;
    throw error;
  }
}

function recovered(digest: Uint8Array, signature: Uint8Array): string | undefined {
  const v = signature[64];
  if (signature.length !== accountSignatureBytes || (v !== 27 && v !== 28)) return undefined;
  const number = (from: number): bigint => BigInt(`0x${bytesToHex(signature.subarray(from, from + 32))}`);
  const parsed = new secp256k1.Signature(number(0), number(32), v - 27);
  if (parsed.hasHighS()) return undefined;
  const point = parsed.recoverPublicKey(digest).toBytes(false);
  return `0x${bytesToHex(hashes.keccak256(point.subarray(1))).slice(-40)}`;
}

/** The assertion of a passkey whose challenge is the digest, made with the user verified. */
function isAsserted(key: Hex, digest: Uint8Array, signature: Hex): boolean {
  const { x, y, authenticatorData, clientDataJSON, challengeIndex, typeIndex, r, s } = parsePasskeySignature(signature);
  if (keyId(hashes, { kind: 'passkey', point: { x, y } }) !== key) return false;
  const authenticator = hexToBytes(authenticatorData.slice(2));
  const client = hexToBytes(clientDataJSON.slice(2));
  const flags = authenticator[32] ?? 0;
  const challenge = Buffer.from(digest).toString('base64url');
  const says =
    startsAt(client, challengeIndex, `"challenge":"${challenge}"`) &&
    startsAt(client, typeIndex, '"type":"webauthn.get"');
  if (!says || (flags & userPresent) === 0 || (flags & userVerified) === 0) return false;
  const message = concatBytes(authenticator, sha256(client));
  const parsed = new p256.Signature(r, s);
  if (parsed.hasHighS()) return false;
  const point = p256.Point.fromAffine({ x, y });
  point.assertValidity();
  return p256.verify(parsed.toBytes(), message, point.toBytes(), { prehash: true });
}

function startsAt(bytes: Uint8Array, place: bigint, words: string): boolean {
  const expected = utf8ToBytes(words);
  const from = Number(place);
  return expected.every((byte, index) => bytes[from + index] === byte);
}
