import { CustodyError } from '@bulkhead/domain';

/** SubjectPublicKeyInfo of an uncompressed secp256k1 point (RFC 5480, SEC 2), up to the point. There is no other encoding of it in DER. */
const spkiHeader = Buffer.from('3056301006072a8648ce3d020106052b8104000a034200', 'hex');
const pointBytes = 65;

/** @throws CustodyError `hsm/refused` */
export function readSpki(der: Uint8Array): Uint8Array {
  const header = Buffer.from(der.subarray(0, spkiHeader.length));
  if (der.length === spkiHeader.length + pointBytes && header.equals(spkiHeader) && der[spkiHeader.length] === 4) {
    return Uint8Array.from(der.subarray(spkiHeader.length));
  }
  throw new CustodyError(
    'hsm/refused',
    `The key store gave a public key of ${der.length} bytes that is no secp256k1 key in DER. The key must be of the type ECC_SECG_P256K1.`,
  );
}

/**
 * `SEQUENCE { r INTEGER, s INTEGER }` as 64 bytes. Strict: each number positive and without superfluous zeros, nothing left over.
 *
 * @throws CustodyError `hsm/signature-invalid`
 */
export function readDerSignature(der: Uint8Array): Uint8Array {
  const compact = new Uint8Array(64);
  const [r, afterR] = readInteger(der, 2);
  const [s, afterS] = readInteger(der, afterR);
  if (der[0] !== 0x30 || der[1] !== der.length - 2 || afterS !== der.length) throw malformed(der);
  compact.set(r, 32 - r.length);
  compact.set(s, 64 - s.length);
  return compact;
}

function readInteger(der: Uint8Array, at: number): readonly [value: Uint8Array, after: number] {
  const length = der[at + 1] ?? 0;
  const after = at + 2 + length;
  const bytes = der.subarray(at + 2, after);
  const [first = 0x80, second = 0] = bytes;
  const padded = first === 0 && bytes.length > 1;
  const wrong = der[at] !== 0x02 || bytes.length !== length || length < 1 || first >= 0x80 || (padded && second < 0x80);
  const value = padded ? bytes.subarray(1) : bytes;
  if (wrong || value.length > 32) throw malformed(der);
  return [value, after];
}

function malformed(der: Uint8Array): CustodyError {
  return new CustodyError(
    'hsm/signature-invalid',
    `The key store gave ${der.length} bytes that are no ECDSA signature in DER. Nothing is given out.`,
  );
}
