import { CustodyError, parseAddress } from '@bulkhead/domain';
import { contextOf, type PackageClaim, type ReserveHeader } from '@bulkhead/proofs';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { CertificateKnowledge, Told } from './certificate-check.ts';
import type { Examination, GivenFile } from './order.ts';
import { packageSteps } from './package-check.ts';
import type { Recognised } from './recognition.ts';
import { askRegistry, type PinnedEpoch } from './registry-check.ts';
import { about, fails, holds, type Report, reportOf, type Step, unknown } from './report.ts';

/** What is checked beyond packages: nothing of it in the small entrance, all of it in the whole one. */
export type Parts = {
  readonly recognise: (files: readonly GivenFile[]) => readonly Recognised[];
  readonly certificate: (value: unknown, known: CertificateKnowledge) => readonly Told[];
  /** Receipts and checkpoints. */
  readonly log: (found: readonly Recognised[], order: Examination) => Promise<readonly Step[]>;
  /** What was given about an epoch besides packages. */
  readonly epoch: (order: Examination, given: GivenEpoch) => Promise<readonly Step[]>;
  /** Said of a file that is nothing which these parts check. */
  readonly elsewhere: string;
};

/** Everything that was given about one epoch and asset, and what the registry has of it. */
export type GivenEpoch = {
  readonly pinned: PinnedEpoch;
  /** All files, of this epoch and others. */
  readonly found: readonly Recognised[];
  readonly isOurs: (header: ReserveHeader) => boolean;
  /** Whether this is the only epoch that files are about: those that name none belong to it then. */
  readonly alone: boolean;
  /** A package of the reader's claim that leads to the record. */
  readonly leaf: PackageClaim | undefined;
};

/** Examines everything that somebody was given. Files of one epoch and asset are held against each other. */
export async function examineWith(parts: Parts, order: Examination): Promise<Report> {
  const found = parts.recognise(order.files);
  const steps: Step[] = [];
  for (const each of found) {
    const { name } = each.file;
    if (each.kind === 'unrecognised') steps.push(...about(name, [unrecognisedStep(each.file, parts)]));
    if (each.kind === 'certificate') steps.push(...about(name, certificateSteps(each.value, order, parts)));
  }
  steps.push(...(await parts.log(found, order)));
  const headers = headersOf(found);
  for (const [key, header] of headers) {
    const isOurs = (of: ReserveHeader): boolean => bytesToHex(contextOf(of)) === key;
    steps.push(...(await epochSteps(order, { header, found, isOurs, alone: headers.size === 1 }, parts)));
  }
  if (steps.length === 0) steps.push(unknown('file', 'There is nothing to be checked.'));
  return reportOf(steps, headers.size === 0 ? [] : limits);
}

/** What remains outside, whatever holds. */
const limits: readonly string[] = [
  'Whether the coins are pledged, lent or borrowed, or others than these clients may claim them.',
  'Whether every client is counted: only who looks for its own claim knows that it is.',
  'Whether somebody else holds the keys as well: a signature shows that the custodian could sign, not that nobody else can.',
];

function unrecognisedStep({ bytes }: GivenFile, { elsewhere }: Parts): Step {
  return unknown('file', bytes.length === 0 ? 'The file is empty.' : elsewhere);
}

function certificateSteps(value: unknown, order: Examination, parts: Parts): readonly Step[] {
  const { identities = [], expected = {} } = order.pins;
  if (identities.length === 0) {
    const reason =
      'You pinned no identity key of a signer: it stands in the record of the ceremony, or an auditor has it.';
    return [unknown('certificate', reason)];
  }
  const { hasAddress } = order;
  try {
    const { address, ...fields } = expected;
    const told = parts.certificate(value, {
      identities,
      fields,
      address: address === undefined ? undefined : parseAddress(address),
      ...(hasAddress === undefined ? {} : { hasAddress }),
    });
    const details = told.filter(({ mark }) => mark === 'field').map(({ text }) => text);
    return told.flatMap(({ mark, text, step }, at) => {
      if (mark === 'proven') return [holds(step, at === 0 ? [text, ...details].join('; ') : text)];
      return mark === 'unseen' ? [unknown(step, `Not looked at: ${text}`)] : [];
    });
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return [fails('certificate', error.message)];
  }
}

/** Headers that files name, by their contexts. */
function headersOf(found: readonly Recognised[]): ReadonlyMap<string, ReserveHeader> {
  const headers = new Map<string, ReserveHeader>();
  for (const each of found) {
    if ('header' in each && each.header !== undefined) headers.set(bytesToHex(contextOf(each.header)), each.header);
  }
  return headers;
}

async function epochSteps(
  order: Examination,
  given: Omit<GivenEpoch, 'pinned' | 'leaf'> & { readonly header: ReserveHeader },
  parts: Parts,
): Promise<readonly Step[]> {
  order.progress?.('asking the registry');
  const { steps, pinned } = await askRegistry(order, given.header, contextOf(given.header));
  // What is of another proof than the registry pins is not looked into: it would only say the same in many ways.
  if (pinned === undefined || steps.some(({ step, result }) => step === 'header' && result === 'fails')) return steps;
  const taken = [...steps];
  let leaf: PackageClaim | undefined;
  let packages = 0;
  for (const each of given.found) {
    if (each.kind !== 'package' || !given.isOurs(each.header)) continue;
    packages += 1;
    const found = packageSteps({ bytes: each.file.bytes, claim: each.claim }, order.pins.own, pinned);
    if (found.some(({ step, result }) => step === 'record' && result === 'holds')) leaf = each.claim;
    taken.push(...about(each.file.name, found));
  }
  const more = await parts.epoch(order, { ...given, pinned, leaf });
  taken.push(...more);
  const coins = more.some(({ step }) => step === 'reserves' || step === 'wallets' || step === 'segregation');
  return packages === 0 || coins ? taken : [...taken, unknown('reserves', coinsElsewhere)];
}

const coinsElsewhere =
  'That the coins lie at addresses of the compartment is shown by the files of the whole proof, or by a proof of segregation.';
