import { fastBlockHasher } from './block-hasher.ts';
import { makeBookTree } from './book-tree.ts';
import { depthMax, hasRow } from './claim.ts';
import type { Pin } from './client-package.ts';
import { type Opening, publishedLeafBytes, publishedTree } from './commitment-tree.ts';
import { solvency, surplusCommitment } from './confidential-proof.ts';
import { amountBytes, equalBytes, joined, readFields, wordBytes } from './fixed-width.ts';
import type { Group } from './group.ts';
import { contextOfBytes, decodeHeader, headerLength, type ReserveHeader } from './header.ts';
import { ascend } from './plain-proof.ts';
import { type CoverageRatio, groupSizes, type ProofGroup, proofsBytes, transcriptOf } from './proof-task.ts';
import { isIdentity, rangeProofBytes } from './range-proof.ts';
import { type RangeClaim, verifyRanges } from './range-verifier.ts';
import { type RowFields, rowHash } from './reserve-hash.ts';
import { type Refutation, refuted, type Verdict } from './verdict.ts';

/** Groups that are checked as one sum: more would cost memory and gain little. */
const batchGroups = 64;

/** Bytes of a row in a summary: compartment, depth, root, total, reserves. */
const rowBytes = 4 + 1 + 2 * wordBytes + amountBytes;

/** Rows that a summary showed, for whoever goes on to look at the leaves. */
export type SummaryFinding = {
  readonly header: ReserveHeader;
  readonly rows: readonly RowFields[];
  readonly pin: Pin;
};

/** Whether rows are those of the record, each compartment once, and each holds what its total commits to. */
export function verifyConfidentialSummary(group: Group, bytes: Uint8Array, pin: Pin): Verdict<SummaryFinding> {
  const length = headerLength(bytes);
  const header = length === undefined ? undefined : decodeHeader(bytes.subarray(0, length));
  if (length === undefined || header?.tier !== 'confidential') return refuted('malformed');
  if (!equalBytes(contextOfBytes(bytes.subarray(0, length)), pin.context)) return refuted('other-context');
  const parsed = parseSummary(bytes.subarray(length), header);
  if (parsed === undefined) return refuted('malformed');
  const { rows, proofs } = parsed;
  if (rows.some(({ compartment }) => !hasRow(compartment))) return refuted('house-compartment');
  if (!ascend(rows)) return refuted('other-count');
  const order = { hasher: fastBlockHasher(), context: pin.context };
  const hashes = joined(rows.map((row) => rowHash(order, row).slice()));
  const book = makeBookTree(order, { compartments: rows.map(({ compartment }) => compartment), hashes });
  if (!equalBytes(book.record, pin.record)) return refuted('other-record');
  if (rows.some(({ liabilities }) => isIdentity(liabilities))) return refuted('not-canonical');
  const finding = { header, rows, pin };
  const refutation = verifyCoverage(group, proofs, { ...finding, ratio: solvency });
  return refutation === undefined ? { holds: true, ...finding } : refuted(refutation);
}

function parseSummary(
  bytes: Uint8Array,
  { bits }: ReserveHeader,
): { readonly rows: readonly RowFields[]; readonly proofs: Uint8Array } | undefined {
  const fields = readFields(bytes);
  const count = fields.number(4);
  if (count === undefined || count === 0) return undefined;
  if (bytes.length !== 4 + count * rowBytes + proofsBytes(bits, count)) return undefined;
  const rows: RowFields[] = [];
  for (let at = 0; at < count; at += 1) {
    const compartment = fields.number(4);
    const depth = fields.number(1);
    const root = fields.bytes(wordBytes);
    const liabilities = fields.bytes(wordBytes);
    const reserves = fields.bytes(amountBytes);
    if (compartment === undefined || depth === undefined || depth > depthMax) return undefined;
    if (root === undefined || liabilities === undefined || reserves === undefined) return undefined;
    rows.push({ compartment, depth, root, liabilities, reserves });
  }
  return { rows, proofs: bytes.subarray(4 + count * rowBytes) };
}

/**
 * Whether every compartment covers its liabilities by a ratio, by proofs of `solvencyTasks` for that ratio. The ratio is the
 * verifier's, never the proof's. Answers the refutation, or nothing where it holds.
 */
export function verifyCoverage(
  group: Group,
  proofs: Uint8Array,
  { header, rows, pin, ratio }: SummaryFinding & { readonly ratio: CoverageRatio },
): Refutation | undefined {
  const order = { hasher: fastBlockHasher(), context: pin.context };
  const surplus: Uint8Array[] = [];
  for (const { liabilities, reserves } of rows) {
    const commitment = surplusCommitment(group, { liabilities, reserves, ratio });
    if (commitment === undefined) return 'not-canonical';
    surplus.push(commitment);
  }
  const refutation = verifyGroups(group, proofs, {
    count: rows.length,
    groupAt: (index, first, size): ProofGroup => ({
      subject: { kind: 'solvency', ratio },
      context: pin.context,
      index,
      bits: header.bits,
      hashes: rows.slice(first, first + size).map((row) => rowHash(order, row).slice()),
      commitments: surplus.slice(first, first + size),
    }),
    bits: header.bits,
  });
  return refutation === 'range-unproven' ? 'insolvent' : refutation;
}

type Groups = {
  readonly count: number;
  readonly bits: ReserveHeader['bits'];
  readonly groupAt: (index: number, first: number, size: number) => ProofGroup;
};

/** Checks proofs over so many commitments, a batch at a time. */
function verifyGroups(group: Group, proofs: Uint8Array, { count, bits, groupAt }: Groups): Refutation | undefined {
  if (count === 0 || proofs.length !== proofsBytes(bits, count)) return 'other-count';
  const sizes = groupSizes(count);
  let first = 0;
  let at = 0;
  for (let begin = 0; begin < sizes.length; begin += batchGroups) {
    const claims = sizes.slice(begin, begin + batchGroups).map((size, offset): RangeClaim => {
      const about = groupAt(begin + offset, first, size);
      const proof = proofs.subarray(at, at + rangeProofBytes(bits, size));
      first += size;
      at += proof.length;
      return { bits, commitments: about.commitments, transcript: transcriptOf(about), proof };
    });
    const refutation = verifyRanges(group, claims);
    if (refutation !== undefined) return refutation;
  }
  return undefined;
}

/** Whether the leaves are those of the rows, each in its range, and each row's total is their sum. */
export function verifyConfidentialLeaves(group: Group, bytes: Uint8Array, summary: SummaryFinding): Verdict {
  const { rows, header, pin } = summary;
  const count = rows.reduce((sum, { depth }) => sum + 2 ** depth, 0);
  const proofsAt = count * publishedLeafBytes;
  if (bytes.length !== proofsAt + proofsBytes(header.bits, count)) return refuted('other-count');
  const order = { hasher: fastBlockHasher(), context: pin.context };
  const hashes = new Uint8Array(count * wordBytes);
  let first = 0;
  for (const { compartment, depth, root, liabilities } of rows) {
    const leaves = bytes.subarray(first * publishedLeafBytes, (first + 2 ** depth) * publishedLeafBytes);
    const tree = publishedTree(order, { compartment, depth, leaves });
    if (!equalBytes(tree.root, root)) return refuted('other-record');
    hashes.set(tree.leafHashes, first * wordBytes);
    const total = sumOfCommitments(group, leaves);
    if (total === undefined) return refuted('not-canonical');
    if (!equalBytes(total, liabilities)) return refuted('other-commitment');
    first += 2 ** depth;
  }
  const refutation = verifyGroups(group, bytes.subarray(proofsAt), {
    count,
    bits: header.bits,
    groupAt: (index, from, size) => ({
      subject: { kind: 'leaves' },
      context: pin.context,
      index,
      bits: header.bits,
      hashes: each(from, size, (at) => hashes.slice(at * wordBytes, (at + 1) * wordBytes)),
      commitments: each(from, size, (at) => commitmentAt(bytes, at)),
    }),
  });
  return refutation === undefined ? { holds: true } : refuted(refutation);
}

/** Commitments that are added at once: their points lie in the memory of the machine together. */
const sumChunk = 4_096;

function sumOfCommitments(group: Group, leaves: Uint8Array): Uint8Array | undefined {
  const count = leaves.length / publishedLeafBytes;
  let total: Uint8Array | undefined;
  for (let from = 0; from < count; from += sumChunk) {
    const points = each(from, Math.min(sumChunk, count - from), (at) => commitmentAt(leaves, at));
    total = group.sum(total === undefined ? points : [total, ...points]);
    if (total === undefined) return undefined;
  }
  return total;
}

function commitmentAt(leaves: Uint8Array, at: number): Uint8Array {
  return leaves.slice(at * publishedLeafBytes + wordBytes, (at + 1) * publishedLeafBytes);
}

function each<T>(from: number, count: number, make: (at: number) => T): readonly T[] {
  return Array.from({ length: count }, (_, offset) => make(from + offset));
}

/** No sum of leaves is as large: 2^32 leaves of 128 bits. It is far below the order of the group, so that a total has one opening. */
const totalBound = 2n ** 160n;

/** Whether an opening is that of a row's total: what an auditor is shown. */
export function verifyTotal(group: Group, row: RowFields, { units, blinding }: Opening): boolean {
  return units >= 0n && units < totalBound && equalBytes(group.commit(units, blinding), row.liabilities);
}
