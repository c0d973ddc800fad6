/** Whether two values are alike as `assert.deepEqual` of `node:assert/strict` sees it, for what tests of a verifier compare. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    return a.length === b.length && a.every((byte, at) => byte === b[at]);
  }
  if (a instanceof RegExp && b instanceof RegExp && String(a) !== String(b)) return false;
  if (a instanceof Date && b instanceof Date && a.getTime() !== b.getTime()) return false;
  if (a instanceof Error && b instanceof Error && (a.name !== b.name || a.message !== b.message)) return false;
  if (a instanceof Map && b instanceof Map) return sameMaps(a, b);
  if (a instanceof Set && b instanceof Set) return a.size === b.size && [...a].every((one) => hasLike(b, one));
  const [own, other] = [Reflect.ownKeys(a).filter(enumerable(a)), Reflect.ownKeys(b).filter(enumerable(b))];
  return (
    own.length === other.length &&
    own.every((key) => other.includes(key) && same(Reflect.get(a, key), Reflect.get(b, key)))
  );
}

function enumerable(of: object): (key: string | symbol) => boolean {
  return (key) => Object.prototype.propertyIsEnumerable.call(of, key);
}

function sameMaps(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([key, value]) =>
    b.has(key) ? same(value, b.get(key)) : [...b].some(([other, there]) => same(key, other) && same(value, there)),
  );
}

function hasLike(set: ReadonlySet<unknown>, one: unknown): boolean {
  return set.has(one) || [...set].some((other) => same(one, other));
}
