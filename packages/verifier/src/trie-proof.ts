import { keccak_256 } from '@noble/hashes/sha3.js';
import { equalBytes } from './bytes.ts';
import { decodeRlpList, type RlpItem } from './rlp.ts';

/** No proof in a trie of hashed keys has more nodes: one for each half byte of a key, and a leaf. */
const nodesMax = 65;
const branches = 16;
const hashLength = 32;

/**
 * What a Merkle Patricia trie has under the hash of a key (Ethereum yellow paper, appendix D; the nodes are those of `eth_getProof`,
 * EIP-1186, from the root down).
 *
 * @returns the value, `absent` where the nodes prove that there is none, undefined where they prove nothing
 */
export function provenValue(
  root: Uint8Array,
  key: Uint8Array,
  nodes: readonly Uint8Array[],
): Uint8Array | 'absent' | undefined {
  if (nodes.length > nodesMax) return undefined;
  const path = halves(keccak_256(key));
  let taken = 0;
  let reference: RlpItem = { kind: 'bytes', bytes: root };
  for (let depth = 0; depth <= path.length;) {
    const node = resolve(reference, nodes[taken]);
    if (node === undefined) return undefined;
    if (reference.kind === 'bytes') taken += 1;
    const step = descend(node, path, depth);
    if (step === undefined) return undefined;
    if ('found' in step) return taken === nodes.length ? step.found : undefined;
    ({ reference, depth } = step);
  }
  return undefined;
}

/** A node stands in its parent where it is short, and otherwise the parent has its hash. */
function resolve(reference: RlpItem, next: Uint8Array | undefined): readonly RlpItem[] | undefined {
  if (reference.kind === 'list') return decodeRlpList(reference.encoded);
  if (next === undefined || reference.bytes.length !== hashLength) return undefined;
  return equalBytes(keccak_256(next), reference.bytes) ? decodeRlpList(next) : undefined;
}

type Step = { readonly found: Uint8Array | 'absent' } | { readonly reference: RlpItem; readonly depth: number };

function descend(node: readonly RlpItem[], path: readonly number[], depth: number): Step | undefined {
  if (node.length === branches + 1) {
    const half = path[depth];
    // Keys are hashes of one length, so none ends at a branch.
    const child = half === undefined ? undefined : node[half];
    if (child === undefined) return undefined;
    return isEmpty(child) ? { found: 'absent' } : { reference: child, depth: depth + 1 };
  }
  const [marked, content] = node;
  if (node.length !== 2 || marked?.kind !== 'bytes' || content === undefined) return undefined;
  const part = unmarked(marked.bytes);
  if (part === undefined) return undefined;
  const matches = part.halves.every((half, at) => half === path[depth + at]);
  if (!matches) return { found: 'absent' };
  const end = depth + part.halves.length;
  if (!part.isLeaf) return part.halves.length === 0 ? undefined : { reference: content, depth: end };
  return end === path.length && content.kind === 'bytes' ? { found: content.bytes } : undefined;
}

function isEmpty(item: RlpItem): boolean {
  return item.kind === 'bytes' && item.bytes.length === 0;
}

/** Takes the mark off a part of a path: whether it ends in a leaf, and whether its length is odd. */
function unmarked(bytes: Uint8Array): { readonly isLeaf: boolean; readonly halves: readonly number[] } | undefined {
  const [mark, ...rest] = halves(bytes);
  if (mark === undefined || mark > 3) return undefined;
  const isOdd = (mark & 1) === 1;
  if (!isOdd && rest[0] !== 0) return undefined;
  return { isLeaf: mark >= 2, halves: isOdd ? rest : rest.slice(1) };
}

function halves(bytes: Uint8Array): readonly number[] {
  return [...bytes].flatMap((byte) => [byte >> 4, byte & 0x0f]);
}
