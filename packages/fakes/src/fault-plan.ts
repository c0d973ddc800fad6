import { type ChainId, CustodyError } from '@bulkhead/domain';
import type { Random } from './random.ts';

/** Methods of the port that can fail. `build` and `assemble` are pure and cannot. */
export type PortMethod =
  | 'heads'
  | 'block'
  | 'hashAt'
  | 'balances'
  | 'codeHash'
  | 'read'
  | 'nonce'
  | 'estimate'
  | 'broadcast'
  | 'sight';

/**
 * - `unavailable`, `nonsense`, `disagreement`: the three faults of the port;
 * - `slow`: the answer comes after others had their turn;
 * - `behind`: the head that is shown lies some blocks back, also for `block` and `hashAt`;
 * - `stale-final`: the final block that is shown is an older one.
 */
export type PortFault = 'unavailable' | 'nonsense' | 'disagreement' | 'slow' | 'behind' | 'stale-final';

/**
 * What becomes of a broadcast that is not just taken.
 * - `accepted-lost`: said to be accepted, and forgotten;
 * - `accepted-withheld`: in the mempool, and in no block before it is released;
 * - `unclear-accepted`, `unclear-lost`: nobody answered, and it arrived or did not.
 */
export type BroadcastFault = 'accepted-lost' | 'accepted-withheld' | 'unclear-accepted' | 'unclear-lost';

export type Chaos = {
  readonly random: Random;
  /** Of a hundred calls. */
  readonly percent: number;
  readonly faults: readonly PortFault[];
  readonly broadcasts: readonly BroadcastFault[];
};

const slowTurns = 3;

/** Which call fails how: what was scripted first, then what chance says. */
export class FaultPlan {
  readonly #chain: ChainId;
  readonly #scripted = new Map<PortMethod, PortFault[]>();
  readonly #broadcasts: BroadcastFault[] = [];
  readonly #gates = new Map<PortMethod, Promise<void>>();
  #chaos: Chaos | undefined;

  constructor(chain: ChainId) {
    this.#chain = chain;
  }

  /** The next calls of a method meet these faults, one each. */
  script(method: PortMethod, ...faults: readonly PortFault[]): void {
    this.#scripted.set(method, [...(this.#scripted.get(method) ?? []), ...faults]);
  }

  scriptBroadcast(...faults: readonly BroadcastFault[]): void {
    this.#broadcasts.push(...faults);
  }

  /** Calls of every method meet faults by chance, until {@link calm}. */
  unleash(chaos: Chaos): void {
    this.#chaos = chaos;
  }

  /** Ends all faults, scripted ones too. */
  calm(): void {
    this.#chaos = undefined;
    this.#scripted.clear();
    this.#broadcasts.length = 0;
  }

  /** Makes calls of a method wait until the returned function is called. */
  hold(method: PortMethod): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gates.set(method, promise);
    return () => {
      this.#gates.delete(method);
      resolve();
    };
  }

  /** What a call meets; the faults of the port are thrown. */
  async meet(method: PortMethod): Promise<'behind' | 'stale-final' | undefined> {
    const fault = this.#scripted.get(method)?.shift() ?? this.#byChance();
    await this.#gates.get(method);
    switch (fault) {
      case 'unavailable':
        throw this.#thrown('chain/unavailable', `nobody answered ${method}`);
      case 'nonsense':
        throw this.#thrown('chain/nonsense', `${method} was answered by something that cannot be true`);
      case 'disagreement':
        throw this.#thrown('chain/disagreement', `the sources disagree on ${method}`);
      case 'slow':
        for (let turn = 0; turn < slowTurns; turn++) await new Promise((resolve) => setImmediate(resolve));
        return undefined;
      case 'behind':
      case 'stale-final':
      case undefined:
        return fault;
    }
  }

  meetBroadcast(): BroadcastFault | undefined {
    const scripted = this.#broadcasts.shift();
    if (scripted !== undefined || this.#chaos === undefined || this.#chaos.broadcasts.length === 0) return scripted;
    const { random, percent, broadcasts } = this.#chaos;
    return random.percent(percent) ? random.pick(broadcasts) : undefined;
  }

  #byChance(): PortFault | undefined {
    if (this.#chaos === undefined || this.#chaos.faults.length === 0) return undefined;
    const { random, percent, faults } = this.#chaos;
    return random.percent(percent) ? random.pick(faults) : undefined;
  }

  #thrown(code: 'chain/unavailable' | 'chain/nonsense' | 'chain/disagreement', fact: string): CustodyError {
    return new CustodyError(code, `${this.#chain}: ${fact}.`);
  }
}
