import { createPublicKey, verify } from 'node:crypto';
import { nobleHashes } from '@bulkhead/authority';
import {
  type Address,
  type CertifiedLogKey,
  type CheckpointGrant,
  type ControlGrant,
  CustodyError,
  type Intent,
  intentDigest,
  type LogCheckpointIntent,
  parseIntentText,
  type Signature,
  type WalletControlIntent,
} from '@bulkhead/domain';
import { checkpointText } from '@bulkhead/tlog';
import { walletControlPreimage } from '@bulkhead/vaults';
import { type Pinned, verifyRecord, verifyStatement } from './verification.ts';

/** DER of a SubjectPublicKeyInfo for Ed25519 (RFC 8410) up to the 32 bytes of the key. */
const ed25519Prefix = '302a300506032b6570032100';

/**
 * Verifies that a pinned identity vouches for exactly this key of this log. Readers of the log get their verifier key from it.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyLogKey(
  { origin, publicKey, certificate }: CertifiedLogKey,
  { identities, deployment }: Pinned,
): void {
  verifyStatement(certificate, identities, { kind: 'log-key-certificate', deployment, origin, publicKey });
}

/**
 * Verifies that a checkpoint was signed by the certified key of the log, over the text that was asked for and no other, and that the signer
 * has written it down.
 *
 * @throws CustodyError `signer/certificate-invalid`, `signer/state-damaged`
 */
export function verifyCheckpoint(
  { signature, publicKey, record }: CheckpointGrant,
  {
    intent,
    key,
    pinned,
  }: { readonly intent: LogCheckpointIntent; readonly key: CertifiedLogKey; readonly pinned: Pinned },
): void {
  const { origin, size, root } = intent;
  const text = checkpointText({ origin, size: Number(size), root: Uint8Array.from(Buffer.from(root, 'hex')) });
  const certified = publicKey === key.publicKey && origin === key.origin;
  if (!certified || !verify(null, Buffer.from(text, 'utf8'), publicKeyOf(publicKey), signature)) {
    throw invalid(`The signature of checkpoint ${size} of the log "${origin}" is not one of its certified key.`);
  }
  const { type, fields } = verifyRecord(record, pinned.identities);
  const said = type === 'checkpointed' ? fields['intent'] : undefined;
  // Asked again under another id, the record of the first time is shown: it names the same tree.
  if (typeof said === 'string' && isSameTree(parseIntentText(said), intent)) return;
  throw invalid(`The record of checkpoint ${size} of the log "${origin}" is about something else.`);
}

/**
 * Verifies that a wallet has signed exactly this, and that the signer has written it down.
 *
 * @param recover whose signature over a digest it is
 * @throws CustodyError `signer/certificate-invalid`, `signer/state-damaged`
 */
export function verifyControl(
  { signature, record }: ControlGrant,
  intent: WalletControlIntent,
  by: { readonly pinned: Pinned; readonly recover: (digest: Uint8Array, signature: Signature) => Address },
): void {
  const digest = nobleHashes.keccak256(walletControlPreimage(nobleHashes, intent));
  if (recovered(by.recover, digest, signature) !== intent.wallet) {
    throw invalid(`The signature of ${intent.wallet} under the context ${intent.context} is not one of its key.`);
  }
  const { type, fields } = verifyRecord(record, by.pinned.identities);
  if (type === 'granted' && fields['digest'] === intentDigest(intent)) return;
  throw invalid(`The record of the control of ${intent.wallet} is about something else.`);
}

function isSameTree(said: Intent, { deployment, origin, size, root }: LogCheckpointIntent): boolean {
  const isCheckpoint = said.kind === 'log-checkpoint' && said.deployment === deployment;
  return isCheckpoint && said.origin === origin && said.size === size && said.root === root;
}

function recovered(
  recover: (digest: Uint8Array, signature: Signature) => Address,
  digest: Uint8Array,
  signature: Signature,
): Address | undefined {
  try {
    return recover(digest, signature);
  } catch {
    // Not every two numbers are a signature.
    return undefined;
  }
}

function invalid(fact: string): CustodyError {
  return new CustodyError('signer/certificate-invalid', `${fact} Use nothing of it; find out who answers there.`);
}

function publicKeyOf(hex: string): ReturnType<typeof createPublicKey> {
  return createPublicKey({ key: Buffer.from(ed25519Prefix + hex, 'hex'), format: 'der', type: 'spki' });
}
