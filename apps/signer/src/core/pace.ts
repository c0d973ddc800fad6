import { type Compartment, CustodyError } from '@bulkhead/domain';
import type { CoreLimits } from './options.ts';

/**
 * How fast a compartment uses up nonces and room in the log without anybody's approval. Amounts and fees are limited elsewhere; but intents of next to nothing
 * could still take thousands of nonces, each of which would have to be filled or cancelled by people.
 */
export type Pace = {
  /** @throws CustodyError `signer/velocity-exceeded` */
  assertWithin(step: PaceStep, limits: CoreLimits): void;
  /** Counts a name, once in a minute. */
  take(step: PaceStep): void;
};

/** `at` in Unix seconds. */
export type PaceStep = {
  readonly kind: PaceKind;
  readonly compartment: Compartment;
  /** The intent, or the key and chain of a certificate. */
  readonly name: string;
  readonly at: bigint;
};

/**
 * An intent that no person approved, a cancellation of a nonce that nothing is bound to, the certificate of an address; or what is
 * shown to others: something about reserves, the control of a wallet, a checkpoint of the audit log.
 */
export type PaceKind = 'unattended' | 'free-cancel' | 'certificate' | 'reserves' | 'control' | 'checkpoint';

const limitOf = {
  unattended: ({ unattendedPerMinuteMax }) => unattendedPerMinuteMax,
  'free-cancel': ({ freeCancelsPerMinuteMax }) => freeCancelsPerMinuteMax,
  certificate: ({ certificatesPerMinuteMax }) => certificatesPerMinuteMax,
  reserves: ({ reservesPerMinuteMax }) => reservesPerMinuteMax,
  control: ({ controlsPerMinuteMax }) => controlsPerMinuteMax,
  checkpoint: ({ checkpointsPerMinuteMax }) => checkpointsPerMinuteMax,
} as const satisfies Readonly<Record<PaceKind, (limits: CoreLimits) => number>>;

const wordsOf = {
  unattended: 'intents that nobody approves',
  'free-cancel': 'cancellations of nonces of nobody',
  certificate: 'new certificates of addresses',
  reserves: 'statements about reserves',
  control: 'statements of the control of wallets',
  checkpoint: 'checkpoints of the audit log',
} as const satisfies Readonly<Record<PaceKind, string>>;

type Minute = { readonly number: bigint; readonly names: Set<string> };

export function openPace(): Pace {
  const minutes = new Map<string, Minute>();
  const minuteOf = ({ kind, compartment, at }: PaceStep): Minute => {
    const name = `${kind}/${compartment}`;
    const known = minutes.get(name);
    if (known?.number === at / 60n) return known;
    const next = { number: at / 60n, names: new Set<string>() };
    minutes.set(name, next);
    return next;
  };
  return {
    take: (step) => void minuteOf(step).names.add(step.name),
    assertWithin(step, limits) {
      const max = limitOf[step.kind](limits);
      const { names } = minuteOf(step);
      if (names.has(step.name) || names.size < max) return;
      throw new CustodyError(
        'signer/velocity-exceeded',
        `Compartment ${step.compartment} had ${max} ${wordsOf[step.kind]} in this minute, as many as it may. Ask again in the next; if this is not what you expect, find out who asks.`,
        { details: { limit: step.kind, perMinuteMax: max, compartment: step.compartment } },
      );
    },
  };
}
