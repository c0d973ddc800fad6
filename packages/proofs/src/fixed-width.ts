import { CustodyError } from '@bulkhead/domain';

export { equalBytes } from '@bulkhead/domain';

/** A part that is not what the proofs can be made of. @returns the fault, to be thrown */
export function malformed(fact: string): CustodyError {
  return new CustodyError('proof/malformed', `The proof cannot be made: ${fact}.`);
}

/** Bytes of a hash, a scalar and a point. */
export const wordBytes = 32;

/** Bytes of an amount: an unsigned number of 128 bits, big-endian. */
export const amountBytes = 16;

/** First number that an amount cannot be. */
export const amountBound: bigint = 2n ** 128n;

/** Big-endian bytes of an unsigned number. @throws CustodyError `proof/malformed` when it does not fit */
export function unsignedBytes(value: bigint | number, length: number): Uint8Array {
  let rest = BigInt(value);
  if (rest < 0n) throw malformed(`${value} is negative`);
  const bytes = new Uint8Array(length);
  for (let at = length - 1; at >= 0; at -= 1) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  if (rest !== 0n) throw malformed(`${value} does not fit into ${length} bytes`);
  return bytes;
}

/** The unsigned number of big-endian bytes. */
export function unsignedOf(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

/** Parts one after the other. However many there are: as arguments of one call a hundred thousand would be too many. */
export function joined(parts: Iterable<Uint8Array>): Uint8Array {
  const list = [...parts];
  const bytes = new Uint8Array(list.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of list) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The bytes, if they are so many. @throws CustodyError `proof/malformed` */
export function exactly(bytes: Uint8Array, length: number, name: string): Uint8Array {
  if (bytes.length !== length) throw malformed(`${name} has ${bytes.length} bytes, not ${length}`);
  return bytes;
}

/** Reads fields one after the other. Past the end it answers undefined, as it does to every later question. */
export type FieldReader = {
  bytes(length: number): Uint8Array | undefined;
  /** An unsigned number of at most six bytes. */
  number(length: number): number | undefined;
  unsigned(length: number): bigint | undefined;
  /** Whether everything was read, and nothing was asked for beyond. */
  ended(): boolean;
};

export function readFields(source: Uint8Array): FieldReader {
  let at = 0;
  let short = false;
  const bytes = (length: number): Uint8Array | undefined => {
    if (short || at + length > source.length) {
      short = true;
      return undefined;
    }
    at += length;
    return source.slice(at - length, at);
  };
  const unsigned = (length: number): bigint | undefined => {
    const found = bytes(length);
    return found === undefined ? undefined : unsignedOf(found);
  };
  return {
    bytes,
    unsigned,
    number: (length) => {
      const found = unsigned(length);
      return found === undefined ? undefined : Number(found);
    },
    ended: () => !short && at === source.length,
  };
}
