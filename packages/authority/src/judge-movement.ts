import { type Address, chainOf, houseFees, houseGas, type MovementIntent } from '@bulkhead/domain';
import { expired, wrongDeployment } from './judge-authority.ts';
import { countedPeople } from './judge-people.ts';
import {
  aboveLimit,
  objectionToDestination,
  objectionToPeople,
  objectionToVelocity,
  refuse,
  ruleFor,
} from './judge-rule.ts';
import { relayObjection } from './relay.ts';
import type { Judgement, MovementQuestion, SignerRefusal } from './judgement.ts';
import { clientKey, type Registry, type Rule } from './registry.ts';
import { isVaultOf } from './registry-vault.ts';

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
    (rule === undefined && !ruleless.has(intent.kind)
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

/** Kinds that move nothing. What they may burn is bounded all the same. */
const ruleless: ReadonlySet<MovementIntent['kind']> = new Set(['cancel', 'relay', 'delegation']);

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
      return isOwn(intent.compartment, intent.to, 'listed') || isVaultOf(registry, vaultAt(intent, intent.to))
        ? undefined
        : notOurs(intent, `a listed wallet or vault of compartment ${intent.compartment}`);
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
      return relayObjection(registry, intent, isOwn);
    case 'delegation':
      return isOwn(intent.compartment, intent.wallet, 'listed') || isVaultOf(registry, vaultAt(intent, intent.wallet))
        ? undefined
        : notOurs(
            { kind: intent.kind, to: intent.wallet },
            `a listed wallet or vault of compartment ${intent.compartment}`,
          );
    case 'cancel':
      return isOwn(intent.compartment, intent.to, 'derived')
        ? undefined
        : notOurs(intent, `an address of compartment ${intent.compartment}`);
  }
}

function vaultAt(intent: MovementIntent, address: Address): Parameters<typeof isVaultOf>[1] {
  return { chain: chainOf(intent.asset), compartment: intent.compartment, address };
}

function notOurs({ kind, to }: Pick<MovementIntent, 'kind' | 'to'>, wanted: string): SignerRefusal {
  return refuse(
    'signer/unknown-destination',
    `A ${kind} goes to ${wanted}, and ${to} is none. If the address came from the database, find out who changed it.`,
    { kind, to },
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
