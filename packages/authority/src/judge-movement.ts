import {
  chainOf,
  type FaultCode,
  type FaultDetails,
  houseFees,
  houseGas,
  kindOf,
  type MovementIntent,
} from '@bulkhead/domain';
import { expired, wrongDeployment } from './judge-authority.ts';
import { countedPeople, isEntitled } from './judge-people.ts';
import type { Judgement, MovementQuestion, SignerRefusal } from './judgement.ts';
import { clientKey, destinationKey, type Registry, type Rule, type Tier } from './registry.ts';

/**
 * Whether a movement may be signed, by the registry alone. The checks run in this order, and the first that fails is the refusal:
 * 1. deployment, expiry; 2. chain, residency of the key, asset; 3. client in the compartment; 4. rule by amount; 5. recipient, and
 * the cooling of its enrolment; 6. velocity; 7. fee of the intent, fee window of the compartment; 8. request and requester;
 * 9. approvals. So an intent that lacks only people is refused with `signer/request-missing` or `signer/approvals-missing`, and
 * with nothing else.
 */
export function judgeMovement(registry: Registry, question: MovementQuestion): Judgement {
  const { intent, tier, requester, approvers } = question;
  const { rule, largest } = ruleFor(registry, intent, tier);
  const approvalsNeeded = rule?.approvals ?? 0;
  const requestNeeded = approvalsNeeded > 0;
  const approvedBy = requestNeeded ? countedPeople(registry, approvers, { role: 'approver', except: requester }) : [];
  const refusal =
    objectionToIntent(registry, question) ??
    (rule === undefined && intent.kind !== 'cancel'
      ? aboveLimit(intent, tier, largest)
      : objectionToRecipient(registry, question, rule)) ??
    (rule === undefined ? undefined : objectionToVelocity(question, rule)) ??
    objectionToFee(registry, question) ??
    (requestNeeded ? objectionToPeople(registry, question, { approvalsNeeded, approvedBy }) : undefined);
  return {
    approvalsNeeded,
    requestNeeded,
    approvedBy,
    ...(rule === undefined ? {} : { rule }),
    ...(refusal === undefined ? {} : { refusal }),
  };
}

/** The rule with the smallest limit that still covers the amount; and the largest limit there is, for the message. */
function ruleFor(registry: Registry, intent: MovementIntent, tier: Tier): { rule?: Rule; largest: bigint } {
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

function objectionToIntent(registry: Registry, question: MovementQuestion): SignerRefusal | undefined {
  const { intent, now, residency } = question;
  if (intent.deployment !== registry.deployment) return wrongDeployment(intent.deployment, registry.deployment);
  if ('expiresAt' in intent && now > intent.expiresAt) return expired(intent.id, intent.expiresAt, now);
  const { chains, assets, clients } = registry;
  const chain = chainOf(intent.asset);
  const entry = chains.get(chain);
  if (entry === undefined) {
    return refuse(
      'signer/unknown-chain',
      `The chain ${chain} is not in the registry. Have it listed by the root quorum.`,
      { chain },
    );
  }
  if (residency === 'software' && !entry.development) {
    return refuse(
      'signer/chain-not-development',
      `The key is in software, and ${chain} is not a development chain: software keys may hold only coins that are worth nothing.`,
      { chain },
    );
  }
  if (!assets.has(intent.asset)) {
    const { asset } = intent;
    return refuse(
      'signer/unknown-asset',
      `The asset ${asset} is not in the registry. Have it listed by the root quorum.`,
      { asset },
    );
  }
  if ('client' in intent && !clients.has(clientKey(intent))) {
    const { client, compartment } = intent;
    return refuse(
      'signer/unknown-client',
      `${client} is not enrolled in compartment ${compartment}. Have the client enrolled by the operational quorum.`,
      { client, compartment },
    );
  }
  return undefined;
}

function aboveLimit(intent: MovementIntent, tier: Tier, largest: bigint): SignerRefusal {
  const { kind, asset, amount, compartment } = intent;
  return refuse(
    'signer/amount-above-limit',
    largest === 0n
      ? `No rule allows a ${kind} of ${asset} from a ${tier} wallet of an ${kindOf(compartment)} compartment. Have the policy changed, or use another wallet.`
      : `${amount} base units are above the largest limit of a ${kind} from a ${tier} wallet, ${largest}. Ask for less, or have the policy changed.`,
    { kind, tier, asset, amount: String(amount), amountMax: String(largest) },
  );
}

function objectionToRecipient(
  registry: Registry,
  question: MovementQuestion,
  rule: Rule | undefined,
): SignerRefusal | undefined {
  const { intent, isOwn } = question;
  switch (intent.kind) {
    case 'withdrawal':
    case 'deposit-return':
      return rule?.destination === 'any' ? undefined : objectionToDestination(registry, intent, question.now);
    case 'sweep':
      return isOwn(intent.compartment, intent.to, 'listed')
        ? undefined
        : notOurs(intent, `a listed wallet of compartment ${intent.compartment}`);
    case 'gas-grant':
      if (intent.compartment !== houseGas) {
        const { compartment } = intent;
        return refuse(
          'signer/unknown-wallet',
          `Compartment ${compartment} grants no gas; only compartment ${houseGas} does.`,
          { compartment },
        );
      }
      return isOwn(intent.beneficiary, intent.to, 'derived')
        ? undefined
        : notOurs(intent, `an address of compartment ${intent.beneficiary}`);
    case 'fee-payment':
      return isOwn(houseFees, intent.to, 'listed')
        ? undefined
        : notOurs(intent, `a listed wallet of compartment ${houseFees}`);
    case 'relay':
    case 'delegation':
      return notOurs(intent, 'a contract that the registry lists');
    case 'cancel':
      return isOwn(intent.compartment, intent.to, 'derived')
        ? undefined
        : notOurs(intent, `an address of compartment ${intent.compartment}`);
  }
}

type Payment = Extract<MovementIntent, { readonly client: string; readonly expiresAt: bigint }>;

function objectionToDestination(registry: Registry, intent: Payment, now: bigint): SignerRefusal | undefined {
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

function notOurs({ kind, to }: MovementIntent, wanted: string): SignerRefusal {
  return refuse(
    'signer/unknown-destination',
    `A ${kind} goes to ${wanted}, and ${to} is none. If the address came from the database, find out who changed it.`,
    { kind, to },
  );
}

function objectionToVelocity({ intent, spent }: MovementQuestion, rule: Rule): SignerRefusal | undefined {
  const before = spent(rule.windowSeconds);
  if (before + intent.amount <= rule.windowMax) return undefined;
  return refuse(
    'signer/velocity-exceeded',
    `${before} base units have moved in the last ${rule.windowSeconds} seconds; ${intent.amount} more would be above ${rule.windowMax}. Wait, or have the policy changed.`,
    { spent: String(before), amount: String(intent.amount), windowMax: String(rule.windowMax) },
  );
}

function objectionToFee(registry: Registry, question: MovementQuestion): SignerRefusal | undefined {
  const { intent, fee, feesSpent } = question;
  const { chains } = registry;
  const chain = chains.get(chainOf(intent.asset));
  if (chain === undefined) return undefined;
  const feeMax = intent.feeMax < chain.feeMax ? intent.feeMax : chain.feeMax;
  if (fee > feeMax) {
    return refuse(
      'signer/fee-above-limit',
      `The network fee could be ${fee} wei. The intent allows ${intent.feeMax}, and one intent on ${chain.chain} may burn ${chain.feeMax}. Build the transaction with less, or wait for a lower price of gas.`,
      { fee: String(fee), feeMax: String(feeMax) },
    );
  }
  const before = feesSpent(chain.feeWindowSeconds);
  const charged = question.charged ?? fee;
  if (before + charged <= chain.feeWindowMax) return undefined;
  return refuse(
    'signer/fee-above-limit',
    `Compartment ${intent.compartment} may have burnt ${before} wei in the last ${chain.feeWindowSeconds} seconds; ${charged} more would be above ${chain.feeWindowMax}. Wait, or have the chain's limit changed.`,
    { fee: String(charged), feesSpent: String(before), feeWindowMax: String(chain.feeWindowMax) },
  );
}

type Counted = { readonly approvalsNeeded: number; readonly approvedBy: readonly string[] };

function objectionToPeople(
  registry: Registry,
  { intent, requester }: MovementQuestion,
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

function refuse(code: FaultCode, message: string, details: FaultDetails): SignerRefusal {
  return { code, message, details };
}
