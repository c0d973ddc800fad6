import { type Compartment, invariant } from '@bulkhead/domain';
import {
  type Claim,
  type CommitmentTree,
  type CompartmentClaims,
  confidentialPackage,
  type ConfidentialBook,
  type ConfidentialWork,
  contextOf,
  depthFor,
  epochSecrets,
  type EpochWork,
  fastBlockHasher,
  fastGroup,
  makeCommitmentTree,
  makeConfidentialBook,
  makePlainBook,
  makeSumTree,
  type PlainBook,
  plainPackage,
  type ReserveHeader,
  type SumTree,
} from '@bulkhead/proofs';
import { claimsIn, type CompartmentReading, type Snapshot } from './snapshot.ts';
import { type Steps, stepsOf, type Tell } from './progress.ts';

/** Trees of all compartments of an epoch, and the book over them. 100 to 180 bytes for each leaf. */
export type EpochBook =
  | { readonly tier: 'plain'; readonly work: EpochWork; readonly trees: Trees<SumTree>; readonly book: PlainBook }
  | {
      readonly tier: 'confidential';
      readonly work: ConfidentialWork;
      readonly trees: Trees<CommitmentTree>;
      readonly book: ConfidentialBook;
    };

type Trees<Tree> = ReadonlyMap<Compartment, Tree>;

/**
 * Least levels of a compartment's tree. With one level a client that is alone in its compartment has a place of nobody's beside it, so that
 * the number of leaves does not tell who owes a fee.
 */
export const depthMin = 1;

/** Compartments that have a row: those that owe something. What lies in another one proves nothing to anybody. */
export function rowsOf({ compartments }: Snapshot): readonly CompartmentReading[] {
  return compartments.filter(({ claims }) => claims > 0);
}

/** What everything of an epoch is hashed with. */
export function secretsOf(header: ReserveHeader, master: Uint8Array): EpochWork {
  const context = contextOf(header);
  return { header, context, hasher: fastBlockHasher(), secrets: epochSecrets(master, context) };
}

/** Builds all trees. The same header, master secret and snapshot give the same bytes, whenever and wherever. */
export function bookOf(
  header: ReserveHeader,
  of: { readonly master: Uint8Array; readonly snapshot: Snapshot; readonly tell: Tell },
): EpochBook {
  const work = secretsOf(header, of.master);
  const rows = rowsOf(of.snapshot);
  const steps = stepsOf(
    of.tell,
    'trees',
    rows.reduce((sum, { claims }) => sum + claims, 0),
  );
  if (header.tier === 'plain') {
    const trees = new Map(eachTree(of.snapshot, steps, (claims) => makeSumTree(work, claims)));
    return { tier: 'plain', work, trees, book: makePlainBook(work, withReserves(rows, trees)) };
  }
  const confidential = { ...work, group: fastGroup() };
  const trees = new Map(eachTree(of.snapshot, steps, (claims) => makeCommitmentTree(confidential, claims)));
  return {
    tier: 'confidential',
    work: confidential,
    trees,
    book: makeConfidentialBook(confidential, withReserves(rows, trees)),
  };
}

function* eachTree<Tree>(
  snapshot: Snapshot,
  steps: Steps,
  make: (claims: CompartmentClaims) => Tree,
): Generator<readonly [Compartment, Tree]> {
  const claims = claimsIn(snapshot);
  for (const { compartment, claims: count } of rowsOf(snapshot)) {
    const depth = Math.max(depthMin, depthFor(count));
    yield [compartment, make({ compartment, count, depth, claims: take(claims, count, steps) })];
  }
}

/** The next so many; the rest stays for the compartment after. */
function* take(claims: Iterator<Claim>, count: number, steps: Steps): Generator<Claim> {
  for (let at = 0; at < count; at += 1) {
    const next = claims.next();
    if (next.done === true) return;
    steps.one();
    yield next.value;
  }
}

function* withReserves<Tree>(
  rows: readonly CompartmentReading[],
  trees: Trees<Tree>,
): Generator<{ readonly tree: Tree; readonly reserves: bigint }> {
  for (const { compartment, held } of rows) {
    const tree = trees.get(compartment);
    if (tree !== undefined) yield { tree, reserves: held };
  }
}

/** Units that all rows hold together: what the registry is told. */
export function unitsHeld(snapshot: Snapshot): bigint {
  return rowsOf(snapshot).reduce((sum, { reserves }) => sum + reserves, 0n);
}

/** What the holder of a claim is given to check it. @param of.at the claim's place in the order of its compartment */
export function packageFrom(
  book: EpochBook,
  of: { readonly compartment: Compartment; readonly claim: Claim; readonly at: number },
): Uint8Array {
  const { claim, at } = of;
  if (book.tier === 'plain') {
    const tree = treeIn(book.trees, of.compartment);
    return plainPackage(book.work, book.book, { tree, claim, at });
  }
  const tree = treeIn(book.trees, of.compartment);
  return confidentialPackage(book.work, book.book, { tree, claim, at });
}

/** The tree of a compartment that has claims. */
export function treeIn<Tree>(trees: Trees<Tree>, compartment: Compartment): Tree {
  const tree = trees.get(compartment);
  invariant(tree !== undefined, `Compartment ${compartment} has claims and no tree.`);
  return tree;
}
