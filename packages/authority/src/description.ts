import {
  type Address,
  type AssetId,
  type AuthorityIntent,
  chainOf,
  checksumAddress,
  type Compartment,
  formatDecimal,
  type Intent,
  isProof,
  isVaultMatter,
  kindOf,
  membersOf,
  nativeAsset,
  type ProofIntent,
  type VaultAuthorisation,
  type VaultIntent,
} from '@bulkhead/domain';
import type { AssetEntry } from './registry.ts';

/** One fact for people: what it is about, and what is so. */
export type DescriptionLine = { readonly name: string; readonly value: string };

/** How assets are called and divided, from a source that is trusted: the registry, or a brief that the signer signed. */
export type KnownAssets = ReadonlyMap<AssetId, Pick<AssetEntry, 'symbol' | 'decimals'>>;

/**
 * An intent in plain lines: what, who, from where, where to, how much, the highest fee, until when. Every field of it is there, so
 * that nothing can be hidden in one that is not shown. Addresses carry their EIP-55 checksum; amounts stand in units and base
 * units; an asset that is not known has base units alone.
 */
export function describeIntent(intent: Intent, assets: KnownAssets): readonly DescriptionLine[] {
  const lines = linesOf(intent, assets);
  return [
    { name: 'What', value: whatOf(intent) },
    ...lines,
    ...('expiresAt' in intent ? [{ name: 'Until', value: describeSecond(intent.expiresAt) }] : []),
    { name: 'Intent', value: intent.id },
    { name: 'Installation', value: intent.deployment },
  ];
}

/** An amount in units with the symbol, then in base units. */
export function describeAmount(amount: bigint, asset: AssetId, assets: KnownAssets): string {
  const known = assets.get(asset);
  if (known === undefined) return `${amount} base units of ${asset} (an asset that is not known here)`;
  return `${formatDecimal(amount, known.decimals)} ${known.symbol} (${amount} base units of ${asset})`;
}

/** Last second a `Date` can hold. */
const dateSecondsMax = 8_640_000_000_000n;

/** A Unix second as UTC date and time. */
export function describeSecond(second: bigint): string {
  if (second > dateSecondsMax) return `second ${second} of Unix time, which no calendar reaches`;
  return `${new Date(Number(second) * 1_000).toISOString().replace('T', ' ').replace('.000Z', '')} UTC`;
}

export function describeCompartment(compartment: Compartment): string {
  return `${compartment} (${kindOf(compartment)})`;
}

function linesOf(intent: Intent, assets: KnownAssets): readonly DescriptionLine[] {
  if ('amount' in intent) return movementLines(intent, assets);
  if (isVaultMatter(intent)) return vaultMatterLines(intent, assets);
  return isProof(intent) ? proofLines(intent) : authorityLines(intent);
}

type Movement = Extract<Intent, { readonly amount: bigint }>;

function movementLines(intent: Movement, assets: KnownAssets): readonly DescriptionLine[] {
  const lines: DescriptionLine[] = [];
  if ('client' in intent) lines.push({ name: 'Client', value: intent.client });
  lines.push({ name: 'From compartment', value: describeCompartment(intent.compartment) });
  lines.push({ name: 'To', value: recipient(intent.to) });
  if (intent.kind === 'gas-grant') {
    lines.push({ name: 'For compartment', value: describeCompartment(intent.beneficiary) });
  }
  if (intent.kind === 'cancel') {
    lines.push({ name: 'Cancels', value: intent.cancels }, { name: 'Nonce', value: String(intent.nonce) });
  }
  if (intent.kind === 'relay' || intent.kind === 'delegation') lines.push(...carriedLines(intent));
  if ('vault' in intent) lines.push(...vaultLines(intent));
  const chain = chainOf(intent.asset);
  const fee = describeAmount(intent.feeMax, nativeAsset(chain), assets);
  const payer = 'feePayer' in intent ? `, paid by the ${intent.feePayer}` : '';
  lines.push({ name: 'Amount', value: describeAmount(intent.amount, intent.asset, assets) });
  lines.push({ name: 'Highest network fee', value: fee + payer }, { name: 'Chain', value: chain });
  return lines;
}

type Carried = Extract<Movement, { readonly kind: 'relay' | 'delegation' }>;

function carriedLines(intent: Carried): readonly DescriptionLine[] {
  if (intent.kind === 'delegation') {
    return [
      { name: 'Pays only', value: recipient(intent.wallet) },
      { name: 'Nonce', value: String(intent.nonce) },
    ];
  }
  return [
    { name: 'Carries', value: intent.relays },
    { name: 'For compartment', value: describeCompartment(intent.beneficiary) },
    { name: 'Digest of the call', value: intent.callDigest },
  ];
}

type OfVault = Extract<Intent, { readonly vault: Address }>;

function vaultLines(intent: OfVault): readonly DescriptionLine[] {
  return [
    { name: 'Vault', value: recipient(intent.vault) },
    ...(intent.kind === 'vault-withdrawal'
      ? [{ name: 'Let out by', value: authorisations[intent.authorisation] }]
      : []),
    { name: 'Nonce of the vault', value: String(intent.vaultNonce) },
    { name: 'Void on the chain after', value: describeSecond(intent.deadline) },
  ];
}

const authorisations: Readonly<Record<VaultAuthorisation, string>> = {
  listed: 'listed: the destination is one that the client agreed to',
  unlisted: 'unlisted: the window of an omnibus vault for other destinations',
  'one-off': "one-off: the client's own key signs besides, and no limit of the vault counts",
};

function vaultMatterLines(intent: VaultIntent, assets: KnownAssets): readonly DescriptionLine[] {
  if ('members' in intent) {
    return [
      { name: 'Set of signers', value: recipient(intent.signerSet) },
      { name: 'Number of the change', value: String(intent.number) },
      ...membersOf(intent).map((member, at) => ({ name: `Member ${at + 1}`, value: recipient(member) })),
      { name: 'Signatures needed', value: String(intent.threshold) },
    ];
  }
  if ('blockHash' in intent) {
    return [
      { name: 'Chain', value: intent.chain },
      { name: 'Set of signers', value: recipient(intent.signerSet) },
      { name: 'Block', value: String(intent.blockNumber) },
      { name: 'Hash of the block', value: intent.blockHash },
      { name: 'Statement', value: intent.statement },
    ];
  }
  return [
    { name: 'Client', value: intent.client },
    { name: 'Compartment', value: describeCompartment(intent.compartment) },
    { name: 'Chain', value: 'chain' in intent ? intent.chain : chainOf(intent.asset) },
    ...restrictionLines(intent, assets),
    ...vaultLines(intent),
  ];
}

function restrictionLines(intent: OfVault, assets: KnownAssets): readonly DescriptionLine[] {
  switch (intent.kind) {
    case 'vault-invalidation':
      return [{ name: 'Cancels', value: intent.cancels }];
    case 'vault-limit-lowering':
      return [
        { name: 'New limit of a window', value: describeAmount(intent.cap, intent.asset, assets) },
        { name: 'For destinations that are', value: intent.window },
      ];
    case 'vault-destination-removal':
      return [{ name: 'Destination', value: recipient(intent.to) }];
    case 'vault-key-recovery':
      return [
        { name: 'Key that is replaced', value: intent.role },
        { name: 'Id of the new key', value: intent.newKey },
      ];
    case 'vault-pause':
    case 'vault-withdrawal':
    case 'vault-fee':
      return [];
  }
}

function recipient(to: Address): string {
  return checksumAddress(to);
}

/** Nobody is asked to approve these; whoever reads the log of a signer sees them. */
function proofLines(intent: ProofIntent): readonly DescriptionLine[] {
  switch (intent.kind) {
    case 'reserve-commitment':
      return [
        ...registryLines(intent),
        { name: 'Header', value: intent.header },
        { name: 'Record', value: intent.record },
        { name: 'Reserves', value: `${intent.reserves} units` },
      ];
    case 'reserve-proof':
      return [
        ...registryLines(intent),
        { name: 'Context', value: intent.context },
        { name: 'Digest of the proof', value: intent.proof },
      ];
    case 'balance-statements':
      return [
        ...registryLines(intent),
        { name: 'Context', value: intent.context },
        { name: 'Root of the statements', value: intent.root },
        { name: 'Statements', value: String(intent.count) },
      ];
    case 'wallet-control':
      return [
        { name: 'Chain', value: intent.chain },
        { name: 'Compartment', value: describeCompartment(intent.compartment) },
        { name: 'Wallet', value: recipient(intent.wallet) },
        { name: 'Custodian', value: intent.custodian },
        { name: 'Context', value: intent.context },
      ];
    case 'log-checkpoint':
      return [
        { name: 'Log', value: intent.origin },
        { name: 'Leaves', value: String(intent.size) },
        { name: 'Root', value: intent.root },
      ];
  }
}

function registryLines({
  chain,
  registry,
}: Extract<ProofIntent, { readonly registry: Address }>): readonly DescriptionLine[] {
  return [
    { name: 'Chain', value: chain },
    { name: 'Proof registry', value: recipient(registry) },
  ];
}

function authorityLines(intent: AuthorityIntent): readonly DescriptionLine[] {
  if (intent.kind === 'state-recovery') {
    return [
      { name: 'Newest record that stays', value: String(intent.sequence) },
      { name: 'Hash of that record', value: intent.head },
    ];
  }
  return [
    { name: 'Changes version', value: String(intent.before) },
    { name: 'Items in the list', value: String(intent.items) },
    { name: 'Digest of the list', value: intent.digest },
  ];
}

function whatOf({ kind }: Intent): string {
  switch (kind) {
    case 'withdrawal':
      return "Withdrawal: a client's assets leave to a destination";
    case 'deposit-return':
      return 'Return: a quarantined deposit goes back';
    case 'sweep':
      return 'Sweep: assets go to a wallet of the same compartment';
    case 'gas-grant':
      return 'Gas grant: native coin of the house goes to an address that must pay a fee';
    case 'fee-payment':
      return 'Fee payment: fees that a client owes go to the house';
    case 'cancel':
      return 'Cancellation: nothing moves, and another transaction becomes impossible';
    case 'relay':
      return 'Relay: the house pays for carrying to a contract what others have signed';
    case 'delegation':
      return 'Delegation: anybody may sweep this address, and only to one wallet of its compartment; to zero takes it back';
    case 'vault-withdrawal':
      return "Withdrawal from a vault: a client's assets leave to a destination";
    case 'vault-fee':
      return 'Fee from a vault: the agreed fee goes to the receiver that the vault names';
    case 'vault-invalidation':
      return 'Invalidation: nothing moves, and a payment of the vault becomes impossible';
    case 'vault-pause':
      return 'Pause: the vault pays nobody for a while; its exit stays open';
    case 'vault-limit-lowering':
      return 'Lower limit: the vault lets less through, at once';
    case 'vault-destination-removal':
      return 'Removal: the vault pays this destination no more, at once';
    case 'vault-key-recovery':
      return 'Recovery of a key: a lost key of the client is replaced after a delay, unless the client objects';
    case 'signer-set-change':
      return 'Change of the set of signers: other keys sign for all vaults, on every chain';
    case 'signer-set-heartbeat':
      return 'Heartbeat: the custodian shows that it is alive';
    case 'reserve-commitment':
      return 'Commitment: an epoch of a proof of reserves is pinned, for ever';
    case 'reserve-proof':
      return 'Proof: the bundle that proves an epoch of reserves in full is named';
    case 'balance-statements':
      return 'Statements: the balances of all clients at an epoch are stated';
    case 'wallet-control':
      return 'Control: the key of a wallet shows that the custodian has it';
    case 'log-checkpoint':
      return 'Checkpoint: the audit log shows how far it has come';
    case 'enrolment':
      return 'Enrolment: clients, destinations and vaults are enrolled, or rights taken away';
    case 'policy-change':
      return 'Change of policy: chains, assets, wallets, people, quorums or limits';
    case 'state-recovery':
      return 'Recovery: the signer goes on from an older copy of its state, and forgets what came after';
  }
}
