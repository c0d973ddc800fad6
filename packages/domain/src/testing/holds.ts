import { invariant } from '../fault.ts';
import type { TransferKey, TransferRequest } from '../transfer.ts';

/** A hold as the books would know it. `posted` is what left by it, in base units. */
export type Hold = {
  readonly request: Extract<TransferRequest, { type: 'hold' }>;
  readonly ended?: 'posted' | 'voided';
  readonly posted: bigint;
};

/** The rules of the ledger for holds, in memory: what it would refuse throws here. */
export class Holds {
  readonly #holds: Map<TransferKey, Hold> = new Map();
  readonly #keys: Set<TransferKey> = new Set();

  /** Takes linked groups in the order in which they would be posted. */
  apply(groups: readonly (readonly TransferRequest[])[]): void {
    for (const request of groups.flat()) this.#take(request);
  }

  get all(): readonly Hold[] {
    return [...this.#holds.values()];
  }

  get open(): readonly Hold[] {
    return this.all.filter(({ ended }) => ended === undefined);
  }

  #take(request: TransferRequest): void {
    invariant(!this.#keys.has(request.key), 'A key was used twice.', { code: request.code });
    this.#keys.add(request.key);
    if (request.type === 'post') return;
    if (request.type === 'hold') {
      invariant(request.amount > 0n, 'A hold of nothing.', { code: request.code });
      this.#holds.set(request.key, { request, posted: 0n });
      return;
    }
    const hold = this.#holds.get(request.hold);
    invariant(hold !== undefined, 'The hold is not there.', { code: request.code });
    invariant(hold.ended === undefined, 'The hold has ended already.', { code: request.code });
    const posted = request.type === 'post-hold' ? request.amount : 0n;
    invariant(posted <= hold.request.amount, 'More is posted than was held.', { code: request.code });
    this.#holds.set(request.hold, { ...hold, posted, ended: request.type === 'post-hold' ? 'posted' : 'voided' });
  }
}
