import { nativeModules } from './native.ts';

/** What HMAC needs to know of a hash (RFC 2104), in bytes. */
type Hash = {
  readonly block: number;
  readonly digest: number;
  readonly name: 'crypto_hash_sha256' | 'crypto_hash_sha512';
};

export const sha256: Hash = { block: 64, digest: 32, name: 'crypto_hash_sha256' };
export const sha512: Hash = { block: 128, digest: 64, name: 'crypto_hash_sha512' };

/** Bytes of working memory for {@link hmac}. */
export function hmacWorkBytes(hash: Hash, messageBytesMax: number): number {
  return 2 * hash.block + messageBytesMax + hash.digest;
}

/**
 * HMAC (RFC 2104) that puts every intermediate value where the caller says. The one of `node:crypto` answers in a buffer of its
 * own, and is several times slower for a single block. The key is at most a block long; `work` holds the message afterwards and
 * is wiped by who gave it.
 */
export function hmac(
  hash: Hash,
  of: { readonly key: Uint8Array; readonly message: Uint8Array; readonly out: Uint8Array; readonly work: Uint8Array },
): void {
  const { sodium } = nativeModules();
  const { key, message, work } = of;
  const innerEnd = hash.block + message.length;
  const inner = work.subarray(0, innerEnd);
  const outer = work.subarray(innerEnd, innerEnd + hash.block + hash.digest);
  inner.fill(0x36, 0, hash.block);
  outer.fill(0x5c, 0, hash.block);
  for (let at = 0; at < key.length; at++) {
    const byte = key[at] ?? 0;
    inner[at] = byte ^ 0x36;
    outer[at] = byte ^ 0x5c;
  }
  inner.set(message, hash.block);
  sodium[hash.name](outer.subarray(hash.block), inner);
  sodium[hash.name](of.out, outer);
}
