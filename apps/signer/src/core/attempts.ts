import { bumpPercentMin, CustodyError } from '@bulkhead/domain';
import type { CoreLimits } from './options.ts';

/** One transaction for an intent. `name` stands for the intent, the key and the bytes; `fee` is the most it can burn, in wei. */
export type Attempt = { readonly intent: string; readonly name: string; readonly fee: bigint };

/**
 * How often an intent was granted. A replacement that nodes would not take is worth nothing to honest people, and each grant is a record
 * for ever: so every further one pays a tenth more, and there is a highest number.
 */
export type Attempts = {
  /** @throws CustodyError `signer/too-many-attempts` */
  assertFurther(attempt: Attempt, limits: CoreLimits): void;
  take(attempt: Attempt): void;
};

type Granted = { readonly count: number; readonly fee: bigint; readonly name: string };

export function openAttempts(): Attempts {
  const newest = new Map<string, Granted>();
  return {
    assertFurther({ intent, name, fee }, { attemptsPerIntentMax }) {
      const earlier = newest.get(intent);
      // The same again, after it was decided and before it was in the log.
      if (earlier === undefined || earlier.name === name) return;
      if (earlier.count >= attemptsPerIntentMax) {
        throw new CustodyError(
          'signer/too-many-attempts',
          `Intent ${intent} was granted ${earlier.count} times, as often as one may be. One of its transactions will be mined, or its nonce is cancelled.`,
          { details: { attempts: earlier.count, attemptsMax: attemptsPerIntentMax } },
        );
      }
      const feeMin = (earlier.fee * (100n + bumpPercentMin) + 99n) / 100n;
      if (fee >= feeMin) return;
      throw new CustodyError(
        'signer/too-many-attempts',
        `The transaction could burn ${fee} wei, and the one before it for ${intent} ${earlier.fee}: nodes take a replacement from ${feeMin} on. Send the one that was signed again, or pay more.`,
        { details: { fee: String(fee), feeMin: String(feeMin) } },
      );
    },
    take({ intent, name, fee }) {
      const earlier = newest.get(intent);
      // Taken when it is decided, and once more when its record is written.
      if (earlier !== undefined && (earlier.name === name || fee <= earlier.fee)) return;
      newest.set(intent, { count: (earlier?.count ?? 0) + 1, fee, name });
    },
  };
}
