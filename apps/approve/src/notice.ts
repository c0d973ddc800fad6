import {
  type Brief,
  type BriefDestination,
  describeAmount,
  describeSecond,
  describeSpan,
  type KnownAssets,
  likeness,
  type RegistryItem,
} from '@bulkhead/authority';
import { type Address, checksumAddress, type Intent, nativeAsset, chainOf } from '@bulkhead/domain';
import type { Notice } from './notice-shown.ts';
import { vaultListNotices } from './vault-notice.ts';

type Known = {
  readonly intent: Intent;
  readonly brief: Brief;
  readonly assets: KnownAssets;
  /** Unix seconds. */
  readonly now: bigint;
};

type Movement = Extract<Intent, { readonly amount: bigint }>;

/** Reasons that approvals themselves remove: no reason to wonder. */
const awaited: ReadonlySet<string> = new Set(['signer/approvals-missing', 'signer/request-missing']);

/** What is unusual about an intent, by what the signer said of it. */
export function unusual(known: Known): readonly Notice[] {
  const { intent, brief } = known;
  const notices: Notice[] = [];
  if (brief.refusal !== undefined && !awaited.has(brief.refusal.code)) {
    notices.push({
      level: 'danger',
      title: `The signer would refuse it now (${brief.refusal.code})`,
      text: brief.refusal.message,
    });
  }
  if (!('amount' in intent)) return notices;
  if (brief.destination !== undefined) notices.push(...destinationNotices(intent, brief.destination, known));
  return [...notices, ...limitNotices(intent, known)];
}

function destinationNotices(intent: Movement, destination: BriefDestination, { now }: Known): readonly Notice[] {
  const notices: Notice[] = [];
  for (const { address, label } of destination.lookAlikes) {
    notices.push({
      level: 'danger',
      title: 'The destination looks like another address that is known',
      text: `It is not "${label}". Addresses that begin and end alike are made on purpose, to be taken for one another.`,
      compared: [intent.to, address],
    });
  }
  const { label, usableFrom, timesUsed } = destination;
  if ('client' in intent && intent.kind !== 'vault-fee' && label === undefined) {
    notices.push({
      level: 'danger',
      title: 'The destination is not enrolled for this client',
      text: 'Nobody has vouched for this address. Compare it with its owner by another way than the one it came by.',
    });
  }
  if (usableFrom !== undefined && usableFrom > now) {
    notices.push({
      level: 'warning',
      title: 'The destination is new and still cooling',
      text: `It can be used in ${describeSpan(usableFrom - now)}, from ${describeSecond(usableFrom)}. Ask who enrolled it.`,
    });
  }
  if (timesUsed === 0n && 'client' in intent && intent.kind !== 'vault-fee') {
    notices.push({
      level: 'warning',
      title: 'Nothing was ever paid to this destination',
      text: 'The signer has made no payment from this compartment to it. Compare all of its digits with its source.',
    });
  }
  return notices;
}

function limitNotices(intent: Movement, { brief, assets }: Known): readonly Notice[] {
  const notices: Notice[] = [];
  const { rule, fees } = brief;
  if (rule !== undefined && intent.amount > rule.left) {
    notices.push({
      level: 'danger',
      title: 'The amount is above what the limit leaves',
      text: `${describeAmount(rule.left, intent.asset, assets)} are left in ${describeSpan(rule.windowSeconds)}.`,
    });
  } else if (rule !== undefined && intent.amount * 2n > rule.left) {
    notices.push({
      level: 'warning',
      title: 'More than half of what the limit leaves',
      text: `${describeAmount(rule.left, intent.asset, assets)} are left in ${describeSpan(rule.windowSeconds)}; afterwards ${describeAmount(rule.left - intent.amount, intent.asset, assets)} would be.`,
    });
  }
  if (fees !== undefined && intent.feeMax * 2n > fees.left) {
    const native = nativeAsset(chainOf(intent.asset));
    notices.push({
      level: 'warning',
      title: 'The highest fee is more than half of what the limit of fees leaves',
      text: `${describeAmount(fees.left, native, assets)} are left in ${describeSpan(fees.windowSeconds)}.`,
    });
  }
  if (brief.development === true) {
    notices.push({
      level: 'information',
      title: 'A development chain',
      text: 'Its coins are worth nothing: keys in software may sign.',
    });
  }
  return notices;
}

/** Items that move the borders of everything else. */
const grave: ReadonlyMap<RegistryItem['item'], string> = new Map([
  ['policy', 'replaces the policy: quorums and limits'],
  ['person', 'registers people and their keys'],
  ['person-removed', 'removes people'],
  ['identities', 'replaces the identity keys that sign for the signer'],
  ['chain', 'lists chains'],
  ['asset', 'lists assets'],
  ['asset-removed', 'removes assets'],
  ['wallet', 'lists wallets'],
  ['vault-system', 'lists the contracts of vaults, and who signs for all of them'],
]);

/** What is unusual about a list. */
export function listNotices(intent: Intent, items: readonly RegistryItem[], assets: KnownAssets): readonly Notice[] {
  const kinds = new Set(items.map(({ item }) => item));
  const changes = [...grave].filter(([item]) => kinds.has(item)).map(([, effect]) => effect);
  const notices: Notice[] = [];
  if (changes.length > 0 && intent.kind === 'enrolment') {
    notices.push({
      level: 'danger',
      title: 'The list does more than an enrolment may',
      text: `It ${changes.join(', ')}. The signer refuses it: this needs a change of policy and the root quorum.`,
    });
  } else if (changes.length > 0) {
    notices.push({
      level: 'warning',
      title: 'The list changes who may do what',
      text: `It ${changes.join(', ')}. Read each line.`,
    });
  }
  if (items.some((item) => item.item === 'chain' && item.development)) {
    notices.push({
      level: 'danger',
      title: 'The list declares a chain to be a development chain',
      text: 'Keys in software may sign there. Its coins must be worth nothing.',
    });
  }
  const vaults = items.flatMap((item) => (item.item === 'vault' ? [item] : []));
  return [...notices, ...likeDestinations(items), ...vaultListNotices(vaults, assets)];
}

/** Pairs of a list that are shown; more say nothing new. */
const likePairsMax = 8;

function likeDestinations(items: readonly RegistryItem[]): readonly Notice[] {
  const seen = new Map<string, Address>();
  const notices: Notice[] = [];
  for (const item of items) {
    if (item.item !== 'destination') continue;
    const looks = likeness(item.address);
    const other = seen.get(looks);
    if (other !== undefined && other !== item.address && notices.length < likePairsMax) {
      notices.push({
        level: 'danger',
        title: 'Two destinations of the list look alike',
        text: `${checksumAddress(other)} and ${checksumAddress(item.address)} are different addresses.`,
        compared: [item.address, other],
      });
    }
    seen.set(looks, item.address);
  }
  return notices;
}

/** An address in blocks of four digits after `0x`, each digit with whether it differs from the other address. */
export type MarkedDigit = { readonly digit: string; readonly differs: boolean };

/** The digits of an address (EIP-55, without `0x`), marked where another address has another digit. */
export function markedDigits(address: Address, other: Address): readonly MarkedDigit[] {
  const lower = other.slice(2);
  return checksumAddress(address)
    .slice(2)
    .split('')
    .map((digit, at) => ({
      digit,
      differs: digit.toLowerCase() !== lower.charAt(at),
    }));
}
