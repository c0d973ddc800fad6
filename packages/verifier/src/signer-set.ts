import type { Address } from '@bulkhead/domain';
import { bytesOf, heartbeatSlot, storedHeartbeat, storedMembers, storedVersion, versionSlot } from '@bulkhead/vaults';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { type ChainView, readCode, readProven, type Unread } from './chain-view.ts';

/** Members of a signer set from some second on. */
export type SetVersion = {
  readonly number: bigint;
  /** Unix second. */
  readonly activeFrom: bigint;
  readonly members: readonly Address[];
  readonly threshold: number;
};

/** A signer set, out of the state of a block. */
export type ProvenSet = {
  /** From the newest in force back to the one that was in force at the time asked about. */
  readonly versions: readonly SetVersion[];
  /** The block that the newest heartbeat named. */
  readonly heartbeatBlock: bigint;
  /** When it was given, Unix seconds. */
  readonly heartbeatAt: bigint;
};

/** Versions that are read at most: a set that changes weekly has as many in a year. */
const versionsMax = 64;

const hashes = { keccak256: keccak_256 };

/** Reads who could sign from a time on. Members lie in code, whose hash stands in the state. */
export async function readSignerSet(
  view: ChainView,
  of: { readonly address: Uint8Array; readonly since: bigint },
): Promise<ProvenSet | Unread> {
  const set = await readProven(view, {
    address: of.address,
    slots: [BigInt(versionSlot(hashes, 'newest')), BigInt(heartbeatSlot)],
  });
  if ('unread' in set) return set;
  const [newest = 0n, beat = 0n] = set.slots;
  const versions: SetVersion[] = [];
  let word = newest;
  for (let count = 0; count < versionsMax; count += 1) {
    const { number, activeFrom, threshold, memberList } = storedVersion(word);
    const code = await readCode(view, bytesOf(memberList));
    if ('unread' in code) return code;
    const members = storedMembers(code);
    if (members === undefined || number === 0n) {
      return { unread: 'There is no signer set at this address.', answered: true };
    }
    if (activeFrom <= view.block.time) versions.push({ number, activeFrom, members, threshold: Number(threshold) });
    if (number === 1n || activeFrom <= of.since) {
      const { time, height } = storedHeartbeat(beat);
      return { versions, heartbeatBlock: height, heartbeatAt: time };
    }
    const slot = BigInt(versionSlot(hashes, number - 1n));
    const before = await readProven(view, { address: of.address, slots: [slot] });
    if ('unread' in before) return before;
    word = before.slots[0] ?? 0n;
  }
  return { unread: `The signer set has changed more than ${versionsMax} times since then.`, answered: false };
}
