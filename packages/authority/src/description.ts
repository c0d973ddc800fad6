import {
  type Address,
  type AssetId,
  chainOf,
  checksumAddress,
  type Compartment,
  formatDecimal,
  type Intent,
  kindOf,
  nativeAsset,
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
  const lines = 'compartment' in intent ? movementLines(intent, assets) : authorityLines(intent);
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
  const chain = chainOf(intent.asset);
  const fee = describeAmount(intent.feeMax, nativeAsset(chain), assets);
  const payer = 'feePayer' in intent ? `, paid by the ${intent.feePayer}` : '';
  lines.push({ name: 'Amount', value: describeAmount(intent.amount, intent.asset, assets) });
  lines.push({ name: 'Highest network fee', value: fee + payer }, { name: 'Chain', value: chain });
  return lines;
}

function recipient(to: Address): string {
  return checksumAddress(to);
}

function authorityLines(intent: Exclude<Intent, Movement>): readonly DescriptionLine[] {
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
    case 'enrolment':
      return 'Enrolment: clients and destinations are enrolled, or rights taken away';
    case 'policy-change':
      return 'Change of policy: chains, assets, wallets, people, quorums or limits';
    case 'state-recovery':
      return 'Recovery: the signer goes on from an older copy of its state, and forgets what came after';
  }
}
