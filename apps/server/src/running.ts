import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ChainId, CustodyError, parseChainId } from '@bulkhead/domain';
import type { ProofRegistrySetup } from '@bulkhead/custody';
import type { DatabaseAccess } from '@bulkhead/postgres';
import { z } from 'zod';
import type { Configuration } from './config.ts';
import { systemForm } from './config-schema.ts';
import type { ConfiguredSystem } from './config-vaults.ts';
import { developmentPlan, developmentRegistry } from './development/proof-registry.ts';
import { folderBusy, folderFault } from './folder.ts';
import type { ReachedSigner, ReachedSigners } from './reached-signer.ts';
import { systemSection } from './vault-system.ts';

const signerForm = { endpoint: z.string(), identities: z.array(z.string()) } as const;

const registryForm = z.strictObject({ chain: z.string(), codeHash: z.string() });

const form = z.strictObject({
  api: z.url(),
  database: z.strictObject({ url: z.string(), ownerUrl: z.string() }),
  chains: z.record(z.string(), z.url()),
  signer: z.strictObject({ ...signerForm, deployment: z.string(), vaultSigners: z.array(z.strictObject(signerForm)) }),
  vaultSystems: z.record(z.string(), systemForm),
  /** Of an installation for development; others have theirs in the configuration. */
  proofRegistries: z.array(registryForm),
});

type Running = {
  readonly reached: ReachedSigners;
  readonly url: string;
  readonly access: DatabaseAccess;
  readonly chains: ReadonlyMap<ChainId, { readonly embeddedUrl: string | undefined }>;
};

function pathOf(configuration: Pick<Configuration, 'dataDirectory'>): string {
  return join(configuration.dataDirectory, 'running.json');
}

/**
 * Writes down where the embedded parts of a running server are, readable by the owner alone, so that a command beside it can
 * reach them. It vouches for nothing: after a crash it lies, and only the lock of the folder says whether somebody lives.
 */
export function noteRunning(configuration: Configuration, { url, access, chains, reached }: Running): Disposable {
  const path = pathOf(configuration);
  const embedded = [...chains].flatMap(([id, { embeddedUrl }]) =>
    embeddedUrl === undefined ? [] : [[id, embeddedUrl] as const],
  );
  const content: z.input<typeof form> = {
    api: url,
    database: { url: access.app.url, ownerUrl: access.owner.url },
    chains: Object.fromEntries(embedded),
    signer: {
      ...placeOf(reached),
      deployment: reached.pinned.deployment,
      vaultSigners: reached.vaultSigners.map(placeOf),
    },
    proofRegistries: reached.proofRegistries.map(({ chain, codeHash }) => ({ chain, codeHash })),
    vaultSystems: Object.fromEntries([...reached.vaultSystems].map(([id, system]) => [id, systemSection(system)])),
  };
  rmSync(path, { force: true });
  writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

function placeOf({ endpoint, pinned }: ReachedSigner): z.output<z.ZodObject<typeof signerForm>> {
  return { endpoint, identities: [...pinned.identities] };
}

/**
 * The configuration as a command beside a running server needs it: what that server runs embedded is reached where it runs.
 * Without a running server, the configuration as it is.
 *
 * @throws CustodyError `platform/folder-busy` when somebody runs on the folder and does not say where
 */
export async function besideRunning(configuration: Configuration): Promise<Configuration> {
  if (!(await folderBusy(configuration))) return configuration;
  const running = read(configuration);
  if (running === undefined) throw folderFault(configuration);
  const { database, chains, signer, vaults, proofs } = configuration;
  const systems = systemsOf(running.vaultSystems);
  const sources = new Map(Object.entries(running.chains).map(([id, url]) => [parseChainId(id), url]));
  return {
    ...configuration,
    database: database.kind === 'embedded' ? { kind: 'server', ...running.database, connections: 5 } : database,
    signer: signer.kind === 'development' ? besideDevelopment(running.signer) : signer,
    vaults: { ...vaults, systems },
    proofs: signer.kind === 'development' ? { ...proofs, registries: registriesOf(running, systems) } : proofs,
    chains: chains.map((chain) => {
      const url = sources.get(chain.id);
      return chain.source.kind === 'rpc' || url === undefined
        ? chain
        : { ...chain, source: { kind: 'rpc', urls: [url] } };
    }),
  };
}

function besideDevelopment(running: z.output<typeof form>['signer']): Configuration['signer'] {
  const vaultSigners = running.vaultSigners.map((one) => ({ ...one, tls: undefined }));
  return { kind: 'external', ...running, tls: undefined, vaultSigners };
}

function systemsOf(sections: z.output<typeof form>['vaultSystems']): ReadonlyMap<ChainId, ConfiguredSystem> {
  return new Map(
    Object.entries(sections).map(([id, system]) => [
      parseChainId(id),
      { ...system, threshold: BigInt(system.threshold) },
    ]),
  );
}

function registriesOf(
  { signer, proofRegistries }: z.output<typeof form>,
  systems: ReadonlyMap<ChainId, ConfiguredSystem>,
): readonly ProofRegistrySetup[] {
  return proofRegistries.flatMap(({ chain: id, codeHash }) => {
    const chain = parseChainId(id);
    const system = systems.get(chain);
    if (system === undefined) return [];
    return [developmentRegistry(chain, { plan: developmentPlan(signer.deployment, system), codeHash })];
  });
}

function read(configuration: Configuration): z.output<typeof form> | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(pathOf(configuration), 'utf8'));
    return form.parse(content);
  } catch (error) {
    if (error instanceof CustodyError) throw error;
    return undefined;
  }
}
