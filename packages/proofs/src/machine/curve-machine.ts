import { ed25519 } from '@noble/curves/ed25519.js';
import { pageBytes, startMachine } from './assembler.ts';
import { curveCode, extendedBytes, freeAt, readyBytes, twiceDAt } from './curve-code.ts';
import { fieldBytes, limbShift } from './field-code.ts';

/** The prime 2^255 - 19. */
export const fieldPrime: bigint = 2n ** 255n - 19n;

type Operation = (result: number, first: number, second: number) => void;

/** Points in the memory of a machine; every argument is an address. */
export type CurveMachine = {
  readonly multiply: Operation;
  /** The second operand of these is not looked at. */
  readonly square: Operation;
  readonly double: Operation;
  readonly cache: Operation;
  /** ready = affine point (x, y). */
  readonly ready: Operation;
  readonly addReady: Operation;
  readonly subtractReady: Operation;
  readonly addCached: Operation;
  /** Room for so many bytes, for ever. Addresses stay, what views showed does not: memory may move when it grows. */
  take(bytes: number): number;
  /** Gives back everything that was taken since. */
  mark(): number;
  release(mark: number): void;
  bytes(): Uint8Array;
  writeField(at: number, value: bigint): void;
  /** The value, reduced. */
  readField(at: number): bigint;
  /** x^(2^252 - 3): the heart of square roots and, nearly, of inverses. */
  power(at: number): void;
  writeIdentity(at: number): void;
};

export function startCurveMachine(): CurveMachine {
  const { memory, functions } = startMachine(curveCode(), 4 * pageBytes);
  const named = (name: string): Operation => {
    const found = functions.get(name);
    if (found === undefined) throw new TypeError(`The module has no function "${name}".`);
    return found;
  };
  let limbs = new Int32Array(memory.buffer);
  let bytes = new Uint8Array(memory.buffer);
  let end = freeAt;
  const take = (length: number): number => {
    const at = end;
    end += Math.ceil(length / 8) * 8;
    if (end > bytes.length) {
      memory.grow(Math.ceil((end - bytes.length) / pageBytes) + 16);
      limbs = new Int32Array(memory.buffer);
      bytes = new Uint8Array(memory.buffer);
    }
    return at;
  };
  const writeField = (at: number, value: bigint): void => {
    let rest = value;
    for (let limb = 0; limb < 10; limb += 1) {
      const bits = limbShift(limb + 1) - limbShift(limb);
      limbs[at / 4 + limb] = Number(BigInt.asUintN(bits, rest));
      rest >>= BigInt(bits);
    }
  };
  const readField = (at: number): bigint => {
    let value = 0n;
    for (let limb = 9; limb >= 0; limb -= 1) {
      value += BigInt(limbs[at / 4 + limb] ?? 0) << BigInt(limbShift(limb));
    }
    const rest = value % fieldPrime;
    return rest < 0n ? rest + fieldPrime : rest;
  };
  const multiply = named('multiply');
  const square = named('square');
  const room = take(4 * fieldBytes);
  const machine: CurveMachine = {
    multiply,
    square,
    double: named('double'),
    cache: named('cache'),
    ready: named('ready'),
    addReady: named('addReady'),
    subtractReady: named('subtractReady'),
    addCached: named('addCached'),
    take,
    mark: () => end,
    release: (mark) => {
      end = mark;
    },
    bytes: () => bytes,
    writeField,
    readField,
    power: (at) => raise({ multiply, square }, at, room),
    writeIdentity: (at) => {
      limbs.fill(0, at / 4, (at + extendedBytes) / 4);
      limbs[(at + fieldBytes) / 4] = 1;
      limbs[(at + 2 * fieldBytes) / 4] = 1;
    },
  };
  writeField(twiceDAt, (2n * ed25519.Point.CURVE().d) % fieldPrime);
  return machine;
}

/** The addition chain of ref10 for 2^252 - 3, in place. @param room four elements */
function raise({ multiply, square }: Pick<CurveMachine, 'multiply' | 'square'>, at: number, room: number): void {
  const [t0, t1, t2] = [room, room + fieldBytes, room + 2 * fieldBytes];
  const squares = (target: number, from: number, times: number): void => {
    square(target, from, from);
    for (let done = 1; done < times; done += 1) square(target, target, target);
  };
  squares(t0, at, 1);
  squares(t1, t0, 2);
  multiply(t1, at, t1);
  multiply(t0, t0, t1);
  squares(t0, t0, 1);
  multiply(t0, t1, t0);
  squares(t1, t0, 5);
  multiply(t0, t1, t0);
  squares(t1, t0, 10);
  multiply(t1, t1, t0);
  squares(t2, t1, 20);
  multiply(t1, t2, t1);
  squares(t1, t1, 10);
  multiply(t0, t1, t0);
  squares(t1, t0, 50);
  multiply(t1, t1, t0);
  squares(t2, t1, 100);
  multiply(t1, t2, t1);
  squares(t1, t1, 50);
  multiply(t0, t1, t0);
  squares(t0, t0, 2);
  multiply(at, t0, at);
}

export { extendedBytes, fieldBytes, readyBytes };
