/** Signed digits of numbers, for sums of multiples: digit w of number i at `w * count + i`. */
export type Digits = { readonly windows: number; readonly count: number; readonly at: Int16Array };

const wordBits = 32;

/**
 * Digits of so many bits (14 at most, or they do not fit the form), from -2^(bits-1) to 2^(bits-1) - 1, of numbers below 2^256; of a negative number those of its
 * opposite, negated. Small numbers have few digits that are not zero, and so has minus one.
 */
export function recode(numbers: readonly bigint[], digitBits: number): Digits {
  const largest = numbers.reduce((most, number) => {
    const size = number < 0n ? -number : number;
    return size > most ? size : most;
  }, 0n);
  // One bit more for the carry.
  const windows = Math.ceil((largest.toString(16).length * 4 + 1) / digitBits);
  const count = numbers.length;
  const at = new Int16Array(windows * count);
  const words = new Uint32Array(10);
  const halves = new BigUint64Array(words.buffer);
  const size = 2 ** digitBits;
  numbers.forEach((number, index) => {
    const negative = number < 0n;
    let rest = negative ? -number : number;
    for (let half = 0; half < 4; half += 1) {
      halves[half] = rest;
      rest >>= 64n;
    }
    let carry = 0;
    for (let window = 0; window < windows; window += 1) {
      const bit = window * digitBits;
      const word = Math.floor(bit / wordBits);
      const shift = bit % wordBits;
      const low = (words[word] ?? 0) >>> shift;
      const high = shift === 0 ? 0 : (words[word + 1] ?? 0) << (wordBits - shift);
      let digit = ((low | high) & (size - 1)) + carry;
      carry = digit >= size / 2 ? 1 : 0;
      if (carry === 1) digit -= size;
      at[window * count + index] = negative ? -digit : digit;
    }
  });
  return { windows, count, at };
}
