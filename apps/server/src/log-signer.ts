import { type CertifiedLogKey, CustodyError, type LogCheckpointIntent, type ProofSigner } from '@bulkhead/domain';
import { type CheckpointOrder, type CheckpointSigner, newKeyPem, softwareSigner } from '@bulkhead/log';
import { verifyCheckpoint, verifyLogKey } from '@bulkhead/signer-client';
import { type VerifierKey, verifierKey } from '@bulkhead/tlog';
import type { Configuration } from './config.ts';
import { privateText } from './private-file.ts';
import type { ReachedSigner } from './reached-signer.ts';
import { reachSigners } from './signer.ts';

type Reached = Pick<ReachedSigner, 'pinned'> & { readonly signer: Pick<ProofSigner, 'logKey' | 'signCheckpoint'> };

/**
 * Checkpoints by the key in the signer, which wants to be shown that each continues the last one. The key is asked for until somebody
 * answers, and believed by its certificate alone; then it is remembered.
 *
 * @param origin name that the configuration gives the log, where it does
 */
export function checkpointsBySigner(reached: Reached, origin: string | undefined): () => Promise<CheckpointSigner> {
  let known: CheckpointSigner | undefined;
  return async () => (known ??= signerOf(reached, await certifiedKey(reached, origin)));
}

/**
 * The key of the log as a pinned identity certifies it.
 *
 * @throws CustodyError `signer/…`, `config/invalid` where the log has another name than the configuration says
 */
export async function certifiedKey({ signer, pinned }: Reached, origin: string | undefined): Promise<CertifiedLogKey> {
  const key = await signer.logKey();
  verifyLogKey(key, pinned);
  if (origin === undefined || origin === key.origin) return key;
  throw new CustodyError(
    'config/invalid',
    `The signer's registry lists the audit log "${key.origin}", and /log/origin is "${origin}". Correct the one, or have the other listed by the root quorum.`,
  );
}

/**
 * The key by which everybody verifies the log: what readers and witnesses pin.
 *
 * @throws CustodyError as {@link certifiedKey}
 */
export async function publishedLogKey(configuration: Configuration): Promise<VerifierKey> {
  await using parts = new AsyncDisposableStack();
  const reached = await reachSigners(configuration, { parts, tell: () => undefined, nodes: new Map() });
  return verifierKeyOf(await certifiedKey(reached, configuration.log.origin));
}

/** The verifier key of C2SP signed-note, which follows from name and public key. */
function verifierKeyOf({ origin, publicKey }: CertifiedLogKey): VerifierKey {
  return verifierKey(origin, 'ed25519', Uint8Array.from(Buffer.from(publicKey, 'hex')));
}

function signerOf({ signer, pinned }: Reached, key: CertifiedLogKey): CheckpointSigner {
  return {
    key: verifierKeyOf(key),
    async sign(_message, order) {
      const intent = intentOf(order, { origin: key.origin, deployment: pinned.deployment });
      const ask = async (older: number): ReturnType<ProofSigner['signCheckpoint']> => {
        const proof = older >= order.head.size ? [] : await order.continuation(older);
        return signer.signCheckpoint({ intent, oldSize: BigInt(older), proof: proof.map(hexOf) });
      };
      const grant = await ask(order.signed).catch(async (error: unknown) => ask(positionIn(error)));
      verifyCheckpoint(grant, { intent, key, pinned });
      return grant.signature;
    },
  };
}

function intentOf(
  { head }: CheckpointOrder,
  { origin, deployment }: { readonly origin: string; readonly deployment: string },
): LogCheckpointIntent {
  const { size, root } = head;
  return {
    deployment,
    kind: 'log-checkpoint',
    id: `lc_${size}`,
    origin,
    size: BigInt(size),
    root: hexOf(root),
  };
}

/** Where the signer stands, if that is what it says: an answer was lost once it was given. Everything else stays a fault. */
function positionIn(error: unknown): number {
  const size =
    error instanceof CustodyError && error.code === 'signer/log-position' ? error.details['size'] : undefined;
  if (typeof size === 'string' && /^(?:0|[1-9][0-9]{0,14})$/u.test(size)) return Number(size);
  throw error;
}

/**
 * Checkpoints by a key in a file of this process, made at the first start: whoever has that file can sign another log, so it is for
 * development, and said at each start.
 *
 * @throws CustodyError `key/file-access`, `key/damaged-file`
 */
export function checkpointsByFile(
  keyFile: string,
  { origin }: { readonly origin: string },
): () => Promise<CheckpointSigner> {
  const signer = softwareSigner(privateText(keyFile, newKeyPem), origin, 'ed25519');
  return () => Promise.resolve(signer);
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
