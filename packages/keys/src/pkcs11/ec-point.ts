import { CustodyError } from '@bulkhead/domain';
import { nativeModules } from '../native.ts';

/** Room for CKA_EC_POINT with whatever encoding is around it, in bytes. */
export const pointAttributeBytesMax: number = 128;

/**
 * secp256k1 point as 65 bytes. The standard wants a DER OCTET STRING; some modules give the point bare, and some compress it. A point
 * that is not on the curve is refused.
 */
export function readSecp256k1Point(value: Uint8Array): Uint8Array {
  const point = withoutHeader(value, [65, 33]);
  try {
    return nativeModules().secp256k1.publicKeyConvert(point, false);
  } catch (error) {
    throw pointFault(value, error);
  }
}

/** Ed25519 key as 32 bytes, out of an OCTET STRING, a BIT STRING or bare. */
export function readEd25519Point(value: Uint8Array): Uint8Array {
  const point = withoutHeader(value, [32]);
  if (point.length !== 32) throw pointFault(value);
  return Uint8Array.from(point);
}

function withoutHeader(value: Uint8Array, lengths: readonly number[]): Uint8Array {
  if (lengths.includes(value.length)) return value;
  const octets = value[0] === 0x04 && value[1] === value.length - 2;
  if (octets && lengths.includes(value.length - 2)) return value.subarray(2);
  const bits = value[0] === 0x03 && value[1] === value.length - 2 && value[2] === 0;
  if (bits && lengths.includes(value.length - 3)) return value.subarray(3);
  throw pointFault(value);
}

function pointFault(value: Uint8Array, cause?: unknown): CustodyError {
  return new CustodyError(
    'hsm/refused',
    `The module gave a public key of ${value.length} bytes that is no point of the curve in a known encoding. Check that the key is of the curve that is needed.`,
    cause === undefined ? {} : { cause },
  );
}
