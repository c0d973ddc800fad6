import {
  type Address,
  chainOf,
  type ChainId,
  houseGas,
  type KeyResidency,
  membersOf,
  nativeAsset,
  type VaultIntent,
} from '@bulkhead/domain';
import { expired, wrongDeployment } from './judge-authority.ts';
import { objectionToKeyOfChain, softwareKey } from './judge-chain.ts';
import { countedPeople } from './judge-people.ts';
import {
  aboveLimit,
  objectionToDestination,
  objectionToPeople,
  objectionToVelocity,
  refuse,
  ruleFor,
} from './judge-rule.ts';
import type { Judgement, SignerRefusal } from './judgement.ts';
import { clientKey, type PersonRole, type Registry, type Rule } from './registry.ts';
import { type VaultEntry, vaultKey, type VaultSystemEntry } from './registry-vault.ts';

export type VaultQuestion = {
  readonly intent: VaultIntent;
  /** Addresses of the keys that this signer has for sets of signers, by its own derivation. */
  readonly own: readonly Address[];
  readonly residency: KeyResidency;
  readonly requester?: string | undefined;
  readonly approvers: readonly string[];
  /** Unix seconds. */
  readonly now: bigint;
  /** What intents of this kind, compartment and asset have moved in the last so many seconds, this one left out; base units. */
  readonly spent: (windowSeconds: bigint) => bigint;
  /** What the house may have burnt on this chain in the last so many seconds, wei. */
  readonly feesSpent: (windowSeconds: bigint) => bigint;
  /** The newest heartbeat that was granted on the chain. */
  readonly heartbeat?: { readonly at: bigint; readonly blockNumber: bigint } | undefined;
};

/** `signer` is the key that signs; absent where none of this signer's is in the set. */
export type VaultJudgement = Judgement & { readonly signer?: Address };

/** How far ahead the deadline of something may lie that does not expire: time enough for a relay, and no more. */
export const deadlineSecondsMax: bigint = 7n * 86_400n;

/** Between two heartbeats on one chain. */
export const heartbeatSecondsMin: bigint = 3_600n;

/**
 * Whether a key of a set of signers may sign, by the registry alone. The checks run in this order, and the first that fails is the
 * refusal: 1. deployment, expiry, deadline; 2. chain, its system of vaults, residency of the key, asset; 3. vault or set of signers,
 * client, compartment; 4. this signer's key among the members; 5. rule by amount; 6. recipient; 7. velocity; 8. fee of the house;
 * 9. request and requester; 10. approvals.
 */
export function judgeVault(registry: Registry, question: VaultQuestion): VaultJudgement {
  const placed = placeOf(registry, question.intent);
  const signer = placed === undefined ? undefined : signerOf(question, placed);
  const judgement = judged(registry, question, placed);
  const refusal =
    objectionToTime(registry, question) ??
    objectionToPlace(registry, question, placed) ??
    (signer === undefined ? notMember(question) : undefined) ??
    judgement.refusal;
  return {
    ...judgement,
    ...(signer === undefined ? {} : { signer }),
    ...(refusal === undefined ? {} : { refusal }),
  };
}

/** What an intent is about, as the registry has it. */
type Place = { readonly systems: readonly VaultSystemEntry[]; readonly vault?: VaultEntry };

function placeOf(registry: Registry, intent: VaultIntent): Place | undefined {
  const { systems, vaults } = registry;
  if (intent.kind === 'signer-set-change') {
    // It counts on every chain, and so do the keys that sign it on any.
    const found = [...systems.values()].filter(({ signerSet }) => signerSet === intent.signerSet);
    return found.length === 0 ? undefined : { systems: found };
  }
  const chain = chainOfIntent(intent);
  const system = systems.get(chain);
  if (system === undefined) return undefined;
  if (intent.kind === 'signer-set-heartbeat') {
    return system.signerSet === intent.signerSet ? { systems: [system] } : undefined;
  }
  const vault = vaults.get(vaultKey({ chain, address: intent.vault }));
  return vault === undefined ? undefined : { systems: [system], vault };
}

/** The key of this signer that is among the members; for a change, one that is to become a member accepts it, too. */
function signerOf({ intent, own }: VaultQuestion, { systems }: Place): Address | undefined {
  const members = new Set(systems.flatMap((system) => system.members));
  const accepting = intent.kind === 'signer-set-change' ? membersOf(intent) : [];
  return own.find((address) => members.has(address)) ?? own.find((address) => accepting.includes(address));
}

type OnChain = Exclude<VaultIntent, { readonly kind: 'signer-set-change' }>;

function chainOfIntent(intent: OnChain): ChainId {
  return 'chain' in intent ? intent.chain : chainOf(intent.asset);
}

function objectionToTime(registry: Registry, { intent, now }: VaultQuestion): SignerRefusal | undefined {
  if (intent.deployment !== registry.deployment) return wrongDeployment(intent.deployment, registry.deployment);
  if ('expiresAt' in intent && now > intent.expiresAt) return expired(intent.id, intent.expiresAt, now);
  if (!('deadline' in intent)) return undefined;
  if (now > intent.deadline) return expired(intent.id, intent.deadline, now);
  const latest = 'expiresAt' in intent ? intent.expiresAt : now + deadlineSecondsMax;
  if (intent.deadline <= latest) return undefined;
  return refuse(
    'signer/deadline-too-late',
    `The vault would take intent ${intent.id} until ${intent.deadline} (Unix seconds), and it may be carried out until ${latest} at most. Ask with an earlier deadline.`,
    { deadline: String(intent.deadline), latest: String(latest) },
  );
}

function objectionToPlace(
  registry: Registry,
  question: VaultQuestion,
  place: Place | undefined,
): SignerRefusal | undefined {
  const { intent, residency } = question;
  const chain = intent.kind === 'signer-set-change' ? undefined : chainOfIntent(intent);
  if (chain !== undefined) {
    const refusal = objectionToChain(registry, chain, question);
    if (refusal !== undefined) return refusal;
  } else if (residency === 'software' && place !== undefined && !allDevelopment(registry, place)) {
    return softwareKey(place.systems[0]?.chain ?? 'a chain');
  }
  if (place === undefined) {
    const about = 'vault' in intent ? `vault ${intent.vault}` : `set of signers ${intent.signerSet}`;
    return refuse(
      'signer/unknown-vault',
      `The registry lists no ${about}${chain === undefined ? '' : ` on ${chain}`}. Have it listed, or find out where the address came from.`,
      { id: intent.id },
    );
  }
  return 'vault' in intent && place.vault !== undefined ? objectionToHolder(registry, intent, place.vault) : undefined;
}

function allDevelopment({ chains }: Registry, { systems }: Place): boolean {
  return systems.every(({ chain }) => chains.get(chain)?.development === true);
}

function objectionToChain(
  registry: Registry,
  chain: ChainId,
  { intent, residency }: VaultQuestion,
): SignerRefusal | undefined {
  const { assets } = registry;
  const refusal = objectionToKeyOfChain(registry, chain, residency);
  if (refusal !== undefined) return refusal;
  const asset = 'asset' in intent ? intent.asset : nativeAsset(chain);
  if (chainOf(asset) !== chain || ('asset' in intent && !assets.has(asset))) {
    return refuse(
      'signer/unknown-asset',
      `The asset ${asset} is not in the registry on ${chain}. Have it listed by the root quorum.`,
      {
        asset,
      },
    );
  }
  return undefined;
}

type OfVault = Extract<VaultIntent, { readonly vault: Address }>;

function objectionToHolder(registry: Registry, intent: OfVault, vault: VaultEntry): SignerRefusal | undefined {
  const { client, compartment } = intent;
  const { clients } = registry;
  if (compartment !== vault.compartment) {
    return refuse(
      'signer/unknown-vault',
      `The vault ${vault.address} is of compartment ${vault.compartment}, and the intent of compartment ${compartment}. Find out who made the two up.`,
      { compartment, vault: vault.address },
    );
  }
  if (vault.client !== undefined && vault.client !== client) {
    return refuse(
      'signer/unknown-client',
      `The vault ${vault.address} belongs to ${vault.client}, not to ${client}. Find out who made the two up.`,
      { client, vault: vault.address },
    );
  }
  if (clients.has(clientKey({ client, compartment }))) return undefined;
  return refuse(
    'signer/unknown-client',
    `${client} is not enrolled in compartment ${compartment}. Have the client enrolled by the operational quorum.`,
    { client, compartment },
  );
}

function notMember({ intent }: VaultQuestion): SignerRefusal {
  return refuse(
    'signer/not-a-member',
    `No key of this signer is in the set of signers that the registry has for ${intent.id}. Ask another signer, or have the members listed as they are on the chain.`,
    { id: intent.id },
  );
}

/** By the kind: who must agree, and what stands against it besides. */
function judged(registry: Registry, question: VaultQuestion, place: Place | undefined): Judgement {
  const { intent } = question;
  switch (intent.kind) {
    case 'vault-withdrawal':
    case 'vault-fee':
      return judgePayment(registry, { ...question, intent }, place?.vault);
    case 'vault-pause':
    case 'vault-limit-lowering':
    case 'vault-destination-removal':
      return judgeByQuorum(registry, question, 'operational');
    case 'vault-key-recovery':
    case 'signer-set-change':
      return judgeByQuorum(registry, question, 'root');
    case 'vault-invalidation':
      return { approvalsNeeded: 0, requestNeeded: false, approvedBy: [] };
    case 'signer-set-heartbeat': {
      const refusal = objectionToHeartbeat(question, intent);
      const nobody = { approvalsNeeded: 0, requestNeeded: false, approvedBy: [] };
      return refusal === undefined ? nobody : { ...nobody, refusal };
    }
  }
}

function judgeByQuorum(
  registry: Registry,
  { approvers }: VaultQuestion,
  role: Extract<PersonRole, 'operational' | 'root'>,
): Judgement {
  const { operationalQuorum, rootQuorum } = registry.policy;
  const approvalsNeeded = role === 'operational' ? operationalQuorum : rootQuorum;
  const approvedBy = countedPeople(registry, approvers, { role });
  const base = { approvalsNeeded, requestNeeded: false, approvedBy };
  if (approvalsNeeded >= 1 && approvedBy.length >= approvalsNeeded) return base;
  return {
    ...base,
    refusal: refuse(
      'signer/approvals-missing',
      `${approvedBy.length} of the ${approvalsNeeded} people with the role ${role} have approved, and that is too few.`,
      { approved: approvedBy.length, needed: approvalsNeeded, role },
    ),
  };
}

function objectionToHeartbeat(
  { now, heartbeat }: VaultQuestion,
  intent: Extract<VaultIntent, { readonly kind: 'signer-set-heartbeat' }>,
): SignerRefusal | undefined {
  if (heartbeat === undefined) return undefined;
  if (intent.blockNumber > heartbeat.blockNumber && now >= heartbeat.at + heartbeatSecondsMin) return undefined;
  return refuse(
    'signer/velocity-exceeded',
    `A heartbeat for block ${heartbeat.blockNumber} of ${intent.chain} was granted at ${heartbeat.at} (Unix seconds); the next is for a later block, and ${heartbeatSecondsMin} seconds later at the earliest.`,
    { blockNumber: String(heartbeat.blockNumber), at: String(heartbeat.at) },
  );
}

type Payment = Extract<VaultIntent, { readonly amount: bigint }>;
type PaymentQuestion = Omit<VaultQuestion, 'intent'> & { readonly intent: Payment };

function judgePayment(registry: Registry, question: PaymentQuestion, vault: VaultEntry | undefined): Judgement {
  const { intent, requester, approvers } = question;
  const tier = vault?.tier ?? 'hot';
  const { rule, largest } = ruleFor(registry, intent, tier);
  const approvalsNeeded = rule?.approvals ?? 0;
  const requestNeeded = approvalsNeeded > 0;
  const approvedBy = requestNeeded ? countedPeople(registry, approvers, { role: 'approver', except: requester }) : [];
  const refusal =
    (rule === undefined ? aboveLimit(intent, tier, largest) : undefined) ??
    (vault === undefined ? undefined : objectionToRecipient(registry, question, { vault, rule })) ??
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

type Recipient = { readonly vault: VaultEntry; readonly rule: Rule | undefined };

function objectionToRecipient(
  registry: Registry,
  { intent, now }: PaymentQuestion,
  { vault, rule }: Recipient,
): SignerRefusal | undefined {
  const { kind, to } = intent;
  if (intent.kind === 'vault-fee') {
    if (to === vault.config.feeReceiver) return undefined;
    return refuse(
      'signer/unknown-destination',
      `A vault pays its fee to ${vault.config.feeReceiver} alone, and ${to} is another address. Find out who changed it.`,
      { kind, to },
    );
  }
  if (intent.authorisation === 'unlisted' && vault.config.kind !== 'omnibus') {
    return refuse(
      'signer/unknown-destination',
      `The vault ${vault.address} pays to destinations that its client agreed to; only an omnibus has a window for others. Have ${to} added by the client's key, or pay once with it.`,
      { kind, to },
    );
  }
  const { vaults } = registry;
  const toVault = vaults.has(vaultKey({ chain: vault.chain, address: to }));
  if (to === vault.address || (toVault && intent.authorisation !== 'one-off')) {
    return refuse(
      'signer/unknown-destination',
      `${to} is a vault: no vault pays itself, and another one only once, with the client's own signature.`,
      { kind, to },
    );
  }
  return rule?.destination === 'any' ? undefined : objectionToDestination(registry, intent, now);
}

/** The house carries it: what that may burn is bounded here, and counted when the relay is signed. */
function objectionToFee(registry: Registry, { intent, feesSpent }: PaymentQuestion): SignerRefusal | undefined {
  const { chains } = registry;
  const chain = chains.get(chainOf(intent.asset));
  if (chain === undefined) return undefined;
  if (intent.feeMax > chain.feeMax) {
    return refuse(
      'signer/fee-above-limit',
      `Carrying it could burn ${intent.feeMax} wei, and one intent on ${chain.chain} may burn ${chain.feeMax}. Ask with less, or have the chain's limit changed.`,
      { fee: String(intent.feeMax), feeMax: String(chain.feeMax) },
    );
  }
  const before = feesSpent(chain.feeWindowSeconds);
  if (before + intent.feeMax <= chain.feeWindowMax) return undefined;
  return refuse(
    'signer/fee-above-limit',
    `Compartment ${houseGas} may have burnt ${before} wei in the last ${chain.feeWindowSeconds} seconds; ${intent.feeMax} more would be above ${chain.feeWindowMax}. Wait, or have the chain's limit changed.`,
    { fee: String(intent.feeMax), feesSpent: String(before), feeWindowMax: String(chain.feeWindowMax) },
  );
}
