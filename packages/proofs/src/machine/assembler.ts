/**
 * Writes a WebAssembly module: functions over 64-bit integers, which the language itself lacks. There is no text form and no
 * tool in between: an instruction is a list of bytes, and a loop in TypeScript unrolls one in the module.
 */
export type Code = readonly number[];

/** A function of i32 parameters without a result, with so many i64 locals behind them. */
export type MachineFunction = {
  readonly name: string;
  readonly parameters: number;
  readonly locals: number;
  readonly body: Code;
};

function unsignedLeb(value: number): Code {
  const bytes: number[] = [];
  for (let rest = value; ;) {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest === 0 ? low : low + 128);
    if (rest === 0) return bytes;
  }
}

function signedLeb(value: bigint): Code {
  const bytes: number[] = [];
  for (let rest = value; ;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const last = (rest === 0n && low < 64) || (rest === -1n && low >= 64);
    bytes.push(last ? low : low + 128);
    if (last) return bytes;
  }
}

export const getLocal = (local: number): Code => [0x20, ...unsignedLeb(local)];
export const setLocal = (local: number): Code => [0x21, ...unsignedLeb(local)];

/** A 64-bit constant. */
export const constant = (value: bigint | number): Code => [0x42, ...signedLeb(BigInt(value))];

/** A 32-bit constant: an address. */
export const address = (value: number): Code => [0x41, ...signedLeb(BigInt(value))];

/** Instructions that take what lies on the stack. */
export const add: Code = [0x7c];
export const subtract: Code = [0x7d];
export const multiply: Code = [0x7e];
export const and: Code = [0x83];
export const xor: Code = [0x85];
export const shiftLeft: Code = [0x86];
/** Keeps the sign. */
export const shiftRight: Code = [0x87];
export const rotateLeft: Code = [0x89];
export const addressAdd: Code = [0x6a];

/** Reads 64 bits at an address from the stack, or 32 bits with their sign. */
export const load64 = (offset: number): Code => [0x29, 3, ...unsignedLeb(offset)];
export const load32 = (offset: number): Code => [0x34, 2, ...unsignedLeb(offset)];
export const store64 = (offset: number): Code => [0x37, 3, ...unsignedLeb(offset)];
/** Writes the low 32 bits. */
export const store32 = (offset: number): Code => [0x3e, 2, ...unsignedLeb(offset)];

/** Runs the body so long as the i32 local is not the bound after it. */
export const repeatUntil = (local: number, bound: Code, body: Code): Code => [
  0x03,
  0x40,
  ...body,
  ...getLocal(local),
  ...bound,
  // i32.ne, br_if 0, end
  0x47,
  0x0d,
  0x00,
  0x0b,
];

export const call = (index: number): Code => [0x10, ...unsignedLeb(index)];

function vector(items: readonly Code[]): Code {
  return [...unsignedLeb(items.length), ...items.flat()];
}

function section(id: number, content: Code): Code {
  return [id, ...unsignedLeb(content.length), ...content];
}

function nameOf(text: string): Code {
  return [...unsignedLeb(text.length), ...Array.from(text, (character) => character.charCodeAt(0))];
}

/** The magic bytes of a module, and its version. */
const header: Code = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** The module of these functions. It imports its memory as `memory` of `host`; the functions are exported by their names. */
export function assemble(functions: readonly MachineFunction[]): Uint8Array<ArrayBuffer> {
  const i32 = 0x7f;
  const i64 = 0x7e;
  const types = functions.map(({ parameters }) => [
    0x60,
    ...vector(Array.from({ length: parameters }, () => [i32])),
    0,
  ]);
  const bodies = functions.map(({ locals, body }) => {
    const code = [...vector([[...unsignedLeb(locals), i64]]), ...body, 0x0b];
    return [...unsignedLeb(code.length), ...code];
  });
  return Uint8Array.from([
    ...header,
    ...section(1, vector(types)),
    ...section(2, vector([[...nameOf('host'), ...nameOf('memory'), 0x02, 0x00, 0x01]])),
    ...section(3, vector(functions.map((_, index) => unsignedLeb(index)))),
    ...section(7, vector(functions.map(({ name }, index) => [...nameOf(name), 0x00, ...unsignedLeb(index)]))),
    ...section(10, vector(bodies)),
  ]);
}

/** A module at work: its memory, and its functions by name. */
export type Machine = {
  readonly memory: WebAssembly.Memory;
  readonly functions: ReadonlyMap<string, (...addresses: number[]) => void>;
};

/** Bytes of a page of memory. */
export const pageBytes = 65_536;

/** @param bytes of memory at least, all zero */
export function startMachine(code: Uint8Array<ArrayBuffer>, bytes: number): Machine {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / pageBytes) });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code), { host: { memory } });
  const functions = new Map<string, (...addresses: number[]) => void>();
  for (const [name, value] of Object.entries(exports)) if (isFunction(value)) functions.set(name, value);
  return { memory, functions };
}

function isFunction(value: unknown): value is (...addresses: number[]) => void {
  return typeof value === 'function';
}
