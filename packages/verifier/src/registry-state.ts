import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { equalBytes, numberOf, wordBytes } from './bytes.ts';
import { type ChainView, readCode, readProven, readWord, type Unread } from './chain-view.ts';
import type { PinnedRegistry } from './order.ts';
import { fails, type Step, unknown } from './report.ts';
import { addressWord } from './typed-digest.ts';

/** What the registry has of an epoch, read out of the state of a block. */
export type RegistryEpoch = {
  readonly context: Uint8Array;
  readonly record: Uint8Array;
  /** In units, of all compartments of clients together, as the custodian says. */
  readonly reserves: bigint;
  /** Unix seconds. */
  readonly takenAt: bigint;
  readonly committedAt: bigint;
  /** Of the epoch before; zeros for the first. */
  readonly previous: Uint8Array;
  /** The newest epoch of the asset. */
  readonly newest: bigint;
  /** How many epochs of the asset were signed and not committed in time, ever. */
  readonly lapses: bigint;
};

/** What the registry has of the window that an epoch is in. Times are Unix seconds, zero for what did not happen yet. */
export type RegistryWindow = {
  readonly number: bigint;
  readonly endedAt: bigint;
  /** The epoch that was picked; zero before that. */
  readonly drawn: bigint;
  readonly provenAt: bigint;
  readonly leastReserves: bigint;
  /** Digest of the manifest of the picked epoch. */
  readonly proof: Uint8Array;
};

/** Where the storage layout of ProofRegistry has its mappings (contracts/snapshots/storage.json). */
const streamsSlot = 0n;
const epochsSlot = 1n;
const windowsSlot = 2n;
const lapsesBeforeSlot = 3n;
const low64 = (1n << 64n) - 1n;
const low128 = (1n << 128n) - 1n;

type Asked = { readonly registry: PinnedRegistry; readonly asset: string; readonly epoch: bigint };

/** What the registry has of an epoch, or the step that says why it cannot be read. */
export async function readRegistry(view: ChainView, of: Asked): Promise<RegistryEpoch | Step> {
  const { registry, epoch } = of;
  const asset = assetKey(of.asset);
  const at = epochSlot(asset, epoch);
  const before = epochSlot(asset, epoch === 0n ? 0n : epoch - 1n);
  const stream = slotIn(asset, streamsSlot);
  const slots = [at, at + 1n, at + 2n, before, stream, stream + 1n];
  const account = await readProven(view, { address: registry.address, slots });
  if ('unread' in account) return unreadStep('pinned', account);
  if (registry.codeHash !== undefined && !equalBytes(account.codeHash, registry.codeHash)) {
    return fails('pinned', 'The code of the registry is not the one that was pinned.');
  }
  const [context = 0n, record = 0n, sums = 0n, previous = 0n, state = 0n, lapses = 0n] = account.slots;
  if (context === 0n) return fails('pinned', `The registry has no epoch ${epoch} of ${of.asset}.`);
  if (sums >> 192n === 0n) {
    const why = 'it was signed and not committed in time. It keeps its number, and counts for nothing.';
    return fails('pinned', `Epoch ${epoch} of ${of.asset} lapsed: ${why}`);
  }
  return {
    context: wordBytes(context),
    record: wordBytes(record),
    reserves: sums & low128,
    takenAt: (sums >> 128n) & low64,
    committedAt: sums >> 192n,
    previous: wordBytes(previous),
    newest: state & low64,
    lapses: lapses & low64,
  };
}

/** What nobody answers cannot be known; what is answered and proves nothing is a lie or a fault. */
export function unreadStep(step: Step['step'], { unread, answered }: Unread): Step {
  return answered ? fails(step, unread) : unknown(step, unread);
}

/** The window that an epoch is in; undefined where its length cannot be read. */
export async function readWindow(view: ChainView, of: Asked): Promise<RegistryWindow | Unread> {
  const length = numberOf((await readWord(view, of.registry.address, { form: 'window()' })) ?? new Uint8Array());
  if (length === 0n || of.epoch === 0n) {
    return { unread: 'The nodes do not say how long a window of the registry is.', answered: false };
  }
  const count = await readCount(view, of);
  if (typeof count !== 'bigint') return count;
  const number = (count - 1n) / length;
  const first = slotIn(wordBytes(number), slotIn(assetKey(of.asset), windowsSlot));
  const account = await readProven(view, { address: of.registry.address, slots: [first, first + 1n, first + 2n] });
  if ('unread' in account) return account;
  const [times = 0n, least = 0n, proof = 0n] = account.slots;
  return {
    number,
    endedAt: times & low64,
    drawn: (times >> 128n) & low64,
    provenAt: times >> 192n,
    leastReserves: least & low128,
    proof: wordBytes(proof),
  };
}

/**
 * The how-manieth committed epoch one is: windows leave out what lapsed. Where nothing did it is its number; else nodes say it, and how many
 * lapsed before it is proven.
 */
async function readCount(view: ChainView, { registry: { address }, asset, epoch }: Asked): Promise<bigint | Unread> {
  const key = assetKey(asset);
  const stream = await readProven(view, { address, slots: [slotIn(key, streamsSlot) + 1n] });
  if ('unread' in stream) return stream;
  if (stream.slots[0] === 0n) return epoch;
  const word = await readWord(view, address, {
    form: 'countOf(bytes32,uint256)',
    argument: concatBytes(key, wordBytes(epoch)),
  });
  if (word === undefined) {
    return { unread: 'The nodes do not say, alike, the how-manieth committed epoch it is.', answered: false };
  }
  const count = numberOf(word);
  const slot = slotIn(wordBytes(count), slotIn(key, lapsesBeforeSlot));
  const before = await readProven(view, { address, slots: [slot] });
  if ('unread' in before) return before;
  return count > 0n && count + (before.slots[0] ?? 0n) === epoch
    ? count
    : { unread: 'The place of the epoch that the nodes say is not that of the registry.', answered: true };
}

/** Whether every node says that the registry calls the asset fresh; undefined where they do not answer, or differ. */
export async function isFresh(view: ChainView, of: Asked): Promise<boolean | undefined> {
  const call = { form: 'isFresh(bytes32)', argument: assetKey(of.asset) };
  const word = await readWord(view, of.registry.address, call);
  return word === undefined ? undefined : numberOf(word) === 1n;
}

/**
 * The signer set whose quorum the registry asks for. It stands in the registry's code and not in its storage: so what the nodes say must
 * be found there.
 */
export async function readSigners(view: ChainView, registry: PinnedRegistry): Promise<Uint8Array | Unread> {
  const word = await readWord(view, registry.address, { form: 'signers()' });
  if (word === undefined) {
    return { unread: 'The nodes do not say, alike, who signs for the registry.', answered: false };
  }
  const code = await readCode(view, registry.address);
  if ('unread' in code) return code;
  const signers = word.subarray(12);
  // A node that names another set would have to find its address in code that it did not write.
  const stands = numberOf(signers) !== 0n && bytesToHex(code).includes(bytesToHex(addressWord(signers)));
  return stands
    ? signers
    : { unread: 'The signer set that the nodes name is not in the registry’s code.', answered: true };
}

function assetKey(asset: string): Uint8Array {
  return keccak_256(utf8ToBytes(asset));
}

function slotIn(key: Uint8Array, slot: bigint): bigint {
  return numberOf(keccak_256(concatBytes(key, wordBytes(slot))));
}

function epochSlot(asset: Uint8Array, epoch: bigint): bigint {
  return slotIn(wordBytes(epoch), slotIn(asset, epochsSlot));
}
