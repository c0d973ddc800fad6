import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CustodyError, invariant } from '@bulkhead/domain';
import { manifestDigest, manifestName, readManifest } from '@bulkhead/proofs';
import { runBook } from './book-thread.ts';
import { type BookWork, isMade } from './book-work.ts';
import { findEpoch, recordBundle, type StoredEpoch } from './epoch.ts';
import { type EvidenceSource, evidenceOf } from './evidence.ts';
import { guarded, type Maker, snapshotOf, tellOf, workOf } from './maker.ts';

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
  if (epoch.made === undefined) throw notMade(epoch);
  const work = workOf(maker, header);
  const manifest = manifestIn(work.shown, context) ?? (await writeFiles(maker, epoch, { work, source }));
  const bundled = await recordBundle(maker.db, { context, now: maker.clock.now() }, manifest);
  return { epoch: bundled, shown: work.shown };
}

async function writeFiles(
  maker: Maker,
  epoch: StoredEpoch,
  { work, source }: { readonly work: BookWork; readonly source: EvidenceSource },
): Promise<Uint8Array> {
  const { header, context } = epoch;
  const snapshot = await snapshotOf(maker, header);
  await expectRecord(maker, epoch, work);
  const evidence = await evidenceOf(snapshot, source, { header, context });
  const statements = await runBook(work, { step: 'statements' }, tellOf(maker));
  invariant(statements.step === 'statements', 'Statements were counted.');
  const { root, count } = statements;
  const signatures = await source.statements({ header, context, root, count });
  const order = { step: 'publish', balances: source.balances, evidence, signatures } as const;
  const published = await runBook(work, order, tellOf(maker));
  invariant(published.step === 'publish', 'Files were published.');
  return published.manifest;
}

function notMade({ header }: StoredEpoch): CustodyError {
  return new CustodyError(
    'reserves/wrong-state',
    `Epoch ${header.epoch} of ${header.asset} was begun and not made: make it first.`,
  );
}

/** Digest of the manifest that stands in a folder, if the folder is of this epoch. */
function manifestIn(shown: string, context: Uint8Array): Uint8Array | undefined {
  const path = join(shown, manifestName);
  const manifest = existsSync(path) ? readManifest(readFileSync(path)) : undefined;
  return manifest !== undefined && Buffer.from(manifest.context).equals(context) ? manifestDigest(manifest) : undefined;
}

/** Makes the book here if it is not here yet, and holds its record against the one that is stored: before anything is signed for it. */
async function expectRecord(maker: Maker, { header, made }: StoredEpoch, work: BookWork): Promise<void> {
  invariant(made !== undefined, 'An epoch that is bundled was made.');
  if (isMade(work, made.record)) return;
  const result = await runBook(work, { step: 'make' }, tellOf(maker));
  if (result.step === 'make' && Buffer.from(result.record).equals(made.record)) return;
  throw new CustodyError(
    'reserves/wrong-state',
    `Epoch ${header.epoch} of ${header.asset} becomes another record here than the one that was made: this is not the master secret that it was made with, or the files of the maker were changed.`,
  );
}
