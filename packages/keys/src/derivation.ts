import {
  type AccountXpub,
  type Address,
  type Compartment,
  CustodyError,
  type DeriveAddress,
  parseAddress,
} from '@bulkhead/domain';
import { assertAddressIndex } from './address-index.ts';
import { type ExtendedPublicKey, hardenedOffset, parseXpub } from './extended-key.ts';
import { pointArithmetic } from './point.ts';

/** Account nodes kept parsed. One is about half a kilobyte; the least recently used one goes first. */
export const accountNodeCountMax: number = 4_096;

const accountDepth = 3;
const externalChain = 0;

/** A public node of the tree, ready to derive children from. */
type PublicNode = {
  readonly chainCode: Uint8Array;
  /** Compressed, with room for a child number behind it: the message of the HMAC. */
  readonly message: Buffer;
  /** Uncompressed: parsing this form costs no square root. */
  readonly point: Uint8Array;
};

/**
 * Derives the address of `m/44'/60'/{compartment}'/0/{index}` from the compartment's account xpub. No private key takes part.
 *
 * The xpub must be a public key at depth 3 whose hardened child number is the compartment, so that a swapped xpub of another
 * compartment is refused. That guards against mix-ups; against somebody who writes an xpub of his own, the certificate of the
 * xpub does, and the signer, which derives every address again from the seed.
 *
 * @throws CustodyError `key/derivation`
 */
export const deriveAddress: DeriveAddress = (account: AccountXpub, index: number): Address => {
  assertAddressIndex(index);
  return parseAddress(`0x${childHash(externalNode(account), index).toString('hex', 12)}`);
};

/** Whether one of the first `indexCount` addresses of an account is this one. Some 60 microseconds for each that is not. */
export function hasAddress(account: AccountXpub, address: Address, indexCount: number): boolean {
  const node = externalNode(account);
  const wanted = Buffer.from(address.slice(2), 'hex');
  for (let index = 0; index < indexCount; index++) {
    if (childHash(node, index).compare(wanted, 0, 20, 12) === 0) return true;
  }
  return false;
}

/** The EVM address of an uncompressed point: the last 20 bytes of Keccak-256 over its coordinates. */
export function addressOfPublicKey(publicKey: Uint8Array): Address {
  return parseAddress(`0x${pointHash(publicKey).toString('hex', 12)}`);
}

function pointHash(point: Uint8Array): Buffer {
  return pointArithmetic.keccak256(Buffer.from(point.buffer, point.byteOffset + 1, 64));
}

function childHash(node: PublicNode, index: number): Buffer {
  return pointHash(childOf(node, index).point);
}

function childOf(node: PublicNode, index: number): { readonly point: Uint8Array; readonly chainCode: Uint8Array } {
  node.message.writeUInt32BE(index, 33);
  const derived = pointArithmetic.hmacSha512(node.chainCode, node.message);
  const point = pointArithmetic.tweakAdd(node.point, derived.subarray(0, 32));
  if (point === undefined) {
    // One index in 2^127. BIP-32 lets one go on to the next, and two indices would share an address.
    throw new CustodyError('key/derivation', `BIP-32 has no key at index ${index} here. Use the next one.`);
  }
  return { point, chainCode: derived.subarray(32) };
}

// Base58, the checksum, the point and the first derivation cost more than an address, and an xpub never changes: parse each once.
const externalNodes = new Map<string, PublicNode>();

function externalNode(account: AccountXpub): PublicNode {
  const key = `${account.compartment}:${account.xpub}`;
  const node = externalNodes.get(key) ?? openExternal(account);
  // Taken out and put back, so that the first entry is always the one that was not used for longest.
  externalNodes.delete(key);
  externalNodes.set(key, node);
  if (externalNodes.size > accountNodeCountMax) {
    const oldest = externalNodes.keys().next();
    if (oldest.done !== true) externalNodes.delete(oldest.value);
  }
  return node;
}

function openExternal(account: AccountXpub): PublicNode {
  const { chainCode, publicKey } = parseAccount(account);
  const point = pointArithmetic.uncompressed(publicKey);
  if (point === undefined) throw underivable(account.compartment, 'is no BIP-32 extended public key');
  const chain = childOf(publicNode({ chainCode, point }), externalChain);
  return publicNode(chain);
}

function publicNode(of: { readonly chainCode: Uint8Array; readonly point: Uint8Array }): PublicNode {
  const message = Buffer.alloc(37);
  // 02 for an even y, 03 for an odd one, then x (SEC 1).
  message.writeUInt8(2 + ((of.point[64] ?? 0) & 1));
  message.set(of.point.subarray(1, 33), 1);
  return { chainCode: Uint8Array.from(of.chainCode), message, point: of.point };
}

function parseAccount(account: AccountXpub): ExtendedPublicKey {
  const { compartment } = account;
  const node = parseXpub(account.xpub);
  if (node === undefined) throw underivable(compartment, 'is no BIP-32 extended public key');
  if (node === 'private') {
    throw underivable(compartment, 'is an extended private key, which must never leave the signer');
  }
  if (node.depth !== accountDepth) {
    throw underivable(compartment, `is at depth ${node.depth}, an account is at depth ${accountDepth}`);
  }
  if (node.childNumber !== hardenedOffset + compartment) {
    const hardened = node.childNumber >= hardenedOffset;
    const level = hardened ? `${node.childNumber - hardenedOffset}'` : `${node.childNumber}`;
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
