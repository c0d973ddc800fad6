import type { Approval as SignedApproval } from '@bulkhead/domain';
import { z } from 'zod';
import { text } from './wire.ts';

/** Name of a person of the signer's registry: the name under which the API knows who calls. */
export const personCharsMax = 120;
/** Id of a key under a person of the registry. */
export const approverKeyCharsMax = 64;
/** Authenticator data (W3C WebAuthn level 3, section 6.1): 37 bytes without extensions, and room for some. */
export const authenticatorDataBytesMax = 1_024;
/** Collected client data: type, challenge, origin and what browsers add to it. */
export const clientDataBytesMax = 4_096;
/** An ECDSA signature over P-256 in ASN.1 DER: two integers of at most 33 bytes with their headers. */
export const derSignatureBytesMax = 72;

const derSignatureBytesMin = 8;
const authenticatorDataBytesMin = 37;
const eip712SignatureBytes = 65;
const ed25519SignatureBytes = 64;

/** Bytes as lower-case hex without prefix. */
export function hexBytes(bytesMin: number, bytesMax: number = bytesMin): z.ZodString {
  const count = bytesMin === bytesMax ? `${bytesMin}` : `${bytesMin} to ${bytesMax}`;
  const wrong = `Expected ${count} bytes as lower-case hex digits without prefix.`;
  return z
    .string()
    .min(bytesMin * 2, wrong)
    .max(bytesMax * 2, wrong)
    .regex(/^(?:[0-9a-f]{2})*$/u, wrong);
}

const whose = { person: text(personCharsMax), key: text(approverKeyCharsMax) };

/** A signature of a person over the digest of an intent. Whether it is right, the signer says; here it has the right form. */
export const signedApproval = z
  .discriminatedUnion('kind', [
    z.strictObject({
      ...whose,
      kind: z.literal('webauthn'),
      authenticatorData: hexBytes(authenticatorDataBytesMin, authenticatorDataBytesMax),
      clientDataJson: hexBytes(1, clientDataBytesMax),
      signature: hexBytes(derSignatureBytesMin, derSignatureBytesMax),
    }),
    z.strictObject({ ...whose, kind: z.literal('eip712'), signature: hexBytes(eip712SignatureBytes) }),
    z.strictObject({ ...whose, kind: z.literal('ed25519'), signature: hexBytes(ed25519SignatureBytes) }),
  ])
  .meta({
    id: 'SignedApproval',
    description:
      'A signature over the digest of the intent by a registered key: a passkey, an EIP-712 wallet or an Ed25519 key',
  });

export const approvalInput = z.strictObject({ approval: signedApproval });

export type ApprovalInput = { readonly approval: SignedApproval };
