import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invariant } from '@bulkhead/domain';
import { type Pinned, SignerClient } from '@bulkhead/signer-client';
import type { Configuration } from '../config.ts';
import type { Tell } from '../part.ts';
import { type ReachedSigner, type ReachedSigners, signerName } from '../reached-signer.ts';
import { parseRegistries } from '../proof-registry.ts';
import { parseSystems } from '../vault-system.ts';
import { type Folders, type Installation, installationIn, type Nodes, vaultSignerFolders } from './installation.ts';
import { standingRegistries } from './proof-registry.ts';
import { signerFile } from './signer-file.ts';
import { supervise, type Supervised } from './supervision.ts';
import { restoreSystems } from './vault-system.ts';

/** Longest path of a unix socket that every system takes. */
const socketPathCharsMax = 100;

export type DevelopmentOrder = {
  readonly folders: Folders;
  readonly nodes: Nodes;
  readonly parts: AsyncDisposableStack;
  readonly tell: Tell;
};

/** One process of the installation. */
type Seat = { readonly directory: string; readonly name: string; readonly pinned: Pinned };

/**
 * The signers of an installation for development: made at the first start, and each run as a process of its own for as long as the
 * server runs. One that dies is started again; what it was doing is asked again by the jobs.
 *
 * @throws CustodyError what the set-up and the starts of the signers say
 */
export async function startDevelopmentSigners(
  configuration: Configuration,
  { folders, nodes, parts, tell }: DevelopmentOrder,
): Promise<ReachedSigners> {
  const made = await installationIn(configuration, { folders, nodes });
  const seats = seatsOf(made, folders);
  const supervised = await startAll(seats, { made, parts, tell });
  const reached: ReachedSigner[] = [];
  for (const [at, { directory, name, pinned }] of seats.entries()) {
    const one = supervised[at];
    if (one === undefined) continue;
    const endpoint = one.endpoint();
    const signer = parts.use(new SignerClient({ endpoint }));
    reached.push({ name, signer, pinned, endpoint, pid: one.pid });
    const { registryVersion } = await signer.status();
    const seed = made.keys === 'softhsm' ? 'SoftHSM sealed seed (two slots)' : softwareWarning;
    const who = at === 0 ? 'Signer' : `Vault signer ${at + 1}`;
    tell({
      part: 'signer',
      what: `${who}, for development: separate process ${one.pid()}, ${seed}, registry version ${registryVersion}`,
      where: at === 0 ? `${endpoint}, identity ${pinned.identities.join(', ')}` : directory,
    });
  }
  tellOfOthers({ made, folders, tell });
  const [first, ...vaultSigners] = reached;
  invariant(first !== undefined, 'An installation without a signer was started.');
  const vaultSystems = made.vaultSystems === undefined ? new Map() : parseSystems(made.vaultSystems);
  await restoreSystems(nodes, vaultSystems);
  const entries = made.proofRegistries === undefined ? [] : parseRegistries(made.proofRegistries);
  const proofRegistries = await standingRegistries(nodes, { deployment: made.deployment, entries });
  return { ...first, vaultSigners, vaultSystems, proofRegistries };
}

const softwareWarning =
  'WARNING: keys in SOFTWARE, because SoftHSM is not installed (Debian: apt-get install softhsm2, then --fresh)';

function seatsOf({ deployment, identities, vaultSigners = [] }: Installation, folders: Folders): readonly Seat[] {
  const directories = [folders.directory, ...vaultSignerFolders(folders, vaultSigners.length)];
  return directories.map((directory, at) => ({
    directory,
    name: signerName(at + 1),
    pinned: { deployment, identities: at === 0 ? identities : (vaultSigners[at - 1] ?? []) },
  }));
}

type Starting = { readonly made: Installation; readonly parts: AsyncDisposableStack; readonly tell: Tell };

/** Starts them at the same time. If one does not start, the others are ended. */
async function startAll(seats: readonly Seat[], { made, parts, tell }: Starting): Promise<readonly Supervised[]> {
  const orders = seats.map(({ directory, name }, at) => ({
    order: {
      directory,
      configuration: signerFile(directory, { keys: made.keys, socket: socketIn(directory, parts), hasLog: at === 0 }),
    },
    supervision: { name, tell },
  }));
  const started = await Promise.allSettled(orders.map(({ order, supervision }) => supervise(order, supervision)));
  const running = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  parts.defer(async () => {
    await Promise.all(running.map((one) => one[Symbol.asyncDispose]()));
  });
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return running;
}

/** A folder keeps the number of signers that it was made with: each new one would need the whole registry, and that approved anew. */
function tellOfOthers({
  made,
  folders,
  tell,
}: {
  readonly made: Installation;
  readonly folders: Folders;
  readonly tell: Tell;
}): void {
  const wanted = folders.vaultSignersCount;
  const there = made.vaultSigners?.length ?? 0;
  if (there === wanted) return;
  const since = made.vaultSigners === undefined ? 'was made before there were vaults' : `has ${there} vault signers`;
  tell({
    part: 'signer',
    what: `This data folder ${since} and goes on as it is; --fresh begins anew with ${wanted} vault signers`,
    where: folders.directory,
  });
}

/** Beside the state, or in a folder for temporary things where that path is too long for a socket. */
function socketIn(directory: string, parts: AsyncDisposableStack): string {
  const beside = join(directory, 'run', 'signer.sock');
  if (beside.length <= socketPathCharsMax) return beside;
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-'));
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'signer.sock');
}
