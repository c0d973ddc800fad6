import { CustodyError } from '@bulkhead/domain';

/** How deep extension outputs may be nested. Those of WebAuthn have two levels. */
export const cborDepthMax: number = 4;

/**
 * Where the CBOR map that begins at a position ends (RFC 8949, definite lengths only, as CTAP2 writes them). What is in it is not
 * used: extensions nobody asked for are skipped, and have to be read to know that nothing follows them.
 *
 * @throws CustodyError `signer/approval-invalid`
 */
export function endOfCborMap(bytes: Uint8Array, at: number): number {
  if (majorOf(bytes, at) !== 5) throw invalid();
  return endOfItem(bytes, at, 0);
}

function endOfItem(bytes: Uint8Array, at: number, depth: number): number {
  if (depth > cborDepthMax) throw invalid();
  const major = majorOf(bytes, at);
  const { count, next } = argumentAt(bytes, at);
  switch (major) {
    case 2:
    case 3:
      return bounded(bytes, next + count);
    case 4:
      return endOfItems(bytes, next, { count, depth });
    case 5:
      return endOfItems(bytes, next, { count: count * 2, depth });
    case 6:
      return endOfItem(bytes, next, depth + 1);
    default:
      // Integers, and the simple values and floats whose argument is their value.
      return next;
  }
}

function endOfItems(bytes: Uint8Array, at: number, { count, depth }: { count: number; depth: number }): number {
  let next = at;
  // Each item takes a byte: a count that the bytes cannot hold ends at their end.
  for (let left = count; left > 0; left--) next = endOfItem(bytes, next, depth + 1);
  return next;
}

function majorOf(bytes: Uint8Array, at: number): number {
  return byteAt(bytes, at) >> 5;
}

function argumentAt(bytes: Uint8Array, at: number): { readonly count: number; readonly next: number } {
  const info = byteAt(bytes, at) & 0x1f;
  if (info < 24) return { count: info, next: at + 1 };
  if (info > 27) throw invalid();
  const width = 2 ** (info - 24);
  let count = 0;
  for (let i = 1; i <= width; i++) count = count * 256 + byteAt(bytes, at + i);
  return { count, next: at + 1 + width };
}

function bounded(bytes: Uint8Array, end: number): number {
  if (end > bytes.length) throw invalid();
  return end;
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw invalid();
  return byte;
}

function invalid(): CustodyError {
  return new CustodyError(
    'signer/approval-invalid',
    'The extension data of an assertion is no CBOR map. Approve again on the approval page.',
  );
}
