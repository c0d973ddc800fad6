import { wordBytes } from './fixed-width.ts';
import { curveD } from './generators.ts';
import { type CurveMachine, fieldBytes, fieldPrime as p } from './machine/curve-machine.ts';
import { littleEndian, littleEndianOf } from './scalar.ts';

/**
 * Bytes and points of ristretto255 (RFC 9496, sections 4.3.1 and 4.3.2), with the costly power computed by the machine. What
 * `@noble/curves` answers is the same, at a tenth of the speed.
 */
const square = (value: bigint): bigint => (value * value) % p;
const positive = (value: bigint): bigint => (value < 0n ? value + p : value);
const isNegative = (value: bigint): boolean => (value & 1n) === 1n;
const magnitude = (value: bigint): bigint => (isNegative(value) ? p - value : value);

function powerOf(base: bigint, exponent: bigint): bigint {
  let power = 1n;
  for (let bit = 255n; bit >= 0n; bit -= 1n) {
    power = square(power);
    if (((exponent >> bit) & 1n) === 1n) power = (power * base) % p;
  }
  return power;
}

/** A square root of -1, the even one. */
const rootOfMinusOne = magnitude(powerOf(2n, (p - 1n) / 4n));

type Power = (value: bigint) => bigint;

/** 1/sqrt(v), or of v times that root of -1 where v has none. */
function inverseRoot(power: Power, v: bigint): { readonly square: boolean; readonly root: bigint } {
  const v3 = (square(v) * v) % p;
  let root = (v3 * power((square(v3) * v) % p)) % p;
  const check = (v * square(root)) % p;
  const flipped = check === p - 1n;
  if (flipped || check === p - rootOfMinusOne) root = (root * rootOfMinusOne) % p;
  return { square: check === 1n || flipped, root: magnitude(root) };
}

/** 1/sqrt(a - d), where a = -1. */
const inverseRootOfAMinusD = inverseRoot((value) => powerOf(value, 2n ** 252n - 3n), positive(-1n - curveD)).root;

function machinePower(machine: CurveMachine): Power {
  return (value) => {
    const mark = machine.mark();
    const at = machine.take(fieldBytes);
    machine.writeField(at, value);
    machine.power(at);
    const power = machine.readField(at);
    machine.release(mark);
    return power;
  };
}

/** Writes the affine point of 32 bytes to an address (x, then y). Answers false for bytes that are no point's one form. */
export function decodePoint(machine: CurveMachine, bytes: Uint8Array, at: number): boolean {
  if (bytes.length !== wordBytes) return false;
  const s = littleEndianOf(bytes);
  if (s >= p || isNegative(s)) return false;
  const ss = square(s);
  const u1 = positive(1n - ss);
  const u2 = 1n + ss;
  const u2squared = square(u2);
  const v = positive((-((curveD * square(u1)) % p) - u2squared) % p);
  const { square: isSquare, root } = inverseRoot(machinePower(machine), (v * u2squared) % p);
  const denominatorX = (root * u2) % p;
  const denominatorY = (((root * denominatorX) % p) * v) % p;
  const x = magnitude((2n * s * denominatorX) % p);
  const y = (u1 * denominatorY) % p;
  if (!isSquare || isNegative((x * y) % p) || y === 0n) return false;
  machine.writeField(at, x);
  machine.writeField(at + fieldBytes, y);
  return true;
}

/** The one form of the extended point at an address. */
export function encodePoint(machine: CurveMachine, at: number): Uint8Array {
  const x0 = machine.readField(at);
  const y0 = machine.readField(at + fieldBytes);
  const z = machine.readField(at + 2 * fieldBytes);
  const t = machine.readField(at + 3 * fieldBytes);
  const u1 = ((z + y0) * positive(z - y0)) % p;
  const u2 = (x0 * y0) % p;
  const { root } = inverseRoot(machinePower(machine), (u1 * square(u2)) % p);
  const d1 = (root * u1) % p;
  const d2 = (root * u2) % p;
  const inverseZ = (((d1 * d2) % p) * t) % p;
  const rotate = isNegative((t * inverseZ) % p);
  const x = rotate ? (y0 * rootOfMinusOne) % p : x0;
  const y = rotate ? (x0 * rootOfMinusOne) % p : y0;
  const denominator = rotate ? (d1 * inverseRootOfAMinusD) % p : d2;
  const signed = isNegative((x * inverseZ) % p) ? positive(-y) : y;
  return littleEndian(magnitude((denominator * positive((z - signed) % p)) % p));
}
