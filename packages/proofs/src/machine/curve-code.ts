import { address, addressAdd, assemble, call, type Code, getLocal, type MachineFunction } from './assembler.ts';
import { addCode, fieldBytes, multiplyCode, productLocals, squareCode, subtractCode } from './field-code.ts';

/**
 * Points of edwards25519 in memory, as in ref10:
 * - extended: X, Y, Z, T;
 * - ready (what ref10 calls precomputed, of an affine point): y + x, y - x, 2dxy;
 * - cached (of any point): Y + X, Y - X, 2dT, Z.
 */
export const extendedBytes: number = 4 * fieldBytes;
export const readyBytes: number = 3 * fieldBytes;

/** Where intermediate values and the constant 2d lie. */
const scratchAt = 64;
export const twiceDAt: number = scratchAt + 12 * fieldBytes;
/** What is before this address belongs to the code. */
export const freeAt: number = twiceDAt + 2 * fieldBytes;

const names = { multiply: 0, square: 1, add: 2, subtract: 3 } as const;

type Operand = Code;

/** The element at a distance from the address in a parameter. */
const at = (parameter: number, element: number): Operand =>
  element === 0 ? getLocal(parameter) : [...getLocal(parameter), ...address(element * fieldBytes), ...addressAdd];

const scratch = (element: number): Operand => address(scratchAt + element * fieldBytes);

const field = (name: keyof typeof names, target: Operand, operands: readonly [Operand, Operand]): Code => [
  ...target,
  ...operands.flat(),
  ...call(names[name]),
];

/** From the completed form (X : Z, Y : T) in scratch 0 to 3 to the extended one, with T. */
const completed = (): Code => [
  ...field('multiply', at(0, 0), [scratch(0), scratch(3)]),
  ...field('multiply', at(0, 1), [scratch(1), scratch(2)]),
  ...field('multiply', at(0, 2), [scratch(2), scratch(3)]),
  ...field('multiply', at(0, 3), [scratch(0), scratch(1)]),
];

/** extended = extended + other, or - other. Parameters: result, first, other. The other is ready (Z = 1) or cached. */
function sumCode(sign: 'plus' | 'minus', form: 'ready' | 'cached'): Code {
  const [same, crossed] = sign === 'plus' ? [0, 1] : [1, 0];
  return [
    ...field('add', scratch(4), [at(1, 1), at(1, 0)]),
    ...field('subtract', scratch(5), [at(1, 1), at(1, 0)]),
    ...field('multiply', scratch(6), [scratch(4), at(2, same)]),
    ...field('multiply', scratch(7), [scratch(5), at(2, crossed)]),
    ...field('multiply', scratch(8), [at(2, 2), at(1, 3)]),
    ...(form === 'cached' ? field('multiply', scratch(9), [at(1, 2), at(2, 3)]) : []),
    ...(form === 'cached'
      ? field('add', scratch(10), [scratch(9), scratch(9)])
      : field('add', scratch(10), [at(1, 2), at(1, 2)])),
    ...field('subtract', scratch(0), [scratch(6), scratch(7)]),
    ...field('add', scratch(1), [scratch(6), scratch(7)]),
    ...field(sign === 'plus' ? 'add' : 'subtract', scratch(2), [scratch(10), scratch(8)]),
    ...field(sign === 'plus' ? 'subtract' : 'add', scratch(3), [scratch(10), scratch(8)]),
    ...completed(),
  ];
}

/** Parameters: result, operand. */
function doubleCode(): Code {
  const square = (target: Operand, operand: Operand): Code => field('square', target, [operand, operand]);
  return [
    ...square(scratch(4), at(1, 0)),
    ...square(scratch(5), at(1, 1)),
    ...square(scratch(6), at(1, 2)),
    ...field('add', scratch(6), [scratch(6), scratch(6)]),
    ...field('add', scratch(7), [at(1, 0), at(1, 1)]),
    ...square(scratch(8), scratch(7)),
    ...field('add', scratch(1), [scratch(5), scratch(4)]),
    ...field('subtract', scratch(2), [scratch(5), scratch(4)]),
    ...field('subtract', scratch(0), [scratch(8), scratch(1)]),
    ...field('subtract', scratch(3), [scratch(6), scratch(2)]),
    ...completed(),
  ];
}

/** cached = extended. Parameters: result, operand. */
const cacheCode = (): Code => [
  ...field('add', at(0, 0), [at(1, 1), at(1, 0)]),
  ...field('subtract', at(0, 1), [at(1, 1), at(1, 0)]),
  ...field('multiply', at(0, 2), [at(1, 3), address(twiceDAt)]),
  ...field('add', at(0, 3), [at(1, 2), address(twiceDAt + fieldBytes)]),
];

/** ready = the affine point at an address: x, y. Parameters: result, operand. */
const readyCode = (): Code => [
  ...field('add', at(0, 0), [at(1, 1), at(1, 0)]),
  ...field('subtract', at(0, 1), [at(1, 1), at(1, 0)]),
  ...field('multiply', scratch(4), [at(1, 0), at(1, 1)]),
  ...field('multiply', at(0, 2), [scratch(4), address(twiceDAt)]),
];

/** The module of the curve. After the constant 2d there is a zero, so that a copy is a sum. */
export function curveCode(): Uint8Array<ArrayBuffer> {
  const product = (name: string, body: Code): MachineFunction => ({ name, parameters: 3, locals: productLocals, body });
  const plain = (name: string, body: Code): MachineFunction => ({ name, parameters: 3, locals: 0, body });
  return assemble([
    product('multiply', multiplyCode()),
    product('square', squareCode()),
    plain('add', addCode()),
    plain('subtract', subtractCode()),
    plain('addReady', sumCode('plus', 'ready')),
    plain('subtractReady', sumCode('minus', 'ready')),
    plain('addCached', sumCode('plus', 'cached')),
    plain('double', doubleCode()),
    plain('cache', cacheCode()),
    plain('ready', readyCode()),
  ]);
}
