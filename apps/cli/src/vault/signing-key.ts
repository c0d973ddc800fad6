import { closeApproverKey, openApproverKey } from '@bulkhead/approve';
import { type Address, CustodyError } from '@bulkhead/domain';
import { parseAddress } from '@bulkhead/domain';
import { readPrivate } from '@bulkhead/keys/whole-file';
import { bytesOf, hexOf, wordAt } from '@bulkhead/vaults';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';

/** A key of secp256k1 from a file: an approver key of the kind eip712, or 64 hex digits and nothing else. */
export type SigningKey = {
  readonly address: Address;
  sign(digest: Uint8Array): { readonly r: bigint; readonly s: bigint; readonly yParity: 0 | 1 };
  /** Wipes it from memory. */
  close(): void;
};

const keyFileBytesMax = 16_384;

/**
 * Opens a key file. The passphrase is asked for only where the file has one.
 *
 * @throws CustodyError `key/missing-file`, `key/file-access`, `key/damaged-file`, `key/wrong-passphrase`
 */
export async function openSigningKey(path: string, passphrase: () => Promise<string>): Promise<SigningKey> {
  const bare = /^(?:0x)?([0-9a-f]{64})\s*$/iu.exec(await readPrivate(path, keyFileBytesMax))?.[1];
  if (bare !== undefined) return keyOf(bytesOf(`0x${bare.toLowerCase()}`));
  const approver = await openApproverKey(path, await passphrase());
  if (approver.kind === 'eip712') return keyOf(approver.secret);
  closeApproverKey(approver);
  throw new CustodyError('key/damaged-file', `${path} holds a key of the kind ${approver.kind}: a chain wants eip712.`);
}

function keyOf(secret: Uint8Array): SigningKey {
  const point = secp256k1.getPublicKey(secret, false);
  return {
    address: parseAddress(hexOf(keccak_256(point.subarray(1)).subarray(12))),
    sign: (digest) => {
      const signature = secp256k1.sign(digest, secret, { prehash: false, format: 'recovered' });
      return { yParity: signature[0] === 1 ? 1 : 0, r: wordAt(signature, 1), s: wordAt(signature, 33) };
    },
    close: () => secret.fill(0),
  };
}
