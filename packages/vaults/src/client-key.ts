import { type Address, CustodyError, parseAddress } from '@bulkhead/domain';
import { concatBytes } from '@noble/hashes/utils.js';
import { bytesCodec, decodeWhole, type Keccak, struct, type StructCodec, unsigned } from './codec.ts';
import { bytesOf, type Hex, hexOf, wordAt, wordOf } from './word.ts';

/** A point of P-256: the public key of a passkey. */
export type PasskeyPoint = { readonly x: bigint; readonly y: bigint };

/** A key that a client signs with: an account of a wallet, or a passkey. */
export type ClientKey =
  | { readonly kind: 'secp256k1'; readonly address: Address }
  | { readonly kind: 'passkey'; readonly point: PasskeyPoint };

/** An assertion of a passkey (W3C WebAuthn level 3), bytes in hex with `0x`. */
export type PasskeyAssertion = {
  readonly authenticatorData: Hex;
  readonly clientDataJson: Hex;
  /** ASN.1 DER, as authenticators give it. */
  readonly signature: Hex;
};

/** Order of P-256. */
const curveOrder = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** Order of secp256k1. */
const accountCurveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** Bytes of a signature of secp256k1: r, s, and 27 or 28. */
export const accountSignatureBytes: number = 65;

/** The 32 bytes that stand for a key in a configuration. */
export function keyId(hashes: Keccak, key: ClientKey): Hex {
  switch (key.kind) {
    case 'secp256k1':
      return hexOf(wordOf(BigInt(key.address)));
    case 'passkey':
      return hexOf(hashes.keccak256(concatBytes(wordOf(key.point.x), wordOf(key.point.y))));
  }
}

/** The account of a key id, or undefined for that of a passkey: no hash begins with twelve zero bytes. */
export function accountOf(id: Hex): Address | undefined {
  return BigInt(id) >> 160n === 0n ? parseAddress(`0x${id.slice(-40)}`) : undefined;
}

/** What a contract reads of a passkey's assertion. */
type PasskeySignature = {
  readonly x: bigint;
  readonly y: bigint;
  readonly authenticatorData: Hex;
  readonly clientDataJSON: Hex;
  readonly challengeIndex: bigint;
  readonly typeIndex: bigint;
  readonly r: bigint;
  readonly s: bigint;
};

const word = unsigned(256);
const passkeySignatureCodec: StructCodec<PasskeySignature> = struct('', {
  x: word,
  y: word,
  authenticatorData: bytesCodec,
  clientDataJSON: bytesCodec,
  challengeIndex: word,
  typeIndex: word,
  r: word,
  s: word,
});

/**
 * The bytes that a contract takes as signature of a passkey. `s` becomes the lower of the two that are valid, because contracts
 * refuse the other.
 *
 * @throws CustodyError `vault/signature` for what is no assertion
 */
export function passkeySignature({ x, y }: PasskeyPoint, assertion: PasskeyAssertion): Hex {
  const client = new TextDecoder().decode(bytesOf(assertion.clientDataJson));
  const { r, s } = parseDerSignature(bytesOf(assertion.signature));
  const values: PasskeySignature = {
    x,
    y,
    authenticatorData: assertion.authenticatorData,
    clientDataJSON: assertion.clientDataJson,
    challengeIndex: placeOf(client, '"challenge":"'),
    typeIndex: placeOf(client, '"type":"webauthn.get"'),
    r,
    s: s > curveOrder / 2n ? curveOrder - s : s,
  };
  return hexOf(passkeySignatureCodec.encode(values));
}

/** Reads a passkey's signature back from call data. @throws CustodyError `vault/malformed` */
export function parsePasskeySignature(signature: Hex): PasskeySignature {
  return decodeWhole(passkeySignatureCodec, bytesOf(signature));
}

/**
 * The 65 bytes that contracts take as signature of secp256k1.
 *
 * @throws CustodyError `vault/signature` for values that no signature has
 */
export function accountSignature(signature: { readonly r: bigint; readonly s: bigint; readonly yParity: 0 | 1 }): Hex {
  const { r, s, yParity } = signature;
  if (r <= 0n || r >= accountCurveOrder) throw unusable('its r is not on the curve');
  if (s <= 0n || s > accountCurveOrder / 2n) throw unusable('its s is not the lower one');
  return hexOf(concatBytes(wordOf(r), wordOf(s), Uint8Array.of(27 + yParity)));
}

/**
 * What a wallet answered, as contracts take it: wallets write `v` as 0 or 1 or as 27 or 28, and some give the larger `s`.
 *
 * @throws CustodyError `vault/signature`
 */
export function walletAnswerSignature(answer: Hex): Hex {
  const bytes = bytesOf(answer);
  if (bytes.length !== accountSignatureBytes) throw unusable(`it has ${bytes.length} bytes, not 65`);
  const v = bytes[64] ?? 0;
  const bit = v >= 27 ? v - 27 : v;
  if (bit !== 0 && bit !== 1) throw unusable(`its v is ${v}`);
  const [r, s] = [wordAt(bytes, 0), wordAt(bytes, 32)];
  const high = s > accountCurveOrder / 2n;
  const parity = high ? 1 - bit : bit;
  return accountSignature({ r, s: high ? accountCurveOrder - s : s, yParity: parity === 1 ? 1 : 0 });
}

/**
 * Signatures of a quorum, in the order contracts want: ascending by signer.
 *
 * @throws CustodyError `vault/signature` for what is none of 65 bytes
 */
export function quorumSignatures(signatures: ReadonlyMap<Address, Hex>): Hex {
  const sorted = [...signatures].sort(([a], [b]) => (a < b ? -1 : 1));
  const bytes = sorted.map(([signer, signature]) => {
    const each = bytesOf(signature);
    if (each.length !== accountSignatureBytes) throw unusable(`that of ${signer} has ${each.length} bytes, not 65`);
    return each;
  });
  return hexOf(concatBytes(...bytes));
}

/** The point of an uncompressed public key. @throws CustodyError `vault/signature` */
export function pointOfBytes(bytes: Uint8Array): PasskeyPoint {
  if (bytes.length !== 65 || bytes[0] !== 4) throw unusable('a public key is 65 bytes and begins with 04');
  return { x: wordAt(bytes, 1), y: wordAt(bytes, 33) };
}

/** Two integers in ASN.1 DER, each in its shortest form. */
function parseDerSignature(bytes: Uint8Array): { readonly r: bigint; readonly s: bigint } {
  if (bytes[0] !== 0x30 || bytes[1] !== bytes.length - 2) throw unusable('it is no sequence of ASN.1');
  const first = derInteger(bytes, 2);
  const second = derInteger(bytes, first.end);
  if (second.end !== bytes.length) throw unusable('bytes follow its two numbers');
  return { r: first.value, s: second.value };
}

function derInteger(bytes: Uint8Array, at: number): { readonly value: bigint; readonly end: number } {
  const length = bytes[at + 1] ?? 0;
  const end = at + 2 + length;
  if (bytes[at] !== 0x02 || length === 0 || length > 33 || end > bytes.length) throw unusable('it is not two numbers');
  const digits = bytes.subarray(at + 2, end);
  const [first = 0, second = 0] = digits;
  if (first >= 0x80 || (length > 1 && first === 0 && second < 0x80)) {
    throw unusable('a number is not in its shortest form');
  }
  const value = BigInt(hexOf(digits));
  if (value >= curveOrder) throw unusable('a number is not on the curve');
  if (value === 0n) throw unusable('a number is zero');
  return { value, end };
}

function placeOf(client: string, text: string): bigint {
  const place = client.indexOf(text);
  if (place === -1) throw unusable(`its client data lacks ${text}`);
  // Contracts count bytes; before these names browsers write ASCII alone.
  if (/[^\x20-\x7e]/u.test(client.slice(0, place))) {
    throw unusable('its client data begins with something else than ASCII');
  }
  return BigInt(place);
}

function unusable(fact: string): CustodyError {
  return new CustodyError('vault/signature', `This signature is of no use to a vault: ${fact}. Sign again.`);
}
