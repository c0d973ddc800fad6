import { CustodyError } from '@bulkhead/domain';
import type { FakeChainOptions } from '@bulkhead/fakes';
import type { Database, Queries, Transaction, TransactionOptions } from '@bulkhead/postgres';

/**
 * - `before`: the step is not taken;
 * - `after`: it is taken, and its answer is lost. For a commit that is the one outcome nobody can know.
 */
export type Interruption = 'before' | 'after';

/** A chain whose blocks are final soon: a life has the same steps there, and fewer that only repeat one. */
export const quick: FakeChainOptions = { finalLag: 1n };

/** Ends the work of its user at one step, as a killed process or a lost connection does. */
export class Interrupter {
  #stepsLeft: number | undefined;
  #kind: Interruption = 'before';
  /** Steps that were taken since the last {@link arm}. */
  steps = 0;

  /** The step with this number from now on, counted from 0, is interrupted, once. */
  arm(step: number, kind: Interruption): void {
    this.#stepsLeft = step;
    this.#kind = kind;
    this.steps = 0;
  }

  disarm(): void {
    this.#stepsLeft = undefined;
    this.steps = 0;
  }

  async step<T>(work: () => Promise<T>): Promise<T> {
    this.steps += 1;
    const due = this.#stepsLeft === 0;
    if (this.#stepsLeft !== undefined) this.#stepsLeft = due ? undefined : this.#stepsLeft - 1;
    if (!due) return work();
    if (this.#kind === 'after') await work();
    throw new CustodyError(
      'database/unavailable',
      'The connection was lost; whether the last step happened is not known.',
    );
  }
}

/** A database whose every statement and commit can be the last one of its user. */
export function interruptible(db: Database, interrupter: Interrupter): Database {
  const queries =
    (inner: Queries): Queries['query'] =>
    (text, values, options) =>
      interrupter.step(() => inner.query(text, values, options));
  return {
    query: queries(db),
    async transaction<T>(work: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T> {
      let result: { readonly value: T } | undefined;
      await db.transaction(async (tx) => {
        const value = await work({ query: queries(tx), savepoint: (inner) => tx.savepoint(inner) });
        result = { value };
        // Lost before the commit arrives: the transaction rolls back.
        await interrupter.step(async () => undefined);
      }, options);
      // Lost after the commit: it happened, and the caller does not learn it.
      return interrupter.step(async () => {
        if (result === undefined) {
          throw new CustodyError('invariant/broken', 'A transaction committed without a result.');
        }
        return result.value;
      });
    },
    close: () => db.close(),
    [Symbol.asyncDispose]: () => db.close(),
  };
}
