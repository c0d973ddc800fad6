import { type Address, parseAddress } from '@bulkhead/domain';
import { concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { bytesAt, bytesOf, type Hex, hexOf, malformed, parseWord, wordAt, wordBytes, wordOf } from './word.ts';

/** Keccak-256 of whoever asks: the signer runs without a compiler for JavaScript and passes a native one. */
export type Keccak = { readonly keccak256: (bytes: Uint8Array) => Uint8Array };

export type TypedField = { readonly name: string; readonly type: string };

/** A value in the JSON of `eth_signTypedData_v4`: numbers as decimal strings, byte strings with `0x`. */
export type TypedValue = string | boolean | readonly TypedValue[] | { readonly [name: string]: TypedValue };

/** A value that was read, and the position after it. */
export type Decoded<T> = { readonly value: T; readonly end: number };

/**
 * How a value of Solidity stands in bytes: in calls and events (ABI), and in what is signed (EIP-712). There is one encoding for
 * each value, and decoding refuses all others.
 */
export type Codec<T> = {
  /** Its name in the signature of a function: `uint256`, `(address,uint256)[]`. */
  readonly abiType: string;
  /** Its name in typed data: `uint256`, `Payment[]`. */
  readonly typedType: string;
  /** The structs it is made of, by name. */
  readonly structs: ReadonlyMap<string, readonly TypedField[]>;
  /** Whether its content stands apart from the place where it is named. */
  readonly dynamic: boolean;
  /** Bytes it takes in the place where it is named. */
  readonly headBytes: number;
  encode(value: T): Uint8Array;
  /** Reads the value whose content begins at a position. @throws CustodyError `vault/malformed` */
  decode(bytes: Uint8Array, at: number): Decoded<T>;
  /** The 32 bytes that stand for it in a hashed struct. */
  typedWord(hashes: Keccak, value: T): Uint8Array;
  typedValue(value: T): TypedValue;
};

export type Shape = Readonly<Record<string, Codec<unknown>>>;
export type ValuesOf<S extends Shape> = { readonly [K in keyof S]: S[K] extends Codec<infer T> ? T : never };
export type StructCodec<T> = Codec<T> & {
  readonly fields: readonly TypedField[];
  typedFields(value: T): Readonly<Record<string, TypedValue>>;
};

const noStructs: ReadonlyMap<string, readonly TypedField[]> = new Map();

/** Elements of a list. A block has no room for calls with more. */
export const listLengthMax: number = 4_096;

/** Bytes of one `bytes` value. Whole calls travel in them. */
export const bytesLengthMax: number = 131_072;

type WordForm<T> = {
  readonly type: string;
  readonly toWord: (value: T) => Uint8Array;
  readonly fromWord: (bytes: Uint8Array, at: number) => T;
  readonly toJson: (value: T) => TypedValue;
};

/** A value that fills one word. */
function wordCodec<T>({ type, toWord, fromWord, toJson }: WordForm<T>): Codec<T> {
  return {
    abiType: type,
    typedType: type,
    structs: noStructs,
    dynamic: false,
    headBytes: wordBytes,
    encode: toWord,
    decode: (bytes, at) => ({ value: fromWord(bytes, at), end: at + wordBytes }),
    typedWord: (_hashes, value) => toWord(value),
    typedValue: toJson,
  };
}

/** An unsigned integer of so many bits. */
export function unsigned(bits: number): Codec<bigint> {
  const max = 2n ** BigInt(bits) - 1n;
  const bounded = (value: bigint): bigint => {
    if (value < 0n || value > max) throw malformed(`${value} does not fit into ${bits} bits`);
    return value;
  };
  return wordCodec<bigint>({
    type: `uint${bits}`,
    toWord: (value) => wordOf(bounded(value)),
    fromWord: (bytes, at) => bounded(wordAt(bytes, at)),
    toJson: String,
  });
}

/** A small number with a word for each: `uint8` on the chain. */
export function named<const N extends string>(names: Readonly<Record<N, bigint>>): Codec<N> {
  const byte = unsigned(8);
  const known: readonly N[] = Object.keys(names).filter((name): name is N => Object.hasOwn(names, name));
  const nameOf = (number: bigint): N => {
    const found = known.find((name) => names[name] === number);
    if (found === undefined) throw malformed(`${number} is none of ${known.join(', ')}`);
    return found;
  };
  return wordCodec({
    type: 'uint8',
    toWord: (value) => byte.encode(names[value]),
    fromWord: (bytes, at) => nameOf(byte.decode(bytes, at).value),
    toJson: (value) => String(names[value]),
  });
}

export const addressCodec: Codec<Address> = wordCodec({
  type: 'address',
  toWord: (value) => {
    const word = new Uint8Array(wordBytes);
    word.set(hexToBytes(parseAddress(value).slice(2)), 12);
    return word;
  },
  fromWord: (bytes, at) => {
    if (bytesAt(bytes, at, 12).some((byte) => byte !== 0)) throw malformed('an address has more than 20 bytes');
    return parseAddress(hexOf(bytesAt(bytes, at + 12, 20)));
  },
  toJson: (value) => value,
});

export const wordHexCodec: Codec<Hex> = wordCodec({
  type: 'bytes32',
  toWord: (value) => bytesOf(parseWord(value)),
  fromWord: (bytes, at) => hexOf(bytesAt(bytes, at, wordBytes)),
  toJson: (value) => value,
});

export const booleanCodec: Codec<boolean> = wordCodec({
  type: 'bool',
  toWord: (value) => wordOf(value ? 1n : 0n),
  fromWord: (bytes, at) => {
    const number = wordAt(bytes, at);
    if (number > 1n) throw malformed(`${number} is neither true nor false`);
    return number === 1n;
  },
  toJson: (value) => value,
});

export const bytesCodec: Codec<Hex> = {
  abiType: 'bytes',
  typedType: 'bytes',
  structs: noStructs,
  dynamic: true,
  headBytes: wordBytes,
  encode: (value) => {
    const bytes = bytesOf(value);
    return concatBytes(wordOf(BigInt(bytes.length)), bytes, new Uint8Array(paddingOf(bytes.length)));
  },
  decode: (bytes, at) => {
    const length = lengthAt(bytes, at, bytesLengthMax);
    const start = at + wordBytes;
    const padding = bytesAt(bytes, start + length, paddingOf(length));
    if (padding.some((byte) => byte !== 0)) throw malformed('bytes are filled up with something else than zeros');
    return { value: hexOf(bytesAt(bytes, start, length)), end: start + length + padding.length };
  },
  typedWord: ({ keccak256 }, value) => keccak256(bytesOf(value)),
  typedValue: (value) => value,
};

/** Text in UTF-8. */
export const textCodec: Codec<string> = {
  ...bytesCodec,
  abiType: 'string',
  typedType: 'string',
  encode: (value) => bytesCodec.encode(hexOf(utf8ToBytes(value))),
  decode: (bytes, at) => {
    const { value, end } = bytesCodec.decode(bytes, at);
    return { value: textOf(bytesOf(value)), end };
  },
  typedWord: ({ keccak256 }, value) => keccak256(utf8ToBytes(value)),
  typedValue: (value) => value,
};

function textOf(bytes: Uint8Array): string {
  try {
    // A mark of byte order is a character like any other: without this two texts would have one value.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed('a text is not UTF-8');
  }
}

export function listOf<T>(element: Codec<T>): Codec<readonly T[]> {
  return {
    abiType: `${element.abiType}[]`,
    typedType: `${element.typedType}[]`,
    structs: element.structs,
    dynamic: true,
    headBytes: wordBytes,
    encode: (values) => concatBytes(wordOf(BigInt(values.length)), encodeAll(values.map((value) => [element, value]))),
    decode: (bytes, at) => {
      const count = lengthAt(bytes, at, listLengthMax);
      const reader = readerAt(bytes, at + wordBytes, count * element.headBytes);
      const values: T[] = [];
      for (let index = 0; index < count; index++) values.push(reader.next(element));
      return { value: values, end: reader.end() };
    },
    typedWord: (hashes, values) =>
      hashes.keccak256(concatBytes(...values.map((value) => element.typedWord(hashes, value)))),
    typedValue: (values) => values.map((value) => element.typedValue(value)),
  };
}

/** A struct. One without a name is the list of arguments of a function, an event or `abi.encode`. */
export function struct<const S extends Shape>(name: string, shape: S): StructCodec<ValuesOf<S>> {
  const entries = Object.entries(shape);
  const codecs = entries.map(([, codec]) => codec);
  const dynamic = codecs.some((codec) => codec.dynamic);
  const headBytes = codecs.reduce((sum, codec) => sum + codec.headBytes, 0);
  const fields = entries.map(([field, { typedType }]) => ({ name: field, type: typedType }));
  const structs = new Map([...codecs.flatMap((codec) => [...codec.structs]), [name, fields]]);
  const valueOf = (values: ValuesOf<S>, field: string): unknown => new Map(Object.entries(values)).get(field);
  const encodeType = typeText(name, structs);
  const typedFields = (values: ValuesOf<S>): Readonly<Record<string, TypedValue>> =>
    Object.fromEntries(entries.map(([field, codec]) => [field, codec.typedValue(valueOf(values, field))]));
  return {
    abiType: `(${codecs.map((codec) => codec.abiType).join(',')})`,
    typedType: name,
    structs,
    fields,
    dynamic,
    headBytes: dynamic ? wordBytes : headBytes,
    encode: (values) => encodeAll(entries.map(([field, codec]) => [codec, valueOf(values, field)])),
    decode: (bytes, at) => {
      const reader = readerAt(bytes, at, headBytes);
      const made = Object.fromEntries(entries.map(([field, codec]) => [field, reader.next(codec)]));
      if (!isWhole(made, shape)) throw malformed(`${name} lacks a field`);
      return { value: made, end: reader.end() };
    },
    typedWord: (hashes, values) => {
      const words = entries.map(([field, codec]) => codec.typedWord(hashes, valueOf(values, field)));
      return hashes.keccak256(concatBytes(steadyHash(hashes, encodeType), ...words));
    },
    typedValue: typedFields,
    typedFields,
  };
}

/** `abi.encode` of values, with nothing around them. */
export function encodeAll(values: readonly (readonly [Codec<unknown>, unknown])[]): Uint8Array {
  const headBytes = values.reduce((sum, [codec]) => sum + codec.headBytes, 0);
  const heads: Uint8Array[] = [];
  const tails: Uint8Array[] = [];
  let end = headBytes;
  for (const [codec, value] of values) {
    const encoded = codec.encode(value);
    if (!codec.dynamic) {
      heads.push(encoded);
      continue;
    }
    heads.push(wordOf(BigInt(end)));
    tails.push(encoded);
    end += encoded.length;
  }
  return concatBytes(...heads, ...tails);
}

/** Reads a value that fills the bytes whole. @throws CustodyError `vault/malformed` */
export function decodeWhole<T>(codec: Codec<T>, bytes: Uint8Array, at = 0): T {
  const { value, end } = codec.decode(bytes, at);
  if (end !== bytes.length) throw malformed(`${bytes.length - end} bytes follow what was read`);
  return value;
}

type Reader = { readonly next: <T>(codec: Codec<T>) => T; readonly end: () => number };

/** Reads values named one after the other; the contents of those that stand apart follow in the same order, without gaps. */
function readerAt(bytes: Uint8Array, at: number, headBytes: number): Reader {
  bytesAt(bytes, at, headBytes);
  let head = at;
  let tail = at + headBytes;
  return {
    next: (codec) => {
      if (codec.dynamic) {
        if (wordAt(bytes, head) !== BigInt(tail - at)) {
          throw malformed('a content does not stand where the one before ends');
        }
        head += wordBytes;
        const { value, end } = codec.decode(bytes, tail);
        tail = end;
        return value;
      }
      const { value, end } = codec.decode(bytes, head);
      head = end;
      return value;
    },
    end: () => tail,
  };
}

function lengthAt(bytes: Uint8Array, at: number, max: number): number {
  const length = wordAt(bytes, at);
  if (length > BigInt(max)) throw malformed(`a length is ${length}, at most ${max}`);
  return Number(length);
}

function paddingOf(length: number): number {
  return (wordBytes - (length % wordBytes)) % wordBytes;
}

function isWhole<S extends Shape>(made: object, shape: S): made is ValuesOf<S> {
  return Object.keys(shape).every((name) => Object.hasOwn(made, name));
}

function typeText(name: string, structs: ReadonlyMap<string, readonly TypedField[]>): string {
  const others = [...structs.keys()].filter((other) => other !== name).sort();
  return [name, ...others]
    .map((each) => `${each}(${(structs.get(each) ?? []).map((field) => `${field.type} ${field.name}`).join(',')})`)
    .join('');
}

/** Hashes of texts that are hashed again and again: types, signatures of functions and events. */
const steadyHashes = new WeakMap<Keccak, Map<string, Uint8Array>>();
const steadyHashesMax = 512;

/** Keccak-256 of a text of the code, remembered. */
export function steadyHash(hashes: Keccak, text: string): Uint8Array {
  const known = steadyHashes.get(hashes) ?? new Map<string, Uint8Array>();
  steadyHashes.set(hashes, known);
  const found = known.get(text);
  if (found !== undefined) return found;
  const made = hashes.keccak256(utf8ToBytes(text));
  // Texts of the code are few; a caller that asks about ever new ones starts the memory over.
  if (known.size >= steadyHashesMax) known.clear();
  known.set(text, made);
  return made;
}
