/** Values that are costly to make and cheap to make again. */
export type BoundedCache<K, V> = {
  get(key: K, make: () => V): V;
  /** What is there, without making it. */
  peek(key: K): V | undefined;
  set(key: K, value: V): void;
};

/** Keeps at most so many values; the one that was not used for longest goes first. What `make` throws is not kept. */
export function boundedCache<K, V>(entriesMax: number): BoundedCache<K, V> {
  const entries = new Map<K, V>();
  const peek = (key: K): V | undefined => {
    const value = entries.get(key);
    if (value === undefined) return undefined;
    // Taken out and put back, so that the first entry is always the one that was not used for longest.
    entries.delete(key);
    entries.set(key, value);
    return value;
  };
  const set = (key: K, value: V): void => {
    entries.delete(key);
    entries.set(key, value);
    if (entries.size <= entriesMax) return;
    const oldest = entries.keys().next();
    if (oldest.done !== true) entries.delete(oldest.value);
  };
  return {
    peek,
    set,
    get(key, make) {
      const known = peek(key);
      if (known !== undefined) return known;
      const value = make();
      set(key, value);
      return value;
    },
  };
}
