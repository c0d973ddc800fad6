import { hash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Compartment, kindOf } from '@bulkhead/domain';
import {
  type BalancePlace,
  balanceStatement,
  type Claim,
  confidentialSegregation,
  contextOf,
  makeStatementTree,
  plainSegregation,
  type ReserveHeader,
  type SignedStatements,
  type StatementTree,
} from '@bulkhead/proofs';
import { ArchiveWriter } from './archive.ts';
import { hexOf } from './epoch.ts';
import { bookOf, type EpochBook, packageFrom, rowsOf, secretsOf, treeIn } from './epoch-book.ts';
import { eachOnce, type WalletEvidence } from './evidence.ts';
import { privateMode } from './line-file.ts';
import { stepsOf, type Tell } from './progress.ts';
import { writePublication } from './publication.ts';
import { ShownFiles } from './shown-files.ts';
import { claimsIn, openSnapshot, type Snapshot } from './snapshot.ts';

/** What the work of one epoch is done with: plain data, so that a thread of its own can do it. */
export type BookWork = {
  readonly header: ReserveHeader;
  readonly master: Uint8Array;
  /** Private folder with the snapshot, and where files are to be shown. */
  readonly kept: string;
  readonly shown: string;
  readonly threads: number;
};

/** What can be done with it. */
export type BookOrder =
  /** Trees, record, and the packages of clients. */
  | { readonly step: 'make' }
  /** The root of all balance statements, for a quorum to sign. */
  | { readonly step: 'statements' }
  /** All files, in their place. */
  | ({ readonly step: 'publish' } & PublishOrder);

export type PublishOrder = {
  readonly balances: BalancePlace;
  readonly evidence: ReadonlyMap<Compartment, WalletEvidence>;
  /** Of the quorum, over the root; undefined where there are none. */
  readonly signatures: readonly Uint8Array[] | undefined;
};

/** What comes of it. */
export type BookResult =
  | { readonly step: 'make'; readonly record: Uint8Array }
  | { readonly step: 'statements'; readonly root: Uint8Array; readonly count: number }
  | { readonly step: 'publish'; readonly manifest: Uint8Array };

export async function workAt(work: BookWork, order: BookOrder, tell: Tell): Promise<BookResult> {
  switch (order.step) {
    case 'make':
      return { step: 'make', record: makeBook(work, tell) };
    case 'statements': {
      const { root, count } = statementTree(work, openSnapshot(work.kept));
      return { step: 'statements', root, count };
    }
    case 'publish':
      return { step: 'publish', manifest: await publishBook(work, order, tell) };
  }
}

/** Archives of what single clients are given. */
export const archives = { packages: 'packages', statements: 'statements', segregation: 'segregation' } as const;

const recordName = 'record';

/** Whether the packages in a folder are there whole, and are those of this record and this secret. */
export function isMade(work: BookWork, record: Uint8Array): boolean {
  const path = join(work.kept, recordName);
  return existsSync(path) && readFileSync(path, 'utf8') === recordLine(work, record);
}

/** The record, and a hash of the keys that it was made with: with others the rest of the work would be of another book. */
function recordLine({ header, master }: BookWork, record: Uint8Array): string {
  const keys = Object.values(secretsOf(header, master).secrets);
  return `${hexOf(record)} ${hash('sha256', Buffer.concat(keys), 'hex')}\n`;
}

/** The record is written last, when all packages are on the disk: a crash before it makes them again. */
function makeBook(work: BookWork, tell: Tell): Uint8Array {
  const snapshot = openSnapshot(work.kept);
  const book = bookOf(work.header, { master: work.master, snapshot, tell });
  const { record } = book.book.book;
  const steps = stepsOf(tell, 'packages', claimsOf(snapshot));
  const archive = new ArchiveWriter(join(work.kept, archives.packages));
  for (const { claim, at } of placedClaims(snapshot)) {
    archive.add(claim, packageFrom(book, { compartment: claim.compartment, claim, at }));
    steps.one();
  }
  archive.end();
  writeFileSync(join(work.kept, recordName), recordLine(work, record), { mode: privateMode, flush: true });
  return record;
}

function statementTree({ header, master }: BookWork, snapshot: Snapshot): StatementTree {
  const work = secretsOf(header, master);
  return makeStatementTree(work, { claims: claimsIn(snapshot), count: claimsOf(snapshot) });
}

/** Everything beside the proofs takes seconds, and so only they are kept when something ends this. */
async function publishBook(work: BookWork, order: PublishOrder, tell: Tell): Promise<Uint8Array> {
  const { header, kept, threads } = work;
  const snapshot = openSnapshot(kept);
  const book = bookOf(header, { master: work.master, snapshot, tell });
  const files = new ShownFiles(kept);
  await writePublication(book, files, { kept, threads, tell });
  const { balances, evidence, signatures } = order;
  files.writeWallets(header, { balances, rows: rowsOf(snapshot), evidence });
  files.writeCertificates(eachOnce([...evidence.values()].flatMap(({ certificates }) => certificates)));
  const tree = statementTree(work, snapshot);
  const signed = signatures && { header, root: tree.root, count: tree.count, signatures };
  if (signed !== undefined) files.writeStatements(signed);
  writeStatements(book, snapshot, { signed, tree, kept });
  writeSegregation(book, snapshot, { evidence, kept });
  return files.end(contextOf(header), work.shown);
}

function claimsOf(snapshot: Snapshot): number {
  return rowsOf(snapshot).reduce((sum, { claims }) => sum + claims, 0);
}

/** A statement for each holder; none where nobody signed. */
function writeStatements(
  { work }: EpochBook,
  snapshot: Snapshot,
  of: { readonly signed: SignedStatements | undefined; readonly tree: StatementTree; readonly kept: string },
): void {
  const { signed, tree } = of;
  const archive = new ArchiveWriter(join(of.kept, archives.statements));
  let at = 0;
  for (const claim of signed === undefined ? [] : claimsIn(snapshot)) {
    if (signed !== undefined) archive.add(claim, balanceStatement(work, { signed, tree, claim, at }));
    at += 1;
  }
  archive.end();
}

/** A proof for each client that is alone in its compartment. */
function writeSegregation(
  book: EpochBook,
  snapshot: Snapshot,
  of: { readonly evidence: ReadonlyMap<Compartment, WalletEvidence>; readonly kept: string },
): void {
  const archive = new ArchiveWriter(join(of.kept, archives.segregation));
  for (const { compartment, claims } of individualClaims(snapshot)) {
    const [client, ...others] = claims.filter(({ kind }) => kind === 'client');
    if (client === undefined || others.length > 0) continue;
    const parts = { claims, ...(of.evidence.get(compartment) ?? { wallets: [], certificates: [] }) };
    archive.add({ compartment, ...client }, segregationOf(book, compartment, parts));
  }
  archive.end();
}

function segregationOf(
  book: EpochBook,
  compartment: Compartment,
  parts: WalletEvidence & { readonly claims: readonly Claim[] },
): Uint8Array {
  if (book.tier === 'plain') {
    return plainSegregation(book.work, book.book, { ...parts, tree: treeIn(book.trees, compartment) });
  }
  return confidentialSegregation(book.work, book.book, { ...parts, tree: treeIn(book.trees, compartment) });
}

type SnapshotClaim = Claim & { readonly compartment: Compartment };

/** Claims with their place in the order of their compartment. */
function* placedClaims(snapshot: Snapshot): Generator<{ readonly claim: SnapshotClaim; readonly at: number }> {
  let compartment: number | undefined;
  let at = 0;
  for (const claim of claimsIn(snapshot)) {
    if (claim.compartment !== compartment) at = 0;
    compartment = claim.compartment;
    yield { claim, at };
    at += 1;
  }
}

/** All claims of each compartment of one client. */
function* individualClaims(
  snapshot: Snapshot,
): Generator<{ readonly compartment: Compartment; readonly claims: readonly Claim[] }> {
  let open: { readonly compartment: Compartment; readonly claims: Claim[] } | undefined;
  for (const claim of claimsIn(snapshot)) {
    if (kindOf(claim.compartment) !== 'individual') continue;
    if (open !== undefined && open.compartment !== claim.compartment) {
      yield open;
      open = undefined;
    }
    open ??= { compartment: claim.compartment, claims: [] };
    open.claims.push(claim);
  }
  if (open !== undefined) yield open;
}
