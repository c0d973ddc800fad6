import { createHmac } from 'node:crypto';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { hmac, hmacWorkBytes, sha512 } from './hmac.ts';
import { nativeKeccak256 } from './keccak.ts';
import { type NativeModules, nativeIfPresent } from './native.ts';

/** What public derivation computes. All of it is over public data, so it may run in JavaScript where it must. */
export type PointArithmetic = {
  /** The uncompressed form, 65 bytes, of a compressed point; undefined where it is none of the curve. */
  uncompressed(publicKey: Uint8Array): Uint8Array | undefined;
  /** `point + tweak * G`, uncompressed; undefined where that is no public key. */
  tweakAdd(point: Uint8Array, tweak: Uint8Array): Uint8Array | undefined;
  hmacSha512(key: Uint8Array, message: Uint8Array): Uint8Array;
  keccak256(bytes: Buffer): Buffer;
};

/** Ten times as fast, and there on the platforms that the packages are built for. */
export function nativeArithmetic(modules: NativeModules): PointArithmetic {
  const work = new Uint8Array(hmacWorkBytes(sha512, 64));
  return {
    uncompressed: (publicKey) => orUndefined(() => modules.secp256k1.publicKeyConvert(publicKey, false)),
    tweakAdd: (point, tweak) => orUndefined(() => modules.secp256k1.publicKeyTweakAdd(point, tweak, false)),
    hmacSha512: (key, message) => {
      const out = new Uint8Array(64);
      hmac(sha512, { key, message, out, work });
      return out;
    },
    keccak256: nativeKeccak256(modules),
  };
}

export const portableArithmetic: PointArithmetic = {
  uncompressed: (publicKey) =>
    publicKey.length === 33 ? orUndefined(() => secp256k1.Point.fromBytes(publicKey).toBytes(false)) : undefined,
  tweakAdd: (point, tweak) =>
    orUndefined(() => {
      const scalar = secp256k1.Point.Fn.fromBytes(tweak);
      const parent = secp256k1.Point.fromBytes(point);
      return (scalar === 0n ? parent : parent.add(secp256k1.Point.BASE.multiply(scalar))).toBytes(false);
    }),
  hmacSha512: (key, message) => createHmac('sha512', key).update(message).digest(),
  keccak256: (bytes) => Buffer.from(keccak_256(bytes)),
};

export const pointArithmetic: PointArithmetic =
  nativeIfPresent === undefined ? portableArithmetic : nativeArithmetic(nativeIfPresent);

/** The libraries throw for what is no point; the caller knows what that means. */
function orUndefined(compute: () => Uint8Array): Uint8Array | undefined {
  try {
    return compute();
  } catch {
    return undefined;
  }
}
