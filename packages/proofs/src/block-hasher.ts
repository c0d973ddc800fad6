import { keccak_256 } from '@noble/hashes/sha3.js';
import { type KeccakMachine, machineMessageMax, startKeccakMachine } from './machine/keccak-machine.ts';

/**
 * Keccak-256 of short messages: a message is written into `block`, `run` hashes its first bytes into `hash`, and the next
 * call overwrites both. Every hash of a proof is of one block, which is what makes trees of millions of leaves bearable.
 */
export type BlockHasher = KeccakMachine;

/** The same everywhere, and slower by ten times: for verifiers, and where WebAssembly is forbidden. */
export function portableBlockHasher(): BlockHasher {
  const block = new Uint8Array(machineMessageMax + 1);
  const hash = new Uint8Array(32);
  return {
    block,
    hash,
    run: (length) => {
      if (length > machineMessageMax) {
        throw new RangeError(`A message has ${length} bytes, at most ${machineMessageMax}.`);
      }
      hash.set(keccak_256(block.subarray(0, length)));
    },
  };
}

/** The fastest that this place allows. */
export function fastBlockHasher(): BlockHasher {
  try {
    return startKeccakMachine();
  } catch {
    // No WebAssembly here, or a page's policy against it. The bytes are the same either way.
    return portableBlockHasher();
  }
}
