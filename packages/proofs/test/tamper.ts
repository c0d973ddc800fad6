/** Numbers that look random and are the same in every run. */
export function seeded(seed: number): (below: number) => number {
  let state = (seed + 1) * 0x9e37_79b9;
  return (below) => {
    state = Math.imul(state ^ (state >>> 15), 0x85eb_ca6b) + 0x6d2b_79f5;
    state ^= state >>> 13;
    return Math.floor(((Math.imul(state, 0xc2b2_ae35) >>> 0) / 2 ** 32) * below);
  };
}

/**
 * Copies of an artefact that differ from it: one bit, one byte, one element replaced or exchanged with another, bytes removed
 * or put in, the end cut off.
 */
export function* tamperedCopies(
  bytes: Uint8Array,
  of: { readonly copies: number; readonly seed: number; readonly elements: readonly number[] },
): Generator<Uint8Array> {
  const below = seeded(of.seed);
  for (let made = 0; made < of.copies;) {
    const copy = tamper(bytes, below, of.elements);
    const same = copy.length === bytes.length && copy.every((byte, at) => byte === bytes[at]);
    if (same) continue;
    made += 1;
    yield copy;
  }
}

function tamper(bytes: Uint8Array, below: (bound: number) => number, elements: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  const at = below(bytes.length);
  const size = elements[below(elements.length)] ?? 1;
  const from = below(Math.max(1, bytes.length - size));
  const to = below(Math.max(1, bytes.length - size));
  switch (below(7)) {
    case 0:
    case 1:
      copy[at] = (copy[at] ?? 0) ^ (1 << below(8));
      return copy;
    case 2:
      copy[at] = below(256);
      return copy;
    case 3:
      copy.set(bytes.subarray(from, from + size), to);
      return copy;
    case 4:
      copy.set(bytes.subarray(from, from + size), to);
      copy.set(bytes.subarray(to, to + size), from);
      return copy;
    case 5: {
      const cut = new Uint8Array(bytes.length - size);
      cut.set(bytes.subarray(0, from));
      cut.set(bytes.subarray(from + size), from);
      return cut;
    }
    default: {
      const grown = new Uint8Array(bytes.length + size);
      grown.set(bytes.subarray(0, from));
      grown.set(bytes.subarray(to, to + size), from);
      grown.set(bytes.subarray(from), from + size);
      return grown;
    }
  }
}
