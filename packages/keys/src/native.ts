import { CustodyError } from '@bulkhead/domain';
import type createKeccak from 'keccak/bindings.js';
import type secp256k1Library from 'secp256k1/bindings.js';
import type sodiumLibrary from 'sodium-native';

/** What computes on secrets: code that can be told where to write and that leaves no copies in JavaScript's heap. */
export type NativeModules = {
  readonly sodium: typeof sodiumLibrary;
  readonly secp256k1: typeof secp256k1Library;
  readonly keccak: typeof createKeccak;
};

type Loaded =
  | { readonly modules: NativeModules; readonly failure?: never }
  | { readonly modules?: never; readonly failure: unknown };

const loaded: Loaded = await load();

/**
 * The native modules, or no work at all: JavaScript in their place would leave copies of keys that nothing can wipe.
 *
 * @throws CustodyError `key/native-module-missing`
 */
export function nativeModules(): NativeModules {
  if (loaded.modules !== undefined) return loaded.modules;
  throw new CustodyError(
    'key/native-module-missing',
    'A native module (sodium-native, secp256k1 or keccak) cannot be loaded, and no key is touched without them. Install the packages for this platform, and allow addons where Node runs with --permission.',
    { cause: loaded.failure },
  );
}

/** The same for public data, which may also be computed on in JavaScript. */
export const nativeIfPresent: NativeModules | undefined = loaded.modules;

async function load(): Promise<Loaded> {
  try {
    const [{ default: sodium }, { default: secp256k1 }, { default: keccak }] = await Promise.all([
      import('sodium-native'),
      // Not `secp256k1`, which goes on in JavaScript where the addon cannot load.
      import('secp256k1/bindings.js'),
      import('keccak/bindings.js'),
    ]);
    return { modules: { sodium, secp256k1, keccak } };
  } catch (failure) {
    return { failure };
  }
}
