import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listText, parseList } from '@bulkhead/authority';
import { type ChainId, CustodyError, invariant } from '@bulkhead/domain';
import { z } from 'zod';
import type { Configuration } from '../config.ts';
import type { SignerConfiguration } from '../config-signer.ts';
import { privateText } from '../private-file.ts';
import { registriesText } from '../proof-registry.ts';
import { systemsText } from '../vault-system.ts';
import { firstList } from './first-list.ts';
import { developmentRegistries } from './proof-registry.ts';
import { SetUpProcess } from './set-up-process.ts';
import { type DevelopmentKeys, signerFile } from './signer-file.ts';
import { deployedSystems } from './vault-system.ts';

const identitiesForm = z.array(z.string().regex(/^[0-9a-f]{64}$/u)).min(1);

/** What was decided at the first start, written when everything else was there. */
const installationForm = z.strictObject({
  deployment: z.string().regex(/^[0-9a-f]{32}$/u),
  identities: identitiesForm,
  keys: z.enum(['softhsm', 'software']),
  /** Identities of the others, in the order of their folders; absent in folders of the time before there were vaults. */
  vaultSigners: z.array(identitiesForm).exactOptional(),
  /** Text of the list of the contracts of vaults, as it is in the first list of the registry. */
  vaultSystems: z.string().exactOptional(),
  /** The same of the registries of proofs; absent in folders of the time before there were any. */
  proofRegistries: z.string().exactOptional(),
});

/** The signers of an installation for development, as the first start made them. */
export type Installation = z.output<typeof installationForm>;

/** Addresses of the embedded nodes that run now: contracts are deployed there before signers are told of them. */
export type Nodes = ReadonlyMap<ChainId, string>;

/** Where they are to be, and how many. */
export type Folders = Extract<SignerConfiguration, { kind: 'development' }>;

/** The folders of the others, beside that of the first. */
export function vaultSignerFolders({ directory }: Pick<Folders, 'directory'>, count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => join(dirname(directory), `vault-signer-${at + 2}`));
}

/**
 * The installation in the data folder, made now where there is none.
 *
 * @throws CustodyError `platform/damaged-state` for a folder that is neither whole nor one that may be made anew, what the set-up says
 */
export async function installationIn(
  configuration: Configuration,
  { folders, nodes }: { readonly folders: Folders; readonly nodes: Nodes },
): Promise<Installation> {
  const made = madeIn(folders.directory);
  if (made === undefined) return setUp(configuration, { folders, nodes });
  const missing = vaultSignerFolders(folders, made.vaultSigners?.length ?? 0).find((folder) => !existsSync(folder));
  if (missing !== undefined) {
    throw new CustodyError(
      'platform/damaged-state',
      `${missing} is gone, the folder of one of the signers of this installation. Restore it, or begin anew with --fresh.`,
    );
  }
  return made;
}

/** Whether the first start was made. @throws CustodyError `platform/damaged-state` */
export function isInstalled({ directory }: Pick<Folders, 'directory'>): boolean {
  return madeIn(directory) !== undefined;
}

function madeIn(directory: string): Installation | undefined {
  const path = join(directory, 'development.json');
  const content = existsSync(path) ? installationForm.safeParse(parsedJson(readFileSync(path, 'utf8'))) : undefined;
  if (content?.success === true) return content.data;
  // A set-up that was interrupted is thrown away; nothing else is, because there could be keys in it.
  const unused = !existsSync(directory) || readdirSync(directory).length === 0;
  if (content === undefined && (unused || existsSync(join(directory, unfinishedName)))) return undefined;
  throw new CustodyError(
    'platform/damaged-state',
    `${path} does not say which signer this is. Restore it, or begin anew with --fresh.`,
  );
}

/** Lies in the folder of the first signer from the first step of a set-up to its last. */
const unfinishedName = 'unfinished';

/**
 * Makes tokens, seeds, identities and first records, each signer in a process of its own: no key is ever in this one. A crash on the
 * way leaves the mark of its beginning. Nobody has seen an address of such folders, so they are thrown away and made again.
 */
async function setUp(
  configuration: Configuration,
  { folders, nodes }: { readonly folders: Folders; readonly nodes: Nodes },
): Promise<Installation> {
  const { directory, peopleDirectory, softhsmLibrary, vaultSignersCount } = folders;
  const directories = [directory, ...vaultSignerFolders(folders, vaultSignersCount)];
  // The keys of the people name the installation that they are for, so those of another one go with it.
  for (const old of [...directories, peopleDirectory]) rmSync(old, { recursive: true, force: true });
  for (const folder of directories) mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, unfinishedName), '');
  const keys = existsSync(softhsmLibrary) ? 'softhsm' : 'software';
  const deployment = randomBytes(16).toString('hex');
  const making = { directories, peopleDirectory, deployment, keys, softhsmLibrary, nodes } as const;
  const made: Installation = { deployment, keys, ...(await makeSigners(configuration, making)) };
  // Commit point: from here on the folders are this installation's signers.
  privateText(join(directory, 'development.json'), () => `${JSON.stringify(made, null, 2)}\n`);
  rmSync(join(directory, unfinishedName));
  return made;
}

type Making = {
  readonly directories: readonly string[];
  readonly peopleDirectory: string;
  readonly deployment: string;
  readonly keys: DevelopmentKeys;
  readonly softhsmLibrary: string;
  readonly nodes: Nodes;
};

/** The keys of all at the same time, then the people, who belong to all of them, then each its first record with one and the same list. */
async function makeSigners(
  configuration: Configuration,
  making: Making,
): Promise<Pick<Installation, 'identities' | 'vaultSigners' | 'vaultSystems' | 'proofRegistries'>> {
  const { directories, deployment, keys, peopleDirectory, softhsmLibrary } = making;
  await using processes = new AsyncDisposableStack();
  const parts = directories.map((directory) => ({ directory, process: processes.use(new SetUpProcess()) }));
  const softhsm = keys === 'softhsm' ? softhsmLibrary : null;
  const made = await Promise.all(
    parts.map(({ directory, process }) =>
      process.makeKeys({
        directory,
        softhsm,
        configuration: signerFile(directory, { keys, socket: '/nowhere', hasLog: directory === directories[0] }),
      }),
    ),
  );
  const [[first], [firstMade]] = [parts, made];
  invariant(first !== undefined && firstMade !== undefined, 'An installation has a first signer.');
  const identities = [...firstMade.identities];
  const people = await first.process.makePeople({ peopleDirectory, pins: { deployment, identities } });
  const systems = made.length > 1 ? await deployedSystems(making.nodes, made) : [];
  const origin = configuration.log.origin ?? `bulkhead.invalid/${deployment}`;
  const registries = developmentRegistries(deployment, systems);
  const items = [
    ...parseList(people),
    ...firstList(configuration, { vaultSigners: made.length > 1, systems, registries, origin }),
  ];
  const list = listText(items);
  await Promise.all(parts.map(({ process }) => process.begin({ deployment, list })));
  return {
    identities,
    vaultSigners: made.slice(1).map((one) => [...one.identities]),
    ...(systems.length === 0
      ? {}
      : { vaultSystems: systemsText(systems), proofRegistries: registriesText(registries) }),
  };
}

function parsedJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
