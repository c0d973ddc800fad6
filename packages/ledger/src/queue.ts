import { CustodyError, invariant, type TransferOutcome, type TransferRequest } from '@bulkhead/domain';
import type { Database } from '@bulkhead/postgres';
import { checkRequest } from './batch.ts';
import { postChecked } from './posting.ts';

/** Most transfers of one batch: beyond this a batch gains little and everybody in it waits longer. */
export const queueBatchMax = 512;
/** Most transfers that may wait. Who comes later is turned away at once instead of waiting for ever. */
export const queueWaitingMax = 20_000;
/** Batches under way at once: while the database works on one, the next is made ready and waits for its rows. */
export const queueLanes = 2;
/** Fewer transfers than this are not divided between idle lanes: the cost of a call would outweigh the overlap. */
export const queueShareMin = 64;

type Waiting = {
  readonly group: readonly TransferRequest[];
  readonly now: Date;
  readonly resolve: (outcomes: readonly TransferOutcome[]) => void;
  readonly reject: (error: unknown) => void;
};

export type LedgerQueueOptions = { readonly batchMax?: number; readonly waitingMax?: number; readonly lanes?: number };

/**
 * Gathers transfers of many callers into batches, for callers that bring no transaction of their own. Whatever has come in
 * while the database was busy is the next batch: no timer, so one lone caller never waits for company.
 *
 * A promise settles after the commit of its batch. The queue keeps nothing: what was not answered when the process dies is
 * asked again with the same keys.
 */
export class LedgerQueue implements AsyncDisposable {
  readonly #db: Database;
  readonly #batchMax: number;
  readonly #waitingMax: number;
  readonly #lanes: number;
  readonly #waiting: Waiting[] = [];
  readonly #running = new Set<Promise<void>>();
  #head = 0;
  #waitingTransfers = 0;
  #isScheduled = false;
  #isClosed = false;

  constructor(db: Database, options: LedgerQueueOptions = {}) {
    this.#db = db;
    this.#batchMax = options.batchMax ?? queueBatchMax;
    this.#waitingMax = options.waitingMax ?? queueWaitingMax;
    this.#lanes = options.lanes ?? queueLanes;
  }

  /**
   * Posts one group, together with whoever else is waiting.
   *
   * @throws CustodyError `ledger/malformed-transfer`; `ledger/queue-full` when too many wait; both store nothing
   * @throws CustodyError `database/busy`, `database/unavailable` as {@link Database}
   */
  async post(group: readonly TransferRequest[], options: { readonly now: Date }): Promise<readonly TransferOutcome[]> {
    invariant(!this.#isClosed, 'The ledger queue is closed.');
    for (const request of group) checkRequest(request);
    if (group.length > this.#batchMax) {
      throw new CustodyError(
        'ledger/malformed-transfer',
        `A group of ${group.length} transfers is too large: give at most ${this.#batchMax}.`,
      );
    }
    if (this.#waitingTransfers + group.length > this.#waitingMax) {
      throw new CustodyError(
        'ledger/queue-full',
        `${this.#waitingTransfers} transfers already wait to be posted: nothing was stored, try again later.`,
        {
          details: { waiting: this.#waitingTransfers },
        },
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ group, now: options.now, resolve, reject });
      this.#waitingTransfers += group.length;
      this.#schedule();
    });
  }

  /** Waits until everything handed in has been answered, then takes no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    while (this.#running.size > 0 || this.#head < this.#waiting.length) {
      this.#pump();
      await Promise.all(this.#running);
    }
  }

  /** Starts batches after the callers of this turn of the event loop have all come in. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#running.size < this.#lanes && this.#head < this.#waiting.length) {
      const run = this.#run(this.#take()).finally(() => {
        this.#running.delete(run);
        this.#pump();
      });
      this.#running.add(run);
    }
  }

  /**
   * The next batch: groups with the same business time, in order, up to the limit. Idle lanes share what waits: callers that
   * ask again once they are answered would otherwise all travel in one batch, and database and process take turns at being idle.
   */
  #take(): readonly Waiting[] {
    const share = Math.ceil(this.#waitingTransfers / (this.#lanes - this.#running.size));
    const sizeMax = Math.min(this.#batchMax, Math.max(queueShareMin, share));
    const batch: Waiting[] = [];
    let size = 0;
    for (let next = this.#waiting[this.#head]; next !== undefined; next = this.#waiting[this.#head]) {
      const isOther = batch[0] !== undefined && batch[0].now.getTime() !== next.now.getTime() && hasHold(next.group);
      if (batch.length > 0 && (size + next.group.length > sizeMax || isOther)) break;
      batch.push(next);
      size += next.group.length;
      this.#head += 1;
    }
    this.#waitingTransfers -= size;
    if (this.#head === this.#waiting.length || this.#head > this.#waitingMax) {
      this.#waiting.splice(0, this.#head);
      this.#head = 0;
    }
    return batch;
  }

  async #run(batch: readonly Waiting[]): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    try {
      const outcomes = await postChecked(
        this.#db,
        batch.map((waiting) => waiting.group),
        first.now,
      );
      // The answer came after the commit: these outcomes are final.
      for (const [index, waiting] of batch.entries()) waiting.resolve(outcomes[index] ?? []);
    } catch (error) {
      if (batch.length === 1 || !isOwnFault(error)) {
        for (const waiting of batch) waiting.reject(error);
        return;
      }
      // Something in the batch cannot be posted and took the others down with it; nothing was stored. One by one, only
      // the culprit fails.
      for (const waiting of batch) await this.#run([waiting]);
    }
  }
}

/** Whether the business time matters: only settling a hold compares it with an expiry. */
function hasHold(group: readonly TransferRequest[]): boolean {
  return group.some((request) => request.type === 'post-hold' || request.type === 'void-hold');
}

/** A fault of a request, not of the database: the others of the batch may still be posted. */
function isOwnFault(error: unknown): boolean {
  return !(error instanceof CustodyError) || error.code === 'ledger/malformed-transfer';
}
