import {
  type Address,
  type AssetId,
  chainOf,
  type Compartment,
  type FaultCode,
  type FaultDetails,
  kindOf,
} from '@bulkhead/domain';
import { isEntitled } from './judge-people.ts';
import type { SignerRefusal } from './judgement.ts';
import { destinationKey, type Registry, type Rule, type Tier } from './registry.ts';

/** What a rule looks at: one intent that moves something. */
export type Ruled = {
  readonly kind: string;
  readonly id: string;
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly amount: bigint;
};

/** The rule with the smallest limit that still covers the amount; and the largest limit there is, for the message. */
export function ruleFor(registry: Registry, intent: Ruled, tier: Tier): { rule?: Rule; largest: bigint } {
  const compartments = kindOf(intent.compartment);
  const { rules } = registry.policy;
  const matching = rules.filter(
    (rule) =>
      rule.kind === intent.kind &&
      rule.compartments === compartments &&
      rule.tier === tier &&
      rule.asset === intent.asset,
  );
  const largest = matching.reduce((most, rule) => (rule.amountMax > most ? rule.amountMax : most), 0n);
  const [rule] = matching
    .filter((candidate) => candidate.amountMax >= intent.amount)
    .sort((a, b) => (a.amountMax < b.amountMax ? -1 : 1));
  return rule === undefined ? { largest } : { rule, largest };
}

export function aboveLimit(intent: Ruled, tier: Tier, largest: bigint): SignerRefusal {
  const { kind, asset, amount, compartment } = intent;
  return refuse(
    'signer/amount-above-limit',
    largest === 0n
      ? `No rule allows a ${kind} of ${asset} from a ${tier} wallet of an ${kindOf(compartment)} compartment. Have the policy changed, or use another wallet.`
      : `${amount} base units are above the largest limit of a ${kind} from a ${tier} wallet, ${largest}. Ask for less, or have the policy changed.`,
    { kind, tier, asset, amount: String(amount), amountMax: String(largest) },
  );
}

type Payment = Ruled & { readonly client: string; readonly to: Address };

export function objectionToDestination(registry: Registry, intent: Payment, now: bigint): SignerRefusal | undefined {
  const { client, compartment, to } = intent;
  const chain = chainOf(intent.asset);
  const { destinations } = registry;
  const entry = destinations.get(destinationKey({ client, compartment, chain, address: to }));
  if (entry === undefined) {
    return refuse(
      'signer/unknown-destination',
      `${to} is no destination of ${client} in compartment ${compartment} on ${chain}. Have it enrolled by the operational quorum.`,
      { client, compartment, to },
    );
  }
  if (now < entry.usableFrom) {
    return refuse(
      'signer/destination-cooling',
      `${to} was enrolled lately and is usable from ${entry.usableFrom} (Unix seconds); now it is ${now}. Wait until then.`,
      { to, usableFrom: String(entry.usableFrom), now: String(now) },
    );
  }
  return undefined;
}

export function objectionToVelocity(
  { intent, spent }: { readonly intent: Ruled; readonly spent: (windowSeconds: bigint) => bigint },
  rule: Rule,
): SignerRefusal | undefined {
  const before = spent(rule.windowSeconds);
  if (before + intent.amount <= rule.windowMax) return undefined;
  return refuse(
    'signer/velocity-exceeded',
    `${before} base units have moved in the last ${rule.windowSeconds} seconds; ${intent.amount} more would be above ${rule.windowMax}. Wait, or have the policy changed.`,
    { spent: String(before), amount: String(intent.amount), windowMax: String(rule.windowMax) },
  );
}

type Counted = { readonly approvalsNeeded: number; readonly approvedBy: readonly string[] };

export function objectionToPeople(
  registry: Registry,
  { intent, requester }: { readonly intent: Ruled; readonly requester?: string | undefined },
  { approvalsNeeded, approvedBy }: Counted,
): SignerRefusal | undefined {
  if (requester === undefined) {
    return refuse(
      'signer/request-missing',
      `Whoever asked for ${intent.id} has not signed it. Have the requester sign the intent.`,
      {},
    );
  }
  if (!isEntitled(registry, requester, 'requester')) {
    return refuse(
      'signer/person-not-entitled',
      `"${requester}" may not ask for payments: not registered, suspended, or without the role requester.`,
      {
        person: requester,
      },
    );
  }
  if (approvedBy.length >= approvalsNeeded) return undefined;
  return refuse(
    'signer/approvals-missing',
    `${approvedBy.length} of ${approvalsNeeded} approvals are there: people with the role approver, not suspended, and not the requester.`,
    { approved: approvedBy.length, needed: approvalsNeeded },
  );
}

export function refuse(code: FaultCode, message: string, details: FaultDetails): SignerRefusal {
  return { code, message, details };
}
