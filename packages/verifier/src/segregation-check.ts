import { portableGroup, verifySegregation } from '@bulkhead/proofs';
import { isNative } from './balance-check.ts';
import type { Examination } from './order.ts';
import { objectionStep } from './package-check.ts';
import type { PinnedEpoch } from './registry-check.ts';
import { holds, type Step, unknown } from './report.ts';
import { walletSteps } from './wallet-check.ts';

/** Checks that a client is alone in its compartment, and that the coins lie at addresses which are certified as this client's. */
export async function segregationSteps(
  bytes: Uint8Array,
  order: Examination,
  pinned: PinnedEpoch,
): Promise<readonly Step[]> {
  const { own } = order.pins;
  if (own === undefined) {
    return [unknown('segregation', 'You did not say who you are, so whose compartment this should be is not known.')];
  }
  const { compartment, holder } = own;
  const verdict = verifySegregation(bytes, { pin: pinned.epoch, compartment, holder, group: portableGroup() });
  if (!verdict.holds) return [{ ...objectionStep(verdict.refutation), step: 'segregation' }];
  const { claims, empty, wallets, certificates, reserves } = verdict;
  const others = claims.filter(({ kind }) => kind !== 'client').map(({ kind, units }) => `${kind} ${units}`);
  const beside = others.length === 0 ? 'nothing else is owed out of it' : `beside it are ${others.join(', ')}`;
  const yours = claims.find(({ kind }) => kind === 'client')?.units ?? 0n;
  const reason = `Compartment ${compartment} has your claim of ${yours} units and no other client’s; ${beside}; ${empty} places are empty.`;
  return [
    holds('segregation', reason),
    ...(await walletSteps({
      order,
      pinned,
      client: new TextDecoder().decode(holder),
      declared: isNative(pinned.header) ? { form: 'account' } : { form: 'unknown' },
      compartments: [{ compartment, wallets }],
      rows: [{ compartment, reserves }],
      certificates,
    })),
  ];
}
