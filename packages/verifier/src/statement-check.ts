import {
  openStatement,
  type PackageClaim,
  liabilityUnits,
  readStatementsFile,
  type SignedStatements,
} from '@bulkhead/proofs';
import { bytesToHex } from '@noble/hashes/utils.js';
import { equalBytes } from './bytes.ts';
import type { OwnKnowledge } from './order.ts';
import { objectionStep } from './package-check.ts';
import { isQuorum } from './recovered-signer.ts';
import type { PinnedEpoch } from './registry-check.ts';
import { readSigners, unreadStep } from './registry-state.ts';
import { fails, holds, type Step, unknown } from './report.ts';
import { type ProvenSet, readSignerSet } from './signer-set.ts';
import { statementsDigest } from './typed-digest.ts';

/** Who could sign for the registry since an epoch was taken, or the step that says why that is not known. */
export async function askSigners({ view, registry, epoch }: PinnedEpoch): Promise<ProvenSet | Step> {
  const address = await readSigners(view, registry);
  if ('unread' in address) return unreadStep('signers', address);
  const set = await readSignerSet(view, { address, since: epoch.takenAt });
  return 'unread' in set ? unreadStep('signers', set) : set;
}

/** That a quorum was found, in words. */
export function signersStep(set: ProvenSet | Step): Step {
  if ('step' in set) return set;
  const [current] = set.versions;
  return holds(
    'signers',
    `For the registry sign ${current?.threshold ?? 0} of ${current?.members.join(', ') ?? ''}, proven out of the state.`,
  );
}

/** Checks a holder's balance statement, and holds it against the leaf and the reader's own books. */
export function statementSteps(
  bytes: Uint8Array,
  known: {
    readonly own: OwnKnowledge | undefined;
    readonly pinned: PinnedEpoch;
    readonly set: ProvenSet | Step;
    /** The package of the same claim, where it was given too and leads to the record. */
    readonly leaf: PackageClaim | undefined;
  },
): readonly Step[] {
  const { own, pinned, set, leaf } = known;
  if (own === undefined) {
    return [unknown('statement', 'You did not say who you are, so whose statement this is is not known.')];
  }
  const { compartment, holder, kind = 'client' } = own;
  const opened = openStatement(bytes, { context: pinned.epoch.context, own: { compartment, holder, kind } });
  if (!opened.holds) return [{ ...objectionStep(opened.refutation), step: 'statement' }];
  const { signed, amount } = opened;
  return [
    holds('statement', `It states ${amount} of the smallest unit to you, and leads to the root of all statements.`),
    signedStep(signed, pinned, set),
    amountsStep(amount, { own, leaf, pinned }),
  ];
}

/** Checks the file of the signed root alone. */
export function statementsFileStep(bytes: Uint8Array, pinned: PinnedEpoch, set: ProvenSet | Step): Step {
  const signed = readStatementsFile(bytes);
  if (signed === undefined) return fails('statement-signed', 'The file is not of its form.');
  if (!equalBytes(signed.context, pinned.epoch.context)) {
    return fails('statement-signed', 'The statements are of another proof than the one that the registry pins.');
  }
  return signedStep(signed, pinned, set);
}

function signedStep(signed: SignedStatements, { registry, epoch }: PinnedEpoch, set: ProvenSet | Step): Step {
  const root = `the root ${bytesToHex(signed.root).slice(0, 16)}… of ${signed.count} statements`;
  if (signed.signatures.length === 0) return unknown('statement-signed', `Nobody signed ${root}.`);
  if ('step' in set) return unknown('statement-signed', `Who may sign is not known: ${set.reason}`);
  const digest = statementsDigest(
    { chain: registry.chain, registry: registry.address },
    { context: epoch.context, root: signed.root, count: signed.count },
  );
  const by = set.versions.find((version) => isQuorum(digest, signed.signatures, version));
  return by === undefined
    ? fails('statement-signed', `The signatures over ${root} are not those of a quorum of the registry’s signers.`)
    : holds('statement-signed', `${by.threshold} members of the signer set (version ${by.number}) signed ${root}.`);
}

/** Three amounts must be one: the one stated, the one of the leaf, and the reader's own. */
function amountsStep(
  stated: bigint,
  of: { readonly own: OwnKnowledge; readonly leaf: PackageClaim | undefined; readonly pinned: PinnedEpoch },
): Step {
  const { own, leaf, pinned } = of;
  const units = liabilityUnits(pinned.header, stated);
  const told: string[] = [`stated: ${stated}`];
  if (own.amount !== undefined) told.push(`your books: ${own.amount}`);
  if (leaf !== undefined) told.push(`counted: ${leaf.units} units, and the stated amount is ${units}`);
  const all = told.join('; ');
  const alike = (own.amount === undefined || own.amount === stated) && (leaf === undefined || leaf.units === units);
  if (!alike) return fails('amounts', `Ground for a dispute: keep these files. ${all}.`);
  if (told.length === 1) {
    return unknown('amounts', `Nothing to compare with: ${all}. Give your package too, or the amount of your books.`);
  }
  return holds('amounts', `They agree. ${all}.`);
}
