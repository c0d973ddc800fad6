import type { Compartment } from '@bulkhead/domain';
import type { EpochSecrets } from './epoch-secrets.ts';
import { malformed, unsignedBytes, unsignedOf, wordBytes } from './fixed-width.ts';
import type { Group } from './group.ts';
import { leafOrder } from './leaf-order.ts';
import {
  blindingHash,
  confidentialLeafHash,
  confidentialNodeHash,
  type HashOrder,
  type Identity,
  padBlindingHash,
  padTagHash,
  saltHash,
  tagHash,
} from './reserve-hash.ts';
import { groupOrder, littleEndian, littleEndianOf, reduced } from './scalar.ts';
import { checkedDepth, type CompartmentClaims, eachClaim, type EpochWork, siblingsOf } from './sum-tree.ts';

/** What a leaf is published as: tag and commitment. */
export const publishedLeafBytes: number = 2 * wordBytes;

/** What stays with the prover of a leaf: balance and blinding. */
const secretLeafBytes = 16 + wordBytes;

/** The opening of a commitment: what it is to, in units, and with which blinding. */
export type Opening = { readonly units: bigint; readonly blinding: bigint };

/** The tree of one compartment in the confidential tier. */
export type CommitmentTree = {
  readonly compartment: Compartment;
  readonly depth: number;
  readonly root: Uint8Array;
  /** The commitment to what the compartment owes: the sum of those of its leaves. */
  readonly total: Uint8Array;
  /** Opens the total; for the proof of solvency, and for an auditor who is shown it. */
  readonly opening: Opening;
  /** Tag and commitment of each leaf, by index: what is published. */
  readonly leaves: Uint8Array;
  readonly leafHash: (index: number) => Uint8Array;
  readonly leafOpening: (index: number) => Opening;
  /** Index and siblings (32 bytes each), bottom up, of a claim by its place in the order of claims. */
  readonly path: (claim: number) => { readonly index: number; readonly siblings: Uint8Array };
};

/** The work of the confidential tier. */
export type ConfidentialWork = EpochWork & { readonly group: Group };

/**
 * Builds the tree of a compartment: 180 bytes for each leaf, and a commitment, which is most of the time.
 *
 * @throws CustodyError `proof/malformed` for claims that are out of order, twice, negative or too wide
 */
export function makeCommitmentTree(work: ConfidentialWork, of: CompartmentClaims): CommitmentTree {
  const depth = checkedDepth(of);
  const { compartment } = of;
  const count = 2 ** depth;
  const nodes = new Uint8Array(2 * count * wordBytes);
  const leaves = new Uint8Array(count * publishedLeafBytes);
  const secrets = new Uint8Array(count * secretLeafBytes);
  const order = leafOrder({ hasher: work.hasher, key: work.secrets.order, compartment, depth, claims: of.count });
  const sum = { units: 0n, blinding: 0n };
  const place = (index: number, tag: Uint8Array, opening: Opening): void => {
    const content = leaves.subarray(index * publishedLeafBytes, (index + 1) * publishedLeafBytes);
    content.set(tag);
    content.set(work.group.commit(opening.units, opening.blinding), wordBytes);
    nodes.set(confidentialLeafHash(work, { compartment, place: index }, content), (count + index) * wordBytes);
    secrets.set(unsignedBytes(opening.units, 16), index * secretLeafBytes);
    secrets.set(littleEndian(opening.blinding), index * secretLeafBytes + 16);
    sum.units += opening.units;
    sum.blinding = (sum.blinding + opening.blinding) % groupOrder;
  };
  eachClaim(work, of, (claim, { identity, units }) => {
    const salt = saltHash(work.hasher, work.secrets.salt, identity).slice();
    const tag = tagHash(work, salt, identity).slice();
    place(order[claim] ?? 0, tag, { units, blinding: leafBlinding(work, work.secrets, { identity, units }) });
  });
  for (let rest = of.count; rest < count; rest += 1) {
    const at = { compartment, place: order[rest] ?? 0 };
    const tag = padTagHash(work, work.secrets.pad, at).slice();
    const keyed = { hasher: work.hasher, context: work.secrets.blinding };
    const blinding = joinHalves((half) => padBlindingHash(keyed, half, at));
    place(at.place, tag, { units: 0n, blinding });
  }
  hashCommitmentNodes(work, { compartment, depth, nodes });
  return {
    compartment,
    depth,
    root: nodes.slice(wordBytes, 2 * wordBytes),
    total: work.group.commit(sum.units, sum.blinding),
    opening: sum,
    leaves,
    leafHash: (index) => nodes.slice((count + index) * wordBytes, (count + index + 1) * wordBytes),
    leafOpening: (index) => openingIn(secrets, index),
    path: (claim) => {
      const index = claim < of.count ? order[claim] : undefined;
      if (index === undefined) throw malformed(`there is no claim ${claim} of ${of.count}`);
      return { index, siblings: siblingsOf(nodes, { depth, index, nodeBytes: wordBytes }) };
    },
  };
}

/** The blinding of a claim's commitment. The balance is part of what it follows from. */
export function leafBlinding(
  { hasher }: HashOrder,
  secrets: EpochSecrets,
  of: { readonly identity: Identity; readonly units: bigint },
): bigint {
  const keyed = { hasher, context: secrets.blinding };
  const balance = unsignedBytes(of.units, 16);
  return joinHalves((half) => blindingHash(keyed, half, { identity: of.identity, balance }));
}

/** A scalar of 64 bytes, reduced. Two hashes, because one would leave the low scalars more likely than the high ones. */
function joinHalves(half: (at: number) => Uint8Array): bigint {
  const bytes = new Uint8Array(64);
  bytes.set(half(0));
  bytes.set(half(1), wordBytes);
  return reduced(littleEndianOf(bytes));
}

function openingIn(secrets: Uint8Array, index: number): Opening {
  const at = index * secretLeafBytes;
  return {
    units: unsignedOf(secrets.subarray(at, at + 16)),
    blinding: littleEndianOf(secrets.subarray(at + 16, at + secretLeafBytes)),
  };
}

function hashCommitmentNodes(
  work: HashOrder,
  { compartment, depth, nodes }: { readonly compartment: number; readonly depth: number; readonly nodes: Uint8Array },
): void {
  for (let level = 1; level <= depth; level += 1) {
    const first = 2 ** (depth - level);
    for (let node = first; node < 2 * first; node += 1) {
      const children = nodes.subarray(2 * node * wordBytes, (2 * node + 2) * wordBytes);
      nodes.set(confidentialNodeHash(work, { compartment, place: level }, children), node * wordBytes);
    }
  }
}

/** Root and leaf hashes of published leaves. */
export function publishedTree(
  work: HashOrder,
  of: { readonly compartment: number; readonly depth: number; readonly leaves: Uint8Array },
): { readonly root: Uint8Array; readonly leafHashes: Uint8Array } {
  const count = 2 ** of.depth;
  const nodes = new Uint8Array(2 * count * wordBytes);
  for (let index = 0; index < count; index += 1) {
    const content = of.leaves.subarray(index * publishedLeafBytes, (index + 1) * publishedLeafBytes);
    const at = { compartment: of.compartment, place: index };
    nodes.set(confidentialLeafHash(work, at, content), (count + index) * wordBytes);
  }
  hashCommitmentNodes(work, { ...of, nodes });
  return { root: nodes.slice(wordBytes, 2 * wordBytes), leafHashes: nodes.slice(count * wordBytes) };
}

/** The root that follows from a leaf and its siblings; undefined for an index beyond the levels. */
export function foldCommitments(
  order: HashOrder,
  leaf: {
    readonly compartment: number;
    readonly index: number;
    readonly tag: Uint8Array;
    readonly commitment: Uint8Array;
  },
  siblings: Uint8Array,
): Uint8Array | undefined {
  const content = new Uint8Array(publishedLeafBytes);
  content.set(leaf.tag);
  content.set(leaf.commitment, wordBytes);
  const children = new Uint8Array(2 * wordBytes);
  let own = confidentialLeafHash(order, { compartment: leaf.compartment, place: leaf.index }, content).slice();
  let position = leaf.index;
  for (let level = 1; level * wordBytes <= siblings.length; level += 1) {
    const sibling = siblings.subarray((level - 1) * wordBytes, level * wordBytes);
    children.set(position % 2 === 0 ? own : sibling, 0);
    children.set(position % 2 === 0 ? sibling : own, wordBytes);
    own = confidentialNodeHash(order, { compartment: leaf.compartment, place: level }, children).slice();
    position = Math.floor(position / 2);
  }
  return position === 0 ? own : undefined;
}
