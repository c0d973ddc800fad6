import { concatBytes } from '@noble/hashes/utils.js';
import {
  type Codec,
  decodeWhole,
  type Keccak,
  type Shape,
  steadyHash,
  struct,
  type StructCodec,
  type ValuesOf,
} from './codec.ts';
import { bytesAt, bytesOf, type Hex, hexOf } from './word.ts';

/** A function of a contract that changes something. */
export type CallForm<N extends string, T> = {
  readonly name: N;
  readonly form: StructCodec<T>;
  /** What was asked for, if it is this function. @throws CustodyError `vault/malformed` for arguments in another form */
  parse(hashes: Keccak, data: Uint8Array): ContractCall<N, T> | undefined;
};

export type ContractCall<N extends string, T> = { readonly call: N; readonly arguments: T };

/** A function of a contract that only answers. */
export type QuestionForm<T, A> = { readonly name: string; readonly form: StructCodec<T>; readonly answer: Codec<A> };

const selectorBytes = 4;

export function callForm<N extends string, const S extends Shape>(name: N, shape: S): CallForm<N, ValuesOf<S>> {
  const form = struct('', shape);
  return {
    name,
    form,
    parse: (hashes, data) => {
      const selector = selectorOf(hashes, { name, form });
      if (data.length < selectorBytes || selector.some((byte, index) => data[index] !== byte)) return undefined;
      return { call: name, arguments: decodeWhole(form, data.subarray(selectorBytes)) };
    },
  };
}

export function questionForm<const S extends Shape, A>(
  name: string,
  shape: S,
  answer: Codec<A>,
): QuestionForm<ValuesOf<S>, A> {
  return { name, form: struct('', shape), answer };
}

/** A single answer without its name. */
export function only<T>(codec: Codec<T>): Codec<T> {
  const one = struct('', { answer: codec });
  return {
    ...codec,
    decode: (bytes, at) => {
      const { value, end } = one.decode(bytes, at);
      return { value: value.answer, end };
    },
  };
}

/** Call data: four bytes that name the function, then its arguments. @throws CustodyError `vault/malformed` */
export function callData<T>(
  hashes: Keccak,
  called: { readonly name: string; readonly form: StructCodec<T> },
  values: T,
): Hex {
  return hexOf(concatBytes(selectorOf(hashes, called), called.form.encode(values)));
}

/** What a contract answered. @throws CustodyError `vault/malformed` */
export function answerOf<A>(question: { readonly answer: Codec<A> }, data: Hex): A {
  return decodeWhole(question.answer, bytesOf(data));
}

/** What the first form says that knows what it is given. */
export function firstOf<F, C>(forms: readonly F[], parse: (form: F) => C | undefined): C | undefined {
  for (const form of forms) {
    const found = parse(form);
    if (found !== undefined) return found;
  }
  return undefined;
}

function selectorOf(
  hashes: Keccak,
  called: { readonly name: string; readonly form: { readonly abiType: string } },
): Uint8Array {
  return bytesAt(steadyHash(hashes, called.name + called.form.abiType), 0, selectorBytes);
}
