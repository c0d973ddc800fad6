import { type CompartmentKind, chainOf, type Intent, kindOf } from '@bulkhead/domain';
import { type KnownAddress, likeness, lookAlikes } from './look-alike.ts';
import type { Judgement, SignerRefusal } from './judgement.ts';
import { type AssetEntry, destinationKey, type Registry, type Rule } from './registry.ts';

/** What approvers should know about an intent and cannot see in it. The signer signs it, the approval page shows it. */
export type Brief = {
  readonly deployment: string;
  /** Of the intent, hex. */
  readonly digest: string;
  /** Unix seconds. */
  readonly at: bigint;
  readonly registryVersion: bigint;
  readonly approvalsNeeded: number;
  readonly requestNeeded: boolean;
  readonly approvedBy: readonly string[];
  /** The rule that applies, and what it leaves. Absent where none does. */
  readonly rule?: BriefRule;
  readonly fees?: BriefFees;
  readonly asset?: Pick<AssetEntry, 'asset' | 'symbol' | 'decimals'>;
  readonly destination?: BriefDestination;
  readonly client?: string;
  readonly compartmentKind?: CompartmentKind;
  /** Whether coins of the chain are worth nothing. */
  readonly development?: boolean;
  /** Why the signer would not sign now. Approvals that are missing are such a reason too. */
  readonly refusal?: Pick<SignerRefusal, 'code' | 'message'>;
};

/** Base units and seconds. */
export type BriefRule = Pick<Rule, 'tier' | 'destination' | 'amountMax' | 'windowSeconds' | 'windowMax'> & {
  readonly spent: bigint;
  /** What the window leaves before this intent. */
  readonly left: bigint;
};

/** Wei and seconds. */
export type BriefFees = {
  readonly feeMax: bigint;
  readonly windowSeconds: bigint;
  readonly windowMax: bigint;
  readonly spent: bigint;
  readonly left: bigint;
};

export type BriefDestination = {
  /** How the enrolment calls it. Absent where it is not enrolled for this client and compartment. */
  readonly label?: string;
  /** Unix seconds. */
  readonly usableFrom?: bigint;
  /** How often the signer has paid this address from this compartment, and when first (Unix seconds). */
  readonly timesUsed: bigint;
  readonly firstUsed?: bigint;
  /** Other addresses that look like this one: enrolled destinations, and own addresses. */
  readonly lookAlikes: readonly KnownAddress[];
};

/** Look-alikes that a brief names; more say nothing new. */
export const briefLookAlikesMax: number = 8;

/** What the signer adds to its registry for a brief. */
export type BriefQuestion = {
  readonly intent: Intent;
  readonly digest: string;
  /** Unix seconds. */
  readonly at: bigint;
  readonly judgement: Judgement;
  readonly spent: (windowSeconds: bigint) => bigint;
  readonly feesSpent: (windowSeconds: bigint) => bigint;
  /** Earlier payments from the compartment to the address of the intent. */
  readonly used: { readonly times: bigint; readonly first?: bigint };
  /** Own addresses to compare with: listed wallets, and what the signer certified. */
  readonly own: Iterable<KnownAddress>;
};

/** Puts the brief of an intent together. */
export function briefOf(registry: Registry, question: BriefQuestion): Brief {
  const { intent, digest, at, judgement } = question;
  const { approvalsNeeded, requestNeeded, approvedBy, refusal } = judgement;
  return {
    deployment: registry.deployment,
    digest,
    at,
    registryVersion: registry.version,
    approvalsNeeded,
    requestNeeded,
    approvedBy,
    ...('amount' in intent ? movementFacts(registry, question, intent) : {}),
    ...(refusal === undefined ? {} : { refusal: { code: refusal.code, message: refusal.message } }),
  };
}

type Movement = Extract<Intent, { readonly amount: bigint }>;

function movementFacts(registry: Registry, question: BriefQuestion, intent: Movement): Partial<Brief> {
  const { judgement, spent, feesSpent } = question;
  const { rule } = judgement;
  const { chains, assets } = registry;
  const chain = chains.get(chainOf(intent.asset));
  const asset = assets.get(intent.asset);
  return {
    compartmentKind: kindOf(intent.compartment),
    destination: destinationFacts(registry, question, intent),
    ...('client' in intent ? { client: intent.client } : {}),
    ...(asset === undefined ? {} : { asset: { asset: asset.asset, symbol: asset.symbol, decimals: asset.decimals } }),
    ...(rule === undefined ? {} : { rule: ruleFacts(rule, spent(rule.windowSeconds)) }),
    ...(chain === undefined
      ? {}
      : {
          development: chain.development,
          fees: {
            feeMax: chain.feeMax,
            windowSeconds: chain.feeWindowSeconds,
            windowMax: chain.feeWindowMax,
            ...used(chain.feeWindowMax, feesSpent(chain.feeWindowSeconds)),
          },
        }),
  };
}

function ruleFacts(rule: Rule, spent: bigint): BriefRule {
  const { tier, destination, amountMax, windowSeconds, windowMax } = rule;
  return { tier, destination, amountMax, windowSeconds, windowMax, ...used(windowMax, spent) };
}

function used(max: bigint, spent: bigint): { readonly spent: bigint; readonly left: bigint } {
  return { spent, left: spent < max ? max - spent : 0n };
}

function destinationFacts(registry: Registry, question: BriefQuestion, intent: Movement): BriefDestination {
  const { to } = intent;
  const { destinations, likenesses } = registry;
  const { times, first } = question.used;
  const entry =
    'client' in intent
      ? destinations.get(
          destinationKey({
            client: intent.client,
            compartment: intent.compartment,
            chain: chainOf(intent.asset),
            address: to,
          }),
        )
      : undefined;
  const enrolled = (likenesses.get(likeness(to)) ?? []).flatMap((key) => {
    const known = destinations.get(key);
    return known === undefined ? [] : [{ address: known.address, label: `${known.label} (${known.client})` }];
  });
  const byAddress = new Map(lookAlikes(to, [...enrolled, ...question.own]).map((known) => [known.address, known]));
  return {
    timesUsed: times,
    lookAlikes: [...byAddress.values()].slice(0, briefLookAlikesMax),
    ...(first === undefined ? {} : { firstUsed: first }),
    ...(entry === undefined ? {} : { label: entry.label, usableFrom: entry.usableFrom }),
  };
}
