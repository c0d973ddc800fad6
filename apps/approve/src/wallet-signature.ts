import { type Address, parseAddress } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** `v` of the first of the two points that a signature can recover to (EIP-155 left aside, as EIP-712 does). */
const firstV = 27;

/** `r || s || v` in hex, as approvals have it, of `recovery || r || s`. */
export function walletSignature(recovered: Uint8Array): string {
  return bytesToHex(Uint8Array.of(...recovered.subarray(1), firstV + (recovered[0] ?? 0)));
}

/** The address of an uncompressed point, `04 || x || y`. */
export function addressOfPoint(point: Uint8Array): Address {
  return parseAddress(`0x${bytesToHex(keccak_256(point.subarray(1))).slice(-40)}`);
}

/** What a wallet answered, in the one form that the signer takes. */
export type WalletAnswer = { readonly signature: string; readonly address: Address };

/**
 * Reads what a wallet answered to `eth_signTypedData_v4`, and says whose it is. Wallets write `v` as 0 or 1 and as 27 or 28, and some
 * give the larger `s`; both have one equal form.
 *
 * @returns undefined for what is no signature
 */
export function readWalletAnswer(answer: unknown, digest: Uint8Array): WalletAnswer | undefined {
  if (typeof answer !== 'string' || !/^0x[0-9a-fA-F]{130}$/u.test(answer)) return undefined;
  const v = Number.parseInt(answer.slice(130), 16);
  const bit = v >= firstV ? v - firstV : v;
  if (bit !== 0 && bit !== 1) return undefined;
  try {
    const compact = Uint8Array.from(answer.slice(2, 130).match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16));
    const given = secp256k1.Signature.fromBytes(compact, 'compact').addRecoveryBit(bit);
    const signature = given.hasHighS()
      ? new secp256k1.Signature(given.r, secp256k1.Point.Fn.neg(given.s), bit === 0 ? 1 : 0)
      : given;
    const point = signature.recoverPublicKey(digest).toBytes(false);
    return { signature: walletSignature(signature.toBytes('recovered')), address: addressOfPoint(point) };
  } catch {
    return undefined;
  }
}
