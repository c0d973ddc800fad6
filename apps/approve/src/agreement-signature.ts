import { clientSignatureClaim, nobleHashes } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import { accountOf, hexOf, keyId, passkeySignature, type PasskeyPoint } from '@bulkhead/vaults';
import { p256 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import type { AgreementExamination } from './agreement.ts';
import { readWalletAnswer } from './wallet-signature.ts';

/** What an authenticator gave. */
export type ClientAssertion = {
  readonly authenticatorData: Uint8Array;
  readonly clientDataJson: Uint8Array;
  /** ASN.1 DER. */
  readonly signature: Uint8Array;
};

type Signed = Pick<AgreementExamination, 'terms' | 'digest'>;

/**
 * The signature of a passkey in the form that contracts take, which carries its public key. An assertion does not say it, so it is worked
 * out from the signature: of the points that fit, the one that the configuration names.
 *
 * @throws CustodyError `vault/signature` where the passkey is another, or signed something else
 */
export function passkeyAgreement({ terms, digest }: Signed, assertion: ClientAssertion): string {
  const { authenticatorData, clientDataJson, signature } = assertion;
  const signed = sha256(concatBytes(authenticatorData, sha256(clientDataJson)));
  const point = pointsOf(signature, signed).find(
    (candidate) => keyId(nobleHashes, { kind: 'passkey', point: candidate }) === terms.config.clientKey,
  );
  if (point === undefined) throw another();
  const made = passkeySignature(point, {
    authenticatorData: hexOf(authenticatorData),
    clientDataJson: hexOf(clientDataJson),
    signature: hexOf(signature),
  });
  clientSignatureClaim(nobleHashes, {
    key: terms.config.clientKey,
    digest: hexToBytes(digest),
    signature: made.slice(2),
  });
  return made;
}

function pointsOf(signature: Uint8Array, hash: Uint8Array): readonly PasskeyPoint[] {
  const parsed = p256.Signature.fromBytes(signature, 'der');
  return [0, 1].map((bit) => {
    const { x, y } = parsed.addRecoveryBit(bit).recoverPublicKey(hash).toAffine();
    return { x, y };
  });
}

/**
 * What a wallet answered, if it is the signature of the account that the configuration names.
 *
 * @throws CustodyError `vault/signature`
 */
export function walletAgreement({ terms, digest }: Signed, answer: unknown): string {
  const read = readWalletAnswer(answer, hexToBytes(digest));
  if (read === undefined || read.address !== accountOf(terms.config.clientKey)) throw another();
  return `0x${read.signature}`;
}

function another(): CustodyError {
  return new CustodyError(
    'vault/signature',
    'This is not the key that the configuration names, or it signed something else. Nothing was agreed to; use the key of the client.',
  );
}
