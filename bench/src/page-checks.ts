import { portableGroup, verifyConfidentialPackage, verifyPlainPackage } from '@bulkhead/proofs';

/** What a client has in its hands, and knows. */
export type HeldPackage = {
  readonly tier: 'plain' | 'confidential';
  readonly bytes: Uint8Array;
  readonly known: Parameters<typeof verifyPlainPackage>[1];
};

/** How long a check took the first time, which is the one that a client waits for, and in the middle of the later ones. */
export type CheckTimes = { readonly firstMs: number; readonly laterMs: number };

const laterChecks = 30;

/** Runs in a page. @throws Error for a package that does not hold: a check that refuses early is no measure */
export function timeChecks({ tier, bytes, known }: HeldPackage): CheckTimes {
  const times: number[] = [];
  for (let round = 0; round <= laterChecks; round += 1) {
    const begin = performance.now();
    const { holds } =
      tier === 'plain' ? verifyPlainPackage(bytes, known) : verifyConfidentialPackage(portableGroup(), bytes, known);
    times.push(performance.now() - begin);
    if (!holds) throw new Error(`A ${tier} package that was made for this does not hold.`);
  }
  const [firstMs = 0, ...later] = times;
  return { firstMs, laterMs: later.toSorted((a, b) => a - b)[Math.floor(later.length / 2)] ?? 0 };
}
