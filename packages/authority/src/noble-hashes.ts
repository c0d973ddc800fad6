import { sha256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import type { Hashes } from './hashes.ts';

/** For a browser, a terminal and tests: where JavaScript is compiled, these are fast enough. */
export const nobleHashes: Hashes = {
  sha256,
  sha256Hex: (data) => bytesToHex(sha256(typeof data === 'string' ? utf8ToBytes(data) : data)),
  keccak256: keccak_256,
};
