import { type Address, parseAddress } from '@bulkhead/domain';
import { concatBytes } from '@noble/hashes/utils.js';
import type { Keccak } from './codec.ts';
import { limitName, type VaultState } from './vault-state.ts';
import { type Gate, type LimitWindow } from './vault-question.ts';
import { type Hex, hexOf, wordOf } from './word.ts';

/** Places of a vault's state in its storage, in the order of `VaultState.sol`. */
const slots = {
  destinations: 1n,
  limits: 2n,
  unlistedLimits: 3n,
  gate: 7n,
  exitDestination: 8n,
  keys: 9n,
};

/** A slot, and what the events of a vault say that these bits of it hold. */
export type ExpectedSlot = { readonly slot: Hex; readonly name: string; readonly value: bigint; readonly bits: bigint };

const allBits = 2n ** 256n - 1n;
const addressBits = 2n ** 160n - 1n;

/**
 * What the storage of a vault holds when nothing but these events happened to it. Times of use are not in it: `spent` and `since` of a
 * limit follow from payments, and are here as the reader worked them out.
 */
export function expectedStorage(
  hashes: Keccak,
  state: VaultState,
  tokens: readonly Address[],
): readonly ExpectedSlot[] {
  const limitsOf = (unlisted: boolean): readonly ExpectedSlot[] =>
    tokens.flatMap((token) => {
      const window = state.limits.get(limitName(token, unlisted));
      if (window === undefined) return [];
      const place = unlisted ? slots.unlistedLimits : slots.limits;
      const name = `${unlisted ? 'unlisted limit' : 'limit'} of ${token}`;
      return [{ slot: mappingSlot(hashes, BigInt(token), place), name, value: windowWord(window), bits: allBits }];
    });
  return [
    { slot: wordHex(slots.gate), name: 'exit and pauses', value: gateWord(state.gate), bits: allBits },
    {
      slot: wordHex(slots.exitDestination),
      name: 'exit destination that replaced the first',
      value: BigInt(state.exitDestination ?? '0x0'),
      // When it was queued stands in the same slot, and in no event of its execution.
      bits: addressBits,
    },
    ...(['client', 'exit'] as const).map((role, index) => ({
      slot: mappingSlot(hashes, BigInt(index + 1), slots.keys),
      name: `${role} key that replaced the first`,
      value: BigInt(state.keys.get(role) ?? '0x0'),
      bits: allBits,
    })),
    ...[...state.destinations].map(([to, activeFrom]) => ({
      slot: mappingSlot(hashes, BigInt(to), slots.destinations),
      name: `destination ${to}`,
      value: activeFrom,
      bits: allBits,
    })),
    ...limitsOf(false),
    ...limitsOf(true),
  ];
}

/** The newest version of a signer set, and where the code lies that lists its members. */
export type StoredVersion = {
  readonly number: bigint;
  readonly activeFrom: bigint;
  readonly threshold: bigint;
  readonly memberList: Address;
};

/** Where a signer set keeps its newest version, and where an older one. */
export function versionSlot(hashes: Keccak, number: bigint | 'newest'): Hex {
  return number === 'newest' ? wordHex(0n) : mappingSlot(hashes, number, 1n);
}

/** Where a signer set keeps the time and the block of its last heartbeat. */
export const heartbeatSlot: Hex = wordHex(2n);

export function storedVersion(word: bigint): StoredVersion {
  return {
    number: word & (2n ** 48n - 1n),
    activeFrom: (word >> 48n) & (2n ** 40n - 1n),
    threshold: (word >> 88n) & 0xffn,
    memberList: parseAddress(`0x${(word >> 96n).toString(16).padStart(40, '0')}`),
  };
}

/** Members that code lists: a byte that stops whoever runs it, then a word for each. */
export function storedMembers(code: Uint8Array): readonly Address[] | undefined {
  if (code[0] !== 0 || code.length % 32 !== 1) return undefined;
  const members: Address[] = [];
  for (let at = 1; at < code.length; at += 32) members.push(parseAddress(hexOf(code.subarray(at + 12, at + 32))));
  return members;
}

export function storedHeartbeat(word: bigint): { readonly time: bigint; readonly height: bigint } {
  return { time: word & (2n ** 64n - 1n), height: (word >> 64n) & (2n ** 64n - 1n) };
}

function gateWord({ exitReadyAt, quorumPauseUntil, clientPauseUntil }: Gate): bigint {
  return exitReadyAt | (quorumPauseUntil << 40n) | (clientPauseUntil << 80n);
}

function windowWord({ cap, spent, since, written }: LimitWindow): bigint {
  return cap | (spent << 104n) | (since << 208n) | (written ? 1n << 248n : 0n);
}

function mappingSlot({ keccak256 }: Keccak, key: bigint, slot: bigint): Hex {
  return hexOf(keccak256(concatBytes(wordOf(key), wordOf(slot))));
}

function wordHex(value: bigint): Hex {
  return hexOf(wordOf(value));
}
