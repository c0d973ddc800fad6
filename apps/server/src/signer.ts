import { readFileSync } from 'node:fs';
import { type ChainId, CustodyError, invariant, type Signer, type SignerStatus } from '@bulkhead/domain';
import { type Pinned, SignerClient } from '@bulkhead/signer-client';
import { startNodes } from './chains.ts';
import type { Configuration } from './config.ts';
import type { ExternalSigner } from './config-signer.ts';
import { isInstalled } from './development/installation.ts';
import { startDevelopmentSigners } from './development/signer.ts';
import { lockFolder } from './folder.ts';
import type { Tell } from './part.ts';
import { type ReachedSigner, type ReachedSigners, signerName } from './reached-signer.ts';

export type SignerOrder = {
  readonly parts: AsyncDisposableStack;
  readonly tell: Tell;
  /** Addresses of the embedded nodes that run; the signers for development need them at their first start. */
  readonly nodes: ReadonlyMap<ChainId, string>;
};

/** The signers alone, for commands that need nothing else. Where they are those for development, they run until this is disposed. */
export async function openSigner(configuration: Configuration): Promise<AsyncDisposable & ReachedSigners> {
  await using parts = new AsyncDisposableStack();
  await lockFolder(configuration, parts);
  const tell: Tell = () => undefined;
  const { signer } = configuration;
  const first = signer.kind === 'development' && !isInstalled(signer);
  const nodes = first ? await startNodes(configuration, { parts, tell }) : new Map<ChainId, string>();
  const reached = await reachSigners(configuration, { parts, tell, nodes });
  const owned = parts.move();
  return { ...reached, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/**
 * Reaches the signers of the configuration, or starts those for development. No key is ever in this process: what is held here
 * is a socket to each, and the public identities that a statement must be signed with.
 *
 * @throws CustodyError `signer/wrong-deployment`, `signer/certificate-invalid` when another signer than the configured one answers
 */
export async function reachSigners(configuration: Configuration, order: SignerOrder): Promise<ReachedSigners> {
  const { signer } = configuration;
  if (signer.kind === 'development') return startDevelopmentSigners(configuration, { ...order, folders: signer });
  const { deployment } = signer;
  const all = [signer, ...signer.vaultSigners];
  const [first, ...vaultSigners] = await Promise.all(
    all.map((one, at) =>
      reachExternal({ external: one, place: placeOf(at), deployment, name: signerName(at + 1) }, order),
    ),
  );
  invariant(first !== undefined, 'A configuration without a signer was let through.');
  const { vaults, proofs } = configuration;
  return { ...first, vaultSigners, vaultSystems: vaults.systems, proofRegistries: proofs.registries };
}

function placeOf(at: number): string {
  return at === 0 ? '/signer' : `/vaultSigners/${at - 1}`;
}

type ExternalOrder = {
  readonly external: ExternalSigner;
  readonly place: string;
  readonly deployment: string;
  readonly name: string;
};

async function reachExternal(
  { external, place, deployment, name }: ExternalOrder,
  { parts, tell }: SignerOrder,
): Promise<ReachedSigner> {
  const { endpoint, identities } = external;
  const client = parts.use(clientOf(external, place));
  const pinned: Pinned = { identities, deployment };
  const status = await statusOrSilence(client);
  if (status !== undefined) holdAgainst(pinned, { status, place });
  tell({ part: 'signer', what: arrival({ name, first: place === placeOf(0), status }), where: endpoint });
  return { name, signer: client, pinned, endpoint, pid: undefined };
}

function arrival({
  name,
  first,
  status,
}: {
  readonly name: string;
  readonly first: boolean;
  readonly status: SignerStatus | undefined;
}): string {
  if (status !== undefined) {
    const who = first ? 'Signer' : `Vault signer: ${name}`;
    return `${who}, keys: ${status.residency}, registry version ${status.registryVersion}`;
  }
  return first
    ? 'WARNING: the signer does not answer. Deposits, books and API go on; withdrawals wait until it is back'
    : `WARNING: ${name} does not answer. Vaults pay as long as enough others do; changes of its registry wait for it`;
}

/** @throws CustodyError `config/invalid` for certificates that cannot be read */
function clientOf({ endpoint, tls }: ExternalSigner, place: string): SignerClient {
  if (tls === undefined) return new SignerClient({ endpoint });
  const credentials = {
    authority: pem(tls.authorityFile, place),
    certificate: pem(tls.certificateFile, place),
    key: pem(tls.keyFile, place),
    signerKeys: tls.signerKeys,
  };
  return new SignerClient({ endpoint, credentials });
}

function pem(path: string, place: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CustodyError('config/invalid', `${path} of ${place}/tls cannot be read. Check the path and its mode.`, {
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
export function holdAgainst(
  { identities, deployment }: Pinned,
  { status, place }: { readonly status: SignerStatus; readonly place: string },
): void {
  if (status.deployment !== deployment) {
    throw new CustodyError(
      'signer/wrong-deployment',
      `The signer is of deployment ${status.deployment} and the configuration names ${deployment}. Correct ${place}, or reach the right signer.`,
    );
  }
  if (status.identities.some((identity) => identities.includes(identity))) return;
  throw new CustodyError(
    'signer/certificate-invalid',
    `The signer has the identities ${status.identities.join(', ')}, and the configuration believes none of them. Compare them with the record of the ceremony before you change ${place}/identities.`,
  );
}
