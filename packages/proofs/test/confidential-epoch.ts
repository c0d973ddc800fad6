import { parseCompartment } from '@bulkhead/domain';
import {
  type CommitmentTree,
  type ConfidentialBook,
  confidentialLeaves,
  confidentialSummary,
  type ConfidentialWork,
  fastGroup,
  type Group,
  leafTasks,
  makeCommitmentTree,
  makeConfidentialBook,
  proveTask,
  type ReserveHeader,
  solvencyTasks,
} from '../src/index.ts';
import { headerOf, pools, workOf } from './epoch.ts';

/** One for all tests of a file: it remembers generators. */
export const group: Group = fastGroup();

export function confidentialWork(change: Partial<ReserveHeader> = {}, by: Group = group): ConfidentialWork {
  return { ...workOf(headerOf({ tier: 'confidential', bits: 128, ...change })), group: by };
}

export type ConfidentialEpoch = {
  readonly work: ConfidentialWork;
  readonly trees: readonly CommitmentTree[];
  readonly book: ConfidentialBook;
};

export function confidentialEpoch(work: ConfidentialWork, over: typeof pools = pools): ConfidentialEpoch {
  const trees = over.map(({ compartment, claims }) =>
    makeCommitmentTree(work, { compartment: parseCompartment(compartment), claims, count: claims.length }),
  );
  const rows = trees.map((tree, at) => ({ tree, reserves: over[at]?.reserves ?? 0n }));
  return { work, trees, book: makeConfidentialBook(work, rows) };
}

export function publish({ work, book }: ConfidentialEpoch): {
  readonly summary: Uint8Array;
  readonly leaves: Uint8Array;
} {
  const solvent = Array.from(solvencyTasks(work, book), (task) => proveTask(work.group, task));
  const ranges = Array.from(leafTasks(work, book), (task) => proveTask(work.group, task));
  return { summary: confidentialSummary(work, book, solvent), leaves: confidentialLeaves(book, ranges) };
}
