import { type Compartment, CustodyError } from '@bulkhead/domain';
import type { CoreLimits } from './options.ts';

/**
 * How fast a compartment uses up nonces without anybody's approval. Amounts and fees are limited elsewhere; but intents of next to nothing
 * could still take thousands of nonces, each of which would have to be filled or cancelled by people.
 */
export type Pace = {
  /** @throws CustodyError `signer/velocity-exceeded` */
  assertWithin(step: PaceStep, limits: CoreLimits): void;
  /** Counts an intent, once in a minute. */
  take(step: PaceStep): void;
};

/** `at` in Unix seconds. */
export type PaceStep = {
  readonly kind: PaceKind;
  readonly compartment: Compartment;
  readonly intent: string;
  readonly at: bigint;
};

/** An intent that no person approved, or a cancellation of a nonce that nothing is bound to. */
export type PaceKind = 'unattended' | 'free-cancel';

type Minute = { readonly number: bigint; readonly intents: Set<string> };

export function openPace(): Pace {
  const minutes = new Map<string, Minute>();
  const minuteOf = ({ kind, compartment, at }: PaceStep): Minute => {
    const name = `${kind}/${compartment}`;
    const known = minutes.get(name);
    if (known?.number === at / 60n) return known;
    const next = { number: at / 60n, intents: new Set<string>() };
    minutes.set(name, next);
    return next;
  };
  return {
    take: (step) => void minuteOf(step).intents.add(step.intent),
    assertWithin(step, limits) {
      const max = step.kind === 'unattended' ? limits.unattendedPerMinuteMax : limits.freeCancelsPerMinuteMax;
      const { intents } = minuteOf(step);
      if (intents.has(step.intent) || intents.size < max) return;
      const what = step.kind === 'unattended' ? 'intents that nobody approves' : 'cancellations of nonces of nobody';
      throw new CustodyError(
        'signer/velocity-exceeded',
        `Compartment ${step.compartment} had ${max} ${what} in this minute, as many as it may. Ask again in the next; if this is not what you expect, find out who asks.`,
        { details: { limit: step.kind, perMinuteMax: max, compartment: step.compartment } },
      );
    },
  };
}
