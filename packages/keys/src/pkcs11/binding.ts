import { existsSync } from 'node:fs';
import { CustodyError } from '@bulkhead/domain';
import type koffiModule from 'koffi';

type Koffi = typeof koffiModule;

/**
 * Place in CK_FUNCTION_LIST and count of arguments. Every argument is a CK_ULONG or a pointer, both of eight bytes, so the count
 * is the whole signature.
 */
const functions = {
  C_Initialize: [0, 1],
  C_Finalize: [1, 1],
  C_GetSlotList: [4, 3],
  C_GetTokenInfo: [6, 2],
  C_GetMechanismList: [7, 3],
  C_GetMechanismInfo: [8, 3],
  C_OpenSession: [12, 5],
  C_CloseSession: [13, 1],
  C_GetSessionInfo: [15, 2],
  C_Login: [18, 4],
  C_Logout: [19, 1],
  C_CreateObject: [20, 4],
  C_DestroyObject: [22, 2],
  C_GetAttributeValue: [24, 4],
  C_SetAttributeValue: [25, 4],
  C_FindObjectsInit: [26, 3],
  C_FindObjects: [27, 4],
  C_FindObjectsFinal: [28, 1],
  C_EncryptInit: [29, 3],
  C_Encrypt: [30, 5],
  C_DecryptInit: [33, 3],
  C_Decrypt: [34, 5],
  C_SignInit: [42, 3],
  C_Sign: [43, 5],
  C_GenerateKey: [58, 5],
  C_GenerateKeyPair: [59, 8],
  C_DeriveKey: [62, 6],
  C_GenerateRandom: [64, 3],
} as const;

export type CryptokiFunction = keyof typeof functions;

/** Functions of one loaded library. Arguments are numbers of Cryptoki and addresses of memory that stays in place for the call. */
export type Cryptoki = {
  /** Blocks the process: for what happens once. */
  call(name: CryptokiFunction, args: readonly bigint[]): number;
  /** Runs in a thread, so that a module at the other end of a network holds up nobody else. */
  callAsync(name: CryptokiFunction, args: readonly bigint[]): Promise<number>;
};

const loaded: { readonly koffi?: Koffi; readonly failure?: unknown } = await loadKoffi();
/** Function types by count of arguments: koffi knows each name once per process. */
const prototypes = new Map<number, ReturnType<Koffi['proto']>>();

/**
 * Libraries that were loaded. koffi unloads one when its handle is collected, whatever still points into it; and a vendor's library
 * with threads of its own does not survive unloading.
 */
const libraries: ReturnType<Koffi['load']>[] = [];

/** Address of the first byte, for as long as the buffer lives. */
export function addressOf(memory: Uint8Array): bigint {
  return foreignFunctions().address(memory);
}

/**
 * Loads a PKCS#11 library and reads its list of functions.
 *
 * @throws CustodyError `hsm/unavailable`, `key/native-module-missing`
 */
export function bindCryptoki(path: string): Cryptoki {
  const koffi = foreignFunctions();
  const start = functionListOf(path);
  const entries = new DataView(koffi.view(start, 8 * 68));
  const bound = new Map<string, { readonly direct: Callable; readonly threaded: Callable }>();
  for (const [name, [index, count]] of Object.entries(functions)) {
    // The list begins with a version of two bytes, padded to eight.
    const pointer = entries.getBigUint64(8 + 8 * index, true);
    if (pointer === 0n) throw unavailableLibrary(path, `it has no ${name}`);
    const decoded: unknown = koffi.decode(pointer, prototypeOf(count));
    bound.set(name, { direct: callable(decoded), threaded: callable(threadedHalf(decoded)) });
  }
  const find = (name: CryptokiFunction): { readonly direct: Callable; readonly threaded: Callable } => {
    const found = bound.get(name);
    if (found === undefined) throw unavailableLibrary(path, `it has no ${name}`);
    return found;
  };
  return {
    call: (name, args) => resultOf(find(name).direct(...args)),
    callAsync: (name, args) =>
      new Promise((resolve, reject) => {
        find(name).threaded(...args, (error: unknown, result: unknown) => {
          if (error === null || error === undefined) resolve(resultOf(result));
          else reject(new Error(`${name} could not be called.`, { cause: error }));
        });
      }),
  };
}

type Callable = (...args: readonly unknown[]) => unknown;

function callable(value: unknown): Callable {
  if (typeof value !== 'function') throw new TypeError('A pointer to a function was not decoded as one.');
  return (...args) => {
    const result: unknown = Reflect.apply(value, undefined, args);
    return result;
  };
}

/** koffi hangs the asynchronous form of a function on the function. */
function threadedHalf(decoded: unknown): unknown {
  return typeof decoded === 'function' ? Reflect.get(decoded, 'async') : undefined;
}

function prototypeOf(count: number): ReturnType<Koffi['proto']> {
  const known = prototypes.get(count);
  if (known !== undefined) return known;
  const made = foreignFunctions().proto(
    `CryptokiOf${count}`,
    'uint64_t',
    Array.from({ length: count }, () => 'uint64_t'),
  );
  prototypes.set(count, made);
  return made;
}

function functionListOf(path: string): bigint {
  const koffi = foreignFunctions();
  const out = Buffer.alloc(8);
  let result: unknown;
  try {
    const library = koffi.load(path);
    libraries.push(library);
    const getFunctionList = callable(library.func('C_GetFunctionList', 'uint64_t', ['void *']));
    result = getFunctionList(out);
  } catch (error) {
    throw unavailableLibrary(
      path,
      existsSync(path) ? 'it is no PKCS#11 library for this machine' : 'there is no such file',
      error,
    );
  }
  const list = out.readBigUInt64LE();
  if (resultOf(result) !== 0 || list === 0n) throw unavailableLibrary(path, 'it gives no list of functions');
  return list;
}

function resultOf(result: unknown): number {
  if (typeof result === 'number' || typeof result === 'bigint') return Number(result);
  throw new TypeError('A PKCS#11 function gave no number.');
}

function unavailableLibrary(path: string, reason: string, cause?: unknown): CustodyError {
  const hint = /softhsm/iu.test(path) ? ' On Debian and Ubuntu: apt-get install softhsm2.' : '';
  return new CustodyError(
    'hsm/unavailable',
    `The PKCS#11 library ${path} cannot be loaded: ${reason}.${hint} Otherwise install the client of the module's vendor, or correct the path.`,
    { details: { library: path }, ...(cause === undefined ? {} : { cause }) },
  );
}

function foreignFunctions(): Koffi {
  if (loaded.koffi !== undefined) return loaded.koffi;
  throw new CustodyError(
    'key/native-module-missing',
    'The native module koffi cannot be loaded, and hardware modules are reached through it alone. Install the packages for this platform, and allow addons where Node runs with --permission.',
    { cause: loaded.failure },
  );
}

async function loadKoffi(): Promise<{ readonly koffi?: Koffi; readonly failure?: unknown }> {
  try {
    const { default: koffi } = await import('koffi');
    return { koffi };
  } catch (failure) {
    return { failure };
  }
}
