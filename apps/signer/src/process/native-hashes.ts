import { hash } from 'node:crypto';
import type { Hashes } from '@bulkhead/authority';
import { nativeKeccak256, nativeModules } from '@bulkhead/keys';

/** Native hashes: in JavaScript without a compiler they would take milliseconds. */
export function nativeHashes(): Hashes {
  return {
    sha256: (bytes) => hash('sha256', bytes, 'buffer'),
    sha256Hex: (data) => hash('sha256', data, 'hex'),
    keccak256: nativeKeccak256(nativeModules()),
  };
}
