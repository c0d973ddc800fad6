import { type Compartment, CustodyError, type KeyPath, parseCompartment, type Signature } from '@bulkhead/domain';
import { assertAddressIndex } from './address-index.ts';
import { fingerprintOf, hardenedOffset, writeXpub } from './extended-key.ts';
import { hmac, hmacWorkBytes, sha512 } from './hmac.ts';
import { createSecret, type Secret } from './memory.ts';
import { seedOfEntropy } from './mnemonic.ts';
import { nativeModules } from './native.ts';
import { assertDigest, checkedSignature } from './signature.ts';

const purpose = 44;
const coinTypeEther = 60;
const accountDepth = 3;
const externalChain = 0;

/**
 * The private keys of one seed at `m/44'/60'/{compartment}'/0/{index}` (BIP-32, BIP-44). Of the seed only the node `m/44'/60'` is
 * kept, in locked memory; each key is derived anew for each signature and wiped before the signature is given out.
 */
export type KeyTree = Disposable & {
  /** BIP-32 fingerprint of the master key, eight hex digits. */
  readonly fingerprint: string;
  /** `m/44'/60'/{compartment}'`: hardened, so that no key of one compartment leads to a key of another. */
  accountXpub(compartment: Compartment): string;
  /** Uncompressed point, 65 bytes. */
  publicKey(path: KeyPath): Uint8Array;
  /** Deterministic ECDSA (RFC 6979) over 32 bytes. */
  sign(path: KeyPath, digest: Uint8Array): Signature;
  /** Wipes the node. Every later call is a broken invariant. */
  wipe(): void;
};

/**
 * The tree of an entropy: entropy → words of BIP-39 (no passphrase) → seed → master key. The caller wipes the entropy.
 *
 * @throws CustodyError `key/native-module-missing`, `key/memory-lock`, `key/malformed-mnemonic`
 */
export function openTree(entropy: Secret): KeyTree {
  const memory = createSecret(coinBytes + deskBytes);
  try {
    using seed = seedOfEntropy(entropy);
    const { master, coin } = memory.write((bytes) => seed.read((seedRead) => writeCoin(bytes, seedRead)));
    return treeOf(memory, { fingerprint: Buffer.from(master).toString('hex'), coin });
  } catch (error) {
    memory.wipe();
    throw error;
  }
}

/** The BIP-32 fingerprint of the master key that an entropy leads to, eight hex digits. */
export function masterFingerprint(entropy: Secret): string {
  using tree = openTree(entropy);
  return tree.fingerprint;
}

function treeOf(memory: Secret, of: { readonly fingerprint: string; readonly coin: Uint8Array }): KeyTree {
  const { secp256k1 } = nativeModules();
  /** Gives the action the node of a path, and overwrites all but `m/44'/60'` whatever happens. */
  const at = <T>(path: readonly number[], action: (node: Uint8Array) => T): T =>
    memory.write((bytes) => {
      const desk = deskOf(bytes.subarray(coinBytes));
      try {
        desk.node.set(bytes.subarray(0, coinBytes));
        for (const childNumber of path) stepDown(desk, childNumber);
        return action(desk.node);
      } finally {
        nativeModules().sodium.sodium_memzero(bytes.subarray(coinBytes));
      }
    });
  const keyAt = <T>(path: KeyPath, action: (key: Uint8Array) => T): T => {
    assertAddressIndex(path.index);
    const account = hardenedOffset + parseCompartment(path.compartment);
    return at([account, externalChain, path.index], (node) => action(node.subarray(0, 32)));
  };
  return {
    fingerprint: of.fingerprint,
    accountXpub: (compartment) => {
      const childNumber = hardenedOffset + parseCompartment(compartment);
      return at([childNumber], (node) =>
        writeXpub({
          depth: accountDepth,
          parentFingerprint: of.coin,
          childNumber,
          chainCode: node.subarray(32),
          publicKey: secp256k1.publicKeyCreate(node.subarray(0, 32), true),
        }),
      );
    },
    publicKey: (path) => keyAt(path, (key) => secp256k1.publicKeyCreate(key, false)),
    sign: (path, digest) => {
      assertDigest(digest);
      const { publicKey, made } = keyAt(path, (key) => ({
        publicKey: secp256k1.publicKeyCreate(key, false),
        made: secp256k1.ecdsaSign(digest, key),
      }));
      return checkedSignature({ compact: made.signature, recovery: made.recid, digest, publicKey });
    },
    wipe: () => memory.wipe(),
    [Symbol.dispose]: () => memory.wipe(),
  };
}

/** A private node: key and chain code. */
const nodeBytes = 64;
const coinBytes = nodeBytes;
const messageBytes = 37;
const seedBytesMax = 64;
const masterKey = Buffer.from('Bitcoin seed', 'ascii');

/** Bytes of locked memory in which nodes are derived. */
export const deskBytes: number = nodeBytes + messageBytes + 64 + hmacWorkBytes(sha512, seedBytesMax);

/** Where one node after the other is written over the one before. */
type Desk = {
  readonly node: Uint8Array;
  readonly message: Uint8Array;
  readonly derived: Uint8Array;
  readonly work: Uint8Array;
};

export function deskOf(bytes: Uint8Array): Desk {
  const messageEnd = nodeBytes + messageBytes;
  return {
    node: bytes.subarray(0, nodeBytes),
    message: bytes.subarray(nodeBytes, messageEnd),
    derived: bytes.subarray(messageEnd, messageEnd + 64),
    work: bytes.subarray(messageEnd + 64),
  };
}

/** Leaves `m/44'/60'` at the start of the bytes and zeros behind; answers the fingerprints of the master key and of this node. */
function writeCoin(bytes: Uint8Array, seed: Uint8Array): { readonly master: Uint8Array; readonly coin: Uint8Array } {
  const { sodium } = nativeModules();
  const desk = deskOf(bytes.subarray(coinBytes));
  try {
    writeMaster(desk, seed);
    const master = nodeFingerprint(desk.node);
    stepDown(desk, hardenedOffset + purpose);
    stepDown(desk, hardenedOffset + coinTypeEther);
    bytes.set(desk.node);
    return { master, coin: nodeFingerprint(desk.node) };
  } finally {
    sodium.sodium_memzero(bytes.subarray(coinBytes));
  }
}

function nodeFingerprint(node: Uint8Array): Uint8Array {
  return fingerprintOf(nativeModules().secp256k1.publicKeyCreate(node.subarray(0, 32), true));
}

/** The master node of a seed of 16 to 64 bytes (BIP-32). */
export function writeMaster(desk: Desk, seed: Uint8Array): void {
  hmac(sha512, { key: masterKey, message: seed, out: desk.node, work: desk.work });
  if (!nativeModules().secp256k1.privateKeyVerify(desk.node.subarray(0, 32))) {
    throw new CustodyError('key/derivation', 'BIP-32 has no master key for this seed. Make another one.');
  }
}

/** One step of BIP-32: the node becomes its child. */
export function stepDown(desk: Desk, childNumber: number): void {
  const { node, message, derived, work } = desk;
  const key = node.subarray(0, 32);
  const point = message.subarray(0, 33);
  if (childNumber >= hardenedOffset) {
    point[0] = 0;
    point.set(key, 1);
  } else {
    nativeModules().secp256k1.publicKeyCreate(key, true, point);
  }
  new DataView(message.buffer, message.byteOffset).setUint32(33, childNumber);
  hmac(sha512, { key: node.subarray(32), message, out: derived, work });
  addTweak(desk, childNumber);
}

/**
 * For about one index in 2^127 the key does not exist, and BIP-32 lets one go on to the next index: two indices would share an
 * address. Such an index is refused instead.
 */
export function addTweak(desk: Desk, childNumber: number): void {
  const { node, derived } = desk;
  try {
    nativeModules().secp256k1.privateKeyTweakAdd(node.subarray(0, 32), derived.subarray(0, 32));
  } catch (error) {
    throw new CustodyError('key/derivation', `BIP-32 has no key at index ${childNumber} here. Use the next one.`, {
      cause: error,
    });
  }
  node.set(derived.subarray(32), 32);
}
