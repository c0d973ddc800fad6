/** Numbers that look random and are the same in every run (Marsaglia's xorshift, 32 bits). */
export function dice(seed: number): { below(bound: number): number; bytes(length: number): Uint8Array } {
  let state = seed * 2_654_435_761 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const below = (bound: number): number => next() % bound;
  return { below, bytes: (length) => Uint8Array.from({ length }, () => below(256)) };
}
