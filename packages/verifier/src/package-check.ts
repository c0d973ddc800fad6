import {
  type Group,
  type OwnClaim,
  type PackageClaim,
  portableGroup,
  type Refutation,
  type Verdict,
  verifyConfidentialPackage,
  verifyPlainPackage,
} from '@bulkhead/proofs';
import type { OwnKnowledge } from './order.ts';
import type { PinnedEpoch } from './registry-check.ts';
import { fails, holds, type Step, unknown } from './report.ts';

/** What is said of each refutation, and at which step it stands. The order is the one in which the package is checked. */
const objections: Readonly<Record<Refutation, Omit<Step, 'result'>>> = {
  malformed: { step: 'package', reason: 'The file is cut off, too long, or not of its form.' },
  'other-context': { step: 'header', reason: 'The registry pins another proof under this epoch and asset.' },
  'other-compartment': { step: 'own-claim', reason: 'The file is about another compartment than yours.' },
  'house-compartment': { step: 'own-claim', reason: 'The file is about a compartment of the custodian itself.' },
  'other-holder': { step: 'own-claim', reason: 'The file is about another client, or another kind of claim.' },
  'shared-compartment': { step: 'own-claim', reason: 'The compartment is one that clients share.' },
  'other-count': { step: 'record', reason: 'The number of rows is not that of the record.' },
  'other-record': { step: 'record', reason: 'What the file shows does not lead to what the registry pins.' },
  'out-of-range': { step: 'record', reason: 'An amount is larger than the proof may count.' },
  'not-canonical': { step: 'record', reason: 'A commitment is not in its one form.' },
  'other-commitment': { step: 'record', reason: 'The opening does not fit the commitment.' },
  'range-unproven': { step: 'record', reason: 'A range proof does not hold: an amount may be negative.' },
  'other-balance': {
    step: 'balance',
    reason: 'You are counted with another amount than yours.',
  },
  insolvent: { step: 'solvent', reason: 'The compartment owes more than it holds.' },
};

export function objectionStep(refutation: Refutation): Step {
  return { ...objections[refutation], result: 'fails' };
}

const passed: readonly Step[] = [
  holds('package', 'The file is a package of a proof of reserves.'),
  holds('own-claim', 'It is about your claim: compartment, client and kind.'),
  holds('record', 'Your leaf leads to what the registry pins: everybody who looks there sees the same proof.'),
  holds('balance', 'You are counted with your whole amount.'),
];

/** Checks whether a claim is counted, whole, in a compartment that holds what it owes: spec/reserves.md, step by step. */
export function packageSteps(
  { bytes, claim }: { readonly bytes: Uint8Array; readonly claim: PackageClaim },
  own: OwnKnowledge | undefined,
  { header, epoch }: PinnedEpoch,
): readonly Step[] {
  if (own === undefined) {
    const reason = 'You did not say who you are: your compartment, and the id under which your books are kept.';
    return [holds('package', 'The file is a package of a proof of reserves.'), unknown('own-claim', reason)];
  }
  // Without an amount of the reader's, what the leaf says stands in for it: then the step about it says what it is.
  const leafAmount = claim.units * 10n ** BigInt(header.unitExponent);
  const asked: OwnClaim = {
    compartment: own.compartment,
    kind: own.kind ?? 'client',
    holder: own.holder,
    amount: own.amount ?? leafAmount,
  };
  const verdict =
    header.tier === 'plain'
      ? verifyPlainPackage(bytes, { pin: epoch, own: asked })
      : verifyConfidentialPackage(group(), bytes, { pin: epoch, own: asked });
  const steps = stepsOf(verdict, solventStep(verdict));
  if (own.amount !== undefined) {
    return steps.map((step) => (step.result === 'fails' ? withAmounts(step, claim, own) : step));
  }
  const told = unknown(
    'balance',
    `You are counted with ${claim.units} units of ${header.unitExponent} digits: compare that with your books.`,
  );
  return steps.map((step) => (step.step === 'balance' ? told : step));
}

let keptGroup: Group | undefined;

function group(): Group {
  keptGroup ??= portableGroup();
  return keptGroup;
}

function withAmounts(step: Step, { units }: PackageClaim, { amount }: OwnKnowledge): Step {
  if (step.step !== 'balance') return step;
  const reason = `You are counted with ${units} units, and your books say ${amount} of the smallest unit. With the balance statement that the custodian signed this is ground for a dispute.`;
  return { ...step, reason };
}

type Finding = { readonly reserves: bigint; readonly liabilities?: bigint };

function solventStep(verdict: Verdict<Finding>): Step {
  if (!verdict.holds) return fails('solvent', 'Nothing was found.');
  const { liabilities, reserves } = verdict;
  if (liabilities === undefined) {
    return unknown(
      'solvent',
      `Your compartment says that it holds ${reserves} units. That this covers what it owes is shown to anyone by the summary, which is not in this file.`,
    );
  }
  return holds(
    'solvent',
    `Your compartment owes ${liabilities} and says that it holds ${reserves}, in units of the header.`,
  );
}

/** The steps up to the one that fails, or all of them. */
function stepsOf(verdict: Verdict<Finding>, solvent: Step): readonly Step[] {
  if (verdict.holds) return [...passed, solvent];
  const objection = objectionStep(verdict.refutation);
  const before = passed.findIndex(({ step }) => step === objection.step);
  if (objection.step === 'header') return [...passed.slice(0, 1), objection];
  return [...(before === -1 ? passed : passed.slice(0, before)), objection];
}
