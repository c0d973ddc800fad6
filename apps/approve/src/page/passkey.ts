import { approverKeyOf, assertAssertion, nobleHashes, type WebauthnKey } from '@bulkhead/authority';
import type { Approval } from '@bulkhead/domain';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { pins } from './pins.ts';
import type { Remembered } from './remembered.ts';

/** Time that a person has to use an authenticator, in milliseconds. */
export const passkeyMsMax: number = 180_000;

const es256 = -7;

/** SubjectPublicKeyInfo of P-256 up to its point (RFC 5480). */
const spkiHead = '3059301306072a8648ce3d020106082a8648ce3d030107034200';
const userVerified = 0x04;

/** Asks the authenticator to sign the digest, and looks at what came back as the signer will. */
export async function signWithPasskey(digest: string, remembered: Remembered): Promise<Approval> {
  const { person, key, credential } = remembered;
  const given = await navigator.credentials.get({
    publicKey: {
      challenge: Uint8Array.from(hexToBytes(digest)),
      rpId: pins.relyingParty,
      userVerification: 'required',
      allowCredentials: credential === '' ? [] : [{ type: 'public-key', id: Uint8Array.from(hexToBytes(credential)) }],
      timeout: passkeyMsMax,
    },
  });
  if (!(given instanceof PublicKeyCredential) || !(given.response instanceof AuthenticatorAssertionResponse)) {
    throw new Error('The browser gave no signature of a passkey.');
  }
  const { authenticatorData, clientDataJSON, signature } = given.response;
  const approval = {
    person,
    key,
    kind: 'webauthn',
    authenticatorData: hexOf(authenticatorData),
    clientDataJson: hexOf(clientDataJSON),
    signature: hexOf(signature),
  } as const;
  const { relyingParty, origin } = pins;
  const used: WebauthnKey = {
    id: key,
    kind: 'webauthn',
    credential: hexOf(given.rawId),
    publicKey: '',
    relyingParty,
    origin,
  };
  assertAssertion(nobleHashes, { approval, key: used, digest });
  return approval;
}

/** Makes a passkey and says how the registry lists it. */
export async function registerPasskey(person: string, key: string): Promise<WebauthnKey> {
  const given = await navigator.credentials.create({
    publicKey: {
      rp: { id: pins.relyingParty, name: pins.name },
      // A random user: a second passkey must not replace the first one on the same authenticator.
      user: { id: crypto.getRandomValues(new Uint8Array(16)), name: `${person} (${key})`, displayName: person },
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      pubKeyCredParams: [{ type: 'public-key', alg: es256 }],
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
      attestation: 'none',
      timeout: passkeyMsMax,
    },
  });
  if (!(given instanceof PublicKeyCredential) || !(given.response instanceof AuthenticatorAttestationResponse)) {
    throw new Error('The browser made no passkey.');
  }
  const { response } = given;
  const spki = hexOf(response.getPublicKey() ?? new ArrayBuffer(0));
  if (response.getPublicKeyAlgorithm() !== es256 || !spki.startsWith(spkiHead)) {
    throw new Error('The authenticator made a key of another kind than ES256 (P-256). Use another authenticator.');
  }
  if (((new Uint8Array(response.getAuthenticatorData())[32] ?? 0) & userVerified) === 0) {
    throw new Error('The authenticator did not verify who used it. Set a PIN or biometrics on it, and register again.');
  }
  const entry = approverKeyOf({
    id: key,
    kind: 'webauthn',
    credential: hexOf(given.rawId),
    publicKey: spki.slice(spkiHead.length),
    relyingParty: pins.relyingParty,
    origin: pins.origin,
  });
  if (entry.kind !== 'webauthn') throw new Error('The key is of another kind.');
  return entry;
}

function hexOf(buffer: ArrayBuffer): string {
  return bytesToHex(new Uint8Array(buffer));
}
