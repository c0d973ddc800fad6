import { type Address, parseAddress } from '@bulkhead/domain';
import { concatBytes } from '@noble/hashes/utils.js';
import { addressCodec, encodeAll, type Keccak, listOf, unsigned } from './codec.ts';
import { configHash, type VaultConfig } from './vault-config.ts';
import { bytesAt, bytesOf, type Hex, hexOf, parseWord, wordBytes, wordOf } from './word.ts';

/** The CREATE2 factory that is at the same address on every chain. It takes a salt and creation code. */
export const standardFactory: Address = parseAddress('0x4e59b44847b379578588920cA78FbF26c0B4956C');

/** What every vault of one custodian refers to, on one chain or on many. */
export type VaultSystem = {
  readonly factory: Address;
  readonly vaultImplementation: Address;
  readonly forwarderImplementation: Address;
  readonly signerSet: Address;
  /** Keccak-256 of the code that stands at each address. */
  readonly codeHashes: Readonly<Record<SystemContract, Hex>>;
};

export type SystemContract = 'factory' | 'vaultImplementation' | 'forwarderImplementation' | 'signerSet';

/**
 * Code of vaults and forwarders: without call data it returns at once, so that coin arrives from senders which forward 2,300 gas; with
 * call data it runs the implementation, whose address stands between the two halves. Nothing of the vault is in it: that is in its address.
 */
const cloneHead: Hex = '0x5f5f3615602f57365f5f37365f73';
const cloneTail: Hex = '0x5af43d5f5f3e5f3d91602f57fd5bf3';

/** Copies the 49 bytes behind it into place. */
const cloneCreation: Hex = '0x60318060095f395ff3';

const zeroSalt: Hex = `0x${'0'.repeat(64)}`;

/** Where CREATE2 puts code (EIP-1014). */
export function createdAddress(
  { keccak256 }: Keccak,
  {
    deployer,
    salt,
    creationCode,
  }: { readonly deployer: Address; readonly salt: Hex; readonly creationCode: Uint8Array },
): Address {
  const preimage = concatBytes(Uint8Array.of(0xff), bytesOf(deployer), bytesOf(salt), keccak256(creationCode));
  return parseAddress(hexOf(bytesAt(keccak256(preimage), wordBytes - 20, 20)));
}

/** Where the standard factory puts code, with salt 0. */
export function standardAddress(hashes: Keccak, creationCode: Uint8Array): Address {
  return createdAddress(hashes, { deployer: standardFactory, salt: zeroSalt, creationCode });
}

/** The code at the address of a vault or forwarder, byte for byte. */
export function cloneCode(implementation: Address): Uint8Array {
  return concatBytes(bytesOf(cloneHead), bytesOf(implementation), bytesOf(cloneTail));
}

/** Where a vault of this configuration is, on every chain, whether it is there already or not. */
export function vaultAddress(
  hashes: Keccak,
  system: Pick<VaultSystem, 'factory' | 'vaultImplementation'>,
  config: VaultConfig,
): Address {
  return cloneAddress(hashes, {
    factory: system.factory,
    implementation: system.vaultImplementation,
    salt: configHash(hashes, config),
  });
}

/** Where the forwarder of a vault with this salt is. */
export function forwarderAddress(
  hashes: Keccak,
  system: Pick<VaultSystem, 'factory' | 'forwarderImplementation'>,
  { vault, salt }: { readonly vault: Address; readonly salt: Hex },
): Address {
  const bound = hexOf(hashes.keccak256(concatBytes(addressCodec.encode(vault), bytesOf(parseWord(salt)))));
  return cloneAddress(hashes, {
    factory: system.factory,
    implementation: system.forwarderImplementation,
    salt: bound,
  });
}

/** Hash of the code that makes a clone; contracts keep it. */
export function cloneCreationHash({ keccak256 }: Keccak, implementation: Address): Uint8Array {
  return keccak256(concatBytes(bytesOf(cloneCreation), cloneCode(implementation)));
}

function cloneAddress(
  hashes: Keccak,
  clone: { readonly factory: Address; readonly implementation: Address; readonly salt: Hex },
): Address {
  const creationCode = concatBytes(bytesOf(cloneCreation), cloneCode(clone.implementation));
  return createdAddress(hashes, { deployer: clone.factory, salt: clone.salt, creationCode });
}

/** Members of a signer set when it begins. They ascend. */
export type SignerSetTerms = {
  readonly members: readonly Address[];
  readonly threshold: bigint;
  readonly changeDelay: bigint;
};

/** What the standard factory is given to make a signer set. */
export function signerSetCreationCode(creationCode: Uint8Array, terms: SignerSetTerms): Uint8Array {
  const { members, threshold, changeDelay } = terms;
  return concatBytes(
    creationCode,
    encodeAll([
      [listOf(addressCodec), members],
      [unsigned(8), threshold],
      [unsigned(32), changeDelay],
    ]),
  );
}

/** What the standard factory is given to make the delegate of one wallet. */
export function sweepDelegateCreationCode(creationCode: Uint8Array, wallet: Address): Uint8Array {
  return concatBytes(creationCode, addressCodec.encode(wallet));
}

/** Where the contracts of a build are: the factory's constructor makes both implementations. */
export function buildAddresses(
  hashes: Keccak,
  factoryCode: Uint8Array,
): Pick<VaultSystem, 'factory' | 'vaultImplementation' | 'forwarderImplementation'> {
  const factory = standardAddress(hashes, factoryCode);
  return {
    factory,
    forwarderImplementation: madeAddress(hashes, factory, 1),
    vaultImplementation: madeAddress(hashes, factory, 2),
  };
}

/** Where CREATE puts code: the end of the hash of the RLP list of maker and nonce, for nonces of one byte. */
function madeAddress({ keccak256 }: Keccak, maker: Address, nonce: number): Address {
  const preimage = concatBytes(Uint8Array.of(0xd6, 0x94), bytesOf(maker), Uint8Array.of(nonce));
  return parseAddress(hexOf(bytesAt(keccak256(preimage), wordBytes - 20, 20)));
}

/** Call data for the standard factory: the salt, then the creation code. */
export function standardDeployment(creationCode: Uint8Array): Hex {
  return hexOf(concatBytes(bytesOf(zeroSalt), creationCode));
}

/** A salt of a forwarder from a number. */
export function forwarderSalt(number: bigint): Hex {
  return hexOf(wordOf(number));
}
