import { CustodyError } from '@bulkhead/domain';
import type { Counter } from './approvals.ts';

/**
 * Counters of passkeys. A key that was copied counts from where it was copied, so a count that does not rise betrays one of the
 * two. An assertion that was accepted once keeps its place: payments are approved in one order and signed in another.
 */
export type SignCounts = {
  /** @throws CustodyError `signer/sign-count` */
  assertRising(counters: readonly Counter[]): void;
  accept(counters: readonly Counter[]): void;
};

export function openSignCounts(): SignCounts {
  const newest = new Map<string, number>();
  const accepted = new Set<string>();
  return {
    assertRising(counters) {
      const within = new Map<string, number>();
      const seen = new Set<string>();
      for (const { credential, count, fingerprint } of counters.toSorted((a, b) => a.count - b.count)) {
        const last = Math.max(newest.get(credential) ?? 0, within.get(credential) ?? 0);
        if (accepted.has(fingerprint) || seen.has(fingerprint) || (count === 0 && last === 0)) continue;
        if (count <= last) throw fallen(count, last);
        within.set(credential, count);
        seen.add(fingerprint);
      }
    },
    accept(counters) {
      for (const { credential, count, fingerprint } of counters) {
        // Authenticators that do not count are not remembered one by one: there is nothing to compare.
        if (count === 0) continue;
        accepted.add(fingerprint);
        if (count > (newest.get(credential) ?? 0)) newest.set(credential, count);
      }
    },
  };
}

function fallen(count: number, last: number): CustodyError {
  return new CustodyError(
    'signer/sign-count',
    `A passkey counts ${count}, and its last count was ${last}. Either the approval was made before another that arrived first: make it again; or the key was copied: then have the person suspended.`,
    { details: { count, last } },
  );
}
