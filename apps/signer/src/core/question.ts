import { type IsOwn, type Judgement, judgeMovement, type MovementQuestion } from '@bulkhead/authority';
import { type Compartment, houseFees, type KeyResidency, type MovementIntent } from '@bulkhead/domain';
import type { CoreParts } from './core-parts.ts';
import { amountSeries, chargedFor, feeSeries, paceStepOf } from './knowledge.ts';

/** What a judgement about a movement rests on besides the registry. */
export type MovementFacts = Pick<MovementQuestion, 'intent' | 'tier' | 'approvers' | 'fee'> & {
  readonly residency: KeyResidency;
  readonly requester: string | undefined;
  readonly now: bigint;
  readonly isOwn: IsOwn;
};

/** The same judgement for a request to sign and for the outlook: nobody is told one thing and refused another. */
export function judge({ knowledge }: CoreParts, facts: MovementFacts): Judgement {
  const { intent, now, requester, ...rest } = facts;
  return judgeMovement(knowledge.registry(), {
    ...rest,
    intent,
    now,
    charged: chargedFor(knowledge, { intent, fee: facts.fee }),
    ...(requester === undefined ? {} : { requester }),
    ...spending({ knowledge }, { intent, now }),
  });
}

/** A first grant that nobody approves has its place in the minute. @throws CustodyError `signer/velocity-exceeded` */
export function assertPaced(
  { knowledge, limits }: Pick<CoreParts, 'knowledge' | 'limits'>,
  asked: { readonly intent: MovementIntent; readonly at: bigint; readonly approved: boolean },
): void {
  const step = paceStepOf(knowledge, asked);
  if (step !== undefined) knowledge.pace.assertWithin(step, limits);
}

/** What other intents have used of the windows that this one falls into. */
export function spending(
  { knowledge }: Pick<CoreParts, 'knowledge'>,
  { intent, now }: { intent: MovementIntent; now: bigint },
): Pick<MovementQuestion, 'spent' | 'feesSpent'> {
  const sum = (series: string, windowSeconds: bigint): bigint =>
    knowledge.usage.sum({ series, windowSeconds, now, except: intent.id });
  return {
    spent: (windowSeconds) => sum(amountSeries(intent), windowSeconds),
    feesSpent: (windowSeconds) => sum(feeSeries(intent), windowSeconds),
  };
}

/** Compartments whose addresses a judgement about an intent may ask for. */
export function compartmentsOf(intent: MovementIntent): readonly Compartment[] {
  switch (intent.kind) {
    case 'sweep':
    case 'cancel':
      return [intent.compartment];
    case 'gas-grant':
    case 'relay':
      return [intent.beneficiary];
    case 'fee-payment':
      return [houseFees];
    case 'delegation':
      return [intent.compartment];
    case 'withdrawal':
    case 'deposit-return':
      return [];
  }
}

export function ownAddresses({ addresses, knowledge }: CoreParts): IsOwn {
  return addresses.isOwn(knowledge.registry(), (compartment, address) => knowledge.certified.has(compartment, address));
}
