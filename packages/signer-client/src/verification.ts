import { createHash, createPublicKey, verify } from 'node:crypto';
import {
  type RecordLine,
  type Statement,
  type VerifyEd25519,
  verifySignedRecord,
  verifySignedStatement,
} from '@bulkhead/authority';
import {
  type CertifiedAccount,
  type CertifiedDepositAddress,
  type CertifiedWallet,
  type DecisionRecord,
  type SignedStatement,
} from '@bulkhead/domain';

/** DER of a SubjectPublicKeyInfo for Ed25519 (RFC 8410) up to the 32 bytes of the key. */
const ed25519Prefix = Buffer.from('302a300506032b6570032100', 'hex');

/** What the caller pinned in its own configuration: who may sign, and for which installation. */
export type Pinned = { readonly identities: readonly string[]; readonly deployment: string };

/**
 * Verifies the Ed25519 signature (RFC 8032) of a statement by one of the pinned identity keys, and that each expected field, `kind`
 * among them, is exactly as expected.
 *
 * @param identities Public keys in hex. They come from the configuration, never from the database or from the signer's answer
 * @returns what the statement says
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyStatement(
  signed: SignedStatement,
  identities: readonly string[],
  expected: Readonly<Record<string, string>>,
): Statement {
  return verifySignedStatement(signed, { verify: nativeVerify, identities }, expected);
}

/**
 * Verifies that a pinned identity key vouches for exactly this account of this installation. Do this before any address is
 * derived from the xpub.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyAccount(certified: CertifiedAccount, { identities, deployment }: Pinned): void {
  const { certificate, compartment, xpub, residency } = certified;
  verifyStatement(certificate, identities, {
    kind: 'account-certificate',
    deployment,
    compartment: `${compartment}`,
    path: `m/44'/60'/${compartment}'`,
    xpub,
    residency,
  });
}

/**
 * Verifies that a pinned identity vouches for the address of a key of its own.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyWallet(certified: CertifiedWallet, { identities, deployment }: Pinned): void {
  const { certificate, compartment, label, address, residency } = certified;
  verifyStatement(certificate, identities, {
    kind: 'wallet-certificate',
    deployment,
    compartment: `${compartment}`,
    label,
    address,
    residency,
  });
}

/**
 * Verifies that a pinned identity vouches for exactly this: that with this key, at this address, this client pays in on this chain.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyDepositAddress(certified: CertifiedDepositAddress, { identities, deployment }: Pinned): void {
  const { certificate, client, chain, key, address } = certified;
  const { compartment } = key;
  const place = 'label' in key ? { label: key.label } : { path: `m/44'/60'/${compartment}'/0/${key.index}` };
  verifyStatement(certificate, identities, {
    kind: 'address-certificate',
    deployment,
    client,
    compartment: `${compartment}`,
    chain,
    address,
    ...place,
  });
}

/**
 * Verifies that a record stands in the signer's log at the position it names, below a head that a pinned identity key signed.
 *
 * @returns what the record says
 * @throws CustodyError `signer/certificate-invalid`, `signer/state-damaged`
 */
export function verifyRecord(record: DecisionRecord, identities: readonly string[]): RecordLine {
  return verifySignedRecord(record, { verify: nativeVerify, identities }, { sha256Hex });
}

const sha256Hex = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');

const nativeVerify: VerifyEd25519 = ({ signature, message, publicKey }) => {
  const der = Buffer.concat([ed25519Prefix, publicKey]);
  return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
};
