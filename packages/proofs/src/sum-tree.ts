import type { Compartment } from '@bulkhead/domain';
import { type Claim, depthFor, depthMax, identityOf, precedes } from './claim.ts';
import type { EpochSecrets } from './epoch-secrets.ts';
import { amountBound, amountBytes, malformed, unsignedOf } from './fixed-width.ts';
import { liabilityUnits, type ReserveHeader } from './header.ts';
import { leafOrder } from './leaf-order.ts';
import {
  type HashOrder,
  type Identity,
  padTagHash,
  plainLeafHash,
  plainNodeHash,
  saltHash,
  tagHash,
} from './reserve-hash.ts';

/** Hash and sum, side by side: two children of a node are one run of bytes, as they are hashed. */
const nodeBytes = 48;
const hashBytes = 32;

/** The tree of one compartment in the plain tier. */
export type SumTree = {
  readonly compartment: Compartment;
  readonly depth: number;
  readonly root: Uint8Array;
  /** Units that the compartment owes. */
  readonly liabilities: bigint;
  /** Index and siblings, bottom up (hash 32, sum 16 each), of a claim by its place in the order of claims. */
  readonly path: (claim: number) => { readonly index: number; readonly siblings: Uint8Array };
};

/** What the trees of one epoch and asset are made with. */
export type EpochWork = HashOrder & { readonly header: ReserveHeader; readonly secrets: EpochSecrets };

/** Claims of one compartment, strictly ascending by kind (client, fee-payable, suspense) and holder. */
export type CompartmentClaims = {
  readonly compartment: Compartment;
  readonly claims: Iterable<Claim>;
  /** How many they are: the memory is taken before the first is read. */
  readonly count: number;
  /** More levels than needed hide the number of claims. */
  readonly depth?: number;
};

/**
 * Builds the tree of a compartment. It takes 100 bytes for each leaf and reads the claims once.
 *
 * @throws CustodyError `proof/malformed` for claims that are out of order, twice, negative or too large
 */
export function makeSumTree(work: EpochWork, of: CompartmentClaims): SumTree {
  const depth = checkedDepth(of);
  const { compartment } = of;
  const leaves = 2 ** depth;
  const nodes = new Uint8Array(2 * leaves * nodeBytes);
  const order = leafOrder({ hasher: work.hasher, key: work.secrets.order, compartment, depth, claims: of.count });
  const salt = new Uint8Array(hashBytes);
  const content = new Uint8Array(nodeBytes);
  const balance = new DataView(content.buffer, hashBytes);
  const place = (index: number): void => {
    const at = (leaves + index) * nodeBytes;
    nodes.set(plainLeafHash(work, { compartment, place: index }, content), at);
    nodes.set(content.subarray(hashBytes), at + hashBytes);
  };
  eachClaim(work, of, (claim, { identity, units }) => {
    balance.setBigUint64(0, units >> 64n);
    balance.setBigUint64(8, units & 0xffff_ffff_ffff_ffffn);
    salt.set(saltHash(work.hasher, work.secrets.salt, identity));
    content.set(tagHash(work, salt, identity));
    place(order[claim] ?? 0);
  });
  content.fill(0, hashBytes);
  for (let rest = of.count; rest < leaves; rest += 1) {
    const index = order[rest] ?? 0;
    content.set(padTagHash(work, work.secrets.pad, { compartment, place: index }));
    place(index);
  }
  hashNodes(work, { compartment, depth, nodes });
  return {
    compartment,
    depth,
    root: nodes.slice(nodeBytes, nodeBytes + hashBytes),
    liabilities: unsignedOf(nodes.subarray(nodeBytes + hashBytes, 2 * nodeBytes)),
    path: (claim) => {
      const index = claim < of.count ? order[claim] : undefined;
      if (index === undefined) throw malformed(`there is no claim ${claim} of ${of.count}`);
      return { index, siblings: siblingsOf(nodes, { depth, index, nodeBytes }) };
    },
  };
}

/** The depth asked for, or the least. @throws CustodyError `proof/malformed` */
export function checkedDepth({ count, depth }: Pick<CompartmentClaims, 'count' | 'depth'>): number {
  const least = depthFor(count);
  const chosen = depth ?? least;
  if (!Number.isInteger(chosen) || chosen < least || chosen > depthMax) {
    throw malformed(`a tree of depth ${chosen} is not one of ${least} to ${depthMax}, for ${count} claims`);
  }
  return chosen;
}

/** Reads claims in their order, each with its number, and refuses what the order, the width or the count forbids. */
export function eachClaim(
  { header }: Pick<EpochWork, 'header'>,
  of: CompartmentClaims,
  take: (claim: number, leaf: { readonly identity: Identity; readonly units: bigint }) => void,
): void {
  const bound = 2n ** BigInt(header.bits);
  let before: Identity | undefined;
  let count = 0;
  for (const claim of of.claims) {
    const identity = identityOf(of.compartment, claim);
    if (before !== undefined && !precedes(before, identity)) {
      throw malformed(`claim ${count} of compartment ${of.compartment} does not come after the one before it`);
    }
    const units = liabilityUnits(header, claim.amount);
    if (units >= bound) throw malformed(`a claim of ${units} units has more than ${header.bits} bits`);
    if (count === of.count) throw malformed(`there are more claims than ${of.count}`);
    take(count, { identity, units });
    before = identity;
    count += 1;
  }
  if (count !== of.count) throw malformed(`there are ${count} claims, not ${of.count}`);
}

function hashNodes(
  work: HashOrder,
  { compartment, depth, nodes }: { readonly compartment: number; readonly depth: number; readonly nodes: Uint8Array },
): void {
  for (let level = 1; level <= depth; level += 1) {
    const first = 2 ** (depth - level);
    for (let node = first; node < 2 * first; node += 1) {
      const children = nodes.subarray(2 * node * nodeBytes, (2 * node + 2) * nodeBytes);
      nodes.set(plainNodeHash(work, { compartment, place: level }, children), node * nodeBytes);
      addAmounts(nodes, node);
    }
  }
}

/** Sum of the two children's amounts, byte by byte from the end. A carry out of the first byte is no amount any more. */
function addAmounts(nodes: Uint8Array, node: number): void {
  const sum = node * nodeBytes + hashBytes;
  const left = 2 * node * nodeBytes + hashBytes;
  const right = left + nodeBytes;
  let carry = 0;
  for (let at = amountBytes - 1; at >= 0; at -= 1) {
    const digit = (nodes[left + at] ?? 0) + (nodes[right + at] ?? 0) + carry;
    nodes[sum + at] = digit;
    carry = digit >> 8;
  }
  if (carry !== 0) throw malformed(`the claims add up to ${amountBound} units or more`);
}

/** The siblings on the way from a leaf to the root of a tree that lies in one array, the root at 1. */
export function siblingsOf(
  nodes: Uint8Array,
  of: { readonly depth: number; readonly index: number; readonly nodeBytes: number },
): Uint8Array {
  const siblings = new Uint8Array(of.depth * of.nodeBytes);
  let node = 2 ** of.depth + of.index;
  for (let level = 0; level < of.depth; level += 1) {
    const sibling = node % 2 === 0 ? node + 1 : node - 1;
    siblings.set(nodes.subarray(sibling * of.nodeBytes, (sibling + 1) * of.nodeBytes), level * of.nodeBytes);
    node = Math.floor(node / 2);
  }
  return siblings;
}

/** Sum and root that follow from a leaf and its siblings; undefined where a sum is none. */
export function foldSums(
  order: HashOrder,
  leaf: { readonly compartment: number; readonly index: number; readonly tag: Uint8Array; readonly units: bigint },
  siblings: Uint8Array,
): { readonly root: Uint8Array; readonly sum: bigint } | undefined {
  const content = new Uint8Array(nodeBytes);
  content.set(leaf.tag);
  const node = new Uint8Array(nodeBytes);
  writeAmount(content, leaf.units);
  node.set(content.subarray(hashBytes), hashBytes);
  node.set(plainLeafHash(order, { compartment: leaf.compartment, place: leaf.index }, content));
  let sum = leaf.units;
  let position = leaf.index;
  const children = new Uint8Array(2 * nodeBytes);
  for (let level = 1; level * nodeBytes <= siblings.length; level += 1) {
    const sibling = siblings.subarray((level - 1) * nodeBytes, level * nodeBytes);
    const right = position % 2 === 1;
    children.set(right ? sibling : node, 0);
    children.set(right ? node : sibling, nodeBytes);
    sum += unsignedOf(sibling.subarray(hashBytes));
    if (sum >= amountBound) return undefined;
    node.set(plainNodeHash(order, { compartment: leaf.compartment, place: level }, children));
    writeAmount(node, sum);
    position = Math.floor(position / 2);
  }
  return position === 0 ? { root: node.slice(0, hashBytes), sum } : undefined;
}

function writeAmount(node: Uint8Array, amount: bigint): void {
  const view = new DataView(node.buffer, node.byteOffset + hashBytes, nodeBytes - hashBytes);
  view.setBigUint64(0, amount >> 64n);
  view.setBigUint64(8, amount & 0xffff_ffff_ffff_ffffn);
}

/** Root and sum of a tree whose leaves are all shown (tag 32, balance 16 each, by index); undefined where their sum is none. */
export function shownSums(
  order: HashOrder,
  of: { readonly compartment: number; readonly depth: number; readonly leaves: Uint8Array },
): { readonly root: Uint8Array; readonly sum: bigint } | undefined {
  const { compartment, depth, leaves } = of;
  const count = 2 ** depth;
  const nodes = new Uint8Array(2 * count * nodeBytes);
  let sum = 0n;
  for (let index = 0; index < count; index += 1) {
    const content = leaves.subarray(index * nodeBytes, (index + 1) * nodeBytes);
    sum += unsignedOf(content.subarray(hashBytes));
    nodes.set(plainLeafHash(order, { compartment, place: index }, content), (count + index) * nodeBytes);
    nodes.set(content.subarray(hashBytes), (count + index) * nodeBytes + hashBytes);
  }
  if (sum >= amountBound) return undefined;
  hashNodes(order, { compartment, depth, nodes });
  return { root: nodes.slice(nodeBytes, nodeBytes + hashBytes), sum };
}
