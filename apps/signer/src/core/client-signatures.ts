import { createPublicKey, verify } from 'node:crypto';
import { agreementClaims, type ClientSignatureClaim, type Hashes, parseList, type Registry } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import { addressOfPublicKey, nativeModules } from '@bulkhead/keys';

/**
 * Every vault in a list is one that its client agreed to, with the client's own key. Whoever approves a list cannot know that, and need
 * not be believed.
 *
 * @throws CustodyError `signer/registry-list`
 */
export function assertAgreed(hashes: Hashes, registry: Registry, list: string): void {
  for (const { vault, claim } of agreementClaims(hashes, registry, parseList(list))) {
    if (isRight(claim)) continue;
    throw new CustodyError(
      'signer/registry-list',
      `The client of the vault ${vault.address} has not signed this configuration and policy: the signature is not of the key in it, or over something else. Have the client sign what the list says.`,
      { details: { vault: vault.address } },
    );
  }
}

function isRight(claim: ClientSignatureClaim): boolean {
  try {
    return claim.kind === 'secp256k1' ? recovers(claim) : verifies(claim);
  } catch {
    // Bytes that are no signature, or no point.
    return false;
  }
}

type Claim<K extends ClientSignatureClaim['kind']> = Extract<ClientSignatureClaim, { readonly kind: K }>;

function recovers({ signature, recovery, digest, address }: Claim<'secp256k1'>): boolean {
  return addressOfPublicKey(nativeModules().secp256k1.ecdsaRecover(signature, recovery, digest, false)) === address;
}

function verifies({ signed, signature, point }: Claim<'passkey'>): boolean {
  const word = (value: bigint): string =>
    Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: word(point.x), y: word(point.y) };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
}
