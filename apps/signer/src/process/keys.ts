import { join } from 'node:path';
import { CustodyError } from '@bulkhead/domain';
import {
  type HeadStore,
  type IdentityKey,
  type KeyDriver,
  openHeadFile,
  openKmsKeys,
  openLunaKeys,
  openPkcs11Keys,
  openSealedSeed,
  openSoftwareKeys,
  openTokenIdentity,
  type SlotName,
  slotNames,
  type SoftwareKeys,
  type Token,
  tokenHeadStore,
} from '@bulkhead/keys';
import type { CoreDrivers, LogKey } from '../core/index.ts';
import type { SignerConfiguration } from './configuration.ts';
import { readSecret } from './secret-file.ts';
import { openTokens, type Tokens } from './tokens.ts';

/** Everything that a configuration names and that keeps keys or remembers heads. Disposing wipes and logs out. */
export type OpenedKeys = AsyncDisposable & {
  readonly drivers: CoreDrivers;
  readonly identities: readonly IdentityKey[];
  /** Absent where the configuration names none. */
  readonly logKey?: LogKey;
  readonly heads: readonly HeadStore[];
};

/** Name of the file that remembers the head where no module does. It protects against accidents only. */
export const headFileName = 'head.json';

/**
 * Opens drivers, identity keys and head stores. Every token of the configuration remembers the head; without any, a file beside the
 * log does. What was opened before a failure is closed again.
 *
 * @throws CustodyError `key/…`, `hsm/…`, `config/invalid`
 */
export async function openKeys(configuration: SignerConfiguration): Promise<OpenedKeys> {
  await using opened = new AsyncDisposableStack();
  const tokens = opened.use(openTokens(configuration.tokens));
  const software = await openSoftware(configuration);
  if (software !== undefined) opened.use(software);
  const inModules = await openTree(configuration, tokens);
  if (inModules !== undefined) opened.use(inModules);
  const tree = software?.driver ?? inModules;
  const labelled = await openLabelled(configuration, tokens);
  if (labelled !== undefined) opened.use(labelled);
  const identities = await openIdentities(configuration, { tokens, software });
  const logKey = logKeyOf(configuration, { tokens, software });
  const heads = configuration.tokens.map(({ name }) => headOf(name, tokens));
  if (heads.length === 0) heads.push(openHeadFile(join(configuration.state, headFileName)));
  const rest = opened.move();
  return {
    drivers: { ...(tree === undefined ? {} : { tree }), ...(labelled === undefined ? {} : { labelled }) },
    identities,
    ...(logKey === undefined ? {} : { logKey }),
    heads,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

async function openSoftware({ tree }: SignerConfiguration): Promise<SoftwareKeys | undefined> {
  if (tree?.driver !== 'software') return undefined;
  return openSoftwareKeys({ path: tree.file, passphrase: readSecret(tree.passphraseFile) });
}

async function openTree({ tree }: SignerConfiguration, tokens: Tokens): Promise<KeyDriver | undefined> {
  switch (tree?.driver) {
    case 'pkcs11-sealed-seed':
      return openSealedSeed({
        path: tree.envelope,
        tokens: slotsOf(tree.tokens, tokens),
        ...(tree.idleSeconds === undefined ? {} : { idleMs: tree.idleSeconds * 1_000 }),
      });
    case 'luna-bip32':
      return openLunaKeys({ ...tokens.options(tree.token), seedLabel: tree.seedLabel });
    case 'software':
    case undefined:
      return undefined;
  }
}

type Opened = { readonly tokens: Tokens; readonly software: SoftwareKeys | undefined };

/** One that answers is enough to begin with: the others are in other buildings. A refused PIN is never passed over. */
async function openIdentities(
  configuration: SignerConfiguration,
  { tokens, software }: Opened,
): Promise<readonly IdentityKey[]> {
  const identities: IdentityKey[] = [];
  let away: CustodyError | undefined;
  for (const entry of configuration.identities) {
    if (entry.driver === 'software') {
      if (software !== undefined) identities.push(software.identity);
      continue;
    }
    try {
      identities.push(await openTokenIdentity(await tokens.token(entry.token), entry.label));
    } catch (error) {
      if (!(error instanceof CustodyError) || error.code !== 'hsm/unavailable') throw error;
      away = error;
    }
  }
  if (identities.length === 0 && away !== undefined) throw away;
  return identities;
}

/** A token that is away at the start is asked again with each checkpoint. */
function logKeyOf({ logKey: entry }: SignerConfiguration, { tokens, software }: Opened): LogKey | undefined {
  if (entry === undefined) return undefined;
  if (entry.driver === 'software') {
    return software === undefined ? undefined : { residency: 'software', open: async () => software.logKey };
  }
  let opened: IdentityKey | undefined;
  return {
    residency: 'hsm',
    open: async () => (opened ??= await openTokenIdentity(await tokens.token(entry.token), entry.label)),
  };
}

/** A token that is away at the start is asked again with each head; how many must answer is the core's to decide. */
function headOf(name: string, tokens: Tokens): HeadStore {
  let store: HeadStore | undefined;
  const opened = async (): Promise<HeadStore> => (store ??= tokenHeadStore(await tokens.token(name)));
  return {
    name,
    protects: true,
    read: async () => (await opened()).read(),
    write: async (head) => (await opened()).write(head),
    readClaim: async () => (await opened()).readClaim(),
    writeClaim: async (claim) => (await opened()).writeClaim(claim),
  };
}

/** The envelopes are named after slots; which token is in which slot is said by the order of the configuration. */
function slotsOf(names: readonly string[], tokens: Tokens): Readonly<Record<SlotName, () => Promise<Token>>> {
  const [first, second] = names;
  if (first === undefined || second === undefined || names.length !== slotNames.length) {
    throw new CustodyError(
      'config/invalid',
      `A sealed seed has ${slotNames.length} slots; ${names.length} tokens are named.`,
    );
  }
  return { hsm_slot_1: () => tokens.token(first), hsm_slot_2: () => tokens.token(second) };
}

async function openLabelled({ labelled }: SignerConfiguration, tokens: Tokens): Promise<KeyDriver | undefined> {
  switch (labelled?.driver) {
    case 'pkcs11-key':
      return openPkcs11Keys(await tokens.token(labelled.token));
    case 'aws-kms': {
      const { region, endpoint } = labelled;
      return openKmsKeys({ region, ...(endpoint === undefined ? {} : { endpoint }) });
    }
    case undefined:
      return undefined;
  }
}
