import {
  type Address,
  type AssetId,
  type BlockRef,
  type BroadcastOutcome,
  type ChainId,
  codeHashOfNothing,
  contractOf,
  type Hash,
  invariant,
  type Movement,
  nativeAsset,
  parseChainId,
  tokenAsset,
} from '@bulkhead/domain';
import {
  type Contract,
  type Contracts,
  execute,
  type Execution,
  isExecutable,
  programState,
  type Receipt,
} from './execution.ts';
import { History } from './history.ts';
import { digestOf, hashOf, namedAddress } from './key.ts';
import { Mempool } from './mempool.ts';
import type { Program, ProgramState } from './program.ts';
import { decodeSigned, type SignedTransaction } from './transaction.ts';

export type GroundOptions = {
  readonly chain?: string;
  /** How far the final block trails the head; `manual` moves it by {@link Ground.finalize} alone. */
  readonly finalLag?: bigint | 'manual';
  /** Base fee of the block at a height, in wei per gas. */
  readonly baseFee?: (height: bigint) => bigint;
};

/** Native coin that comes without a transaction: a validator's withdrawal, which blocks list, or by force, which nothing shows. */
export type Credit = { readonly to: Address; readonly amount: bigint; readonly withdrawalIndex?: bigint };

export type GroundBlock = BlockRef & {
  readonly parentHash: Hash;
  readonly timestamp: bigint;
  readonly receipts: readonly Receipt[];
  readonly credits: readonly Credit[];
};

export type MineOptions = {
  /** Only these, in this order, whether they wait in the mempool or were sent at any time before. */
  readonly transactions?: readonly Hash[];
};

export type ReorgOptions = {
  /** What the new branch does with the transactions of the old one; it keeps them. */
  readonly drop?: 'all' | readonly Hash[];
  /** Blocks of the new branch before its transactions return, so that they stand at another height. */
  readonly emptyBlocks?: number;
  /** Reverses the order of senders inside a block. */
  readonly reorder?: boolean;
  /** Blocks of the new branch; one more than it replaces. */
  readonly length?: number;
  /** Reaches below the final block, which no honest chain does. */
  readonly breaksFinality?: boolean;
};

export const faucet: Address = namedAddress('faucet');
export const payer: Address = namedAddress('payer');
const faucetCoins = 10n ** 30n;
const blockSeconds = 12n;
const startSeconds = 1_893_456_000n;
export const baseFeeDefault = 1_000_000_000n;
export const finalLagDefault = 2n;

/**
 * The chain as it really is: what the port shows of it may be late, wrong or nothing. Tests and the simulator take the truth
 * from here.
 */
export class Ground {
  readonly id: ChainId;
  readonly native: AssetId;
  readonly history: History = new History();
  readonly mempool: Mempool = new Mempool();
  readonly contracts: Contracts = new Map();
  /** Contracts that answer calldata. */
  readonly programs: Program[] = [];
  readonly #blocks: GroundBlock[] = [];
  readonly #codes: { readonly contract: Address; readonly height: bigint; readonly code: string | undefined }[] = [];
  /** Every transaction that was ever sent here: whoever saw one can send it again. */
  readonly #seen = new Map<Hash, SignedTransaction>();
  readonly #finalLag: bigint | 'manual';
  readonly #baseFee: (height: bigint) => bigint;
  #credits: Credit[] = [];
  #skippedSeconds = 0n;
  #nextWithdrawalIndex = 0n;
  #final = 0n;
  #branch = 0;

  constructor(options: GroundOptions = {}) {
    this.id = parseChainId(options.chain ?? 'eip155:31337');
    this.native = nativeAsset(this.id);
    this.#finalLag = options.finalLag ?? finalLagDefault;
    this.#baseFee = options.baseFee ?? (() => baseFeeDefault);
    this.contracts.set(payer, { kind: 'payer' });
    this.history.add({ asset: this.native, address: faucet, height: 0n, change: faucetCoins });
    const hash = hashOf('genesis', this.id);
    const parentHash = hashOf('nothing', this.id);
    this.#blocks.push({ number: 0n, hash, parentHash, timestamp: startSeconds, receipts: [], credits: [] });
  }

  get head(): GroundBlock {
    return this.at(this.height);
  }

  get height(): bigint {
    return BigInt(this.#blocks.length - 1);
  }

  get final(): GroundBlock {
    return this.at(this.#final);
  }

  /** Time of the next block, in Unix seconds. */
  get nextTimestamp(): bigint {
    return this.head.timestamp + blockSeconds + this.#skippedSeconds;
  }

  /** Lets this much more time pass before the next block. */
  skipTime(seconds: bigint): void {
    this.#skippedSeconds += seconds;
  }

  /** What programs stored up to a height. */
  programState(height: bigint = this.height): ProgramState {
    return programState({
      state: this.history,
      contracts: this.contracts,
      height,
      timestamp: this.at(height).timestamp,
    });
  }

  get nextBaseFee(): bigint {
    return this.#baseFee(this.height + 1n);
  }

  /** The canonical block at a height that exists. */
  at(height: bigint): GroundBlock {
    const block = this.find(height);
    invariant(block !== undefined, 'The fake chain has no block at this height.', { height: String(height) });
    return block;
  }

  find(height: bigint): GroundBlock | undefined {
    return height < 0n ? undefined : this.#blocks[Number(height)];
  }

  isCanonical(block: BlockRef): boolean {
    return this.find(block.number)?.hash === block.hash;
  }

  balance(asset: AssetId, address: Address, height: bigint = this.height): bigint {
    return this.history.balance(asset, address, height);
  }

  nonce(address: Address, height: bigint = this.height): bigint {
    return this.history.nonce(address, height);
  }

  /** First nonce that neither a block nor the mempool has taken. */
  nextNonce(address: Address): bigint {
    let nonce = this.nonce(address);
    while (this.mempool.pending({ from: address, transaction: { nonce } }) !== undefined) nonce += 1n;
    return nonce;
  }

  /** Every movement of the canonical chain up to a height, with the block it is in. */
  movements(until: bigint = this.height): readonly (Movement & { readonly block: BlockRef })[] {
    return this.#blocks
      .filter((block) => block.number <= until)
      .flatMap((block) => movementsOf(block, this.native).map((movement) => ({ ...movement, block })));
  }

  locate(hash: Hash): { readonly block: GroundBlock; readonly receipt: Receipt } | undefined {
    for (const block of this.#blocks.toReversed()) {
      const receipt = block.receipts.find((candidate) => candidate.hash === hash);
      if (receipt !== undefined) return { block, receipt };
    }
    return undefined;
  }

  /** Makes a token whose whole supply the faucet holds. */
  deployToken(token: { readonly name: string; readonly feePercent?: bigint; readonly listed?: boolean }): AssetId {
    const address = namedAddress(`token ${token.name}`);
    const asset = tokenAsset(this.id, address);
    this.#assertFree(address);
    const { feePercent = 0n, listed = true } = token;
    this.contracts.set(address, { kind: 'token', asset, feePercent, listed, reverting: false, pretending: false });
    this.history.add({ asset, address: faucet, height: this.height, change: faucetCoins });
    return asset;
  }

  /** From now on, every transfer of the token fails or goes through. */
  switchToken(asset: AssetId, reverting: boolean): void {
    this.#token(asset).reverting = reverting;
  }

  /** From now on, every transfer of the token succeeds and moves nothing, or moves again. */
  pretendToken(asset: AssetId, pretending: boolean): void {
    this.#token(asset).pretending = pretending;
  }

  /** From the next block on the token has other code; undefined takes it away. */
  swapCode(asset: AssetId, code: string | undefined): void {
    const contract = contractOf(asset);
    invariant(contract !== undefined, 'A native coin has no code.', { asset });
    this.#codes.push({ contract, height: this.height + 1n, code });
  }

  /** Stands in for Keccak-256 of the code at an address, by height. */
  codeHash(address: Address, height: bigint): string {
    const program = this.programs.map((one) => one.codeHash(address, this.programState(height))).find(Boolean);
    if (program !== undefined) return program;
    const contract = this.contracts.get(address);
    const swapped = this.#codes.findLast((swap) => swap.contract === address && swap.height <= height);
    if (swapped === undefined) return contract === undefined ? codeHashOfNothing : digestOf('code', contract.kind);
    return swapped.code === undefined ? codeHashOfNothing : digestOf('code', swapped.code);
  }

  #token(asset: AssetId): Extract<Contract, { kind: 'token' }> {
    const token = [...this.contracts.values()].find(
      (contract) => contract.kind === 'token' && contract.asset === asset,
    );
    invariant(token?.kind === 'token', 'There is no such token on the fake chain.', { asset });
    return token;
  }

  /** Puts a contract at an address that from now on refuses native coin, or takes it again. */
  switchRefusal(address: Address, refusing: boolean): void {
    const contract = this.contracts.get(address);
    if (contract === undefined) this.contracts.set(address, { kind: 'refuser', refusing });
    else if (contract.kind === 'refuser') contract.refusing = refusing;
    else this.#assertFree(address);
  }

  /** Takes a signed transaction in as a node does. What was seen once can be mined for ever, whatever the mempool says. */
  submit(raw: Uint8Array): BroadcastOutcome {
    return this.mempool.offer(this.remember(raw), { history: this.history, height: this.height });
  }

  /** Keeps a transaction for later without telling the mempool. */
  remember(raw: Uint8Array): SignedTransaction {
    const signed = decodeSigned(raw);
    this.#seen.set(signed.hash, signed);
    return signed;
  }

  /** Every transaction that was ever sent, the oldest first, whether it is in a block or not. */
  sentBefore(): readonly SignedTransaction[] {
    return [...this.#seen.values()];
  }

  /** Offers a transaction that was sent before once more, as anybody who saw it can. */
  resurface(hash: Hash): BroadcastOutcome {
    const signed = this.#seen.get(hash);
    invariant(signed !== undefined, 'Only a transaction that was sent can surface again.', { hash });
    return this.submit(signed.raw);
  }

  /** A validator's withdrawal in the next block. */
  withdrawValidator(to: Address, amount: bigint): void {
    this.#credits.push({ to, amount, withdrawalIndex: this.#nextWithdrawalIndex });
    this.#nextWithdrawalIndex += 1n;
  }

  /** Native coin in the next block that no transaction, log or trace shows. */
  force(to: Address, amount: bigint): void {
    this.#credits.push({ to, amount });
  }

  mine(options: MineOptions = {}): GroundBlock {
    const parent = this.head;
    const number = parent.number + 1n;
    const credits = this.#credits;
    this.#credits = [];
    const candidates = options.transactions?.map((hash) => this.#seen.get(hash)).filter((known) => known !== undefined);
    const timestamp = this.nextTimestamp;
    this.#skippedSeconds = 0n;
    const receipts = this.#run(candidates ?? this.mempool.ready(), { height: number, timestamp });
    for (const { to, amount } of credits) {
      this.history.add({ asset: this.native, address: to, height: number, change: amount });
    }
    const content = JSON.stringify([
      receipts.map(({ hash }) => hash),
      credits.map((credit) => Object.values(credit).map(String)),
    ]);
    const hash = hashOf('block', parent.hash, String(number), String(this.#branch), content);
    const block = {
      number,
      hash,
      parentHash: parent.hash,
      timestamp,
      receipts,
      credits,
    };
    this.#blocks.push(block);
    for (const receipt of receipts) this.mempool.drop(receipt.hash);
    this.mempool.prune(this.history, number);
    if (this.#finalLag !== 'manual') this.finalize(number - this.#finalLag);
    return block;
  }

  mineMany(count: number): void {
    for (let i = 0; i < count; i++) this.mine();
  }

  /** Declares a block and all before it final. Final blocks stay final: a lower height changes nothing. */
  finalize(height: bigint): void {
    if (height > this.#final) this.#final = this.at(height).number;
  }

  /** Replaces the newest `depth` blocks by a longer branch with other hashes. */
  reorg(depth: number, options: ReorgOptions = {}): void {
    const fork = this.height - BigInt(depth);
    const bound = options.breaksFinality === true ? 0n : this.#final;
    invariant(fork >= bound, 'A reorg cannot reach below the final block.', { depth });
    const removed = this.#blocks.splice(Number(fork) + 1);
    this.history.rewind(fork);
    this.#branch += 1;
    const length = options.length ?? depth + 1;
    for (const block of removed) this.#credits.push(...block.credits);
    const dropped = options.drop ?? [];
    const returning = removed
      .flatMap(({ receipts }) => receipts.map(({ raw }) => decodeSigned(raw)))
      .filter(({ hash }) => dropped !== 'all' && !dropped.includes(hash));
    const emptyBlocks = Math.min(options.emptyBlocks ?? 0, length - 1);
    for (let i = 0; i < emptyBlocks; i++) this.mine({ transactions: [] });
    for (const signed of options.reorder === true ? returning.toReversed() : returning) this.mempool.restore(signed);
    this.mineMany(length - emptyBlocks);
  }

  /** Runs what can run, again and again, because one transaction can make the next one possible. */
  #run(
    candidates: readonly SignedTransaction[],
    { height, timestamp }: { readonly height: bigint; readonly timestamp: bigint },
  ): readonly Receipt[] {
    const { history: state, contracts, programs } = this;
    const baseFee = this.#baseFee(height);
    const execution: Execution = { state, contracts, programs, height, timestamp, baseFee, logIndex: 0 };
    const receipts: Receipt[] = [];
    let waiting = candidates;
    for (let progress = true; progress;) {
      progress = false;
      const later: SignedTransaction[] = [];
      for (const signed of waiting) {
        if (isExecutable(signed, execution)) {
          receipts.push(execute(signed, execution));
          progress = true;
        } else {
          later.push(signed);
        }
      }
      waiting = later;
    }
    return receipts;
  }

  #assertFree(address: Address): void {
    const contract: Contract | undefined = this.contracts.get(address);
    invariant(contract === undefined, 'There is a contract at this address already.', { address });
  }
}

/** All movements of a block: those of its transactions, then what came without one and is listed. */
export function movementsOf(block: GroundBlock, native: AssetId): readonly Movement[] {
  const withdrawn = block.credits.flatMap(({ to, amount, withdrawalIndex }): Movement[] => {
    if (withdrawalIndex === undefined) return [];
    return [{ kind: 'validator-withdrawal', reference: String(withdrawalIndex), asset: native, to, amount }];
  });
  return [...block.receipts.flatMap(({ movements }) => movements), ...withdrawn];
}
