import { type Approval, CustodyError } from '@bulkhead/domain';
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { endOfCborMap } from './cbor.ts';
import { parseClientData } from './client-data.ts';
import type { Hashes } from './hashes.ts';
import type { ApproverKey } from './registry.ts';

export type WebauthnApproval = Extract<Approval, { readonly kind: 'webauthn' }>;
export type WebauthnKey = Extract<ApproverKey, { readonly kind: 'webauthn' }>;

/** What a passkey's assertion says, before anybody has checked its signature. */
export type Assertion = {
  /** Hex of the bytes that were to be signed. */
  readonly challenge: string;
  readonly origin: string;
  /** SHA-256 of the relying party id, hex. */
  readonly relyingPartyHash: string;
  readonly userPresent: boolean;
  readonly userVerified: boolean;
  /** Zero where the authenticator does not count. */
  readonly signCount: number;
  /** What the signature is over: authenticator data and SHA-256 of the client data. */
  readonly signed: Uint8Array;
};

/** Bytes of authenticator data: 37, and what extensions nobody asked for may add. */
export const authenticatorDataBytesMax: number = 512;

/** Bytes of client data. Browsers write below 250 and may add fields. */
export const clientDataBytesMax: number = 2_048;

/** Bytes of a P-256 signature in ASN.1 DER. */
export const assertionSignatureBytesMax: number = 72;

const fixedBytes = 37;
const flag = {
  userPresent: 0x01,
  userVerified: 0x04,
  backupEligible: 0x08,
  backedUp: 0x10,
  attested: 0x40,
  extended: 0x80,
};

/**
 * Reads an assertion as W3C WebAuthn level 3 says (sections 5.8.1, 6.1 and 7.2). The arithmetic of the curve is not done here: the
 * caller verifies the signature over `signed` with the registered key.
 *
 * @throws CustodyError `signer/approval-invalid`
 */
export function readAssertion(hashes: Hashes, approval: WebauthnApproval): Assertion {
  const data = bytesOf(approval.authenticatorData, authenticatorDataBytesMax, 'authenticator data');
  const client = bytesOf(approval.clientDataJson, clientDataBytesMax, 'client data');
  bytesOf(approval.signature, assertionSignatureBytesMax, 'signature');
  if (data.length < fixedBytes) {
    throw invalid(`its authenticator data has ${data.length} bytes, not at least ${fixedBytes}`);
  }
  const flags = data[32] ?? 0;
  if ((flags & flag.attested) !== 0) throw invalid('it carries a new credential, which only a registration does');
  if ((flags & flag.backedUp) !== 0 && (flags & flag.backupEligible) === 0) {
    throw invalid('it says that a key is backed up which cannot be');
  }
  const end = (flags & flag.extended) === 0 ? fixedBytes : endOfCborMap(data, fixedBytes);
  if (end !== data.length) throw invalid('bytes follow its authenticator data, or are missing there');
  const { challenge, origin } = parseClientData(client);
  return {
    challenge,
    origin,
    relyingPartyHash: bytesToHex(data.subarray(0, 32)),
    userPresent: (flags & flag.userPresent) !== 0,
    userVerified: (flags & flag.userVerified) !== 0,
    signCount: new DataView(data.buffer, data.byteOffset).getUint32(33),
    signed: concatBytes(data, hashes.sha256(client)),
  };
}

export type AssertionClaim = {
  readonly approval: WebauthnApproval;
  readonly key: WebauthnKey;
  /** Digest of the intent, hex. */
  readonly digest: string;
};

/**
 * Reads an assertion and asserts that it is about this digest, made on the registered page with the person verified by the
 * authenticator. The caller still verifies the signature and the sign count.
 *
 * @throws CustodyError `signer/approval-invalid`
 */
export function assertAssertion(hashes: Hashes, { approval, key, digest }: AssertionClaim): Assertion {
  const assertion = readAssertion(hashes, approval);
  if (assertion.challenge !== digest) {
    throw invalid(`it is about ${assertion.challenge.slice(0, 64)}, not about the intent ${digest}`);
  }
  if (assertion.origin !== key.origin) {
    throw invalid(`it was made on ${assertion.origin.slice(0, 120)}, not on the approval page ${key.origin}`);
  }
  if (assertion.relyingPartyHash !== hashes.sha256Hex(key.relyingParty)) {
    throw invalid(`it was made for another relying party than ${key.relyingParty}`);
  }
  if (!assertion.userPresent) throw invalid('nobody touched the authenticator');
  if (!assertion.userVerified) throw invalid('the authenticator did not verify who used it (PIN or biometrics)');
  return assertion;
}

function bytesOf(hex: string, max: number, name: string): Uint8Array {
  if (hex.length > max * 2) throw invalid(`its ${name} is longer than ${max} bytes`);
  let bytes: Uint8Array;
  try {
    bytes = hexToBytes(hex);
  } catch {
    throw invalid(`its ${name} is no lower-case hex`);
  }
  if (bytes.length === 0 || hex.toLowerCase() !== hex) throw invalid(`its ${name} is no lower-case hex`);
  return bytes;
}

function invalid(fact: string): CustodyError {
  return new CustodyError(
    'signer/approval-invalid',
    `This assertion of a passkey counts for nothing: ${fact}. Approve again on the approval page.`,
  );
}
