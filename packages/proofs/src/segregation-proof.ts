import { type Compartment, compartmentFirst } from '@bulkhead/domain';
import { concatBytes } from '@noble/hashes/utils.js';
import { artefactHead, openArtefact } from './artefact.ts';
import { portableBlockHasher } from './block-hasher.ts';
import { type BookPath, foldBook } from './book-tree.ts';
import { encodeCertificates, readCertificates, type SignedCertificate } from './certificate-list.ts';
import { type Claim, type ClaimKind, identityOf, kindOf } from './claim.ts';
import { type Pin, readBookPath } from './client-package.ts';
import { type CommitmentTree, type ConfidentialWork, publishedTree } from './commitment-tree.ts';
import { type ConfidentialBook, rowIn } from './confidential-proof.ts';
import { amountBytes, equalBytes, malformed, unsignedBytes, unsignedOf } from './fixed-width.ts';
import type { Group } from './group.ts';
import { encodeHeader, liabilityUnits, type ReserveHeader, takeHeader } from './header.ts';
import { encodeLeaf, type OpenedLeaf, readLeaf } from './opened-leaf.ts';
import type { PlainBook } from './plain-proof.ts';
import { isIdentity } from './range-proof.ts';
import { type HashOrder, padTagHash, recordHash, type RowFields, rowHash, saltHash, tagHash } from './reserve-hash.ts';
import { reduced } from './scalar.ts';
import { type EpochWork, shownSums, type SumTree } from './sum-tree.ts';
import { refuted, type Verdict } from './verdict.ts';
import {
  type CompartmentWallets,
  encodeCompartmentWallets,
  readCompartmentWallets,
  type Wallet,
} from './wallet-list.ts';

/** Levels of a tree whose leaves are all shown: a client's own compartment has a few claims, and may hide how many. */
export const segregationDepthMax = 16;

/** What a compartment has besides its tree: where its coins are, and who certified that. */
export type SegregationParts = {
  /** All claims of the compartment, in the order in which its tree was made. */
  readonly claims: readonly Claim[];
  readonly wallets: readonly Wallet[];
  readonly certificates: readonly SignedCertificate[];
};

/** Shows that a compartment has one client, in the plain tier. @throws CustodyError `proof/malformed` */
export function plainSegregation(
  work: EpochWork,
  { book, reserves }: PlainBook,
  of: SegregationParts & { readonly tree: SumTree },
): Uint8Array {
  const { tree } = of;
  const held = reserves.get(tree.compartment);
  if (held === undefined) throw malformed(`compartment ${tree.compartment} has no row`);
  const leaves = openLeaves(work, of, () => undefined);
  return encodeSegregation(work.header, {
    ...of,
    leaves,
    compartment: tree.compartment,
    reserves: unsignedBytes(held, amountBytes),
    rows: book.rows,
    path: book.path(tree.compartment),
  });
}

/** The same in the confidential tier. @throws CustodyError `proof/malformed` */
export function confidentialSegregation(
  work: ConfidentialWork,
  made: ConfidentialBook,
  of: SegregationParts & { readonly tree: CommitmentTree },
): Uint8Array {
  const { book } = made;
  const { tree } = of;
  const row = rowIn(made, tree.compartment);
  return encodeSegregation(work.header, {
    ...of,
    leaves: openLeaves(work, of, (index) => tree.leafOpening(index).blinding),
    compartment: tree.compartment,
    reserves: row.fields.reserves,
    rows: book.rows,
    path: book.path(tree.compartment),
  });
}

type AnyTree = Pick<SumTree, 'compartment' | 'depth' | 'path'>;

function openLeaves(
  work: EpochWork,
  { tree, claims }: { readonly tree: AnyTree; readonly claims: readonly Claim[] },
  blindingAt: (index: number) => bigint | undefined,
): readonly OpenedLeaf[] {
  const { compartment, depth } = tree;
  if (compartment < compartmentFirst.individual) {
    throw malformed(`compartment ${compartment} is shared: nothing shows one client alone in it`);
  }
  if (depth > segregationDepthMax) throw malformed(`a tree of depth ${depth} is too deep to be shown whole`);
  const places = new Map(claims.map((claim, at) => [tree.path(at).index, claim]));
  return Array.from({ length: 2 ** depth }, (_, index): OpenedLeaf => {
    const claim = places.get(index);
    const blinding = blindingAt(index);
    if (claim === undefined) {
      const tag = padTagHash(work, work.secrets.pad, { compartment, place: index }).slice();
      return { of: { tag }, blinding };
    }
    const identity = identityOf(compartment, claim);
    const salt = saltHash(work.hasher, work.secrets.salt, identity).slice();
    return { of: { identity, salt, units: liabilityUnits(work.header, claim.amount) }, blinding };
  });
}

type Encoded = CompartmentWallets & {
  readonly tree: AnyTree;
  readonly reserves: Uint8Array;
  readonly rows: number;
  readonly path: BookPath;
  readonly leaves: readonly OpenedLeaf[];
  readonly certificates: readonly SignedCertificate[];
};

function encodeSegregation(header: ReserveHeader, of: Encoded): Uint8Array {
  return concatBytes(
    artefactHead('segregation'),
    encodeHeader(header),
    unsignedBytes(of.tree.depth, 1),
    of.reserves,
    unsignedBytes(of.rows, 4),
    unsignedBytes(of.path.present, 4),
    of.path.siblings,
    encodeCompartmentWallets(of),
    encodeCertificates(of.certificates),
    ...of.leaves.map(encodeLeaf),
  );
}

/** What a proof of segregation shows of a compartment, in units. */
export type SegregationFinding = {
  readonly header: ReserveHeader;
  readonly reserves: bigint;
  readonly liabilities: bigint;
  /** Everything that is owed out of the compartment; the client's own claim is one of these. */
  readonly claims: readonly { readonly kind: ClaimKind; readonly holder: Uint8Array; readonly units: bigint }[];
  /** Places that have nothing in them. */
  readonly empty: number;
  readonly wallets: readonly Wallet[];
  readonly certificates: readonly SignedCertificate[];
};

/**
 * Whether a compartment that holds what it owes has this client's claim in it and no other client's. What is owed to the house for
 * fees, or belongs to nobody yet, may stand beside it.
 *
 * @param group needed for the confidential tier alone
 */
export function verifySegregation(
  bytes: Uint8Array,
  known: { readonly pin: Pin; readonly compartment: Compartment; readonly holder: Uint8Array; readonly group: Group },
): Verdict<SegregationFinding> {
  const parts = readSegregation(bytes);
  if (parts === undefined) return refuted('malformed');
  if (!equalBytes(parts.context, known.pin.context)) return refuted('other-context');
  if (parts.compartment !== known.compartment) return refuted('other-compartment');
  if (parts.compartment < compartmentFirst.individual) return refuted('shared-compartment');
  const claims = parts.leaves.flatMap(({ of }) => {
    const kind = 'tag' in of ? undefined : kindOf(of.identity.kind);
    return 'tag' in of || kind === undefined ? [] : [{ kind, holder: of.identity.holder, units: of.units }];
  });
  const clients = claims.filter(({ kind }) => kind === 'client');
  if (clients.length !== 1 || !clients.every(({ holder }) => equalBytes(holder, known.holder))) {
    return refuted('other-holder');
  }
  const liabilities = claims.reduce((sum, { units }) => sum + units, 0n);
  const order = { hasher: portableBlockHasher(), context: known.pin.context };
  const row = parts.header.tier === 'plain' ? plainRow(order, parts) : confidentialRow(order, parts, known.group);
  if (row === undefined) return refuted('out-of-range');
  if (isIdentity(row.liabilities) && parts.header.tier === 'confidential') return refuted('not-canonical');
  const hash = rowHash(order, row).slice();
  const root = foldBook(order, { compartment: parts.compartment, hash }, parts.path);
  if (root === undefined || !equalBytes(recordHash(order, root, parts.rows), known.pin.record)) {
    return refuted('other-record');
  }
  const reserves = unsignedOf(parts.reserves);
  if (liabilities > reserves) return refuted('insolvent');
  const { header, wallets, certificates } = parts;
  const empty = parts.leaves.length - claims.length;
  return { holds: true, header, reserves, liabilities, claims, empty, wallets, certificates };
}

type Parts = CompartmentWallets & {
  readonly header: ReserveHeader;
  readonly context: Uint8Array;
  readonly depth: number;
  readonly reserves: Uint8Array;
  readonly rows: number;
  readonly path: BookPath;
  readonly leaves: readonly OpenedLeaf[];
  readonly certificates: readonly SignedCertificate[];
};

/** Takes a proof of segregation apart; undefined for bytes that are none. */
export function readSegregation(bytes: Uint8Array): Parts | undefined {
  const fields = openArtefact('segregation', bytes);
  const head = fields === undefined ? undefined : takeHeader(fields);
  if (fields === undefined || head === undefined) return undefined;
  const depth = fields.number(1);
  const reserves = fields.bytes(amountBytes);
  const rows = fields.number(4);
  const path = readBookPath(fields);
  const list = readCompartmentWallets(fields);
  const certificates = readCertificates(fields);
  if (depth === undefined || depth > segregationDepthMax || list === undefined) return undefined;
  if (reserves === undefined || rows === undefined) return undefined;
  if (path === undefined || certificates === undefined) return undefined;
  const leaves: OpenedLeaf[] = [];
  for (let index = 0; index < 2 ** depth; index += 1) {
    const leaf = readLeaf(fields, { compartment: list.compartment, tier: head.header.tier });
    if (leaf === undefined) return undefined;
    leaves.push(leaf);
  }
  return fields.ended() ? { ...head, ...list, depth, reserves, rows, path, leaves, certificates } : undefined;
}

function tagOf(order: HashOrder, { of }: OpenedLeaf): Uint8Array {
  return 'tag' in of ? of.tag : tagHash(order, of.salt, of.identity).slice();
}

function unitsOf({ of }: OpenedLeaf): bigint {
  return 'tag' in of ? 0n : of.units;
}

function plainRow(order: HashOrder, { compartment, depth, reserves, leaves }: Parts): RowFields | undefined {
  const contents = leaves.map((leaf) => concatBytes(tagOf(order, leaf), unsignedBytes(unitsOf(leaf), amountBytes)));
  const top = shownSums(order, { compartment, depth, leaves: concatBytes(...contents) });
  if (top === undefined) return undefined;
  return { compartment, depth, root: top.root, liabilities: unsignedBytes(top.sum, amountBytes), reserves };
}

function confidentialRow(
  order: HashOrder,
  { header, compartment, depth, reserves, leaves }: Parts,
  group: Group,
): RowFields | undefined {
  const bound = 2n ** BigInt(header.bits);
  if (leaves.some((leaf) => unitsOf(leaf) >= bound)) return undefined;
  const contents = leaves.map((leaf) => {
    const commitment = group.commit(unitsOf(leaf), leaf.blinding ?? 0n);
    return concatBytes(tagOf(order, leaf), commitment);
  });
  const { root } = publishedTree(order, { compartment, depth, leaves: concatBytes(...contents) });
  const units = leaves.reduce((sum, leaf) => sum + unitsOf(leaf), 0n);
  const blinding = leaves.reduce((sum, leaf) => sum + (leaf.blinding ?? 0n), 0n);
  return { compartment, depth, root, liabilities: group.commit(units, reduced(blinding)), reserves };
}
