/** Number of shelves. Fifty per shelf hold 50,000 destinations; a change copies one shelf and the list of them. */
export const shelfCount: number = 1_024;

/**
 * A map that is never changed, only followed by the next: entries lie on shelves by a hash of their key, and the next map shares
 * every shelf that no change touched. So a version of the registry costs what its list says and not what it knows, and the version
 * before stays as it was for whoever still reads it. The order of entries is that of the shelves, not of arrival.
 */
export class PersistentMap<K extends string | number, V> implements ReadonlyMap<K, V> {
  readonly #shelves: readonly ReadonlyMap<K, V>[];
  readonly size: number;

  private constructor(shelves: readonly ReadonlyMap<K, V>[], size: number) {
    this.#shelves = shelves;
    this.size = size;
  }

  static empty<K extends string | number, V>(): PersistentMap<K, V> {
    return new PersistentMap<K, V>([], 0);
  }

  /** The map itself where it is one already; a copy of any other. */
  static of<K extends string | number, V>(map: ReadonlyMap<K, V>): PersistentMap<K, V> {
    return isPersistent(map) ? map : PersistentMap.empty<K, V>().with(map);
  }

  get(key: K): V | undefined {
    return this.#shelves[shelfOf(key)]?.get(key);
  }

  has(key: K): boolean {
    return this.#shelves[shelfOf(key)]?.has(key) ?? false;
  }

  /** The next map. A change to undefined removes the key. */
  with(changes: ReadonlyMap<K, V | undefined>): PersistentMap<K, V> {
    if (changes.size === 0) return this;
    const shelves = Array.from({ length: shelfCount }, (_, at) => this.#shelves[at] ?? new Map<K, V>());
    const copied = new Map<number, Map<K, V>>();
    let { size } = this;
    for (const [key, value] of changes) {
      const at = shelfOf(key);
      const shelf = copied.get(at) ?? new Map(shelves[at]);
      if (!copied.has(at)) {
        copied.set(at, shelf);
        shelves[at] = shelf;
      }
      size -= shelf.size;
      if (value === undefined) shelf.delete(key);
      else shelf.set(key, value);
      size += shelf.size;
    }
    return new PersistentMap(shelves, size);
  }

  *entries(): MapIterator<[K, V]> {
    for (const shelf of this.#shelves) yield* shelf.entries();
  }

  *keys(): MapIterator<K> {
    for (const shelf of this.#shelves) yield* shelf.keys();
  }

  *values(): MapIterator<V> {
    for (const shelf of this.#shelves) yield* shelf.values();
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  forEach(each: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) each(value, key, this);
  }
}

function isPersistent<K extends string | number, V>(map: ReadonlyMap<K, V>): map is PersistentMap<K, V> {
  return map instanceof PersistentMap;
}

/** What a list changes in one map: read through to the map before, written out at the end. */
export type MapDraft<K extends string | number, V> = {
  readonly get: (key: K) => V | undefined;
  readonly set: (key: K, value: V | undefined) => void;
  /** How many entries there are now. */
  readonly size: () => number;
  readonly finish: () => PersistentMap<K, V>;
};

export function draftOf<K extends string | number, V>(before: PersistentMap<K, V>): MapDraft<K, V> {
  const changes = new Map<K, V | undefined>();
  let size = before.size;
  const get = (key: K): V | undefined => (changes.has(key) ? changes.get(key) : before.get(key));
  return {
    get,
    set: (key, value) => {
      size += Number(value !== undefined) - Number(get(key) !== undefined);
      changes.set(key, value);
    },
    size: () => size,
    finish: () => before.with(changes),
  };
}

/** FNV-1a of the key's characters, 32 bits. Whoever makes one shelf long on purpose had each entry approved by a quorum. */
function shelfOf(key: string | number): number {
  const text = String(key);
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % shelfCount;
}
