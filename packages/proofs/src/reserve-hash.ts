import type { BlockHasher } from './block-hasher.ts';

/**
 * What is hashed, byte by byte (`spec/reserves.md`). Each function writes one message and answers its hash, which stands until
 * the next: whoever keeps it copies it. First byte: what it is. Then the context, so that nothing serves another epoch or asset.
 */
export type HashOrder = { readonly hasher: BlockHasher; readonly context: Uint8Array };

const afterContext = 33;

function begin({ hasher, context }: HashOrder, what: number): Uint8Array {
  const { block } = hasher;
  block[0] = what;
  block.set(context, 1);
  return block;
}

function finish({ hasher }: HashOrder, length: number): Uint8Array {
  hasher.run(length);
  return hasher.hash;
}

/** Four bytes, big-endian. */
export function writeU32(block: Uint8Array, at: number, value: number): void {
  block[at] = value >>> 24;
  block[at + 1] = value >>> 16;
  block[at + 2] = value >>> 8;
  block[at + 3] = value;
}

/** Where a leaf or node stands. Of a leaf `place` is its index, of a node the level above the leaves. */
type Place = { readonly compartment: number; readonly place: number };

/** A leaf of the plain tier. @param content tag (32) and balance (16) */
export function plainLeafHash(order: HashOrder, at: Place, content: Uint8Array): Uint8Array {
  return finish(order, writeLeaf(begin(order, 0x00), at, content));
}

/** A leaf of the confidential tier. @param content tag (32) and commitment (32) */
export function confidentialLeafHash(order: HashOrder, at: Place, content: Uint8Array): Uint8Array {
  return finish(order, writeLeaf(begin(order, 0x20), at, content));
}

function writeLeaf(block: Uint8Array, at: Place, content: Uint8Array): number {
  writeU32(block, afterContext, at.compartment);
  writeU32(block, afterContext + 4, at.place);
  block.set(content, afterContext + 8);
  return afterContext + 8 + content.length;
}

/** A node of the plain tier. @param children hash (32) and sum (16) of the left, then of the right: both sums, apart */
export function plainNodeHash(order: HashOrder, at: Place, children: Uint8Array): Uint8Array {
  return finish(order, writeNode(begin(order, 0x01), at, children));
}

/** A node of the confidential tier. @param children hash of the left (32), then of the right */
export function confidentialNodeHash(order: HashOrder, at: Place, children: Uint8Array): Uint8Array {
  return finish(order, writeNode(begin(order, 0x21), at, children));
}

function writeNode(block: Uint8Array, at: Place, children: Uint8Array): number {
  writeU32(block, afterContext, at.compartment);
  block[afterContext + 4] = at.place;
  block.set(children, afterContext + 5);
  return afterContext + 5 + children.length;
}

/** What a row says of a compartment: the depth and root of its tree, what it owes, and what it holds. */
export type RowFields = {
  readonly compartment: number;
  readonly depth: number;
  readonly root: Uint8Array;
  /** Sum of the leaves: 16 bytes in the plain tier, a commitment of 32 in the confidential one. */
  readonly liabilities: Uint8Array;
  /** Units, 16 bytes. */
  readonly reserves: Uint8Array;
};

export function rowHash(order: HashOrder, row: RowFields): Uint8Array {
  const block = begin(order, row.liabilities.length === 16 ? 0x03 : 0x23);
  writeU32(block, afterContext, row.compartment);
  block[afterContext + 4] = row.depth;
  block.set(row.root, afterContext + 5);
  block.set(row.liabilities, afterContext + 37);
  block.set(row.reserves, afterContext + 37 + row.liabilities.length);
  return finish(order, afterContext + 53 + row.liabilities.length);
}

/** A node over rows: no sums, because compartments are never netted. */
export function bookNodeHash(order: HashOrder, level: number, children: Uint8Array): Uint8Array {
  const block = begin(order, 0x04);
  block[afterContext] = level;
  block.set(children, afterContext + 1);
  return finish(order, afterContext + 65);
}

/** The place of a compartment that has no row. */
export function emptyRowHash(order: HashOrder): Uint8Array {
  begin(order, 0x05);
  return finish(order, afterContext);
}

/** What the registry records of an epoch and asset. */
export function recordHash(order: HashOrder, root: Uint8Array, rows: number): Uint8Array {
  const block = begin(order, 0x02);
  block.set(root, afterContext);
  writeU32(block, afterContext + 32, rows);
  return finish(order, afterContext + 36);
}

/** Whose claim a leaf is, in bytes: compartment, kind, length, holder. */
export type Identity = { readonly compartment: number; readonly kind: number; readonly holder: Uint8Array };

function writeIdentity(block: Uint8Array, at: number, { compartment, kind, holder }: Identity): number {
  writeU32(block, at, compartment);
  block[at + 4] = kind;
  block[at + 5] = holder.length;
  block.set(holder, at + 6);
  return at + 6 + holder.length;
}

/** The tag that binds a leaf to its holder, and shows nothing of it without the salt. */
export function tagHash(order: HashOrder, salt: Uint8Array, identity: Identity): Uint8Array {
  const block = begin(order, 0x11);
  block.set(salt, afterContext);
  return finish(order, writeIdentity(block, afterContext + 32, identity));
}

/** The tag of a leaf that is nobody's. @param key of the epoch; `place` is the leaf's index */
export function padTagHash(order: HashOrder, key: Uint8Array, at: Place): Uint8Array {
  const block = begin(order, 0x12);
  block.set(key, afterContext);
  writeU32(block, afterContext + 32, at.compartment);
  writeU32(block, afterContext + 36, at.place);
  return finish(order, afterContext + 40);
}

/** Secrets follow from keys of the epoch. The key stands where the context does elsewhere: it was derived with it. */
export function saltHash(hasher: BlockHasher, key: Uint8Array, identity: Identity): Uint8Array {
  const order = { hasher, context: key };
  return finish(order, writeIdentity(begin(order, 0x13), afterContext, identity));
}

/** Half of a blinding, 0 or 1. The balance is in it: another balance under the same context gets another blinding. */
export function blindingHash(
  order: HashOrder,
  half: number,
  of: { readonly identity: Identity; readonly balance: Uint8Array },
): Uint8Array {
  const block = begin(order, 0x14);
  block[afterContext] = half;
  block.set(of.balance, afterContext + 1);
  return finish(order, writeIdentity(block, afterContext + 17, of.identity));
}

/** Half of the blinding of a leaf that is nobody's. */
export function padBlindingHash(order: HashOrder, half: number, at: Place): Uint8Array {
  const block = begin(order, 0x15);
  block[afterContext] = half;
  writeU32(block, afterContext + 1, at.compartment);
  writeU32(block, afterContext + 5, at.place);
  return finish(order, afterContext + 9);
}

/** Eight random words for the order of leaves. */
export function shuffleHash(order: HashOrder, at: Place): Uint8Array {
  const block = begin(order, 0x16);
  writeU32(block, afterContext, at.compartment);
  writeU32(block, afterContext + 4, at.place);
  return finish(order, afterContext + 8);
}

/** The tag of a balance statement: whose it is, and shown to nobody without the salt. */
export function statementTagHash(order: HashOrder, salt: Uint8Array, identity: Identity): Uint8Array {
  const block = begin(order, 0x31);
  block.set(salt, afterContext);
  return finish(order, writeIdentity(block, afterContext + 32, identity));
}

/** A leaf of the tree of balance statements. @param content tag (32) and amount in the asset's smallest unit (32) */
export function statementLeafHash(order: HashOrder, content: Uint8Array): Uint8Array {
  begin(order, 0x30).set(content, afterContext);
  return finish(order, afterContext + 64);
}

/** A node of the tree of balance statements. @param children hash of the left (32), then of the right */
export function statementNodeHash(order: HashOrder, level: number, children: Uint8Array): Uint8Array {
  const block = begin(order, 0x32);
  block[afterContext] = level;
  block.set(children, afterContext + 1);
  return finish(order, afterContext + 65);
}

/** A place behind the last balance statement. */
export function emptyStatementHash(order: HashOrder): Uint8Array {
  begin(order, 0x33);
  return finish(order, afterContext);
}
