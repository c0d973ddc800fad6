import type { Chain, Signer, VaultQuorum } from '@bulkhead/domain';
import type { Database, Queries, Transaction } from '@bulkhead/postgres';

/** The process ends here. What was not committed is gone, and whoever waited gets no answer. */
export class Crash extends Error {
  constructor() {
    super('The process was ended on purpose.');
    this.name = 'Crash';
  }
}

/** Counts the points at which a process can be ended, and ends it at the one that was chosen. */
export class Mortality {
  #left: number | undefined;
  #dead = false;
  #deaths = 0;

  get deaths(): number {
    return this.#deaths;
  }

  /** The process ends at the given point from now on; the first is 1. */
  endAfter(points: number): void {
    this.#left = points;
  }

  /** A new process, which does not end by itself. */
  revive(): void {
    this.#dead = false;
    this.#left = undefined;
  }

  /** A point at which the process can end. Once it has, every further point ends it too: code that went on would be a ghost. */
  point(): void {
    if (this.#dead) throw new Crash();
    if (this.#left === undefined) return;
    this.#left -= 1;
    if (this.#left > 0) return;
    this.#dead = true;
    this.#deaths += 1;
    throw new Crash();
  }
}

class MortalTransaction implements Transaction {
  readonly #inner: Transaction;
  readonly #mortality: Mortality;

  constructor(inner: Transaction, mortality: Mortality) {
    this.#inner = inner;
    this.#mortality = mortality;
  }

  async query(...args: Parameters<Queries['query']>): ReturnType<Queries['query']> {
    this.#mortality.point();
    return this.#inner.query(...args);
  }

  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    this.#mortality.point();
    return this.#inner.savepoint(work);
  }
}

/** A database whose client can end before a statement, before a commit, and after a commit that nobody hears of. */
export function mortalDatabase(inner: Database, mortality: Mortality): Database {
  return {
    async query(...args) {
      mortality.point();
      const rows = await inner.query(...args);
      mortality.point();
      return rows;
    },
    async transaction(work, options) {
      mortality.point();
      const result = await inner.transaction(async (tx) => {
        const done = await work(new MortalTransaction(tx, mortality));
        mortality.point();
        return done;
      }, options);
      mortality.point();
      return result;
    },
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
  };
}

/** A chain whose caller can end before it asks and before it hears the answer: a broadcast may have happened all the same. */
export function mortalChain(inner: Chain, mortality: Mortality): Chain {
  const mortal = async <T>(call: () => Promise<T>): Promise<T> => {
    mortality.point();
    const answer = await call();
    mortality.point();
    return answer;
  };
  return {
    id: inner.id,
    heads: () => mortal(() => inner.heads()),
    block: (height, watch) => mortal(() => inner.block(height, watch)),
    hashAt: (height) => mortal(() => inner.hashAt(height)),
    balances: (queries, at) => mortal(() => inner.balances(queries, at)),
    codeHash: (address, at) => mortal(() => inner.codeHash(address, at)),
    read: (contract, data, at) => mortal(() => inner.read(contract, data, at)),
    nonce: (address, at) => mortal(() => inner.nonce(address, at)),
    estimate: (plan) => mortal(() => inner.estimate(plan)),
    build: (plan, terms, nonce) => inner.build(plan, terms, nonce),
    assemble: (unsigned, signature) => inner.assemble(unsigned, signature),
    authorization: (delegate, nonce) => inner.authorization(delegate, nonce),
    authorizedBy: (authorization, signature) => inner.authorizedBy(authorization, signature),
    broadcast: (raw) => mortal(() => inner.broadcast(raw)),
    sight: (hash) => mortal(() => inner.sight(hash)),
  };
}

/** What can go wrong between a process and the signer. */
export type SignerWeather = {
  /** Called before the signer is asked, and before its answer is heard: it may throw what the caller then meets. */
  readonly pass: () => void;
};

/**
 * A signer whose caller can end before it asks and before it hears the answer, and whose answers can be lost: what was asked may
 * have been done all the same.
 */
export function mortalSigner(inner: Signer, mortality: Mortality, weather: SignerWeather): Signer {
  const mortal = asking(mortality, weather);
  return {
    status: () => mortal(() => inner.status()),
    account: (compartment) => mortal(() => inner.account(compartment)),
    wallet: (key) => mortal(() => inner.wallet(key)),
    certifyAddress: (claim) => mortal(() => inner.certifyAddress(claim)),
    outlook: (intent, evidence) => mortal(() => inner.outlook(intent, evidence)),
    lodge: (intent, approval) => mortal(() => inner.lodge(intent, approval)),
    sign: (request) => mortal(() => inner.sign(request)),
    change: (change) => mortal(() => inner.change(change)),
    records: (after, limit) => mortal(() => inner.records(after, limit)),
  };
}

/** The same of the signers of vaults together. */
export function mortalQuorum(inner: VaultQuorum, mortality: Mortality, weather: SignerWeather): VaultQuorum {
  const mortal = asking(mortality, weather);
  return {
    signVault: (request) => mortal(() => inner.signVault(request)),
    signSetChange: (request) => mortal(() => inner.signSetChange(request)),
    certifyVault: (claim) => mortal(() => inner.certifyVault(claim)),
    certifyForwarder: (claim) => mortal(() => inner.certifyForwarder(claim)),
  };
}

function asking(mortality: Mortality, weather: SignerWeather): <T>(call: () => Promise<T>) => Promise<T> {
  return async (call) => {
    mortality.point();
    weather.pass();
    const answer = await call();
    mortality.point();
    weather.pass();
    return answer;
  };
}
