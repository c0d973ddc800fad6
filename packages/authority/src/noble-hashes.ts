import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import type { Hashes } from './hashes.ts';

/** For a browser, a terminal and tests: where JavaScript is compiled, these are fast enough. */
export const nobleHashes: Hashes = { sha256, keccak256: keccak_256 };
