import { type Address, parseAddress } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js';

const signatureBytes = 65;

/** The address whose key signed, as contracts read it: r, s, and 27 or 28, with the lower s; undefined for anything else. */
export function recoverSigner(digest: Uint8Array, signature: Uint8Array): Address | undefined {
  const recovery = (signature[signatureBytes - 1] ?? 0) - 27;
  if (signature.length !== signatureBytes || (recovery !== 0 && recovery !== 1)) return undefined;
  try {
    const bytes = concatBytes(Uint8Array.of(recovery), signature.subarray(0, signatureBytes - 1));
    const read = secp256k1.Signature.fromBytes(bytes, 'recovered');
    if (read.hasHighS()) return undefined;
    const point = read.recoverPublicKey(digest).toBytes(false);
    return parseAddress(`0x${bytesToHex(keccak_256(point.subarray(1)).subarray(12))}`);
  } catch {
    return undefined;
  }
}

/** Whether exactly so many members signed, each once, in ascending order: what `SignerSet.isQuorum` wants. */
export function isQuorum(
  digest: Uint8Array,
  signatures: readonly Uint8Array[],
  set: { readonly members: readonly Address[]; readonly threshold: number },
): boolean {
  if (set.threshold === 0 || signatures.length !== set.threshold) return false;
  let before: Address | undefined;
  for (const signature of signatures) {
    const signer = recoverSigner(digest, signature);
    if (signer === undefined || !set.members.includes(signer)) return false;
    if (before !== undefined && before >= signer) return false;
    before = signer;
  }
  return true;
}
