import type { Address } from '@bulkhead/domain';
import {
  eventTopic,
  type Hex,
  hexOf,
  type Keccak,
  type SignerSetEventFields,
  vaultConfigCodec,
  type VaultConfig,
  type VaultEvent,
  wordOf,
} from '@bulkhead/vaults';

export type EventLog = { readonly topics: readonly Hex[]; readonly data: Hex };

const numbers: Readonly<Record<string, Readonly<Record<string, bigint>>>> = {
  side: { quorum: 0n, client: 1n, exit: 2n },
  role: { client: 1n, exit: 2n },
  authority: { listed: 1n, unlisted: 2n, 'one-off': 3n },
};

/** Fields in the order of the contracts; those with a star are indexed. */
const forms: Readonly<Record<VaultEvent['event'], readonly string[]>> = {
  Withdrawn: ['*token', '*to', 'amount', 'nonce', 'authority'],
  FeeCollected: ['*token', 'amount', 'nonce', 'from', 'to'],
  Exited: ['*token', '*to', 'amount'],
  NonceInvalidated: ['nonce'],
  PolicyOpened: [],
  DestinationAdded: ['*to', 'activeFrom'],
  DestinationRemoved: ['*to', 'side'],
  LimitQueued: ['*change', '*token', 'cap', 'unlisted', 'readyAt'],
  LimitSet: ['*token', 'cap', 'unlisted'],
  ExitDestinationQueued: ['*change', 'to', 'readyAt'],
  ExitDestinationChanged: ['to'],
  KeyRotationQueued: ['*change', 'side', 'role', 'newKey', 'readyAt'],
  KeyRotated: ['role', 'newKey'],
  Vetoed: ['*change', 'side'],
  Paused: ['side', 'until'],
  ExitRequested: ['readyAt'],
  ExitCancelled: [],
  ExitOpened: ['lastHeartbeat'],
};

/** An event of a vault as a node would give it. */
export function eventLog(hashes: Keccak, event: VaultEvent): EventLog {
  const values = new Map<string, unknown>(Object.entries(event));
  const topics: Hex[] = [eventTopic(hashes, event.event)];
  let data: Hex = '0x';
  for (const field of forms[event.event]) {
    const name = field.replace('*', '');
    const word = wordText(name, values.get(name));
    if (field.startsWith('*')) topics.push(`0x${word}`);
    else data = `${data}${word}`;
  }
  return { topics, data };
}

export function createdLog(hashes: Keccak, vault: Address, config: VaultConfig): EventLog {
  const topics = [eventTopic(hashes, 'VaultCreated'), `0x${wordText('vault', vault)}` as const, config.clientId];
  return { topics, data: hexOf(vaultConfigCodec.encode(config)) };
}

/** What a set of signers says of a version that follows. */
export function setQueuedLog(
  hashes: Keccak,
  { number, members, threshold, activeFrom }: SignerSetEventFields['SetQueued'],
): EventLog {
  const words = [96n, threshold, activeFrom, BigInt(members.length), ...members.map(BigInt)];
  return {
    topics: [eventTopic(hashes, 'SetQueued'), hexOf(wordOf(number))],
    data: `0x${words.map((word) => hexOf(wordOf(word)).slice(2)).join('')}`,
  };
}

function wordText(name: string, value: unknown): string {
  if (typeof value === 'bigint') return hexOf(wordOf(value)).slice(2);
  if (typeof value === 'boolean') return hexOf(wordOf(value ? 1n : 0n)).slice(2);
  const number = typeof value === 'string' ? numbers[name]?.[value] : undefined;
  if (number !== undefined) return hexOf(wordOf(number)).slice(2);
  if (typeof value === 'string' && value.startsWith('0x')) return value.slice(2).padStart(64, '0');
  throw new Error(`${name} of an event is nothing that has a word: ${String(value)}`);
}
