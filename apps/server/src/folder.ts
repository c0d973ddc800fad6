import { mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CustodyError } from '@bulkhead/domain';
import { type Guard, takeGuard } from '@bulkhead/postgres';
import type { Configuration } from './config.ts';

/** Whether something in the data folder may be used by one process only. */
function holdsEmbedded({ database, chains, signer }: Configuration): boolean {
  const embedded = database.kind === 'embedded' || chains.some((chain) => chain.source.kind === 'embedded');
  return embedded || signer.kind === 'development';
}

async function guardOf({ dataDirectory }: Configuration): Promise<Guard | undefined> {
  try {
    mkdirSync(dataDirectory, { recursive: true, mode: 0o711 });
    return await takeGuard(`folder ${realpathSync(dataDirectory)}`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new CustodyError(
      'platform/folder-unreachable',
      `The data folder ${dataDirectory} cannot be used (${code}). Check owner and mode of it and of those above, or set BULKHEAD_DATA to another one.`,
      { cause: error },
    );
  }
}

/** Whether another process runs on the data folder now. */
export async function folderBusy(configuration: Configuration): Promise<boolean> {
  if (!holdsEmbedded(configuration)) return false;
  const guard = await guardOf(configuration);
  await guard?.[Symbol.asyncDispose]();
  return guard === undefined;
}

export function folderFault({ dataDirectory }: Configuration): CustodyError {
  return new CustodyError(
    'platform/folder-busy',
    `Another Bulkhead already runs on ${dataDirectory}. Use that one or stop it first, or set BULKHEAD_DATA to another folder.`,
    { details: { folder: dataDirectory } },
  );
}

/**
 * Keeps the data folder to this process for as long as something embedded is in it: two on one database or chain would damage
 * it. The kernel gives the name back however a process ends.
 *
 * @throws CustodyError `platform/folder-busy`, `platform/folder-unreachable`
 */
export async function lockFolder(configuration: Configuration, parts: AsyncDisposableStack): Promise<void> {
  if (!holdsEmbedded(configuration)) return;
  const guard = await guardOf(configuration);
  if (guard === undefined) throw folderFault(configuration);
  parts.use(guard);
}

/**
 * Throws away everything embedded: database, chain, signer with its keys, and the people, tokens and approval page that were made for
 * development. Refused where anything is not embedded, because then the rest would not belong to what stays. Files of others in the folder stay.
 *
 * @throws CustodyError `config/invalid`, `platform/folder-busy`
 */
export async function beginAnew(configuration: Configuration): Promise<void> {
  const { database, chains, signer, dataDirectory } = configuration;
  const outside = [
    ...(database.kind === 'embedded' ? [] : ['the database of DATABASE_URL']),
    ...chains.filter((chain) => chain.source.kind === 'rpc').map((chain) => `the chain ${chain.id}`),
    ...(signer.kind === 'development' ? [] : ['a signer of yours']),
  ];
  if (outside.length > 0) {
    throw new CustodyError(
      'config/invalid',
      `--fresh throws away what is embedded, and this configuration uses ${outside.join(', ')}, which would stay and no longer fit. Remove that yourself, or leave --fresh out.`,
    );
  }
  const guard = await guardOf(configuration);
  if (guard === undefined) throw folderFault(configuration);
  try {
    const ours = readdirSync(dataDirectory).filter((name) =>
      /^(?:postgres|signer|vault-signer-[0-9]+|vault-certificates|clients|people|approval-page|proofs|proofs-secret|tokens\.json|running\.json|chain-eip155-[0-9]+)$/u.test(
        name,
      ),
    );
    for (const name of ours) rmSync(join(dataDirectory, name), { recursive: true, force: true });
  } finally {
    await guard[Symbol.asyncDispose]();
  }
}
