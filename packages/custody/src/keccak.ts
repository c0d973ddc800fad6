import type { Keccak } from '@bulkhead/vaults';
import { keccak_256 } from '@noble/hashes/sha3.js';

/** What the pure code of vaults hashes with here. */
export const hashes: Keccak = { keccak256: (bytes) => keccak_256(bytes) };
