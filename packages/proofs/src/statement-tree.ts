import { depthFor, identityOf, precedes } from './claim.ts';
import type { OwnClaim } from './client-package.ts';
import { malformed, unsignedBytes, wordBytes } from './fixed-width.ts';
import {
  emptyStatementHash,
  type HashOrder,
  type Identity,
  saltHash,
  statementLeafHash,
  statementNodeHash,
  statementTagHash,
} from './reserve-hash.ts';
import { type EpochWork, siblingsOf } from './sum-tree.ts';

/**
 * The tree of all balance statements of one epoch and asset: one root for the quorum to sign, and one path for each holder. Its leaves
 * ascend by their tags, which are salted: so their order says nothing, and is another in every epoch.
 */
export type StatementTree = {
  readonly root: Uint8Array;
  readonly count: number;
  /** Index and siblings (32 bytes each), bottom up, of a claim by its place in the order of claims. */
  readonly path: (claim: number) => { readonly index: number; readonly siblings: Uint8Array };
};

/** Bytes of an exact amount, in the asset's smallest unit. */
export const statedAmountBytes: number = wordBytes;

/**
 * Builds the tree. It takes some 110 bytes for each claim and reads the claims once.
 *
 * @param of.claims of all compartments, strictly ascending by compartment, kind and holder
 * @throws CustodyError `proof/malformed` for claims that are out of order, twice, negative, or more or fewer than said
 */
export function makeStatementTree(
  work: EpochWork,
  of: { readonly claims: Iterable<OwnClaim>; readonly count: number },
): StatementTree {
  const { tags, hashes } = hashClaims(work, of);
  const order = Uint32Array.from({ length: of.count }, (_, at) => at).sort((a, b) => compareWords(tags, a, b));
  const depth = depthFor(of.count);
  const leaves = 2 ** depth;
  const nodes = new Uint8Array(2 * leaves * wordBytes);
  const places = new Uint32Array(of.count);
  order.forEach((claim, place) => {
    places[claim] = place;
    nodes.set(hashes.subarray(claim * wordBytes, (claim + 1) * wordBytes), (leaves + place) * wordBytes);
  });
  const empty = emptyStatementHash(work).slice();
  for (let place = of.count; place < leaves; place += 1) nodes.set(empty, (leaves + place) * wordBytes);
  for (let level = 1; level <= depth; level += 1) {
    const first = 2 ** (depth - level);
    for (let node = first; node < 2 * first; node += 1) {
      const children = nodes.subarray(2 * node * wordBytes, (2 * node + 2) * wordBytes);
      nodes.set(statementNodeHash(work, level, children), node * wordBytes);
    }
  }
  return {
    root: nodes.slice(wordBytes, 2 * wordBytes),
    count: of.count,
    path: (claim) => {
      const index = places[claim];
      if (index === undefined) throw malformed(`there is no claim ${claim} of ${of.count}`);
      return { index, siblings: siblingsOf(nodes, { depth, index, nodeBytes: wordBytes }) };
    },
  };
}

/** Tags and hashes of the leaves, in the order of claims. */
function hashClaims(
  work: EpochWork,
  of: { readonly claims: Iterable<OwnClaim>; readonly count: number },
): { readonly tags: Uint8Array; readonly hashes: Uint8Array } {
  if (of.count === 0) throw malformed('there is no claim');
  const tags = new Uint8Array(of.count * wordBytes);
  const hashes = new Uint8Array(of.count * wordBytes);
  let before: Identity | undefined;
  let count = 0;
  for (const claim of of.claims) {
    const identity = identityOf(claim.compartment, claim);
    if (before !== undefined && !follows(before, identity)) {
      throw malformed(`claim ${count} of compartment ${claim.compartment} does not come after the one before it`);
    }
    if (count === of.count) throw malformed(`there are more claims than ${of.count}`);
    const tag = statementTag(work, statementSalt(work, identity), identity).slice();
    tags.set(tag, count * wordBytes);
    hashes.set(statementLeaf(work, tag, claim.amount), count * wordBytes);
    before = identity;
    count += 1;
  }
  if (count !== of.count) throw malformed(`there are ${count} claims, not ${of.count}`);
  return { tags, hashes };
}

function follows(before: Identity, identity: Identity): boolean {
  if (before.compartment !== identity.compartment) return before.compartment < identity.compartment;
  return precedes(before, identity);
}

/** The salt of a holder's statement. */
export function statementSalt(work: Pick<EpochWork, 'hasher' | 'secrets'>, identity: Identity): Uint8Array {
  return saltHash(work.hasher, work.secrets.statement, identity).slice();
}

export function statementTag(order: HashOrder, salt: Uint8Array, identity: Identity): Uint8Array {
  return statementTagHash(order, salt, identity);
}

/** @throws CustodyError `proof/malformed` for an amount that is negative or wider than 256 bits */
export function statementLeaf(order: HashOrder, tag: Uint8Array, amount: bigint): Uint8Array {
  const content = new Uint8Array(wordBytes + statedAmountBytes);
  content.set(tag);
  content.set(unsignedBytes(amount, statedAmountBytes), wordBytes);
  return statementLeafHash(order, content);
}

function compareWords(words: Uint8Array, a: number, b: number): number {
  for (let byte = 0; byte < wordBytes; byte += 1) {
    const difference = (words[a * wordBytes + byte] ?? 0) - (words[b * wordBytes + byte] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The root that follows from a leaf and its siblings; undefined for an index beyond the levels. */
export function foldStatements(
  order: HashOrder,
  leaf: { readonly hash: Uint8Array; readonly index: number },
  siblings: Uint8Array,
): Uint8Array | undefined {
  const children = new Uint8Array(2 * wordBytes);
  let own = leaf.hash;
  let position = leaf.index;
  for (let level = 1; level * wordBytes <= siblings.length; level += 1) {
    const sibling = siblings.subarray((level - 1) * wordBytes, level * wordBytes);
    children.set(position % 2 === 0 ? own : sibling, 0);
    children.set(position % 2 === 0 ? sibling : own, wordBytes);
    own = statementNodeHash(order, level, children).slice();
    position = Math.floor(position / 2);
  }
  return position === 0 ? own : undefined;
}
