import { realpathSync } from 'node:fs';
import { CustodyError, invariant } from '@bulkhead/domain';
import { addressOf, bindCryptoki, type Cryptoki } from './binding.ts';
import { ckf, ckr, initializeArgumentBytes } from './cryptoki.ts';
import { accept, Refusal, timedOut } from './refusal.ts';

/** How long a library is waited for before it is finalized, in milliseconds: a call that still runs would be cut off. */
export const quietWaitMs: number = 10_000;

/**
 * A loaded PKCS#11 library. It knows one state per process, so everyone who names the same file shares it, and finalizing it ends the
 * sessions of all: that happens when nobody is inside, and `generation` tells them afterwards.
 */
export type Module = {
  readonly cryptoki: Cryptoki;
  readonly path: string;
  /** How often the library was initialised. */
  generation(): number;
  /** Waits while the library is made anew, and initialises it when it is not. Each `enter` is followed by one `leave`. */
  enter(): Promise<void>;
  leave(): void;
  /** Counts a call that did not come back in time as inside until it does: finalizing beneath it would crash. */
  lose(running: Promise<unknown>): void;
  /** Finalizes and initialises, unless that happened since generation `seen`. The caller must not be inside. */
  renew(seen: number): Promise<void>;
  /** The last one to release finalizes. */
  release(): Promise<void>;
};

type Shared = { readonly module: Module; readonly environment: string; holders: number };

const modules = new Map<string, Shared>();

/**
 * Loads the library, or shares it with those who loaded it before. Two copies of a file are two modules.
 *
 * @param environment what the library finds in the environment when it is initialised, and only then
 * @throws CustodyError `hsm/unavailable`, `config/invalid`
 */
export function acquireModule(library: string, environment: Readonly<Record<string, string>>): Module {
  const path = resolved(library);
  const text = JSON.stringify(Object.entries(environment).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  const known = modules.get(path);
  if (known === undefined) {
    const module = createModule(path, environment);
    modules.set(path, { module, environment: text, holders: 1 });
    return module;
  }
  if (known.environment !== text) {
    throw new CustodyError(
      'config/invalid',
      `The PKCS#11 library ${library} is asked for with two environments, and reads one. Give both tokens the same variables, or use a copy of the library.`,
      { details: { library } },
    );
  }
  known.holders += 1;
  return known.module;
}

function createModule(path: string, environment: Readonly<Record<string, string>>): Module {
  const cryptoki = bindCryptoki(path);
  let generation = 0;
  let initialised = false;
  let inside = 0;
  let renewing: Promise<void> | undefined;
  let quiet: PromiseWithResolvers<void> | undefined;

  const leave = (): void => {
    invariant(inside > 0, 'Somebody left a PKCS#11 library without having entered.');
    inside -= 1;
    if (inside === 0) quiet?.resolve();
  };
  const start = (): void => {
    if (initialised) return;
    initialise(cryptoki, environment);
    initialised = true;
    generation += 1;
  };
  const stop = async (): Promise<void> => {
    await waitUntilQuiet();
    if (initialised) cryptoki.call('C_Finalize', [0n]);
    initialised = false;
  };
  const waitUntilQuiet = async (): Promise<void> => {
    if (inside === 0) return;
    const waiting = (quiet ??= Promise.withResolvers());
    const timer = setTimeout(() => waiting.reject(new Refusal('C_Finalize', timedOut)), quietWaitMs);
    await waiting.promise.finally(() => {
      clearTimeout(timer);
      quiet = undefined;
    });
  };
  return {
    cryptoki,
    path,
    generation: () => generation,
    async enter() {
      // A renewal that failed is the matter of those who asked for it; here it only has to be over.
      while (renewing !== undefined) await renewing.catch(() => undefined);
      start();
      inside += 1;
    },
    leave,
    lose(running) {
      inside += 1;
      running.then(leave, leave);
    },
    async renew(seen) {
      if (generation !== seen) return;
      renewing ??= stop()
        .then(start)
        .finally(() => {
          renewing = undefined;
        });
      await renewing;
    },
    async release() {
      const shared = modules.get(path);
      invariant(shared !== undefined, 'A PKCS#11 library was released more often than it was acquired.');
      shared.holders -= 1;
      if (shared.holders > 0) return;
      modules.delete(path);
      try {
        await stop();
      } catch (error) {
        // A call that never came back keeps the library: it is left as it is, and whoever loads it again finds it initialised.
        if (!(error instanceof Refusal)) throw error;
      }
    },
  };
}

/** The variables are set for this one call: the next module may need others. */
function initialise(cryptoki: Cryptoki, environment: Readonly<Record<string, string>>): void {
  const flags = Buffer.alloc(initializeArgumentBytes);
  flags.writeBigUInt64LE(BigInt(ckf.OS_LOCKING_OK), 32);
  const before = Object.keys(environment).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, environment);
  try {
    const result = cryptoki.call('C_Initialize', [addressOf(flags)]);
    // Another part of this process, such as an OpenSSL provider, may have been first.
    if (result !== ckr.CRYPTOKI_ALREADY_INITIALIZED) accept('C_Initialize', result);
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  }
}

/** Two names of one file are one module. Where the file cannot be looked at, loading it says why. */
function resolved(library: string): string {
  try {
    return realpathSync(library);
  } catch {
    return library;
  }
}
