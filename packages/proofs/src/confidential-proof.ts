import { concatBytes } from '@noble/hashes/utils.js';
import { portableBlockHasher } from './block-hasher.ts';
import { type BookTree, foldBook, makeBookTree } from './book-tree.ts';
import { type Claim, identityOf } from './claim.ts';
import { assertHasRow, openPackage, type OwnClaim, packageForms, type Pin } from './client-package.ts';
import { type CommitmentTree, type ConfidentialWork, foldCommitments, leafBlinding } from './commitment-tree.ts';
import { amountBytes, equalBytes, joined, malformed, unsignedBytes, unsignedOf, wordBytes } from './fixed-width.ts';
import type { Group } from './group.ts';
import { encodeHeader, liabilityUnits, type ReserveHeader, reserveUnits } from './header.ts';
import { type CoverageRatio, groupSizes, type ProofTask } from './proof-task.ts';
import { isIdentity } from './range-proof.ts';
import { recordHash, type RowFields, rowHash, saltHash, tagHash } from './reserve-hash.ts';
import { decodeScalar, littleEndian, reduced } from './scalar.ts';
import { refuted, type Verdict } from './verdict.ts';

/** A compartment's tree and what it holds, in the asset's smallest unit at the pinned block. */
export type ConfidentialRow = { readonly tree: CommitmentTree; readonly reserves: bigint };

/** All compartments of one epoch and asset. */
export type ConfidentialBook = {
  readonly book: BookTree;
  readonly rows: readonly ConfidentialBookRow[];
};

type ConfidentialBookRow = {
  readonly tree: CommitmentTree;
  readonly fields: RowFields;
  readonly hash: Uint8Array;
  /** Units. */
  readonly reserves: bigint;
};

export const solvency: CoverageRatio = { reserves: 1, liabilities: 1 };

/** Puts rows together, strictly ascending by compartment. @throws CustodyError `proof/malformed` */
export function makeConfidentialBook(work: ConfidentialWork, rows: Iterable<ConfidentialRow>): ConfidentialBook {
  const made = Array.from(rows, ({ tree, reserves }): ConfidentialBookRow => {
    assertHasRow(tree.compartment);
    const units = reserveUnits(work.header, reserves);
    const { compartment, depth, root, total } = tree;
    const fields = { compartment, depth, root, liabilities: total, reserves: unsignedBytes(units, amountBytes) };
    return { tree, fields, hash: rowHash(work, fields).slice(), reserves: units };
  });
  const compartments = made.map(({ tree }) => tree.compartment);
  const book = makeBookTree(work, { compartments, hashes: joined(made.map(({ hash }) => hash)) });
  return { book, rows: made };
}

/** The proofs that every leaf is in its range, in their order. Made one by one, so that a million leaves need no memory twice. */
export function* leafTasks(work: ConfidentialWork, { rows }: ConfidentialBook): Generator<ProofTask> {
  const leaves = eachLeaf(rows);
  const count = rows.reduce((sum, { tree }) => sum + 2 ** tree.depth, 0);
  for (const [index, size] of groupSizes(count).entries()) {
    const members = Array.from({ length: size }, () => leaves.next().value).filter((leaf) => leaf !== undefined);
    yield {
      subject: { kind: 'leaves' },
      ...boundTo(work, index),
      hashes: members.map(({ hash }) => hash),
      commitments: members.map(({ commitment }) => commitment),
      values: members.map(({ units }) => units),
      blindings: members.map(({ blinding }) => blinding),
    };
  }
}

type Leaf = {
  readonly hash: Uint8Array;
  readonly commitment: Uint8Array;
  readonly units: bigint;
  readonly blinding: bigint;
};

function* eachLeaf(rows: ConfidentialBook['rows']): Generator<Leaf, undefined> {
  for (const { tree } of rows) {
    for (let index = 0; index < 2 ** tree.depth; index += 1) {
      const commitment = tree.leaves.slice((2 * index + 1) * wordBytes, (2 * index + 2) * wordBytes);
      yield { hash: tree.leafHash(index), commitment, ...tree.leafOpening(index) };
    }
  }
}

const boundTo = (
  work: ConfidentialWork,
  index: number,
): Pick<ProofTask, 'context' | 'index' | 'bits' | 'nonceKey'> => ({
  context: work.context,
  index,
  bits: work.header.bits,
  nonceKey: work.secrets.nonce,
});

/**
 * The proofs that every compartment holds what it owes, in their order; or that it holds more, by a ratio.
 *
 * @throws CustodyError `proof/malformed` naming the first compartment that does not
 */
export function* solvencyTasks(
  work: ConfidentialWork,
  { rows }: ConfidentialBook,
  ratio: CoverageRatio = solvency,
): Generator<ProofTask> {
  let first = 0;
  for (const [index, size] of groupSizes(rows.length).entries()) {
    const members = rows.slice(first, first + size);
    first += size;
    yield {
      subject: { kind: 'solvency', ratio },
      ...boundTo(work, index),
      hashes: members.map(({ hash }) => hash),
      commitments: members.map((row) => surplusCommitment(work.group, { ...row.fields, ratio }) ?? row.hash),
      values: members.map((row) => surplusOf(row, ratio)),
      blindings: members.map(({ tree }) => reduced(-tree.opening.blinding * BigInt(ratio.liabilities))),
    };
  }
}

function surplusOf({ tree, reserves }: ConfidentialBookRow, ratio: CoverageRatio): bigint {
  const surplus = reserves * BigInt(ratio.reserves) - tree.opening.units * BigInt(ratio.liabilities);
  if (surplus < 0n) {
    throw malformed(`compartment ${tree.compartment} does not hold what it owes: ${-surplus} units are missing`);
  }
  return surplus;
}

/** The commitment to what is left: a multiple of the public reserves, less one of the commitment to what is owed. */
export function surplusCommitment(
  group: Group,
  row: { readonly reserves: Uint8Array; readonly liabilities: Uint8Array; readonly ratio: CoverageRatio },
): Uint8Array | undefined {
  return group.combine({
    value: unsignedOf(row.reserves) * BigInt(row.ratio.reserves),
    blinding: 0n,
    left: [],
    right: [],
    bits: 1,
    points: [row.liabilities],
    scalars: [-BigInt(row.ratio.liabilities)],
  });
}

/** What anyone needs to check that compartments hold what they owe: header, rows, and the proofs of {@link solvencyTasks}. */
export function confidentialSummary(
  work: ConfidentialWork,
  { rows }: ConfidentialBook,
  proofs: readonly Uint8Array[],
): Uint8Array {
  return joined([
    encodeHeader(work.header),
    unsignedBytes(rows.length, 4),
    ...rows.flatMap(({ fields: { compartment, depth, root, liabilities, reserves } }) => [
      unsignedBytes(compartment, 4),
      unsignedBytes(depth, 1),
      root,
      liabilities,
      reserves,
    ]),
    ...proofs,
  ]);
}

/** The row of a compartment. Rows ascend, and each of a million packages asks for one. @throws CustodyError `proof/malformed` */
export function rowIn({ rows }: ConfidentialBook, compartment: number): ConfidentialBookRow {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((rows[middle]?.tree.compartment ?? 0) < compartment) low = middle + 1;
    else high = middle;
  }
  const row = rows[low];
  if (row?.tree.compartment !== compartment) throw malformed(`compartment ${compartment} has no row`);
  return row;
}

/** What anyone needs to check that no leaf is negative and totals are sums: the leaves of all rows, and the proofs of {@link leafTasks}. */
export function confidentialLeaves({ rows }: ConfidentialBook, proofs: readonly Uint8Array[]): Uint8Array {
  return joined([...rows.map(({ tree }) => tree.leaves), ...proofs]);
}

/** What one holder gets. @param at the claim's place in its order */
export function confidentialPackage(
  work: ConfidentialWork,
  made: ConfidentialBook,
  of: { readonly tree: CommitmentTree; readonly claim: Claim; readonly at: number },
): Uint8Array {
  const { book } = made;
  const { tree, claim } = of;
  const row = rowIn(made, tree.compartment);
  const identity = identityOf(tree.compartment, claim);
  const units = liabilityUnits(work.header, claim.amount);
  const path = book.path(tree.compartment);
  const { index, siblings } = tree.path(of.at);
  return concatBytes(
    encodeHeader(work.header),
    unsignedBytes(tree.compartment, 4),
    unsignedBytes(tree.depth, 1),
    row.fields.reserves,
    unsignedBytes(book.rows, 4),
    unsignedBytes(path.present, 4),
    path.siblings,
    unsignedBytes(index, 4),
    unsignedBytes(identity.kind, 1),
    unsignedBytes(identity.holder.length, 1),
    identity.holder,
    saltHash(work.hasher, work.secrets.salt, identity).slice(),
    unsignedBytes(units, amountBytes),
    littleEndian(leafBlinding(work, work.secrets, { identity, units })),
    tree.total,
    siblings,
  );
}

/** What a holder learns: its claim is in this compartment's total, and what that is held against, in units. */
export type ConfidentialFinding = {
  readonly header: ReserveHeader;
  readonly total: Uint8Array;
  readonly reserves: bigint;
};

/**
 * Whether a claim is counted, whole, in the total of its compartment. That the total is the sum of leaves which are not negative,
 * and covered, is what {@link verifyConfidentialSummary} and {@link verifyConfidentialLeaves} show, to anyone.
 */
export function verifyConfidentialPackage(
  group: Group,
  bytes: Uint8Array,
  known: { readonly pin: Pin; readonly own: OwnClaim },
): Verdict<ConfidentialFinding> {
  const opened = openPackage(bytes, packageForms.confidential, known);
  if (!opened.holds) return opened;
  const { parts } = opened;
  const { compartment, depth, index, header } = parts;
  const [blindingBytes, total] = parts.rest;
  const blinding = blindingBytes === undefined ? undefined : decodeScalar(blindingBytes);
  if (blinding === undefined || total === undefined || isIdentity(total)) return refuted('not-canonical');
  const order = { hasher: portableBlockHasher(), context: known.pin.context };
  const tag = tagHash(order, parts.salt, { compartment, kind: parts.kind, holder: parts.holder }).slice();
  const units = unsignedOf(parts.balance);
  const commitment = group.commit(units, blinding);
  const top = foldCommitments(order, { compartment, index, tag, commitment }, parts.siblings);
  if (top === undefined) return refuted('other-record');
  const row = rowHash(order, { compartment, depth, root: top, liabilities: total, reserves: parts.reserves }).slice();
  const root = foldBook(order, { compartment, hash: row }, parts.path);
  if (root === undefined || !equalBytes(recordHash(order, root, parts.rows), known.pin.record)) {
    return refuted('other-record');
  }
  if (units >= 2n ** BigInt(header.bits)) return refuted('out-of-range');
  if (units !== liabilityUnits(header, known.own.amount)) return refuted('other-balance');
  return { holds: true, header, total, reserves: unsignedOf(parts.reserves) };
}
