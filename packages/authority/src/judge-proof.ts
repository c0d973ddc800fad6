import {
  type Address,
  type AssetId,
  type ChainId,
  chainNumber,
  chainOf,
  type Compartment,
  type KeyResidency,
  kindOf,
  type LogCheckpointIntent,
  type ReserveIntent,
  type WalletControlIntent,
} from '@bulkhead/domain';
import { wrongDeployment } from './judge-authority.ts';
import { objectionToKeyOfChain, softwareKey } from './judge-chain.ts';
import { refuse } from './judge-rule.ts';
import type { SignerRefusal } from './judgement.ts';
import type { ProofRegistryEntry } from './registry-proof.ts';
import type { Registry } from './registry.ts';

/** What the header of a proof of reserves says, as far as it is judged. Byte strings are lower-case hex. */
export type CommitmentHeader = {
  /** EIP-155 number. */
  readonly registryChain: bigint;
  readonly registry: string;
  readonly custodian: string;
  readonly epoch: bigint;
  readonly asset: AssetId;
  readonly unitExponent: number;
  readonly blockNumber: bigint;
  readonly ledgerPosition: bigint;
  /** Unix seconds. */
  readonly takenAt: bigint;
  /** Context of the epoch before, zeros before the first. */
  readonly previous: string;
};

/** An epoch that this signer has committed to. */
export type CommittedEpoch = CommitmentHeader & {
  readonly chain: ChainId;
  readonly context: string;
  /** What was said of it: record and reserves. */
  readonly record: string;
  readonly reserves: bigint;
};

/** What this signer has committed to of the same registry and asset. */
export type KnownEpochs = {
  readonly newest?: CommittedEpoch;
  /** Of the same number, and of the next one. */
  readonly same?: CommittedEpoch;
  readonly next?: CommittedEpoch;
};

export type ReserveQuestion = {
  readonly intent: ReserveIntent;
  readonly own: readonly Address[];
  readonly residency: KeyResidency;
  /** Unix seconds. */
  readonly now: bigint;
  /** Of a commitment: what its header says, and the context that follows from it. Absent where it cannot be read. */
  readonly header?: CommitmentHeader & { readonly context: string };
  readonly known: KnownEpochs;
  /** Of the others: the epoch with their context. */
  readonly committed?: CommittedEpoch;
  /** The statements that were signed for it. */
  readonly statements?: { readonly root: string; readonly count: bigint };
};

/** How far ahead of the signer's clock a header may have been taken: two hosts differ by less. */
export const takenAheadSecondsMax: bigint = 120n;

export type ProofJudgement = { readonly signer?: Address; readonly refusal?: SignerRefusal };

/**
 * Whether a key of a set of signers may say something about reserves. The checks run in this order, and the first that fails is the
 * refusal: 1. deployment; 2. proof registry; 3. chain, residency of the key; 4. this signer's key among the members; 5. of a
 * commitment: what the header names, its asset, whether the epoch has another one, its place in the order; of the others: whether
 * their epoch was committed to, and whether it has other statements.
 */
export function judgeReserves(registry: Registry, question: ReserveQuestion): ProofJudgement {
  const { intent, own, residency } = question;
  if (intent.deployment !== registry.deployment) {
    return { refusal: wrongDeployment(intent.deployment, registry.deployment) };
  }
  const { proofRegistries, systems } = registry;
  const entry = proofRegistries.get(intent.chain);
  if (entry === undefined || entry.registry !== intent.registry) return { refusal: unknownRegistry(intent) };
  const members = systems.get(intent.chain)?.members ?? [];
  const signer = own.find((address) => members.includes(address));
  const refusal =
    objectionToKeyOfChain(registry, intent.chain, residency) ??
    (signer === undefined ? notMember(intent) : undefined) ??
    objectionToReserves(registry, question, entry);
  return { ...(signer === undefined ? {} : { signer }), ...(refusal === undefined ? {} : { refusal }) };
}

function objectionToReserves(
  registry: Registry,
  question: ReserveQuestion,
  entry: ProofRegistryEntry,
): SignerRefusal | undefined {
  const { intent } = question;
  if (intent.kind === 'reserve-commitment') {
    return objectionToHeader(registry, question, entry) ?? objectionToEpoch({ ...question, intent });
  }
  const { committed, statements } = question;
  if (committed === undefined || committed.chain !== intent.chain || `0x${committed.registry}` !== intent.registry) {
    return unknownContext(intent.context);
  }
  const others = intent.kind === 'balance-statements' && statements !== undefined;
  if (!others || (statements.root === intent.root && statements.count === intent.count)) return undefined;
  return taken(committed, `states ${statements.count} balances under the root ${statements.root}`);
}

function objectionToHeader(
  registry: Registry,
  { intent, header, residency }: ReserveQuestion,
  entry: ProofRegistryEntry,
): SignerRefusal | undefined {
  const { chain, custodian } = entry;
  if (header === undefined) return mismatch(intent.id, 'it is no header of this version');
  if (header.registryChain !== BigInt(chainNumber(chain))) {
    return mismatch(intent.id, `it names the chain eip155:${header.registryChain}, and the registry is on ${chain}`);
  }
  if (`0x${header.registry}` !== entry.registry) {
    return mismatch(
      intent.id,
      `it names the registry 0x${header.registry}, and the one of ${chain} is ${entry.registry}`,
    );
  }
  if (header.custodian !== custodian) {
    return mismatch(intent.id, `it names the custodian ${header.custodian}, and the registry is that of ${custodian}`);
  }
  const { assets } = registry;
  if (!assets.has(header.asset)) {
    return refuse(
      'signer/unknown-asset',
      `The asset ${header.asset} is not in the registry. Have it listed by the root quorum.`,
      { asset: header.asset },
    );
  }
  return objectionToKeyOfChain(registry, chainOf(header.asset), residency);
}

type OfCommitment = ReserveQuestion & {
  readonly intent: Extract<ReserveIntent, { readonly kind: 'reserve-commitment' }>;
};

function objectionToEpoch({ intent, header, known, now }: OfCommitment): SignerRefusal | undefined {
  if (header === undefined) return undefined;
  const { newest, same } = known;
  if (same !== undefined) {
    const isSame =
      same.context === header.context && same.record === intent.record && same.reserves === intent.reserves;
    return isSame ? undefined : taken(same, `was committed with the context ${same.context}`);
  }
  if (header.takenAt > now + takenAheadSecondsMax) {
    return disorder(header, `it was taken at ${header.takenAt} (Unix seconds), which is to come`);
  }
  if (newest === undefined) return objectionToFirst(header);
  if (header.epoch < newest.epoch) return objectionToMissed(header, known.next);
  return objectionToNext(header, newest);
}

/** A signer that joins, or begins after a recovery, does not know what went before; but the very first has nothing before it. */
function objectionToFirst(header: CommitmentHeader): SignerRefusal | undefined {
  if (header.epoch < 1n) return disorder(header, 'epochs count from 1');
  const isFirst = header.epoch === 1n;
  if (isFirst === /^0+$/u.test(header.previous)) return undefined;
  return disorder(header, isFirst ? 'nothing comes before the first' : 'it names none before it');
}

/**
 * One that this signer was not there for. The epoch after it names its context, so there is only one content that it can have; and
 * the one after that names the context of that one: missed epochs are made up for from the newest backwards.
 */
function objectionToMissed(
  header: CommitmentHeader & { readonly context: string },
  next: CommittedEpoch | undefined,
): SignerRefusal | undefined {
  if (next?.previous === header.context) return undefined;
  return disorder(header, 'a later one was committed, and none that names this one as the one before it');
}

function objectionToNext(header: CommitmentHeader, newest: CommittedEpoch): SignerRefusal | undefined {
  if (header.epoch === newest.epoch + 1n && header.previous !== newest.context) {
    return disorder(header, `the one before it is ${newest.context}, and it names ${header.previous}`);
  }
  if (/^0+$/u.test(header.previous)) return disorder(header, 'it names none before it');
  if (header.blockNumber <= newest.blockNumber) {
    return disorder(header, `block ${header.blockNumber} does not lie behind block ${newest.blockNumber}`);
  }
  if (header.ledgerPosition < newest.ledgerPosition) {
    return disorder(header, `position ${header.ledgerPosition} of the books lies before ${newest.ledgerPosition}`);
  }
  if (header.takenAt <= newest.takenAt) {
    return disorder(
      header,
      `it was taken at ${header.takenAt} (Unix seconds), and the one before it at ${newest.takenAt}`,
    );
  }
  if (header.unitExponent === newest.unitExponent) return undefined;
  return disorder(
    header,
    `its unit has the exponent ${header.unitExponent}, and that of the asset is ${newest.unitExponent}`,
  );
}

export type ControlQuestion = {
  readonly intent: WalletControlIntent;
  /** Of the key that is to sign: its compartment, the address that follows from it, and where it is. */
  readonly key: { readonly compartment: Compartment; readonly address: Address; readonly residency: KeyResidency };
  /** The epoch with this context. */
  readonly committed?: CommittedEpoch;
};

/**
 * Whether the key of a wallet may say that it is controlled: 1. deployment; 2. chain, residency; 3. key and wallet; 4. not of the
 * house; 5. the epoch was committed to, is of an asset of this chain and of this custodian.
 */
export function judgeControl(registry: Registry, { intent, key, committed }: ControlQuestion): ProofJudgement {
  const refusal =
    (intent.deployment === registry.deployment ? undefined : wrongDeployment(intent.deployment, registry.deployment)) ??
    objectionToKeyOfChain(registry, intent.chain, key.residency) ??
    objectionToWallet(intent, key) ??
    objectionToContext(intent, committed);
  return refusal === undefined ? { signer: key.address } : { refusal };
}

function objectionToWallet(
  { wallet, compartment }: WalletControlIntent,
  key: ControlQuestion['key'],
): SignerRefusal | undefined {
  if (key.address !== wallet || key.compartment !== compartment) {
    return refuse(
      'signer/unknown-wallet',
      `The key is that of ${key.address} in compartment ${key.compartment}, and ${wallet} of compartment ${compartment} was named. Find out who made the two up.`,
      { wallet, compartment },
    );
  }
  if (kindOf(compartment) !== 'house') return undefined;
  return refuse(
    'signer/unknown-wallet',
    `${wallet} is a wallet of the house: nothing in it is held for clients, and it is shown to nobody.`,
    { wallet, compartment },
  );
}

function objectionToContext(
  { context, chain, custodian }: WalletControlIntent,
  committed: CommittedEpoch | undefined,
): SignerRefusal | undefined {
  if (committed === undefined) return unknownContext(context);
  if (chainOf(committed.asset) !== chain) {
    return mismatch(context, `it is about ${committed.asset}, and the wallet is on ${chain}`);
  }
  if (committed.custodian === custodian) return undefined;
  return mismatch(context, `it is of the custodian ${committed.custodian}, and ${custodian} was named`);
}

export type CheckpointQuestion = {
  readonly intent: LogCheckpointIntent;
  /** Where the key of the log is; absent where this signer has none. */
  readonly residency?: KeyResidency;
  /** What was signed last of this log. */
  readonly last?: { readonly size: bigint; readonly root: string };
  readonly oldSize: bigint;
  /** Whether the proof shows that the tree begins with the one that was signed last. */
  readonly isContinued: boolean;
};

/**
 * Whether the key of the audit log may sign a checkpoint: 1. deployment; 2. the log is the listed one, and its key is here;
 * 3. residency; 4. where the proof begins; 5. whether the tree continues the signed one. The signed one itself may be signed again.
 */
export function judgeCheckpoint(registry: Registry, question: CheckpointQuestion): ProofJudgement {
  const { intent, residency } = question;
  if (intent.deployment !== registry.deployment) {
    return { refusal: wrongDeployment(intent.deployment, registry.deployment) };
  }
  if (residency === undefined || registry.auditLog !== intent.origin) {
    return { refusal: unknownLog(intent.origin, registry.auditLog) };
  }
  const real = [...registry.chains.values()].find(({ development }) => !development);
  if (residency === 'software' && real !== undefined) return { refusal: softwareKey(real.chain) };
  const refusal = objectionToTree(question);
  return refusal === undefined ? {} : { refusal };
}

function objectionToTree({ intent, last, oldSize, isContinued }: CheckpointQuestion): SignerRefusal | undefined {
  const { origin, size, root } = intent;
  if (last?.size === size && last.root === root) return undefined;
  const signed = last?.size ?? 0n;
  if (size > signed && oldSize !== signed) {
    return refuse(
      'signer/log-position',
      `The proof begins with a tree of ${oldSize} leaves, and the one that was signed last has ${signed}. Make it from there.`,
      { size: String(signed) },
    );
  }
  if (size > signed && isContinued) return undefined;
  return refuse(
    'signer/log-forked',
    `The tree of ${size} leaves of the log "${origin}" is not shown to begin with the ${signed} that were signed. Publish nothing, and find out which leaves differ: the database was changed, or an older copy of it was put back.`,
    { size: String(signed) },
  );
}

/** What stands against asking for the key of the log. */
export function unknownLog(asked: string | undefined, listed: string | undefined): SignerRefusal {
  const about = asked === undefined ? 'no log' : `the log "${asked}"`;
  const known = listed === undefined ? 'lists none' : `lists "${listed}"`;
  return refuse(
    'signer/unknown-log',
    `This signer has no key for ${about}: its registry ${known}. Have the log listed by the root quorum, and ask the signer that has its key.`,
    {},
  );
}

function unknownRegistry({ chain, registry }: ReserveIntent): SignerRefusal {
  return refuse(
    'signer/unknown-proof-registry',
    `The registry lists no proof registry ${registry} on ${chain}. Have it listed by the root quorum, or find out where the address came from.`,
    { chain, registry },
  );
}

function unknownContext(context: string): SignerRefusal {
  return refuse(
    'signer/unknown-context',
    `This signer has not committed to an epoch with the context ${context}. Ask it for the commitment first.`,
    { context },
  );
}

function notMember({ chain }: ReserveIntent): SignerRefusal {
  return refuse(
    'signer/not-a-member',
    `No key of this signer is in the set of signers that the registry has on ${chain}. Ask another signer, or have the members listed as they are on the chain.`,
    { chain },
  );
}

function mismatch(of: string, fact: string): SignerRefusal {
  return refuse('signer/header-mismatch', `The header of ${of} does not fit: ${fact}. Find out who made it.`, {});
}

function taken({ epoch, asset }: CommittedEpoch, fact: string): SignerRefusal {
  return refuse(
    'signer/epoch-taken',
    `Epoch ${epoch} of ${asset} ${fact}, for ever. A mistake is corrected by the next epoch.`,
    { epoch: String(epoch), asset },
  );
}

function disorder({ epoch, asset }: CommitmentHeader, fact: string): SignerRefusal {
  return refuse(
    'signer/epoch-out-of-order',
    `Epoch ${epoch} of ${asset} does not continue what was committed: ${fact}. If the books were restored, find out what is missing.`,
    { epoch: String(epoch), asset },
  );
}
