import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CustodyError, invariant, kindOf } from '@bulkhead/domain';
import {
  balanceStatement,
  type Claim,
  confidentialSegregation,
  makeStatementTree,
  manifestDigest,
  manifestName,
  plainSegregation,
  readManifest,
  type SignedStatements,
  type StatementTree,
} from '@bulkhead/proofs';
import { ArchiveWriter } from './archive.ts';
import { findEpoch, recordBundle, type StoredEpoch } from './epoch.ts';
import { bookOf, rowsOf } from './epoch-book.ts';
import { eachOnce, type EvidenceSource, evidenceOf, type WalletEvidence } from './evidence.ts';
import { epochFolders } from './folders.ts';
import { guarded, type Maker, placedClaims, snapshotOf, tellOf, type Working } from './maker.ts';
import { stepsOf } from './progress.ts';
import { writePublication } from './publication.ts';
import { ShownFiles } from './shown-files.ts';
import { claimsIn } from './snapshot.ts';

/** Archives that are made with the files of an epoch. */
export const archives = { statements: 'statements', segregation: 'segregation' } as const;

/** An epoch whose files are all there. */
export type BundledEpoch = {
  readonly epoch: StoredEpoch;
  /** Folder of the files that everybody may see. */
  readonly shown: string;
};

/**
 * Makes all files of an epoch that was made: the proofs, what its reserves lie in, the balance statements, and the manifest whose digest the
 * registry is told. Hours of work for a million clients; ended by whatever, it goes on where it was.
 *
 * The folder of the files appears whole, by one renaming, and then the digest of its manifest is stored: a crash between the two finds the
 * folder, and stores what stands in it. Signatures need not be the same in every run, and so the files that are there count.
 *
 * @throws CustodyError `reserves/wrong-state` where the record is not the one that was made before
 * @throws CustodyError `reserves/maker-busy`, `reserves/unknown-epoch`
 */
export async function bundleEpoch(maker: Maker, context: Uint8Array, source: EvidenceSource): Promise<BundledEpoch> {
  const { header } = await findEpoch(maker.db, context);
  await using _guard = await guarded(maker, header.asset);
  const epoch = await findEpoch(maker.db, context);
  const { shown, kept } = epochFolders(maker.folder, header);
  if (epoch.made === undefined) throw notMade(epoch);
  const before = digestIn(shown, context);
  if (before !== undefined) return { epoch: await recordBundle(maker.db, at(maker, context), before), shown };
  const snapshot = await snapshotOf(maker, header);
  const book = bookOf(header, { master: maker.master, snapshot, tell: tellOf(maker) });
  expectRecord(epoch, book.book.book.record);
  const working = { book, snapshot, kept };
  const files = new ShownFiles(join(kept, 'shown'));
  await writePublication(maker, working, files);
  const evidence = await evidenceOf(snapshot, source, { header, context });
  files.writeWallets(header, { balances: source.balances, rows: rowsOf(snapshot), evidence });
  files.writeCertificates(eachOnce([...evidence.values()].flatMap(({ certificates }) => certificates)));
  const signed = await signedStatements(working, source);
  if (signed !== undefined) files.writeStatements(signed.signed);
  writeArchives(maker, working, { signed, evidence });
  const digest = files.end(context, shown);
  return { epoch: await recordBundle(maker.db, at(maker, context), digest), shown };
}

const at = ({ clock }: Maker, context: Uint8Array): { readonly context: Uint8Array; readonly now: Date } => ({
  context,
  now: clock.now(),
});

function notMade({ header }: StoredEpoch): CustodyError {
  return new CustodyError(
    'reserves/wrong-state',
    `Epoch ${header.epoch} of ${header.asset} was begun and not made: make it first.`,
  );
}

/** Digest of the manifest that stands in a folder, if the folder is of this epoch. */
export function digestIn(shown: string, context: Uint8Array): Uint8Array | undefined {
  const path = join(shown, manifestName);
  const manifest = existsSync(path) ? readManifest(readFileSync(path)) : undefined;
  return manifest !== undefined && Buffer.from(manifest.context).equals(context) ? manifestDigest(manifest) : undefined;
}

function expectRecord({ header, made }: StoredEpoch, record: Uint8Array): void {
  if (made !== undefined && Buffer.from(made.record).equals(record)) return;
  throw new CustodyError(
    'reserves/wrong-state',
    `Epoch ${header.epoch} of ${header.asset} becomes another record here than the one that was made: this is not the master secret that it was made with, or the files of the maker were changed.`,
  );
}

type Signed = { readonly signed: SignedStatements; readonly tree: StatementTree };

async function signedStatements({ book, snapshot }: Working, source: EvidenceSource): Promise<Signed | undefined> {
  const { header, context } = book.work;
  const count = rowsOf(snapshot).reduce((sum, { claims }) => sum + claims, 0);
  const tree = makeStatementTree(book.work, { claims: claimsIn(snapshot), count });
  const signatures = await source.statements({ header, context, root: tree.root, count });
  return signatures === undefined ? undefined : { signed: { header, root: tree.root, count, signatures }, tree };
}

function writeArchives(
  maker: Maker,
  working: Working,
  of: { readonly signed: Signed | undefined; readonly evidence: ReadonlyMap<number, WalletEvidence> },
): void {
  const { book, snapshot, kept } = working;
  const total = rowsOf(snapshot).reduce((sum, { claims }) => sum + claims, 0);
  const steps = stepsOf(tellOf(maker), 'writing', total);
  const statements = of.signed === undefined ? undefined : new ArchiveWriter(join(kept, archives.statements));
  const segregation = new ArchiveWriter(join(kept, archives.segregation));
  let alone: Claim[] = [];
  let place = 0;
  for (const { claim, at: first, last } of withEnds(snapshot)) {
    if (of.signed !== undefined) {
      statements?.add(claim, balanceStatement(book.work, { ...of.signed, claim, at: place }));
    }
    place += 1;
    steps.one();
    if (kindOf(claim.compartment) !== 'individual') continue;
    if (first === 0) alone = [];
    alone.push(claim);
    const clients = alone.filter(({ kind }) => kind === 'client');
    const [client] = clients;
    if (!last || client === undefined || clients.length > 1) continue;
    const parts = { claims: alone, ...(of.evidence.get(claim.compartment) ?? { wallets: [], certificates: [] }) };
    const key = { compartment: claim.compartment, kind: client.kind, holder: client.holder };
    segregation.add(key, segregationOf(working, claim.compartment, parts));
  }
  statements?.end();
  segregation.end();
}

type Parts = WalletEvidence & { readonly claims: readonly Claim[] };

function segregationOf({ book }: Working, compartment: Parameters<typeof kindOf>[0], parts: Parts): Uint8Array {
  const tree = book.trees.get(compartment);
  invariant(tree !== undefined, 'A compartment with claims has a tree.');
  if (book.tier === 'plain') {
    const plain = book.trees.get(compartment);
    invariant(plain !== undefined, 'A compartment with claims has a tree.');
    return plainSegregation(book.work, book.book, { ...parts, tree: plain });
  }
  const confidential = book.trees.get(compartment);
  invariant(confidential !== undefined, 'A compartment with claims has a tree.');
  return confidentialSegregation(book.work, book.book, { ...parts, tree: confidential });
}

type Placed = ReturnType<typeof placedClaims> extends Generator<infer Item> ? Item : never;

/** Claims, and whether each is the last of its compartment. */
function* withEnds(snapshot: Parameters<typeof placedClaims>[0]): Generator<Placed & { readonly last: boolean }> {
  let before: Placed | undefined;
  for (const placed of placedClaims(snapshot)) {
    if (before !== undefined) yield { ...before, last: placed.at === 0 };
    before = placed;
  }
  if (before !== undefined) yield { ...before, last: true };
}
