import { closeSync, fsyncSync, openSync, readSync } from 'node:fs';
import { hash } from 'node:crypto';
import type { ProofTask } from '@bulkhead/proofs';
import { privateMode, writeWhole } from './line-file.ts';

/** A proof of sixteen values of 128 bits is the longest there is: 992 bytes. */
const proofBytesMax = 1_024;
const digestBytes = 32;
const slotBytes = 2 + digestBytes + proofBytesMax;

/** Written through to the disk after so many proofs: what a loss of power costs, some seconds of work. */
const syncEvery = 64;

/**
 * Proofs that are done, each in its place in one file, with a digest of the proof and of what it proves. A proof that was written half, that
 * was changed, or that is of other leaves has another digest, and is made again.
 */
export class ProofFile implements Disposable {
  readonly #file: number;
  #unsynced = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'a+', privateMode);
    closeSync(this.#file);
    this.#file = openSync(path, 'r+');
  }

  /** The proof of a task, if it was made before. */
  find(task: ProofTask): Uint8Array | undefined {
    const slot = Buffer.alloc(slotBytes);
    const read = readSync(this.#file, slot, 0, slotBytes, task.index * slotBytes);
    const length = read < slotBytes ? 0 : slot.readUInt16BE(0);
    if (length === 0 || length > proofBytesMax) return undefined;
    const proof = Uint8Array.from(slot.subarray(2 + digestBytes, 2 + digestBytes + length));
    return slot.subarray(2, 2 + digestBytes).equals(digestOf(task, proof)) ? proof : undefined;
  }

  /**
   * Keeps a proof. One write of one slot: a process that is killed in it leaves a slot whose digest is wrong, and the work of one proof is
   * lost.
   */
  keep(task: ProofTask, proof: Uint8Array): void {
    const slot = Buffer.alloc(slotBytes);
    slot.writeUInt16BE(proof.length, 0);
    slot.set(digestOf(task, proof), 2);
    slot.set(proof, 2 + digestBytes);
    writeWhole(this.#file, slot, task.index * slotBytes);
    this.#unsynced += 1;
    if (this.#unsynced < syncEvery) return;
    fsyncSync(this.#file);
    this.#unsynced = 0;
  }

  [Symbol.dispose](): void {
    fsyncSync(this.#file);
    closeSync(this.#file);
  }
}

function digestOf({ subject, context, index, bits, hashes }: ProofTask, proof: Uint8Array): Buffer {
  const about = JSON.stringify([subject, index, bits, hashes.length]);
  return hash('sha256', Buffer.concat([Buffer.from(about), context, ...hashes, proof]), 'buffer');
}
