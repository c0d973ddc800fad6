/**
 * Values between a page and the process that opened it, as JSON: what `structuredClone` takes; functions, promises and instances of
 * classes (keys of `node:crypto`) by a number under which the process keeps them.
 */
export type Kept = { readonly kind: 'function' | 'promise' | 'instance'; readonly id: number };

export type KeepHandle = (value: object, kind: Kept['kind']) => number;
/** @param methods of an instance, by their names */
export type OpenHandle = (kept: Kept, methods?: object) => unknown;

type Wire = readonly [tag: string, value?: unknown];

/** Key under which an object's `Symbol.asyncDispose` travels: symbols have no text. */
const disposeKey = '@@asyncDispose';

export function encodeValue(value: unknown, keep: KeepHandle): Wire {
  switch (typeof value) {
    case 'undefined':
      return ['undefined'];
    case 'bigint':
      return ['bigint', value.toString()];
    case 'function':
      return ['function', keep(value, 'function')];
    case 'boolean':
    case 'number':
    case 'string':
      return ['plain', value];
    case 'object':
      return value === null ? ['plain', null] : encodeObject(value, keep);
    case 'symbol':
      break;
  }
  throw new TypeError('A symbol does not travel.');
}

/** What stands in the page for an instance that the process keeps: its methods, and no more. */
export class Instance {
  [method: string]: unknown;
}

/** The instance itself, and each of its methods. */
function encodeInstance(value: object, keep: KeepHandle): Wire {
  const methods: (readonly [string, Wire])[] = [];
  for (
    let at: unknown = value;
    typeof at === 'object' && at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    for (const name of Object.getOwnPropertyNames(at)) {
      const method: unknown = Object.getOwnPropertyDescriptor(at, name)?.value;
      if (typeof method === 'function' && name !== 'constructor') {
        methods.push([name, encodeValue(method.bind(value), keep)]);
      }
    }
  }
  return ['instance', [keep(value, 'instance'), methods]];
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function encodeObject(value: object, keep: KeepHandle): Wire {
  const list = (values: Iterable<unknown>): readonly Wire[] => Array.from(values, (one) => encodeValue(one, keep));
  if (value instanceof Uint8Array) return ['bytes', Array.from(value)];
  if (value instanceof URL) return ['url', value.href];
  if (value instanceof Promise) return ['promise', keep(value, 'promise')];
  if (value instanceof Map) return ['map', [...value].map(list)];
  if (value instanceof Set) return ['set', list(value)];
  if (Array.isArray(value)) return ['list', list(value)];
  if (value instanceof Error) return ['error', { name: value.name, message: value.message }];
  if (value instanceof Instance) return ['instance', [keep(value, 'instance'), []]];
  if (!isPlain(value)) return encodeInstance(value, keep);
  const dispose: unknown = Reflect.get(value, Symbol.asyncDispose);
  const entries = Object.entries(value).map(([key, one]) => [key, encodeValue(one, keep)]);
  if (typeof dispose === 'function') entries.push([disposeKey, encodeValue(dispose, keep)]);
  return ['object', entries];
}

/** @throws TypeError for what {@link encodeValue} did not write */
export function decodeValue(wire: unknown, open: OpenHandle): unknown {
  if (!Array.isArray(wire)) throw new TypeError('A value came in no form.');
  const [tag, value]: readonly unknown[] = wire;
  const list = (values: unknown): unknown[] =>
    Array.isArray(values) ? values.map((one) => decodeValue(one, open)) : [];
  switch (tag) {
    case 'undefined':
      return undefined;
    case 'plain':
      return value;
    case 'bigint':
      return BigInt(String(value));
    case 'bytes':
      return Uint8Array.from(Array.isArray(value) ? value : [], Number);
    case 'function':
    case 'promise':
      return open({ kind: tag, id: Number(value) });
    case 'url':
      return new URL(String(value));
    case 'instance': {
      const [id, methods] = Array.isArray(value) ? value : [];
      return open({ kind: tag, id: Number(id) }, objectOf(methods, open));
    }
    case 'list':
      return list(value);
    case 'set':
      return new Set(list(value));
    case 'map':
      return new Map((Array.isArray(value) ? value : []).map((pair) => pairOf(list(pair))));
    case 'error':
      return errorOf(value);
    case 'object':
      return objectOf(value, open);
    default:
      throw new TypeError(`A value came as "${String(tag)}".`);
  }
}

function pairOf([key, value]: readonly unknown[]): [unknown, unknown] {
  return [key, value];
}

function errorOf(value: unknown): Error {
  const [name, message] =
    typeof value === 'object' && value !== null && 'name' in value && 'message' in value
      ? [value.name, value.message]
      : ['Error', ''];
  return Object.assign(new Error(String(message)), { name: String(name) });
}

function objectOf(entries: unknown, open: OpenHandle): object {
  const made: Record<string | symbol, unknown> = {};
  for (const entry of Array.isArray(entries) ? entries : []) {
    if (!Array.isArray(entry)) throw new TypeError('An object came in no form.');
    const key = String(entry[0]);
    made[key === disposeKey ? Symbol.asyncDispose : key] = decodeValue(entry[1], open);
  }
  return made;
}
