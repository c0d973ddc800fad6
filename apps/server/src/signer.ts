import { readFileSync } from 'node:fs';
import { CustodyError, type Signer, type SignerStatus } from '@bulkhead/domain';
import { type Pinned, SignerClient } from '@bulkhead/signer-client';
import type { Configuration, SignerConfiguration } from './config.ts';
import { startDevelopmentSigner } from './development/signer.ts';
import { lockFolder } from './folder.ts';
import type { Tell } from './part.ts';
import type { ReachedSigner } from './reached-signer.ts';

export type SignerOrder = {
  readonly parts: AsyncDisposableStack;
  readonly tell: Tell;
};

/** The signer alone, for commands that need nothing else. Where it is the one for development, it runs until this is disposed. */
export async function openSigner(configuration: Configuration): Promise<AsyncDisposable & ReachedSigner> {
  await using parts = new AsyncDisposableStack();
  await lockFolder(configuration, parts);
  const reached = await reachSigner(configuration, { parts, tell: () => undefined });
  const owned = parts.move();
  return { ...reached, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

type External = Extract<SignerConfiguration, { kind: 'external' }>;

/**
 * Reaches the signer of the configuration, or starts the one for development. No key is ever in this process: what is held here
 * is a socket, and the public identities that a statement must be signed with.
 *
 * @throws CustodyError `signer/wrong-deployment`, `signer/certificate-invalid` when another signer than the configured one answers
 */
export async function reachSigner(configuration: Configuration, order: SignerOrder): Promise<ReachedSigner> {
  const { signer } = configuration;
  if (signer.kind === 'development') {
    return startDevelopmentSigner(configuration, { ...order, directory: signer.directory });
  }
  const client = order.parts.use(clientOf(signer));
  const pinned: Pinned = { identities: signer.identities, deployment: signer.deployment };
  const status = await statusOrSilence(client);
  if (status !== undefined) holdAgainst(pinned, status);
  order.tell({
    part: 'signer',
    what:
      status === undefined
        ? 'WARNING: the signer does not answer. Deposits, books and API go on; withdrawals wait until it is back'
        : `Signer, keys: ${status.residency}, registry version ${status.registryVersion}`,
    where: signer.endpoint,
  });
  return { signer: client, pinned, endpoint: signer.endpoint, pid: undefined };
}

/** @throws CustodyError `config/invalid` for certificates that cannot be read */
function clientOf({ endpoint, tls }: External): SignerClient {
  if (tls === undefined) return new SignerClient({ endpoint });
  const credentials = {
    authority: pem(tls.authorityFile),
    certificate: pem(tls.certificateFile),
    key: pem(tls.keyFile),
    signerKeys: tls.signerKeys,
  };
  return new SignerClient({ endpoint, credentials });
}

function pem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CustodyError('config/invalid', `${path} of /signer/tls cannot be read. Check the path and its mode.`, {
      cause: error,
    });
  }
}

/** What the signer says of itself; undefined where nobody answers, which is no reason not to start. */
async function statusOrSilence(signer: Signer): Promise<SignerStatus | undefined> {
  try {
    return await signer.status();
  } catch (error) {
    if (error instanceof CustodyError && awaited.has(error.code)) return undefined;
    throw error;
  }
}

/** Faults of a signer that will be there later. */
const awaited: ReadonlySet<string> = new Set(['signer/unavailable', 'signer/not-ready', 'signer/other-signer-active']);

/**
 * The status is not signed, so this finds mistakes and no liars: a liar is found by the certificates, which are held against the
 * pinned identities before an address is issued.
 *
 * @throws CustodyError `signer/wrong-deployment`, `signer/certificate-invalid`
 */
export function holdAgainst({ identities, deployment }: Pinned, status: SignerStatus): void {
  if (status.deployment !== deployment) {
    throw new CustodyError(
      'signer/wrong-deployment',
      `The signer is of deployment ${status.deployment} and the configuration names ${deployment}. Correct /signer, or reach the right signer.`,
    );
  }
  if (status.identities.some((identity) => identities.includes(identity))) return;
  throw new CustodyError(
    'signer/certificate-invalid',
    `The signer has the identities ${status.identities.join(', ')}, and the configuration believes none of them. Compare them with the record of the ceremony before you change /signer/identities.`,
  );
}
