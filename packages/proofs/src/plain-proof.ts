import { concatBytes } from '@noble/hashes/utils.js';
import { portableBlockHasher } from './block-hasher.ts';
import { type BookTree, foldBook, makeBookTree } from './book-tree.ts';
import { type Claim, depthMax, hasRow, identityOf } from './claim.ts';
import { assertHasRow, openPackage, type OwnClaim, packageForms, type Pin } from './client-package.ts';
import {
  amountBytes,
  equalBytes,
  joined,
  malformed,
  readFields,
  unsignedBytes,
  unsignedOf,
  wordBytes,
} from './fixed-width.ts';
import {
  contextOfBytes,
  decodeHeader,
  encodeHeader,
  headerLength,
  liabilityUnits,
  type ReserveHeader,
  reserveUnits,
} from './header.ts';
import { recordHash, type RowFields, rowHash, saltHash, tagHash } from './reserve-hash.ts';
import { type EpochWork, foldSums, type SumTree } from './sum-tree.ts';
import { refuted, type Verdict } from './verdict.ts';

/** A compartment's tree and what it holds, in the asset's smallest unit at the pinned block. */
export type PlainRow = {
  readonly tree: Pick<SumTree, 'compartment' | 'depth' | 'root' | 'liabilities'>;
  readonly reserves: bigint;
};

/** All compartments of one epoch and asset. */
export type PlainBook = {
  readonly book: BookTree;
  readonly reserves: ReadonlyMap<number, bigint>;
  /** What is published: header and rows. */
  readonly publication: Uint8Array;
};

/** Bytes of a row as it is published: compartment, depth, root, liabilities, reserves. */
const rowBytes = 4 + 1 + wordBytes + 2 * amountBytes;

/**
 * Puts rows together, strictly ascending by compartment. A compartment that owes more than it holds is put in as it is: the
 * proof shows it.
 *
 * @throws CustodyError `proof/malformed`
 */
export function makePlainBook(work: EpochWork, rows: Iterable<PlainRow>): PlainBook {
  const compartments: number[] = [];
  const hashes: Uint8Array[] = [];
  const published: Uint8Array[] = [];
  const held = new Map<number, bigint>();
  for (const { tree, reserves } of rows) {
    assertHasRow(tree.compartment);
    const units = reserveUnits(work.header, reserves);
    const row = plainRow(tree, units);
    compartments.push(tree.compartment);
    hashes.push(rowHash(work, row).slice());
    published.push(
      unsignedBytes(row.compartment, 4),
      unsignedBytes(row.depth, 1),
      row.root,
      row.liabilities,
      row.reserves,
    );
    held.set(tree.compartment, units);
  }
  return {
    book: makeBookTree(work, { compartments, hashes: joined(hashes) }),
    reserves: held,
    publication: joined([encodeHeader(work.header), unsignedBytes(compartments.length, 4), ...published]),
  };
}

function plainRow(tree: PlainRow['tree'], reserves: bigint): RowFields {
  const { compartment, depth, root } = tree;
  return {
    compartment,
    depth,
    root,
    liabilities: unsignedBytes(tree.liabilities, amountBytes),
    reserves: unsignedBytes(reserves, amountBytes),
  };
}

/** What one holder gets: all that is needed to check its claim against the registry. @param at the claim's place in its order */
export function plainPackage(
  work: EpochWork,
  { book, reserves }: PlainBook,
  of: { readonly tree: SumTree; readonly claim: Claim; readonly at: number },
): Uint8Array {
  const { tree, claim } = of;
  const identity = identityOf(tree.compartment, claim);
  const held = reserves.get(tree.compartment);
  if (held === undefined) throw malformed(`compartment ${tree.compartment} has no row`);
  const path = book.path(tree.compartment);
  const { index, siblings } = tree.path(of.at);
  return concatBytes(
    encodeHeader(work.header),
    unsignedBytes(tree.compartment, 4),
    unsignedBytes(tree.depth, 1),
    unsignedBytes(held, amountBytes),
    unsignedBytes(book.rows, 4),
    unsignedBytes(path.present, 4),
    path.siblings,
    unsignedBytes(index, 4),
    unsignedBytes(identity.kind, 1),
    unsignedBytes(identity.holder.length, 1),
    identity.holder,
    saltHash(work.hasher, work.secrets.salt, identity).slice(),
    unsignedBytes(liabilityUnits(work.header, claim.amount), amountBytes),
    siblings,
  );
}

/** What a holder learns of its compartment, in units. */
export type PlainFinding = {
  readonly header: ReserveHeader;
  readonly liabilities: bigint;
  readonly reserves: bigint;
};

/** Whether a claim is counted, whole, in a compartment that holds what it owes. */
export function verifyPlainPackage(
  bytes: Uint8Array,
  known: { readonly pin: Pin; readonly own: OwnClaim },
): Verdict<PlainFinding> {
  const opened = openPackage(bytes, packageForms.plain, known);
  if (!opened.holds) return opened;
  const { parts } = opened;
  const order = { hasher: portableBlockHasher(), context: known.pin.context };
  const { compartment, depth, index } = parts;
  const tag = tagHash(order, parts.salt, { compartment, kind: parts.kind, holder: parts.holder }).slice();
  const units = unsignedOf(parts.balance);
  const top = foldSums(order, { compartment, index, tag, units }, parts.siblings);
  if (top === undefined) return refuted('other-record');
  const liabilities = unsignedBytes(top.sum, amountBytes);
  const row = rowHash(order, { compartment, depth, root: top.root, liabilities, reserves: parts.reserves }).slice();
  const root = foldBook(order, { compartment, hash: row }, parts.path);
  if (root === undefined || !equalBytes(recordHash(order, root, parts.rows), known.pin.record)) {
    return refuted('other-record');
  }
  const { header } = parts;
  if (units !== liabilityUnits(header, known.own.amount)) return refuted('other-balance');
  const reserves = unsignedOf(parts.reserves);
  return top.sum > reserves ? refuted('insolvent') : { holds: true, header, liabilities: top.sum, reserves };
}

export type PublishedPlainRow = {
  readonly compartment: number;
  readonly depth: number;
  readonly liabilities: bigint;
  readonly reserves: bigint;
};

/** Whether published rows are those of the record, each compartment once, and each holds what it owes. */
export function verifyPlainPublication(
  bytes: Uint8Array,
  pin: Pin,
): Verdict<{ readonly header: ReserveHeader; readonly rows: readonly PublishedPlainRow[] }> {
  const length = headerLength(bytes);
  const header = length === undefined ? undefined : decodeHeader(bytes.subarray(0, length));
  if (length === undefined || header === undefined || header.tier !== 'plain') return refuted('malformed');
  if (!equalBytes(contextOfBytes(bytes.subarray(0, length)), pin.context)) return refuted('other-context');
  const rows = parseRows(bytes.subarray(length));
  if (rows === undefined) return refuted('malformed');
  if (rows.some((row) => !hasRow(row.compartment))) return refuted('house-compartment');
  if (!ascend(rows)) return refuted('other-count');
  const order = { hasher: portableBlockHasher(), context: pin.context };
  const hashes = joined(rows.map((row) => rowHash(order, row).slice()));
  const tree = makeBookTree(order, { compartments: rows.map((row) => row.compartment), hashes });
  if (!equalBytes(tree.record, pin.record)) return refuted('other-record');
  const read = rows.map(({ compartment, depth, ...amounts }) => ({
    compartment,
    depth,
    liabilities: unsignedOf(amounts.liabilities),
    reserves: unsignedOf(amounts.reserves),
  }));
  if (read.some((row) => row.liabilities > row.reserves)) return refuted('insolvent');
  return { holds: true, header, rows: read };
}

function parseRows(bytes: Uint8Array): readonly RowFields[] | undefined {
  const fields = readFields(bytes);
  const count = fields.number(4);
  if (count === undefined || count === 0 || bytes.length !== 4 + count * rowBytes) return undefined;
  const rows: RowFields[] = [];
  for (let at = 0; at < count; at += 1) {
    const compartment = fields.number(4);
    const depth = fields.number(1);
    const root = fields.bytes(wordBytes);
    const liabilities = fields.bytes(amountBytes);
    const reserves = fields.bytes(amountBytes);
    if (compartment === undefined || depth === undefined || depth > depthMax) return undefined;
    if (root === undefined || liabilities === undefined || reserves === undefined) return undefined;
    rows.push({ compartment, depth, root, liabilities, reserves });
  }
  return rows;
}

/** Numbers of compartments have 31 bits, and each is there once. */
export function ascend(rows: readonly { readonly compartment: number }[]): boolean {
  return rows.every(({ compartment }, at) => compartment < 2 ** 31 && compartment > (rows[at - 1]?.compartment ?? -1));
}
