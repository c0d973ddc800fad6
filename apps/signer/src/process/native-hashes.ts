import { createHash } from 'node:crypto';
import type { Hashes } from '@bulkhead/authority';
import { nativeModules } from '@bulkhead/keys';

/** Native hashes: in JavaScript without a compiler they would take milliseconds. */
export function nativeHashes(): Hashes {
  const { keccak } = nativeModules();
  return {
    sha256: (bytes) => createHash('sha256').update(bytes).digest(),
    keccak256: (bytes) => keccak('keccak256').update(Buffer.from(bytes)).digest(),
  };
}
