import { CustodyError } from '@bulkhead/domain';
import { consistencyProof, nodesOfTiles, rootAt, type TreeHead, verifyConsistency } from '@bulkhead/tlog';
import { equalBytes } from './bytes.ts';
import type { Examination } from './order.ts';
import { fails, holds, type Step, unknown } from './report.ts';

/** A checkpoint whose signature holds, and the file that it came in. */
export type Seen = { readonly name: string; readonly checkpoint: TreeHead & { readonly origin: string } };

/** What is said to show that the tree of `newer` goes on from that of `oldSize` leaves. */
export type GivenProof = {
  readonly name: string;
  readonly oldSize: number;
  readonly path: readonly Uint8Array[];
  readonly newer: TreeHead;
};

export type Compared = {
  readonly seen: readonly Seen[];
  readonly proofs: readonly GivenProof[];
  readonly readTile: Examination['readTile'];
};

/**
 * Whether all checkpoints are of one history: those of one size by their roots, each smaller one by the log's tiles, or by a proof that
 * leads from it to a larger one. That is so for all where it is so for each, as a beginning of a beginning is one.
 */
export async function consistencySteps({ seen, proofs, readTile }: Compared): Promise<readonly Step[]> {
  const sorted = seen.toSorted((a, b) => a.checkpoint.size - b.checkpoint.size);
  const apart: Seen[] = [];
  for (const next of sorted) {
    const before = apart.at(-1);
    if (before?.checkpoint.size !== next.checkpoint.size) apart.push(next);
    else if (!equalBytes(before.checkpoint.root, next.checkpoint.root)) return [twoTrees(before, next)];
  }
  const newest = apart.at(-1);
  const strays = proofs
    .filter(({ oldSize }) => !seen.some(({ checkpoint }) => checkpoint.size === oldSize))
    .map(({ name, oldSize }) =>
      unknown('consistent', `${name} begins at a checkpoint of ${oldSize} leaves, which is not here.`),
    );
  if (newest === undefined) return strays;
  const same = seen.length > 1 && apart.length === 1 ? [holds('fork', `All ${seen.length} are of one tree.`)] : [];
  const steps: Step[] = [...strays, ...same];
  for (const older of apart.slice(0, -1)) {
    steps.push(await (readTile === undefined ? byProofs(older, proofs) : byTiles(older, newest, readTile)));
  }
  return steps;
}

function twoTrees(one: Seen, other: Seen): Step {
  const reason = `The log signed two different trees of ${one.checkpoint.size} leaves (${one.name}, ${other.name}): it lied to somebody. Keep both.`;
  return fails('fork', reason);
}

function byProofs({ name, checkpoint }: Seen, proofs: readonly GivenProof[]): Step {
  const own = proofs.filter(({ oldSize }) => oldSize === checkpoint.size);
  const shown = own.find(({ path, newer }) => verifyConsistency(checkpoint, newer, path));
  if (shown !== undefined) return continued({ name, checkpoint }, { name: shown.name, checkpoint: shown.newer });
  const [wrong] = own;
  if (wrong !== undefined) {
    const reason = `The proof in ${wrong.name} does not lead from the ${checkpoint.size} leaves of ${name} to its own ${wrong.newer.size}: it was changed, or the log told two histories. Ask with the log’s tiles, which show which.`;
    return fails('consistent', reason);
  }
  const reason = `Whether a larger checkpoint goes on from the ${checkpoint.size} leaves of ${name} cannot be known: give a proof of consistency that begins there, or the log’s tiles.`;
  return unknown('consistent', reason);
}

async function byTiles(older: Seen, newest: Seen, readTile: NonNullable<Examination['readTile']>): Promise<Step> {
  const [from, to] = [older.checkpoint, newest.checkpoint];
  try {
    const read = nodesOfTiles(to.size, readTile);
    // What the tiles have is authentic where it leads to the root that the log signed, and then says what the beginning was.
    const beginning = { size: from.size, root: await rootAt(read, from.size) };
    const path = await consistencyProof(read, from.size, to.size);
    if (!verifyConsistency(beginning, to, path)) {
      const reason = `The tiles are not those of the ${to.size} leaves of ${newest.name}, so they show nothing about ${older.name}.`;
      return unknown('consistent', reason);
    }
    if (equalBytes(beginning.root, from.root)) return continued(older, newest);
    const reason = `The log signed two histories: the first ${from.size} leaves of ${newest.name} are others than those of ${older.name}. It lied to somebody. Keep both, and the tiles.`;
    return fails('fork', reason);
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return unknown('consistent', `Tiles that ${older.name} is compared by cannot be read: ${error.message}`);
  }
}

function continued(older: Seen, newer: { readonly name: string; readonly checkpoint: TreeHead }): Step {
  return holds(
    'consistent',
    `The ${newer.checkpoint.size} leaves of ${newer.name} go on from the ${older.checkpoint.size} of ${older.name}: one history.`,
  );
}
