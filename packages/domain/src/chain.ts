import type { Address } from './address.ts';
import type { AssetId, ChainId } from './asset.ts';
import { CustodyError } from './fault.ts';

declare const hashBrand: unique symbol;

/** 32 bytes as `0x` and 64 lower-case hex digits: a block or transaction hash. */
export type Hash = `0x${string}` & { readonly [hashBrand]: true };

/** Whether a text is a hash. Upper-case digits are not: one hash has one spelling. */
export function isHash(text: string): text is Hash {
  return /^0x[0-9a-f]{64}$/u.test(text);
}

/** @throws CustodyError `chain/nonsense` */
export function parseHash(text: string): Hash {
  if (!/^0x[0-9a-f]{64}$/u.test(text)) {
    throw new CustodyError('chain/nonsense', `"${text.slice(0, 80)}" is not a hash: 0x and 64 lower-case hex digits.`);
  }
  return text as Hash;
}

/** Keccak-256 of no bytes at all: of an address without code (EIP-1052). */
export const codeHashOfNothing: string = 'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470';

export type BlockRef = { readonly number: bigint; readonly hash: Hash };

/**
 * How a value movement was seen.
 * - `native`: value of a transaction; `internal`: value of a call inside one, by trace;
 * - `token`: `Transfer` log of an allow-listed contract;
 * - `validator-withdrawal`: EIP-4895 credit, no transaction;
 * - `balance-difference`: native coin whose way in no node showed us (forced by self-destruct, block reward).
 */
export type MovementKind = 'native' | 'internal' | 'token' | 'validator-withdrawal' | 'balance-difference';

/** One value movement that touches at least one watched address. Identity: chain, block hash, kind, reference. */
export type Movement = {
  readonly kind: MovementKind;
  /** Unique inside block and kind: `<tx hash>`, `<tx hash>:<trace path>`, `<tx hash>:<log index>`, validator withdrawal index, or `<address>`. */
  readonly reference: string;
  readonly transaction?: Hash;
  readonly asset: AssetId;
  readonly from?: Address;
  readonly to?: Address;
  readonly amount: bigint;
};

/** A transaction sent by a watched address, whatever it does. */
export type SentTransaction = {
  readonly hash: Hash;
  readonly from: Address;
  readonly nonce: bigint;
  readonly succeeded: boolean;
  /** Gas used times effective gas price, plus any layer-2 data fee, in wei: what the sender's balance lost beside the value. */
  readonly fee: bigint;
};

/** Bytes as `0x` and an even number of lower-case hex digits. */
export type Hex = `0x${string}`;

/** An event of a contract as its receipt has it. What it means is for those who know the contract. */
export type ContractLog = {
  readonly transaction: Hash;
  /** Its place among the events of the block. */
  readonly index: bigint;
  readonly address: Address;
  readonly topics: readonly string[];
  readonly data: Hex;
};

/** A block as far as it concerns the watched addresses. Only what happened (status success) is a movement. */
export type ObservedBlock = BlockRef & {
  readonly parentHash: Hash;
  /** Unix seconds. */
  readonly timestamp: bigint;
  readonly movements: readonly Movement[];
  readonly sent: readonly SentTransaction[];
  /** Events of watched addresses and of followed contracts, in the order of the block; without transfers of tokens. */
  readonly logs: readonly ContractLog[];
};

/** Answers whether an address is ours. Small enough to hold a million addresses in memory. */
export type WatchSet = {
  has(address: Address): boolean;
  /** Contracts that hold nothing of ours and whose events are followed all the same: a vault factory, a signer set. */
  readonly contracts?: ReadonlySet<Address>;
};

export type BalanceQuery = { readonly asset: AssetId; readonly address: Address };

/** What an address signed so that its code is that of a delegate from now on (EIP-7702); the zero address takes that back. */
export type SignedAuthorization = {
  readonly delegate: Address;
  /** Nonce of the address that it takes. */
  readonly nonce: bigint;
  readonly signature: Signature;
};

/** What we ask the chain to do: the one transfer a transaction makes, or one call of a contract that moves nothing of its sender. */
export type TransactionPlan = {
  readonly from: Address;
  readonly asset: AssetId;
  readonly to: Address;
  readonly amount: bigint;
  /** Calldata for the contract `to`. The asset is the native coin then, and the amount zero. */
  readonly data?: Hex;
  /** Carried along, so that the call finds the code that they set. Only where there is `data`. */
  readonly authorizations?: readonly SignedAuthorization[];
};

/** Fee terms of EIP-1559 in wei. The most a transaction can burn is `gasLimit * maxFeePerGas`. */
export type FeeTerms = {
  readonly gasLimit: bigint;
  readonly maxFeePerGas: bigint;
  readonly maxPriorityFeePerGas: bigint;
};

export function feeMax(terms: FeeTerms): bigint {
  return terms.gasLimit * terms.maxFeePerGas;
}

/**
 * Where a transaction we sent stands at one source that answers for the majority.
 * `unknown`: in no mempool and no block that was looked at.
 */
export type TransactionSight =
  | { readonly at: 'unknown' }
  | { readonly at: 'mempool' }
  | { readonly at: 'block'; readonly block: BlockRef; readonly succeeded: boolean };

/** What became of a broadcast. `nonce-used` says that another or the same transaction already took the nonce. */
export type BroadcastOutcome =
  | 'accepted'
  | 'already-known'
  | 'nonce-used'
  | 'underpriced'
  | 'insufficient-coin'
  | 'unclear';

/**
 * The port to one chain. Adapters observe, build, estimate and broadcast; they never touch the books, hold no private key
 * and keep no state that matters: everything can be asked again.
 *
 * Every method may throw `chain/unavailable` (nobody answered in time), `chain/nonsense` (an answer that cannot be true) or
 * `chain/disagreement` (fewer than k of n sources agree); all three mean: nothing is known, try again later. What is returned
 * was agreed by k of n configured sources, except where said.
 */
export interface Chain {
  readonly id: ChainId;
  /** Newest and newest final block (`finalized` tag, never `safe`). `final` never exceeds what k sources call final. */
  heads(): Promise<{ readonly latest: BlockRef; readonly final: BlockRef }>;
  /**
   * The block at a height on the canonical chain, or undefined when there is none yet. At most three calls per source
   * whatever the number of watched addresses. Movements are complete for tokens of `assets` and for value of successful
   * top-level calls; for inner calls where the sources offer traces. Logs are complete.
   */
  block(height: bigint, watch: WatchSet): Promise<ObservedBlock | undefined>;
  /** Hash of the canonical block at a height, or undefined above the head. One call per source. */
  hashAt(height: bigint): Promise<Hash | undefined>;
  /** Balances at exactly this block, in the order asked, batched by hundreds per call. */
  balances(queries: readonly BalanceQuery[], at: BlockRef): Promise<readonly bigint[]>;
  /** Keccak-256 of the code at an address at exactly this block, 64 lower-case hex digits; {@link codeHashOfNothing} where there is none. */
  codeHash(address: Address, at: BlockRef): Promise<string>;
  /** What a contract answers to a call at exactly this block, without changing anything. Throws `transaction/rejected` where it fails. */
  read(contract: Address, data: Hex, at: BlockRef): Promise<Hex>;
  /** Number of transactions the address has sent, at exactly this block or in the newest one. */
  nonce(address: Address, at: BlockRef | 'latest'): Promise<bigint>;
  /** Fee terms for a plan now. Throws `transaction/rejected` when the chain says that the plan would fail. */
  estimate(plan: TransactionPlan): Promise<FeeTerms>;
  /** Canonical unsigned transaction of EIP-1559, or of EIP-7702 where it carries authorisations. Pure: same input, same bytes. */
  build(plan: TransactionPlan, terms: FeeTerms, nonce: bigint): Uint8Array;
  /** Joins an unsigned transaction with its signature: raw bytes to broadcast, and the hash they will have. Pure. */
  assemble(
    unsigned: Uint8Array,
    signature: Signature,
  ): { readonly raw: Uint8Array; readonly hash: Hash; readonly from: Address };
  /** What an address signs to take the code of a delegate, with one nonce of it, on this chain (EIP-7702). Pure. */
  authorization(delegate: Address, nonce: bigint): Uint8Array;
  /** Who signed such bytes. Pure. Throws `signer/malformed-transaction` for a signature of nobody. */
  authorizedBy(authorization: Uint8Array, signature: Signature): Address;
  /** Hands raw bytes to all sources; the best outcome counts. `unclear` when none answered: look for the hash, never guess. */
  broadcast(raw: Uint8Array): Promise<BroadcastOutcome>;
  /** Where a transaction stands now. A hint for people and for re-broadcasting; books move on final blocks only. */
  sight(hash: Hash): Promise<TransactionSight>;
}

/** ECDSA signature on secp256k1 with `s` in the lower half (EIP-2). */
export type Signature = { readonly r: bigint; readonly s: bigint; readonly yParity: 0 | 1 };
