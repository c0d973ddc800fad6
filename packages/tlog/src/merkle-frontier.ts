import { invariant } from '@bulkhead/domain';
import { emptyRoot, isTreeSize, nodeHash, treeSizeMax } from './merkle-hash.ts';

/**
 * All that is needed of a tree to add leaves to it: the roots of the complete subtrees that its size consists of, the
 * largest (and leftmost) first, one for each bit of the size.
 */
export type Frontier = { readonly size: number; readonly peaks: readonly Uint8Array[] };

export const emptyFrontier: Frontier = { size: 0, peaks: [] };

/** A complete subtree: 2^level leaves, the `index`-th of that size from the left. */
export type CompleteNode = { readonly level: number; readonly index: number; readonly hash: Uint8Array };

/** How many complete subtrees a tree of this size consists of. */
export function peakCount(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/**
 * The tree with more leaves at its right end.
 *
 * @param hashes of the leaves, in order
 * @param onNode told of every subtree that becomes complete, its leaves included, children before parents
 */
export function extend(
  frontier: Frontier,
  hashes: readonly Uint8Array[],
  onNode: (node: CompleteNode) => void = () => undefined,
): Frontier {
  invariant(
    isTreeSize(frontier.size) && frontier.peaks.length === peakCount(frontier.size),
    `A tree of ${frontier.size} leaves has ${peakCount(frontier.size)} complete subtrees, not ${frontier.peaks.length}.`,
  );
  invariant(frontier.size + hashes.length <= treeSizeMax, `A tree has at most ${treeSizeMax} leaves.`);
  const peaks = [...frontier.peaks];
  let { size } = frontier;
  for (const leaf of hashes) {
    let hash = leaf;
    onNode({ level: 0, index: size, hash });
    let index = size;
    for (let level = 1; index % 2 === 1; level += 1) {
      const left = peaks.pop();
      invariant(left !== undefined, 'A tree lacks the left neighbour of a complete subtree.');
      hash = nodeHash(left, hash);
      index = (index - 1) / 2;
      onNode({ level, index, hash });
    }
    peaks.push(hash);
    size += 1;
  }
  return { size, peaks };
}

/** RFC 6962 section 2.1: the Merkle Tree Hash. */
export function rootOf({ peaks }: Frontier): Uint8Array {
  const [first, ...others] = peaks.toReversed();
  if (first === undefined) return emptyRoot;
  return others.reduce((right, left) => nodeHash(left, right), first);
}
