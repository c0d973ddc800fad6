import {
  type AccountXpub,
  type Address,
  type Compartment,
  CustodyError,
  type DeriveAddress,
  invariant,
  parseAddress,
} from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { HARDENED_OFFSET, HDKey } from '@scure/bip32';

/** Largest address index: 31 bits, because the level is not hardened. */
export const addressIndexMax: number = 2 ** 31 - 1;

/** Account nodes kept parsed. One is about a kilobyte; the least recently used one goes first. */
export const accountNodeCountMax: number = 4_096;

const purpose = 44;
const coinTypeEther = 60;
const accountDepth = 3;
const externalChain = 0;

/** `m/44'/60'` (BIP-44, SLIP-44), the node above all compartments. It can sign for every one of them. */
export function coinNode(seed: Uint8Array): HDKey {
  const master = HDKey.fromMasterSeed(seed);
  const purposeNode = child(master, HARDENED_OFFSET + purpose);
  const node = child(purposeNode, HARDENED_OFFSET + coinTypeEther);
  master.wipePrivateData();
  purposeNode.wipePrivateData();
  return node;
}

/** `m/44'/60'/{compartment}'`: hardened, so that no key of one compartment leads to a key of another. */
export function accountNode(coin: HDKey, compartment: Compartment): HDKey {
  return child(coin, HARDENED_OFFSET + compartment);
}

/** `{account}/0/{index}`, private where the account is. */
export function addressNode(account: HDKey, index: number): HDKey {
  assertAddressIndex(index);
  const chain = child(account, externalChain);
  const node = child(chain, index);
  chain.wipePrivateData();
  return node;
}

/**
 * Derives the address of `m/44'/60'/{compartment}'/0/{index}` from the compartment's account xpub. No private key takes part.
 *
 * The xpub must be a public key at depth 3 whose hardened child number is the compartment, so that a swapped xpub of another
 * compartment is refused. That guards against mix-ups; against somebody who writes an xpub of his own, only the signer does,
 * which derives every address again from the seed.
 *
 * @throws CustodyError `key/derivation`
 */
export const deriveAddress: DeriveAddress = (account: AccountXpub, index: number): Address => {
  assertAddressIndex(index);
  return addressOf(child(externalNode(account), index));
};

/** Whether one of the first `indexCount` addresses of an account is this one. About a millisecond for each that is not. */
export function hasAddress(account: AccountXpub, address: Address, indexCount: number): boolean {
  for (let index = 0; index < indexCount; index++) {
    if (deriveAddress(account, index) === address) return true;
  }
  return false;
}

/** The EVM address of a node's public key: the last 20 bytes of Keccak-256 over the uncompressed point. */
export function addressOf(node: HDKey): Address {
  const publicKey = node.publicKey;
  invariant(publicKey !== null, 'An HD node has no public key.');
  return addressOfPublicKey(publicKey);
}

/** The EVM address of a public key on secp256k1, compressed or not. */
export function addressOfPublicKey(publicKey: Uint8Array): Address {
  const point = secp256k1.Point.fromBytes(publicKey).toBytes(false);
  return parseAddress(`0x${bytesToHex(keccak_256(point.subarray(1)).subarray(12))}`);
}

// Base58, the checksum and the first derivation cost more than an address, and an xpub never changes: parse each one once.
const externalNodes = new Map<string, HDKey>();

function externalNode(account: AccountXpub): HDKey {
  const key = `${account.compartment}:${account.xpub}`;
  const cached = externalNodes.get(key);
  const node = cached ?? child(parseAccount(account), externalChain);
  // Taken out and put back, so that the first entry is always the one that was not used for longest.
  externalNodes.delete(key);
  externalNodes.set(key, node);
  if (externalNodes.size > accountNodeCountMax) {
    const oldest = externalNodes.keys().next();
    if (oldest.done !== true) externalNodes.delete(oldest.value);
  }
  return node;
}

function parseAccount(account: AccountXpub): HDKey {
  const { compartment, xpub } = account;
  let node: HDKey;
  try {
    node = HDKey.fromExtendedKey(xpub);
  } catch {
    // Neither the text nor the library's error is quoted: an xpub is confidential, and the text may be a private key.
    throw underivable(compartment, 'is no BIP-32 extended public key');
  }
  if (node.privateKey !== null) {
    node.wipePrivateData();
    throw underivable(compartment, 'is an extended private key, which must never leave the signer');
  }
  if (node.depth !== accountDepth) {
    throw underivable(compartment, `is at depth ${node.depth}, an account is at depth ${accountDepth}`);
  }
  if (node.index !== HARDENED_OFFSET + compartment) {
    const level = node.index >= HARDENED_OFFSET ? `${node.index - HARDENED_OFFSET}'` : `${node.index}`;
    throw underivable(compartment, `belongs to account ${level}`);
  }
  return node;
}

function underivable(compartment: Compartment, fact: string): CustodyError {
  return new CustodyError(
    'key/derivation',
    `The account xpub given for compartment ${compartment} ${fact}. Ask the signer for the xpub of this compartment again.`,
    { details: { compartment } },
  );
}

function assertAddressIndex(index: number): void {
  if (!Number.isInteger(index) || index < 0 || index > addressIndexMax) {
    throw new CustodyError(
      'key/derivation',
      `${index} is no address index: a whole number from 0 to ${addressIndexMax}.`,
    );
  }
}

/**
 * One step of BIP-32. For about one index in 2^127 the key does not exist, and the library then goes on to the next index: two
 * indices would share an address. Such an index is refused instead.
 */
function child(parent: HDKey, index: number): HDKey {
  const node = parent.deriveChild(index);
  if (node.index !== index) {
    throw new CustodyError('key/derivation', `BIP-32 has no key at index ${index} here. Use the next one.`);
  }
  return node;
}
