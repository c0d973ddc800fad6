import { hexToBytes } from '@noble/hashes/utils.js';

/**
 * The hash functions of whoever asks. The signer runs without a compiler for JavaScript, where hashes written in it take
 * milliseconds, and passes native ones; a browser passes {@link nobleHashes}.
 */
export type Hashes = {
  /** FIPS 180-4, 32 bytes. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  /** The same over bytes, or over the UTF-8 bytes of a text, in lower-case hex. */
  readonly sha256Hex: (data: Uint8Array | string) => string;
  /** The Keccak of Ethereum (not FIPS 202), 32 bytes. */
  readonly keccak256: (bytes: Uint8Array) => Uint8Array;
};

/** Digits of a SHA-256 in hex. */
export const digestHexLength: number = 64;

/** Head of a chain of hashes before its first element. */
export const zeroHash: string = '0'.repeat(digestHexLength);

const hexForm = /^(?:[0-9a-f]{2})*$/u;

/** Whether a text is lower-case hex of so many bytes. */
export function isHex(text: string, bytes: number): boolean {
  return text.length === bytes * 2 && hexForm.test(text);
}

/** SHA-256 of a text's UTF-8 bytes, lower-case hex. */
export function textDigest(hashes: Pick<Hashes, 'sha256Hex'>, text: string): string {
  return hashes.sha256Hex(text);
}

/** Next head of a chain: SHA-256 over the 32 bytes of the head before and the 32 bytes of the new element's digest, hex. */
export function chainHash(hashes: Pick<Hashes, 'sha256Hex'>, previous: string, digest: string): string {
  return hashes.sha256Hex(hexToBytes(previous + digest));
}
