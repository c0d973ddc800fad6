import {
  add,
  type Code,
  constant,
  getLocal,
  load32,
  multiply,
  setLocal,
  shiftLeft,
  shiftRight,
  store32,
  subtract,
} from './assembler.ts';

/**
 * Arithmetic modulo 2^255 - 19 in ten signed limbs of 26 and 25 bits by turns, as in the reference implementation of Ed25519
 * (ref10). A product has limbs of at most 1.01 * 2^25 (even) and 2^24 (odd). Sums and differences of up to four products go into a product
 * without a carry in between: its sums of ten terms then stay below 2^61.
 */
const limbs = 10;

/** Bytes of a field element in memory: ten limbs of 32 bits. */
export const fieldBytes: number = 4 * limbs;

/** Bits below limb k: ceil(25.5 k). */
export const limbShift = (limb: number): number => Math.ceil(25.5 * limb);

const limbBits = (limb: number): number => (limb % 2 === 0 ? 26 : 25);

/** Parameters: address of the result, of the first and of the second operand. */
const result = 0;
const first = 1;
const second = 2;

function loadInto(local: number, parameter: number, limb: number): Code {
  return [...getLocal(parameter), ...load32(4 * limb), ...setLocal(local)];
}

const scaled = (local: number, factor: number): Code => [...getLocal(local), ...constant(factor), ...multiply];

/** Locals of a product: limbs of both operands, twice the odd ones of the first, 19 times those of the second, and sums. */
const f = (limb: number): number => 3 + limb;
const g = (limb: number): number => 13 + limb;
const f2 = (limb: number): number => 23 + limb;
const g19 = (limb: number): number => 33 + limb;
const h = (limb: number): number => 43 + limb;
const carry = 53;

/** Locals that a product or a square needs. */
export const productLocals: number = carry - 2;

export function multiplyCode(): Code {
  const code: number[] = [];
  for (let limb = 0; limb < limbs; limb += 1) {
    code.push(...loadInto(f(limb), first, limb), ...loadInto(g(limb), second, limb));
    code.push(...scaled(f(limb), 2), ...setLocal(f2(limb)), ...scaled(g(limb), 19), ...setLocal(g19(limb)));
  }
  for (let sum = 0; sum < limbs; sum += 1) {
    for (let i = 0; i < limbs; i += 1) {
      const j = (sum - i + limbs) % limbs;
      // Two odd limbs stand half a bit too low each; what goes beyond 2^255 comes back 19 times.
      code.push(...getLocal(i % 2 === 1 && j % 2 === 1 ? f2(i) : f(i)));
      code.push(...getLocal(i + j >= limbs ? g19(j) : g(j)), ...multiply);
      if (i > 0) code.push(...add);
    }
    code.push(...setLocal(h(sum)));
  }
  return [...code, ...carryAndStore()];
}

/** A square, with each pair of limbs once. Parameters as of a product; the second operand is not looked at. */
export function squareCode(): Code {
  const code: number[] = [];
  for (let limb = 0; limb < limbs; limb += 1) {
    code.push(...loadInto(f(limb), first, limb), ...scaled(f(limb), 2), ...setLocal(f2(limb)));
    code.push(...scaled(f(limb), 19), ...setLocal(g19(limb)), ...scaled(f(limb), 38), ...setLocal(g(limb)));
  }
  for (let sum = 0; sum < limbs; sum += 1) {
    let terms = 0;
    for (let i = 0; i < limbs; i += 1) {
      const j = (sum - i + limbs) % limbs;
      if (j < i) continue;
      const [twice, odd, wraps] = [i !== j, i % 2 === 1 && j % 2 === 1, i + j >= limbs];
      const left = twice || odd ? f2(i) : f(i);
      const four = twice && odd;
      const plain = four ? f2(j) : f(j);
      const wrapped = four ? g(j) : g19(j);
      code.push(...getLocal(left), ...getLocal(wraps ? wrapped : plain), ...multiply);
      if (terms > 0) code.push(...add);
      terms += 1;
    }
    code.push(...setLocal(h(sum)));
  }
  return [...code, ...carryAndStore()];
}

/** The order of ref10: two chains at once, and the last carry comes back into the lowest limb. */
function carryAndStore(): Code {
  const code: number[] = [];
  for (const limb of [0, 4, 1, 5, 2, 6, 3, 7, 4, 8, 9, 0]) {
    const bits = limbBits(limb);
    const next = (limb + 1) % limbs;
    code.push(...getLocal(h(limb)), ...constant(1n << BigInt(bits - 1)), ...add, ...constant(bits), ...shiftRight);
    code.push(...setLocal(carry));
    code.push(
      ...getLocal(h(next)),
      ...(next === 0 ? scaled(carry, 19) : getLocal(carry)),
      ...add,
      ...setLocal(h(next)),
    );
    code.push(...getLocal(h(limb)), ...getLocal(carry), ...constant(bits), ...shiftLeft, ...subtract);
    code.push(...setLocal(h(limb)));
  }
  for (let limb = 0; limb < limbs; limb += 1) {
    code.push(...getLocal(result), ...getLocal(h(limb)), ...store32(4 * limb));
  }
  return code;
}

export const addCode = (): Code => limbwise(add);
export const subtractCode = (): Code => limbwise(subtract);

/** Limb by limb, without carries. */
function limbwise(operation: Code): Code {
  const code: number[] = [];
  for (let limb = 0; limb < limbs; limb += 1) {
    code.push(...getLocal(result));
    code.push(...getLocal(first), ...load32(4 * limb), ...getLocal(second), ...load32(4 * limb), ...operation);
    code.push(...store32(4 * limb));
  }
  return code;
}
