import { type CurveMachine, extendedBytes, fieldBytes, readyBytes } from './curve-machine.ts';

/** Multiples of a point, ready: for each window of so many bits the first few of 2^(bits * window) times the point. */
export type Table = {
  readonly digitBits: number;
  /** How many of each window there are; with one, digits choose buckets, otherwise multiples. */
  readonly multiples: number;
  /** Where a multiple of a window lies. */
  readonly place: (window: number, multiple: number) => number;
};

/** Bits of a scalar, and one for the carry of signed digits. */
const scalarBits = 254;

/** @param point address of a ready point */
export function newTable(
  machine: CurveMachine,
  point: number,
  { digitBits, multiples }: { readonly digitBits: number; readonly multiples: number },
): Table {
  const windows = Math.ceil(scalarBits / digitBits);
  const count = windows * multiples;
  const table = machine.take(count * readyBytes);
  const mark = machine.mark();
  const points = machine.take(count * extendedBytes);
  const cached = machine.take(extendedBytes);
  const current = machine.take(extendedBytes);
  machine.writeIdentity(current);
  machine.addReady(current, current, point);
  for (let window = 0; window < windows; window += 1) {
    const first = points + window * multiples * extendedBytes;
    machine.bytes().copyWithin(first, current, current + extendedBytes);
    machine.cache(cached, current, current);
    for (let multiple = 1; multiple < multiples; multiple += 1) {
      const at = first + multiple * extendedBytes;
      machine.addCached(at, at - extendedBytes, cached);
    }
    for (let bit = 0; bit < digitBits; bit += 1) machine.double(current, current, current);
  }
  makeReady(machine, { points, table, count });
  machine.release(mark);
  return {
    digitBits,
    multiples,
    place: (window, multiple) => table + (window * multiples + multiple - 1) * readyBytes,
  };
}

/** Divides extended points by their Z, with one inversion for all: products of all before each, then backwards. */
function makeReady(
  machine: CurveMachine,
  { points, table, count }: { readonly points: number; readonly table: number; readonly count: number },
): void {
  const products = machine.take((count + 1) * fieldBytes);
  const inverse = machine.take(fieldBytes);
  const room = machine.take(2 * fieldBytes);
  const zOf = (index: number): number => points + index * extendedBytes + 2 * fieldBytes;
  machine.writeField(products, 1n);
  for (let index = 0; index < count; index += 1) {
    const before = products + index * fieldBytes;
    machine.multiply(before + fieldBytes, before, zOf(index));
  }
  invert(machine, inverse, products + count * fieldBytes);
  for (let index = count - 1; index >= 0; index -= 1) {
    const at = points + index * extendedBytes;
    const own = room;
    machine.multiply(own, inverse, products + index * fieldBytes);
    machine.multiply(inverse, inverse, zOf(index));
    machine.multiply(at, at, own);
    machine.multiply(at + fieldBytes, at + fieldBytes, own);
    machine.ready(table + index * readyBytes, at, at);
  }
}

/** 1/x = (x^(2^252 - 3))^8 * x^3, because p - 2 = 8 (2^252 - 3) + 3. */
function invert(machine: CurveMachine, target: number, from: number): void {
  const mark = machine.mark();
  const cube = machine.take(fieldBytes);
  machine.square(cube, from, from);
  machine.multiply(cube, cube, from);
  machine.bytes().copyWithin(target, from, from + fieldBytes);
  machine.power(target);
  for (let times = 0; times < 3; times += 1) machine.square(target, target, target);
  machine.multiply(target, target, cube);
  machine.release(mark);
}
