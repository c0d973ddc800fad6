import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { invariant } from '@bulkhead/domain';
import {
  confidentialLeaves,
  confidentialSummary,
  leafTasks,
  type ProofTask,
  solvencyTasks,
  verifyConfidentialLeaves,
  verifyConfidentialSummary,
  verifyPlainPublication,
} from '@bulkhead/proofs';
import type { EpochBook } from './epoch-book.ts';
import { ProofFile } from './proof-file.ts';
import { stepsOf, type Tell } from './progress.ts';
import { proveAll, type Proving } from './proving.ts';
import type { ShownFiles } from './shown-files.ts';

type Confidential = Extract<EpochBook, { readonly tier: 'confidential' }>;

/** Writes what anyone checks the epoch with, and checks it as anyone would: what is shown was verified from the very files. */
export async function writePublication(
  book: EpochBook,
  files: ShownFiles,
  at: { readonly kept: string; readonly threads: number; readonly tell: Tell },
): Promise<void> {
  const pin = { context: book.work.context, record: book.book.book.record };
  const steps = stepsOf(at.tell, 'checking', 1);
  if (book.tier === 'plain') {
    const path = files.write('publication.bin', [book.book.publication]);
    const verdict = verifyPlainPublication(readFileSync(path), pin);
    invariant(verdict.holds, 'The publication that was made does not hold.');
    steps.one();
    return;
  }
  using leaves = new ProofFile(join(at.kept, 'leaves.proofs'));
  using solvency = new ProofFile(join(at.kept, 'solvency.proofs'));
  await prove(book, { leaves, solvency }, at);
  const summary = files.write('summary.bin', [summaryOf(book, solvency)]);
  const shown = files.write('leaves.bin', leavesOf(book, leaves));
  const { group } = book.work;
  const verdict = verifyConfidentialSummary(group, readBytes(summary), pin);
  invariant(verdict.holds, 'The summary that was made does not hold.');
  const holds = verifyConfidentialLeaves(group, readBytes(shown), verdict).holds;
  invariant(holds, 'The leaves that were made do not hold.');
  steps.one();
}

type Files = { readonly leaves: ProofFile; readonly solvency: ProofFile };

/** Solvency first: it is little work, and where a compartment does not hold what it owes the rest would be for nothing. */
async function prove(
  { work, book }: Confidential,
  files: Files,
  { threads, tell }: { readonly threads: number; readonly tell: Tell },
): Promise<void> {
  const total = groupsOf(book.rows.length) + groupsOf(leafCount(book));
  const steps = stepsOf(tell, 'proving', total);
  await proveAll(provings(work, book, files), { threads, steps });
}

function* provings(
  work: Confidential['work'],
  book: Confidential['book'],
  { solvency, leaves }: Files,
): Generator<Proving, undefined> {
  for (const task of solvencyTasks(work, book)) yield { task, file: solvency };
  for (const task of leafTasks(work, book)) yield { task, file: leaves };
}

function leafCount({ rows }: Confidential['book']): number {
  return rows.reduce((sum, { tree }) => sum + 2 ** tree.depth, 0);
}

/** Groups of sixteen, and one for each power of two in what is left. */
function groupsOf(count: number): number {
  let groups = Math.floor(count / 16);
  for (let rest = count % 16; rest > 0; rest = Math.floor(rest / 2)) groups += rest % 2;
  return groups;
}

function* proofsOf(tasks: Iterable<ProofTask>, file: ProofFile): Generator<Uint8Array> {
  for (const task of tasks) {
    const proof = file.find(task);
    invariant(proof !== undefined, 'A proof that was made is there.');
    yield proof;
  }
}

function summaryOf({ work, book }: Confidential, file: ProofFile): Uint8Array {
  return confidentialSummary(work, book, [...proofsOf(solvencyTasks(work, book), file)]);
}

/** Row after row, then proof after proof: all of them at once would be twice the memory of the trees. */
function* leavesOf({ work, book }: Confidential, file: ProofFile): Generator<Uint8Array> {
  for (const row of book.rows) yield confidentialLeaves({ ...book, rows: [row] }, []);
  yield* proofsOf(leafTasks(work, book), file);
}

function readBytes(path: string): Uint8Array {
  return Uint8Array.from(readFileSync(path));
}
