import type { Address, AssetId, Hex } from '@bulkhead/domain';

/** What a program may read: coins and words as they are before the call. */
export type ProgramState = {
  readonly balance: (asset: AssetId, address: Address) => bigint;
  /** A word of storage; zero where nothing was stored. */
  readonly word: (address: Address, slot: string) => bigint;
  /** Whether a transfer would go through: the receiver takes the coin, and the token moves and says so. */
  readonly accepts: (asset: AssetId, to: Address) => boolean;
  /** Unix seconds of the block. */
  readonly timestamp: bigint;
  /** Number of the block. */
  readonly height: bigint;
};

export type ProgramCall = { readonly from: Address; readonly to: Address; readonly data: Hex };

/** What a call does, in order. It is done whole or not at all. */
export type ProgramEffect =
  | {
      readonly type: 'move';
      readonly asset: AssetId;
      readonly from: Address;
      readonly to: Address;
      readonly amount: bigint;
    }
  | { readonly type: 'store'; readonly address: Address; readonly slot: string; readonly value: bigint }
  | { readonly type: 'log'; readonly address: Address; readonly topics: readonly string[]; readonly data: Hex };

/**
 * Contracts that belong together, as pure functions of what is stored: what they did in a block that a reorg takes away is gone
 * with it.
 */
export type Program = {
  readonly handles: (address: Address, state: ProgramState) => boolean;
  /** Undefined reverts the call. */
  readonly run: (call: ProgramCall, state: ProgramState) => readonly ProgramEffect[] | undefined;
  /** Undefined where the call fails. */
  readonly view: (contract: Address, data: Hex, state: ProgramState) => Hex | undefined;
  /** Undefined for an address that is none of its own. */
  readonly codeHash: (address: Address, state: ProgramState) => string | undefined;
};
