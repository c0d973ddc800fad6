import { CustodyError } from '@bulkhead/domain';
import type { NativeModules } from './native.ts';

const rateBits = 1_088;
const capacityBits = 512;
const digestBytes = 32;
const empty = 'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470';

/**
 * The Keccak-256 of Ethereum (not FIPS 202). The package wraps each hash in a stream, which costs ten times the hash where JavaScript
 * has no compiler; one state is made here and begins anew for each call, which nothing can interrupt.
 *
 * @throws CustodyError `key/native-module-missing` where the package computes something else
 */
export function nativeKeccak256({ keccak }: NativeModules): (bytes: Uint8Array) => Buffer {
  const { _state: state } = keccak('keccak256');
  const digest = (bytes: Uint8Array): Buffer => {
    state.initialize(rateBits, capacityBits);
    state.absorb(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return state.squeeze(digestBytes);
  };
  if (digest(new Uint8Array()).toString('hex') === empty) return digest;
  throw new CustodyError(
    'key/native-module-missing',
    'The native module keccak does not compute the Keccak-256 of Ethereum. Install the exact version that the lock file names.',
  );
}
