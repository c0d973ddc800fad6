import type { Group } from './group.ts';
import { partiesMax, type RangeBits, rangeProofBytes } from './range-proof.ts';
import { proveRanges } from './range-prover.ts';
import { newTranscript, type Transcript } from './transcript.ts';

/** What a group of commitments is: leaves, or what rows have left; and how much of the liabilities must be covered. */
export type ProofSubject = { readonly kind: 'leaves' } | { readonly kind: 'solvency'; readonly ratio: CoverageRatio };

/** `reserves` times the reserves cover `liabilities` times the liabilities; 1 and 1 is solvency. 32 bits each. */
export type CoverageRatio = { readonly reserves: number; readonly liabilities: number };

/** A group and what its proof is bound to. */
export type ProofGroup = {
  readonly subject: ProofSubject;
  readonly context: Uint8Array;
  readonly index: number;
  readonly bits: RangeBits;
  /** Hashes of the leaves or rows, in their order. */
  readonly hashes: readonly Uint8Array[];
  readonly commitments: readonly Uint8Array[];
};

/**
 * One proof to be made: plain data, a second or less of work, and in need of nothing else. A caller may send tasks to workers,
 * stop in between, and make one again: the bytes are the same.
 */
export type ProofTask = ProofGroup & {
  readonly values: readonly bigint[];
  readonly blindings: readonly bigint[];
  readonly nonceKey: Uint8Array;
};

/** Makes the proof of a task. @throws CustodyError `proof/malformed` for a value that is out of the range */
export function proveTask(group: Group, task: ProofTask): Uint8Array {
  return proveRanges(group, transcriptOf(task), task);
}

/** What a proof is bound to, before the first of its own bytes. */
export function transcriptOf({ subject, context, index, hashes }: ProofGroup): Transcript {
  const transcript = newTranscript(
    subject.kind === 'leaves' ? 'bulkhead/reserves/range/v1' : 'bulkhead/reserves/solvency/v1',
  );
  transcript.append('context', context);
  transcript.appendNumber('group', index);
  if (subject.kind === 'solvency') {
    transcript.appendNumber('reserves', subject.ratio.reserves);
    transcript.appendNumber('liabilities', subject.ratio.liabilities);
  }
  for (const hash of hashes) transcript.append(subject.kind === 'leaves' ? 'leaf' : 'row', hash);
  return transcript;
}

/** Sizes of groups: of sixteen, and what is left in falling powers of two, so that no place is filled with nothing. */
export function groupSizes(count: number): readonly number[] {
  const sizes = Array.from({ length: Math.floor(count / partiesMax) }, () => partiesMax);
  for (let size = partiesMax / 2; size >= 1; size /= 2) if (Math.floor(count / size) % 2 === 1) sizes.push(size);
  return sizes;
}

/** Bytes of all proofs over so many commitments. Computed and not counted: it is asked before anybody knows that the number is true. */
export function proofsBytes(bits: RangeBits, count: number): number {
  const full = Math.floor(count / partiesMax);
  return groupSizes(count % partiesMax).reduce(
    (sum, size) => sum + rangeProofBytes(bits, size),
    full * rangeProofBytes(bits, partiesMax),
  );
}
