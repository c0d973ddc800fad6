import { type Refused, refuse, type Segregation } from '@bulkhead/domain';
import type { Custody } from './custody.ts';

export function forbiddenModel({ policy }: Custody, model: Segregation): Refused | undefined {
  const profile = policy.jurisdiction;
  if (model !== 'omnibus' || profile?.omnibusForbidden !== true) return undefined;
  return refuse(
    'segregation/forbidden',
    `The profile "${profile.name}" forbids omnibus segregation: every client has a compartment of its own.`,
    { profile: profile.name },
  );
}

export function forbiddenTier({ policy }: Custody, tier: 'hot' | 'warm' | 'cold'): Refused | undefined {
  const profile = policy.jurisdiction;
  if (tier !== 'cold' || profile?.noContractInColdTier !== true) return undefined;
  return refuse(
    'segregation/forbidden',
    `The profile "${profile.name}" forbids contracts in the cold tier: use a wallet with a key of its own there, or a vault of another tier.`,
    { profile: profile.name },
  );
}
