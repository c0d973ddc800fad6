import { createHash } from 'node:crypto';
import {
  type AccountXpub,
  type Address,
  type Compartment,
  type DeriveAddress,
  invariant,
  isHash,
  type Hash,
  type KeyPath,
  type KeyRef,
  parseAddress,
  type Signature,
} from '@bulkhead/domain';

export function digestOf(...parts: readonly (string | Uint8Array)[]): string {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(String(part.length)).update(':').update(part);
  return digest.digest('hex');
}

export function hashOf(...parts: readonly (string | Uint8Array)[]): Hash {
  const hash = `0x${digestOf(...parts)}`;
  invariant(isHash(hash), 'A SHA-256 digest did not read as a hash.');
  return hash;
}

/** The address of a name: of a contract, or of somebody outside. */
export function namedAddress(name: string): Address {
  return parseAddress(`0x${digestOf('address', name).slice(0, 40)}`);
}

export function addressOfPath(path: KeyPath): Address {
  return namedAddress(`key ${path.compartment}/${path.index}`);
}

/** Also of a key of its own. */
export function addressOfKey(key: KeyRef): Address {
  return 'label' in key ? namedAddress(`own key ${key.compartment}/${key.label}`) : addressOfPath(key);
}

export function fakeXpub(compartment: Compartment): AccountXpub {
  return { compartment, xpub: `xpub-fake-${compartment}` };
}

/** Address as a function of compartment and index; an xpub that {@link fakeXpub} did not make is refused. */
export const fakeDerive: DeriveAddress = (account, index) => {
  invariant(account.xpub === fakeXpub(account.compartment).xpub, 'The xpub is not the one of its compartment.', {
    xpub: account.xpub,
    compartment: account.compartment,
  });
  return addressOfPath({ compartment: account.compartment, index });
};

const tagBits = 96n;

/**
 * Stands in for ECDSA with recovery: `r` carries the signer's address and a tag, `s` is a digest of address and bytes. Whoever
 * has the address can sign, which is how a theft is made; a signature over other bytes recovers to somebody without coins.
 */
export function signAs(address: Address, unsigned: Uint8Array): Signature {
  const tag = BigInt(`0x${digestOf('tag', address, unsigned)}`);
  const proof = BigInt(`0x${digestOf('proof', address, unsigned)}`);
  return {
    r: (BigInt(address) << tagBits) | (tag >> (256n - tagBits)) | 1n,
    s: (proof >> 2n) | 1n,
    yParity: (tag & 1n) === 0n ? 0 : 1,
  };
}

/** Who signed these bytes. As with ECDSA there is always an answer; that of a forged signature is an address nobody holds. */
export function recoverSigner(unsigned: Uint8Array, signature: Signature): Address {
  const digits = (signature.r >> tagBits).toString(16).padStart(40, '0');
  if (digits.length === 40) {
    const address = parseAddress(`0x${digits}`);
    const right = signAs(address, unsigned);
    const same = right.r === signature.r && right.s === signature.s && right.yParity === signature.yParity;
    if (same) return address;
  }
  return namedAddress(`stray ${signature.r}/${signature.s}/${signature.yParity}/${digestOf(unsigned)}`);
}
