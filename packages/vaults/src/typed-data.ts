import type { Address } from '@bulkhead/domain';
import { concatBytes } from '@noble/hashes/utils.js';
import {
  addressCodec,
  type Keccak,
  struct,
  type StructCodec,
  textCodec,
  type TypedField,
  type TypedValue,
  unsigned,
} from './codec.ts';

/**
 * Who verifies a signature (EIP-712): a contract, on one chain, or on every chain where its address is; or whoever reads it, where
 * it is about a chain and for no contract.
 */
export type TypedDomain = { readonly name: string; readonly version: string } & (
  | { readonly chainId?: bigint; readonly verifyingContract: Address }
  | { readonly chainId: bigint; readonly verifyingContract?: never }
);

/** Typed data in the JSON form of `eth_signTypedData_v4`. */
export type TypedData = {
  readonly domain: Readonly<Record<string, string>>;
  readonly types: Readonly<Record<string, readonly TypedField[]>>;
  readonly primaryType: string;
  readonly message: Readonly<Record<string, TypedValue>>;
};

const everywhere = struct('EIP712Domain', { name: textCodec, version: textCodec, verifyingContract: addressCodec });
const onChain = struct('EIP712Domain', {
  name: textCodec,
  version: textCodec,
  chainId: unsigned(256),
  verifyingContract: addressCodec,
});

const nowhere = struct('EIP712Domain', { name: textCodec, version: textCodec, chainId: unsigned(256) });

const prefix = Uint8Array.of(0x19, 0x01);

/** What is signed for a message: Keccak-256 over `0x1901`, the hash of the domain and the hash of the struct. */
export function typedDigest<T>(
  hashes: Keccak,
  domain: TypedDomain,
  typed: { readonly form: StructCodec<T>; readonly message: T },
): Uint8Array {
  return hashes.keccak256(typedPreimage(hashes, domain, typed));
}

/** The 66 bytes behind {@link typedDigest}, for keys that hash what they sign themselves. */
export function typedPreimage<T>(
  hashes: Keccak,
  domain: TypedDomain,
  { form, message }: { readonly form: StructCodec<T>; readonly message: T },
): Uint8Array {
  return concatBytes(prefix, domainHash(hashes, domain), form.typedWord(hashes, message));
}

/** Hash of a domain, the `DOMAIN_SEPARATOR` of a contract. */
export function domainHash(hashes: Keccak, domain: TypedDomain): Uint8Array {
  if (domain.verifyingContract === undefined) return nowhere.typedWord(hashes, domain);
  const { chainId, ...rest } = domain;
  return chainId === undefined ? everywhere.typedWord(hashes, rest) : onChain.typedWord(hashes, { ...rest, chainId });
}

/** A message as a wallet shows it, field by field. */
export function typedData<T>(
  domain: TypedDomain,
  { form, message }: { readonly form: StructCodec<T>; readonly message: T },
): TypedData {
  const { chainId, verifyingContract, ...rest } = domain;
  const domainForm = verifyingContract === undefined ? nowhere : chainId === undefined ? everywhere : onChain;
  return {
    domain: {
      ...rest,
      ...(chainId === undefined ? {} : { chainId: String(chainId) }),
      ...(verifyingContract === undefined ? {} : { verifyingContract }),
    },
    types: { EIP712Domain: domainForm.fields, ...Object.fromEntries(form.structs) },
    primaryType: form.typedType,
    message: form.typedFields(message),
  };
}
