import {
  type Address,
  type AssetId,
  type BalanceQuery,
  type BlockRef,
  type BroadcastOutcome,
  type Chain,
  type ChainId,
  contractOf,
  CustodyError,
  type FeeTerms,
  type Hash,
  type Hex,
  type Movement,
  type ObservedBlock,
  type Signature,
  type TransactionPlan,
  type TransactionSight,
  type WatchSet,
} from '@bulkhead/domain';
import { isProgramCall, nativeGas, programGas, tokenGas, wouldSucceed } from './execution.ts';
import { FaultPlan } from './fault-plan.ts';
import {
  Ground,
  type GroundBlock,
  type GroundOptions,
  type MineOptions,
  movementsOf,
  type ReorgOptions,
} from './ground.ts';
import { encodeAuthorization } from './authorization.ts';
import { recoverSigner } from './key.ts';
import { Outside } from './outside.ts';
import { assembleSigned, encodeUnsigned, transactionOf } from './transaction.ts';

export type FakeChainOptions = GroundOptions & {
  /** Whether inner calls are seen. Without traces only the balance tells of them. */
  readonly traces?: boolean;
  /** Tip that {@link FakeChain.estimate} proposes, in wei per gas. */
  readonly priorityFee?: bigint;
};

/** Blocks that a head lags in the fault `behind` and a final block in `stale-final`. */
export const lagBlocks = 3n;
const priorityFeeDefault = 1_000_000_000n;

/**
 * A deterministic chain in memory behind the port `Chain`. `ground` is the truth, `outside` everybody else, `faults` what goes
 * wrong between the truth and us.
 */
export class FakeChain implements Chain {
  readonly id: ChainId;
  readonly native: AssetId;
  readonly ground: Ground;
  readonly outside: Outside;
  readonly faults: FaultPlan;
  /** Whether inner calls are seen. */
  readonly traces: boolean;
  readonly #priorityFee: bigint;

  constructor(options: FakeChainOptions = {}) {
    this.ground = new Ground(options);
    this.outside = new Outside(this.ground);
    this.id = this.ground.id;
    this.native = this.ground.native;
    this.faults = new FaultPlan(this.id);
    this.traces = options.traces ?? true;
    this.#priorityFee = options.priorityFee ?? priorityFeeDefault;
  }

  mine(options: MineOptions = {}): BlockRef {
    return refOf(this.ground.mine(options));
  }

  /** Mines until everything that is in a block now is final. */
  settle(): void {
    const { height } = this.ground;
    while (this.ground.final.number < height) this.ground.mine();
  }

  reorg(depth: number, options: ReorgOptions = {}): void {
    this.ground.reorg(depth, options);
  }

  async heads(): Promise<{ readonly latest: BlockRef; readonly final: BlockRef }> {
    const fault = await this.faults.meet('heads');
    const { height, final } = this.ground;
    if (fault === undefined) return { latest: refOf(this.ground.head), final: refOf(final) };
    const older = notNegative(final.number - lagBlocks);
    if (fault === 'stale-final') return { latest: refOf(this.ground.head), final: refOf(this.ground.at(older)) };
    const latest = notNegative(height - lagBlocks);
    return {
      latest: refOf(this.ground.at(latest)),
      final: refOf(this.ground.at(final.number < latest ? final.number : latest)),
    };
  }

  async block(height: bigint, watch: WatchSet): Promise<ObservedBlock | undefined> {
    const block = this.#visible(height, await this.faults.meet('block'));
    if (block === undefined) return undefined;
    const touches = ({ from, to }: Movement): boolean =>
      (from !== undefined && watch.has(from)) || (to !== undefined && watch.has(to));
    return {
      ...refOf(block),
      parentHash: block.parentHash,
      timestamp: block.timestamp,
      movements: movementsOf(block, this.native).filter((movement) => touches(movement) && this.#shows(movement)),
      sent: block.receipts
        .filter(({ from }) => watch.has(from))
        .map(({ hash, from, nonce, succeeded, fee }) => ({ hash, from, nonce, succeeded, fee })),
      logs: block.receipts
        .flatMap(({ logs }) => logs)
        .filter(({ address }) => watch.has(address) || watch.contracts?.has(address) === true),
    };
  }

  async hashAt(height: bigint): Promise<Hash | undefined> {
    return this.#visible(height, await this.faults.meet('hashAt'))?.hash;
  }

  async balances(queries: readonly BalanceQuery[], at: BlockRef): Promise<readonly bigint[]> {
    await this.faults.meet('balances');
    this.#assertCanonical(at);
    return queries.map(({ asset, address }) => this.ground.balance(asset, address, at.number));
  }

  async codeHash(address: Address, at: BlockRef): Promise<string> {
    await this.faults.meet('codeHash');
    this.#assertCanonical(at);
    return this.ground.codeHash(address, at.number);
  }

  async read(contract: Address, data: Hex, at: BlockRef): Promise<Hex> {
    await this.faults.meet('read');
    this.#assertCanonical(at);
    const state = this.ground.programState(at.number);
    const program = this.ground.programs.find((candidate) => candidate.handles(contract, state));
    const answer = program === undefined ? '0x' : program.view(contract, data, state);
    if (answer !== undefined) return answer;
    throw new CustodyError('transaction/rejected', `${this.id}: the call of ${contract} fails.`);
  }

  async nonce(address: Address, at: BlockRef | 'latest'): Promise<bigint> {
    await this.faults.meet('nonce');
    if (at === 'latest') return this.ground.nonce(address);
    this.#assertCanonical(at);
    return this.ground.nonce(address, at.number);
  }

  async estimate(plan: TransactionPlan): Promise<FeeTerms> {
    await this.faults.meet('estimate');
    const { history: state, contracts, programs, height, nextBaseFee: baseFee, nextTimestamp: timestamp } = this.ground;
    const on = { state, contracts, programs, height, timestamp, baseFee };
    const maxPriorityFeePerGas = this.#priorityFee;
    const plain = contractOf(plan.asset) === undefined ? nativeGas : tokenGas;
    const gasLimit = plan.data === undefined ? plain : programGas;
    const terms = { gasLimit, maxFeePerGas: this.ground.nextBaseFee * 2n + maxPriorityFeePerGas, maxPriorityFeePerGas };
    const transaction = transactionOf(plan, terms, { chain: this.id, nonce: this.ground.nonce(plan.from) });
    const called = { transaction, from: plan.from };
    const carries = (plan.authorizations ?? []).length > 0;
    const answered = plan.data === undefined || carries || isProgramCall(called, on);
    if (answered && wouldSucceed(called, on)) return terms;
    throw new CustodyError(
      'transaction/rejected',
      `${this.id}: paying ${plan.amount} of ${plan.asset} from ${plan.from} to ${plan.to} would fail now.`,
    );
  }

  build(plan: TransactionPlan, terms: FeeTerms, nonce: bigint): Uint8Array {
    return encodeUnsigned(transactionOf(plan, terms, { chain: this.id, nonce }));
  }

  assemble(
    unsigned: Uint8Array,
    signature: Signature,
  ): { readonly raw: Uint8Array; readonly hash: Hash; readonly from: Address } {
    const { raw, hash, from } = assembleSigned(unsigned, signature);
    return { raw, hash, from };
  }

  authorization(delegate: Address, nonce: bigint): Uint8Array {
    return encodeAuthorization(this.id, delegate, nonce);
  }

  authorizedBy(authorization: Uint8Array, signature: Signature): Address {
    return recoverSigner(authorization, signature);
  }

  async broadcast(raw: Uint8Array): Promise<BroadcastOutcome> {
    await this.faults.meet('broadcast');
    const { hash } = this.ground.remember(raw);
    const fault = this.faults.meetBroadcast();
    if (fault === 'accepted-lost') return 'accepted';
    if (fault === 'unclear-lost') return 'unclear';
    const outcome = this.ground.submit(raw);
    if (fault === 'unclear-accepted') return 'unclear';
    if (fault === 'accepted-withheld' && outcome === 'accepted') this.ground.mempool.withhold(hash);
    return outcome;
  }

  async sight(hash: Hash): Promise<TransactionSight> {
    await this.faults.meet('sight');
    const found = this.ground.locate(hash);
    if (found !== undefined) return { at: 'block', block: refOf(found.block), succeeded: found.receipt.succeeded };
    return this.ground.mempool.has(hash) ? { at: 'mempool' } : { at: 'unknown' };
  }

  #visible(height: bigint, fault: 'behind' | 'stale-final' | undefined): GroundBlock | undefined {
    const head = fault === 'behind' ? this.ground.height - lagBlocks : this.ground.height;
    return height > head ? undefined : this.ground.find(height);
  }

  #shows(movement: Movement): boolean {
    if (movement.kind === 'internal') return this.traces;
    const contract = contractOf(movement.asset);
    if (contract === undefined) return true;
    const token = this.ground.contracts.get(contract);
    return token?.kind === 'token' && token.listed;
  }

  /** A node cannot answer about a block that a reorg took away. */
  #assertCanonical(block: BlockRef): void {
    if (this.ground.isCanonical(block)) return;
    throw new CustodyError(
      'chain/unavailable',
      `${this.id} does not know block ${block.number} ${block.hash} any more.`,
    );
  }
}

function refOf({ number, hash }: BlockRef): BlockRef {
  return { number, hash };
}

function notNegative(height: bigint): bigint {
  return height < 0n ? 0n : height;
}
