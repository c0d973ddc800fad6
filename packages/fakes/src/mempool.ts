import { type BroadcastOutcome, bumpPercentMin, type Hash, nativeAsset } from '@bulkhead/domain';
import type { History } from './history.ts';
import type { SignedTransaction } from './transaction.ts';

/** Below this a node does not keep a transaction, in wei per gas. */
export const mempoolFeeMin = 1n;

/** Transactions that wait for a block, under the rules of common nodes. */
export class Mempool {
  /** In the order of arrival. */
  readonly #waiting = new Map<Hash, SignedTransaction>();
  /** Kept out of blocks until released. */
  readonly #withheld = new Set<Hash>();

  has(hash: Hash): boolean {
    return this.#waiting.has(hash);
  }

  /** Those that may go into a block now, oldest first. */
  ready(): readonly SignedTransaction[] {
    return [...this.#waiting.values()].filter(({ hash }) => !this.#withheld.has(hash));
  }

  /** Takes a transaction in, in place of one with the same nonce if it pays a tenth more in both fields. */
  offer(signed: SignedTransaction, state: { readonly history: History; readonly height: bigint }): BroadcastOutcome {
    const { transaction, from, hash } = signed;
    if (this.#waiting.has(hash)) return 'already-known';
    if (transaction.nonce < state.history.nonce(from, state.height)) return 'nonce-used';
    const { maxFeePerGas, maxPriorityFeePerGas } = transaction;
    if (maxFeePerGas < mempoolFeeMin || maxPriorityFeePerGas > maxFeePerGas) return 'underpriced';
    const cost = transaction.value + transaction.gasLimit * maxFeePerGas;
    if (state.history.balance(nativeAsset(transaction.chain), from, state.height) < cost) return 'insufficient-coin';
    const rival = this.pending(signed);
    if (rival !== undefined) {
      const fields = ['maxFeePerGas', 'maxPriorityFeePerGas'] as const;
      const enough = fields.every(
        (name) => transaction[name] * 100n >= rival.transaction[name] * (100n + bumpPercentMin),
      );
      if (!enough) return 'underpriced';
      this.drop(rival.hash);
    }
    this.#waiting.set(hash, signed);
    return 'accepted';
  }

  /** Takes back a transaction of a block that was reorganised away: it was good enough for a block, so nothing is asked again. */
  restore(signed: SignedTransaction): void {
    if (this.pending(signed) === undefined) this.#waiting.set(signed.hash, signed);
  }

  /** The transaction that waits with the nonce of another one's sender. */
  pending(
    signed: Pick<SignedTransaction, 'from'> & { readonly transaction: { readonly nonce: bigint } },
  ): SignedTransaction | undefined {
    const { from, transaction } = signed;
    return [...this.#waiting.values()].find(
      (other) => other.from === from && other.transaction.nonce === transaction.nonce,
    );
  }

  /** Forgets a transaction, as a full or restarted node does. Whoever has the bytes can offer it again. */
  drop(hash: Hash): void {
    this.#waiting.delete(hash);
    this.#withheld.delete(hash);
  }

  withhold(hash: Hash): void {
    this.#withheld.add(hash);
  }

  release(hash: Hash): void {
    this.#withheld.delete(hash);
  }

  releaseAll(): void {
    this.#withheld.clear();
  }

  /** Forgets what a block has made impossible. */
  prune(history: History, height: bigint): void {
    for (const { hash, from, transaction } of this.#waiting.values()) {
      if (transaction.nonce < history.nonce(from, height)) this.drop(hash);
    }
  }
}
