import { CustodyError, invariant } from '@bulkhead/domain';
import { nativeModules } from './native.ts';

/**
 * Bytes outside of JavaScript's heap, between guard pages, locked into RAM and left out of core files. Nobody can read them,
 * this process included, but inside of `read` and `write`: any other touch ends the process.
 */
export type Secret = Disposable & {
  readonly byteLength: number;
  /** The action must be synchronous and keep no view of the bytes. */
  read<T>(action: (bytes: Uint8Array) => T): T;
  write<T>(action: (bytes: Uint8Array) => T): T;
  /** Open until the promise settles: for a module that reads or writes the bytes in a thread of its own. */
  lend<T>(action: (bytes: Uint8Array) => Promise<T>): Promise<T>;
  /** Overwrites and frees. Wiping again does nothing; any other use afterwards is a broken invariant. */
  wipe(): void;
};

/** Largest secret in bytes. Secrets are keys, and locked memory is scarce. */
export const secretBytesMax: number = 4_096;

/**
 * Zeros, to be written.
 *
 * @throws CustodyError `key/native-module-missing`, `key/memory-lock`
 */
export function createSecret(byteLength: number): Secret {
  invariant(
    Number.isInteger(byteLength) && byteLength > 0 && byteLength <= secretBytesMax,
    `A secret of ${byteLength} bytes was asked for; 1 to ${secretBytesMax} are possible.`,
  );
  const { sodium } = nativeModules();
  const memory = lockedMemory(byteLength);
  sodium.sodium_memzero(memory);
  sodium.sodium_mprotect_noaccess(memory);
  let state: 'closed' | 'open' | 'wiped' = 'closed';

  const open = (unlock: (memory: Buffer) => void): void => {
    invariant(state !== 'wiped', 'A secret was asked for after it was wiped.');
    invariant(state === 'closed', 'A secret was asked for while in use: the inner use would close it for the outer.');
    unlock(memory);
    state = 'open';
  };
  const close = (): void => {
    sodium.sodium_mprotect_noaccess(memory);
    state = 'closed';
  };
  const use = <T>(unlock: (memory: Buffer) => void, action: (bytes: Uint8Array) => T): T => {
    open(unlock);
    try {
      const result = action(memory);
      invariant(
        !(result instanceof Promise),
        'A secret was used by something that goes on after the secret is closed.',
      );
      return result;
    } finally {
      close();
    }
  };
  const wipe = (): void => {
    invariant(state !== 'open', 'A secret was wiped while it was in use.');
    if (state === 'wiped') return;
    sodium.sodium_mprotect_readwrite(memory);
    // Freeing overwrites too, but when it does is up to the garbage collector.
    sodium.sodium_memzero(memory);
    sodium.sodium_free(memory);
    state = 'wiped';
  };
  // The memory lives in this closure and in no property: printing or serializing a secret shows nothing.
  return {
    byteLength,
    read: (action) => use((locked) => sodium.sodium_mprotect_readonly(locked), action),
    write: (action) => use((locked) => sodium.sodium_mprotect_readwrite(locked), action),
    lend: async (action) => {
      open((locked) => sodium.sodium_mprotect_readwrite(locked));
      try {
        return await action(memory);
      } finally {
        close();
      }
    },
    wipe,
    [Symbol.dispose]: wipe,
  };
}

/** Moves bytes into a secret: what was given is zeros afterwards, also where this fails. */
export function secretOf(bytes: Uint8Array): Secret {
  try {
    const secret = createSecret(bytes.byteLength);
    secret.write((memory) => memory.set(bytes));
    return secret;
  } finally {
    bytes.fill(0);
  }
}

function lockedMemory(byteLength: number): Buffer {
  const { sodium } = nativeModules();
  try {
    const memory = sodium.sodium_malloc(byteLength);
    // The allocation locks as well, but does not say when it could not.
    sodium.sodium_mlock(memory);
    return memory;
  } catch (error) {
    throw new CustodyError(
      'key/memory-lock',
      `${byteLength} bytes for a secret cannot be locked into memory, and what is not locked can reach the swap file. Raise the limit of locked memory (LimitMEMLOCK of the unit, ulimit -l).`,
      { cause: error },
    );
  }
}
