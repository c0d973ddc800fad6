import { createPublicKey, verify } from 'node:crypto';
import { clientSignatureClaim, type ClientSignatureClaim, nobleHashes } from '@bulkhead/authority';
import type { Address } from '@bulkhead/domain';
import { agreementDigest, type Hex, hexOf, type VaultTerms } from '@bulkhead/vaults';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';

/** What is wrong with the client's signature over the terms of a vault, or undefined where it holds. */
export function objectionToAgreement(vault: Address, terms: VaultTerms, agreement: Hex): string | undefined {
  const digest = agreementDigest(nobleHashes, vault, terms);
  const given = { key: terms.config.clientKey, digest, signature: agreement.slice(2) };
  try {
    const claim = clientSignatureClaim(nobleHashes, given);
    return isTrue(claim) ? undefined : 'the signature over the terms is not that of the client key';
  } catch (error) {
    return error instanceof Error ? error.message : 'the signature over the terms cannot be read';
  }
}

function isTrue(claim: ClientSignatureClaim): boolean {
  switch (claim.kind) {
    case 'secp256k1': {
      const signature = secp256k1.Signature.fromBytes(claim.signature, 'compact').addRecoveryBit(claim.recovery);
      const point = signature.recoverPublicKey(claim.digest).toBytes(false);
      return hexOf(keccak_256(point.subarray(1)).subarray(12)) === claim.address;
    }
    case 'passkey': {
      const part = (value: bigint): string =>
        Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toString('base64url');
      const jwk = { kty: 'EC', crv: 'P-256', x: part(claim.point.x), y: part(claim.point.y) };
      const key = createPublicKey({ key: jwk, format: 'jwk' });
      return verify('sha256', claim.signed, { key, dsaEncoding: 'ieee-p1363' }, claim.signature);
    }
  }
}
