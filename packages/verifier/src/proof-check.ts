import {
  fastGroup,
  fileDigest,
  type Group,
  type Manifest,
  manifestDigest,
  neededFiles,
  type ProofFile,
  proofFiles,
  readCertificatesFile,
  readWalletsFile,
  type Refutation,
  type ReserveHeader,
  type SummaryFinding,
  verifyConfidentialLeaves,
  verifyConfidentialSummary,
  verifyPlainPublication,
} from '@bulkhead/proofs';
import { equalBytes, numberOf } from './bytes.ts';
import type { Examination, GivenFile } from './order.ts';
import { objectionStep } from './package-check.ts';
import type { PinnedEpoch } from './registry-check.ts';
import { readWindow, type RegistryEpoch, type RegistryWindow, unreadStep } from './registry-state.ts';
import { fails, holds, type Step, unknown } from './report.ts';
import type { ProvenSet } from './signer-set.ts';
import { statementsFileStep } from './statement-check.ts';
import { walletSteps } from './wallet-check.ts';

/** The files of a whole proof, by what the manifest or their form says they are. */
export type WholeProof = {
  readonly header: ReserveHeader;
  readonly manifest: Manifest | undefined;
  readonly files: ReadonlyMap<ProofFile, GivenFile>;
};

type Question = {
  readonly order: Examination;
  readonly pinned: PinnedEpoch;
  readonly proof: WholeProof;
  readonly set: ProvenSet | Step;
};

/** Checks a whole proof: that it is the one which the registry waits for, that nothing is owed beyond it, and that the coins are there. */
export async function proofSteps(question: Question): Promise<readonly Step[]> {
  const { order, pinned, proof, set } = question;
  const bundle = [...(await windowSteps(question)), ...fileSteps(question)];
  const shown = publicationSteps(question);
  const steps = [...bundle, ...shown.steps];
  if (shown.rows === undefined) return steps;
  const rest = [...steps, totalsStep(shown.rows, pinned), ...statementSteps(question, set)];
  const given = proof.files.get('wallets.bin');
  if (given === undefined) {
    return [...rest, unknown('wallets', 'The file of wallets was not given: where the coins are is not shown.')];
  }
  const wallets = readWalletsFile(given.bytes);
  if (wallets === undefined) {
    return [...rest, fails('wallets', 'The file of wallets is not of its form, or has an address twice.')];
  }
  if (!equalBytes(wallets.context, pinned.epoch.context)) {
    return [...rest, fails('wallets', 'The wallets are those of another proof.')];
  }
  const listed = wallets.compartments.map(({ compartment }) => compartment).join();
  if (listed !== shown.rows.map(({ compartment }) => compartment).join()) {
    return [...rest, fails('wallets', 'The compartments of the file of wallets are not those of the publication.')];
  }
  const { compartments, balances } = wallets;
  const count = compartments.reduce((sum, each) => sum + each.wallets.length, 0);
  const read = certificatesOf(proof);
  if ('step' in read) return [...rest, read.step];
  return [
    ...rest,
    holds('wallets', `${count} wallets of ${compartments.length} compartments are named, each once.`),
    ...(await walletSteps({
      order,
      pinned,
      declared: balances,
      compartments,
      rows: shown.rows,
      certificates: read.certificates,
    })),
  ];
}

function certificatesOf({
  files,
}: WholeProof): { readonly certificates: ReturnType<typeof readCertificatesFile> } | { readonly step: Step } {
  const given = files.get('certificates.bin');
  if (given === undefined) return { certificates: undefined };
  const certificates = readCertificatesFile(given.bytes);
  return certificates === undefined
    ? { step: fails('certificates', 'The file of certificates is not of its form.') }
    : { certificates };
}

/** Which proof the registry waits for, and what it has of the window: the least reserves count, not those of a good moment. */
async function windowSteps({ pinned, proof }: Question): Promise<readonly Step[]> {
  const { view, registry, header, epoch } = pinned;
  const window = await readWindow(view, { registry, asset: header.asset, epoch: header.epoch });
  if ('unread' in window) return [unreadStep('window', window)];
  const { manifest } = proof;
  if (window.drawn !== header.epoch) {
    const picked = window.drawn === 0n ? 'none was picked yet' : `${window.drawn} was picked`;
    const reason = `Epoch ${header.epoch} is not the one of window ${window.number} that must be proven in full: ${picked}. The registry has no digest of its files.`;
    return [unknown('manifest', reason)];
  }
  if (window.provenAt === 0n) {
    return [unknown('manifest', 'The epoch was picked, and the registry has no digest of its files yet.')];
  }
  const least = leastStep(window, epoch);
  if (manifest === undefined) return [least, unknown('manifest', 'The manifest was not given.')];
  return [
    least,
    equalBytes(manifestDigest(manifest), window.proof)
      ? holds('manifest', 'The manifest is the one whose digest the quorum put into the registry.')
      : fails('manifest', 'The registry has the digest of another manifest: these are not the files of the proof.'),
  ];
}

/** How much more an epoch may hold than the least of its window before somebody should ask where that came from. */
const inflowPercentMax = 20n;

/** The least reserves of a window count, and not those of the moment that was looked at. */
export function leastStep(
  { number, leastReserves }: Pick<RegistryWindow, 'number' | 'leastReserves'>,
  { reserves }: Pick<RegistryEpoch, 'reserves'>,
): Step {
  const told = `The least that the registry has of window ${number} are ${leastReserves} units; this epoch has ${reserves}.`;
  if (reserves * 100n <= leastReserves * (100n + inflowPercentMax)) return holds('window', told);
  const more = `That is more than ${inflowPercentMax} percent above: whether the difference was there for the proof alone is not known.`;
  return unknown('window', `${told} ${more}`);
}

/** Whether the files are those of the manifest, and none is missing. */
function fileSteps({ proof, pinned }: Question): readonly Step[] {
  const { manifest, files, header } = proof;
  if (manifest === undefined) return [];
  if (!equalBytes(manifest.context, pinned.epoch.context)) return [fails('files', 'The manifest is of another proof.')];
  const other = proofFiles.filter((name) => {
    const [digest, file] = [manifest.files.get(name), files.get(name)];
    return file !== undefined && (digest === undefined || !equalBytes(fileDigest(file.bytes), digest));
  });
  if (other.length > 0) return [fails('files', `These files are not those of the manifest: ${other.join(', ')}.`)];
  const lacking = neededFiles[header.tier].filter((name) => !manifest.files.has(name));
  if (lacking.length > 0) {
    return [fails('files', `The manifest lists no ${lacking.join(' and no ')}: this is no whole proof.`)];
  }
  const missing = proofFiles.filter((name) => manifest.files.has(name) && !files.has(name));
  if (missing.length === 0) return [holds('files', `All ${files.size} files are those of the manifest.`)];
  return [unknown('files', `Not given, though the manifest lists them: ${missing.join(', ')}.`)];
}

type Shown = {
  readonly steps: readonly Step[];
  readonly rows?: readonly { readonly compartment: number; readonly reserves: bigint }[];
};

function publicationSteps({ order, pinned, proof }: Question): Shown {
  const plain = proof.files.get('publication.bin');
  if (pinned.header.tier === 'plain') {
    if (plain === undefined) return { steps: [unknown('publication', 'The publication was not given.')] };
    const verdict = verifyPlainPublication(plain.bytes, pinned.epoch);
    if (!verdict.holds) return { steps: [publicationObjection(verdict.refutation)] };
    const reason = `${verdict.rows.length} compartments are those of the record, and each holds what it owes.`;
    return { steps: [holds('publication', reason)], rows: verdict.rows };
  }
  const summary = proof.files.get('summary.bin');
  if (summary === undefined) return { steps: [unknown('publication', 'The summary was not given.')] };
  order.progress?.('checking that each compartment holds what it owes');
  const verdict = verifyConfidentialSummary(rangeGroup(), summary.bytes, pinned.epoch);
  if (!verdict.holds) return { steps: [publicationObjection(verdict.refutation)] };
  const rows = verdict.rows.map(({ compartment, reserves }) => ({ compartment, reserves: numberOf(reserves) }));
  const reason = `${rows.length} compartments are those of the record, and each shows that it holds what it owes.`;
  return { steps: [holds('publication', reason), leavesStep(verdict, { order, proof })], rows };
}

let keptGroup: Group | undefined;

/** One for all proofs: it remembers what it computed of generators. */
function rangeGroup(): Group {
  keptGroup ??= fastGroup();
  return keptGroup;
}

function leavesStep(summary: SummaryFinding, { order, proof }: Pick<Question, 'order' | 'proof'>): Step {
  const leaves = proof.files.get('leaves.bin');
  if (leaves === undefined) {
    return unknown(
      'leaves',
      'The leaves were not given: that none is negative, and totals are sums, was not looked at.',
    );
  }
  order.progress?.('checking every leaf');
  const verdict = verifyConfidentialLeaves(rangeGroup(), leaves.bytes, summary);
  return verdict.holds
    ? holds('leaves', 'No leaf is negative, and each total is the sum of its leaves.')
    : { ...objectionStep(verdict.refutation), step: 'leaves' };
}

function publicationObjection(refutation: Refutation): Step {
  const said: Readonly<Partial<Record<Refutation, string>>> = {
    insolvent: 'A compartment owes more than it holds, or does not show that it does not.',
    malformed: 'The file is cut off, too long, or neither a publication nor a package.',
  };
  return fails('publication', said[refutation] ?? objectionStep(refutation).reason);
}

/** What the registry reports must be what the rows add up to. */
function totalsStep(rows: NonNullable<Shown['rows']>, { epoch }: PinnedEpoch): Step {
  const total = rows.reduce((sum, { reserves }) => sum + reserves, 0n);
  return total === epoch.reserves
    ? holds('totals', `The rows hold ${total} units together, as the registry says.`)
    : fails('totals', `The rows hold ${total} units together, and the registry says ${epoch.reserves}.`);
}

function statementSteps({ pinned, proof }: Question, set: ProvenSet | Step): readonly Step[] {
  const file = proof.files.get('statements.bin');
  return file === undefined ? [] : [statementsFileStep(file.bytes, pinned, set)];
}
