import { invariant } from '@bulkhead/domain';
import { nativeModules } from '../native.ts';
import { addressOf } from './binding.ts';
import { attributeBytes, gcmParameterBytes, mechanismBytes, ulongBytes, unavailable } from './cryptoki.ts';

/** Memory of one session for its arguments and results, in bytes. A message to be signed must fit in. */
export const frameBytes: number = 65_536;

/** A stretch of a frame, with its address in the process. */
export type Place = { readonly address: bigint; readonly bytes: Buffer };

/**
 * What the arguments of one operation lie in: locked into RAM, left out of core files, and wiped afterwards, because a PIN or a
 * seed may have passed through. Its address never changes, so structures in it can point to each other.
 */
export type Frame = {
  /** Zeros, aligned for every structure. */
  reserve(byteLength: number): Place;
  place(bytes: Uint8Array): Place;
  /** Overwrites what was used and begins at the start again. */
  wipe(): void;
  free(): void;
};

/**
 * Memory that was not given back. A call that did not return in time still writes to its frame by address, while nothing refers to it
 * any more: without this the collector would unmap it beneath the call.
 */
const held = new Set<Buffer>();

export function createFrame(): Frame {
  const { sodium } = nativeModules();
  const memory = sodium.sodium_malloc(frameBytes);
  held.add(memory);
  sodium.sodium_memzero(memory);
  const base = addressOf(memory);
  let used = 0;
  const reserve = (byteLength: number): Place => {
    const start = used;
    const end = start + Math.max(8, Math.ceil(byteLength / 8) * 8);
    invariant(end <= frameBytes, `An operation of a hardware module needs more than ${frameBytes} bytes.`);
    used = end;
    return { address: base + BigInt(start), bytes: memory.subarray(start, start + byteLength) };
  };
  return {
    reserve,
    place(bytes) {
      const place = reserve(bytes.length);
      place.bytes.set(bytes);
      return place;
    },
    wipe() {
      if (used > 0) sodium.sodium_memzero(memory.subarray(0, used));
      used = 0;
    },
    free() {
      held.delete(memory);
      sodium.sodium_free(memory);
    },
  };
}

/** A number is a CK_ULONG, a boolean a CK_BBOOL. */
export type Attribute = readonly [type: number, value: boolean | number | Uint8Array];

export type Template = { readonly address: bigint; readonly count: bigint };

/** Writes an array of CK_ATTRIBUTE and the values that it points to. */
export function writeTemplate(frame: Frame, attributes: readonly Attribute[]): Template {
  const array = frame.reserve(attributes.length * attributeBytes);
  for (const [index, [type, value]] of attributes.entries()) {
    const place = frame.place(valueBytes(value));
    writeAttribute(array.bytes, index, { type, place });
  }
  return { address: array.address, count: BigInt(attributes.length) };
}

/** Room for attributes of at most these lengths; `read` gives undefined for one that the token keeps back. */
export function reserveAttributes(
  frame: Frame,
  wanted: readonly (readonly [type: number, byteLength: number])[],
): Template & { read(index: number): Buffer | undefined } {
  const array = frame.reserve(wanted.length * attributeBytes);
  const places = wanted.map(([, byteLength]) => frame.reserve(byteLength));
  for (const [index, place] of places.entries()) {
    writeAttribute(array.bytes, index, { type: wanted[index]?.[0] ?? 0, place });
  }
  return {
    address: array.address,
    count: BigInt(wanted.length),
    read(index) {
      const length = array.bytes.readBigUInt64LE(index * attributeBytes + 16);
      const place = places[index];
      return length === unavailable || place === undefined
        ? undefined
        : Buffer.from(place.bytes.subarray(0, Number(length)));
    },
  };
}

/** Writes a CK_MECHANISM. */
export function writeMechanism(frame: Frame, type: number, parameter?: Place): bigint {
  const { address, bytes } = frame.reserve(mechanismBytes);
  bytes.writeBigUInt64LE(BigInt(type), 0);
  bytes.writeBigUInt64LE(parameter?.address ?? 0n, 8);
  bytes.writeBigUInt64LE(BigInt(parameter?.bytes.length ?? 0), 16);
  return address;
}

/** Writes CK_GCM_PARAMS. The nonce stays readable: some modules put their own into it. */
export function writeGcmParameters(
  frame: Frame,
  given: { readonly iv: Place; readonly aad: Place; readonly tagBits: number },
): Place {
  const place = frame.reserve(gcmParameterBytes);
  const ivBytes = given.iv.bytes.length;
  writeUlongs(place.bytes, [
    given.iv.address,
    BigInt(ivBytes),
    BigInt(ivBytes * 8),
    given.aad.bytes.length === 0 ? 0n : given.aad.address,
    BigInt(given.aad.bytes.length),
    BigInt(given.tagBits),
  ]);
  return place;
}

/** One CK_ULONG after the other, from the start. */
export function writeUlongs(bytes: Buffer, values: readonly bigint[]): void {
  for (const [index, value] of values.entries()) bytes.writeBigUInt64LE(value, index * ulongBytes);
}

function valueBytes(value: boolean | number | Uint8Array): Uint8Array {
  if (typeof value === 'boolean') return Uint8Array.of(value ? 1 : 0);
  if (typeof value !== 'number') return value;
  const bytes = Buffer.alloc(ulongBytes);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function writeAttribute(
  array: Buffer,
  index: number,
  attribute: { readonly type: number; readonly place: Place },
): void {
  const at = array.subarray(index * attributeBytes);
  writeUlongs(at, [BigInt(attribute.type), attribute.place.address, BigInt(attribute.place.bytes.length)]);
}
