import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { VerifiedHeader } from './block-header.ts';
import { equalBytes, readNumber, wordBytes } from './bytes.ts';
import type { ChainNode } from './chain-node.ts';
import { asked } from './pinned-block.ts';
import { readAccount } from './state-proof.ts';

/** A registry that somebody pinned: from the custodian's agreement, an auditor, or a certificate; never from the proof itself. */
export type PinnedRegistry = {
  /** EIP-155 number of its chain. */
  readonly chain: bigint;
  /** 20 bytes. */
  readonly address: Uint8Array;
  /** Keccak-256 of its code, where the reader has it. */
  readonly codeHash?: Uint8Array;
};

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
};

/** Where the storage layout of ProofRegistry has its mappings (contracts/snapshots/storage.json). */
const streamsSlot = 0n;
const epochsSlot = 1n;
const low64 = (1n << 64n) - 1n;

/** @returns why it could not be read, where it could not */
export async function readRegistry(
  node: ChainNode,
  block: Pick<VerifiedHeader, 'height' | 'stateRoot'>,
  of: { readonly registry: PinnedRegistry; readonly asset: string; readonly epoch: bigint },
): Promise<RegistryEpoch | string> {
  const { registry, epoch } = of;
  const asset = keccak_256(utf8ToBytes(of.asset));
  const at = epochSlot(asset, epoch);
  const before = epochSlot(asset, epoch - 1n);
  const slots = [at, at + 1n, at + 2n, before, slotIn(asset, streamsSlot)].map(wordBytes);
  const params = [
    `0x${bytesToHex(registry.address)}`,
    slots.map((slot) => `0x${bytesToHex(slot)}`),
    `0x${block.height.toString(16)}`,
  ];
  const answer = await asked(node, 'eth_getProof', params);
  const account = readAccount(block.stateRoot, { address: registry.address, slots }, answer);
  if (account === undefined) return `${node.name} gives no proof of the registry's state that leads to the block.`;
  if (registry.codeHash !== undefined && !equalBytes(account.codeHash, registry.codeHash)) {
    return 'The code of the registry is not the one that was pinned.';
  }
  const [context = 0n, record = 0n, sums = 0n, previous = 0n, stream = 0n] = account.slots;
  if (context === 0n) return `The registry has no epoch ${epoch} of ${of.asset}.`;
  return {
    context: wordBytes(context),
    record: wordBytes(record),
    reserves: sums & ((1n << 128n) - 1n),
    takenAt: (sums >> 128n) & low64,
    committedAt: sums >> 192n,
    previous: wordBytes(previous),
    newest: stream & low64,
  };
}

/** Whether every node says that the registry calls the asset fresh; undefined where one does not answer. */
export async function isFresh(
  nodes: readonly ChainNode[],
  height: bigint,
  of: { readonly registry: PinnedRegistry; readonly asset: string },
): Promise<boolean | undefined> {
  const selector = keccak_256(utf8ToBytes('isFresh(bytes32)')).subarray(0, 4);
  const data = `0x${bytesToHex(concatBytes(selector, keccak_256(utf8ToBytes(of.asset))))}`;
  const call = { to: `0x${bytesToHex(of.registry.address)}`, data };
  let fresh = true;
  for (const node of nodes) {
    const answer = await asked(node, 'eth_call', [call, `0x${height.toString(16)}`]);
    if (typeof answer !== 'string' || answer.length !== 66) return undefined;
    fresh &&= readNumber(`0x${answer.slice(2).replace(/^0+(?=.)/u, '')}`) === 1n;
  }
  return fresh;
}

function slotIn(key: Uint8Array, slot: bigint): bigint {
  return BigInt(`0x${bytesToHex(keccak_256(concatBytes(key, wordBytes(slot))))}`);
}

function epochSlot(asset: Uint8Array, epoch: bigint): bigint {
  return slotIn(wordBytes(epoch), slotIn(asset, epochsSlot));
}
