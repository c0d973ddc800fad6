import type { Address } from '@bulkhead/domain';
import { type Keccak, struct, type StructCodec, wordHexCodec } from './codec.ts';
import { initialPolicyCodec } from './initial-policy.ts';
import { type TypedData, typedData, typedDigest, type TypedDomain } from './typed-data.ts';
import { vaultConfigCodec, type VaultTerms } from './vault-config.ts';
import type { Hex } from './word.ts';

const termsCodec: StructCodec<VaultTerms> = struct('VaultAgreement', {
  config: vaultConfigCodec,
  policy: initialPolicyCodec,
});

/** The client has the certificate: SHA-256 of its bytes. */
type Receipt = { readonly certificate: Hex };
const receiptCodec: StructCodec<Receipt> = struct('VaultReceipt', { certificate: wordHexCodec });

/** No chain: the same vault is at the same address on all of them. */
function domainOf(vault: Address): TypedDomain {
  return { name: 'Bulkhead Vault Agreement', version: '1', verifyingContract: vault };
}

/** What a client key signs before there is a vault: the whole configuration, and the policy from the start. */
export function agreementDigest(hashes: Keccak, vault: Address, terms: VaultTerms): Uint8Array {
  return typedDigest(hashes, domainOf(vault), { form: termsCodec, message: terms });
}

export function agreementData(vault: Address, terms: VaultTerms): TypedData {
  return typedData(domainOf(vault), { form: termsCodec, message: terms });
}

/** What a client key signs when the client holds the certificate of a vault; its address is not shown before. */
export function receiptDigest(hashes: Keccak, vault: Address, certificate: Hex): Uint8Array {
  return typedDigest(hashes, domainOf(vault), { form: receiptCodec, message: { certificate } });
}

export function receiptData(vault: Address, certificate: Hex): TypedData {
  return typedData(domainOf(vault), { form: receiptCodec, message: { certificate } });
}
