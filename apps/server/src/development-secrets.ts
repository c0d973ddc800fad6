import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Role, roles, type Token, tokenCharsMin } from '@bulkhead/api';
import { type ChainId, type Clock, CustodyError } from '@bulkhead/domain';
import { createKeyFile, openSoftwareSigner, type SoftwareSigner } from '@bulkhead/keys';
import { z } from 'zod';
import type { Configuration, KeyConfiguration } from './config.ts';
import { privateText } from './private-file.ts';

/** Bytes of randomness in a passphrase or token that we make. */
const secretBytes = 32;

function secret(): string {
  return randomBytes(secretBytes).toString('base64url');
}

export type OpenedKeys = { readonly signer: SoftwareSigner; readonly path: string; readonly created: boolean };

/**
 * Opens the key file. Where nobody configured a passphrase, one is made at the first start and kept beside it, readable by its
 * owner alone: enough for development, where the coins are worth nothing, and for nothing else.
 *
 * The passphrase is stored before the key file is made: a crash in between leaves a passphrase without a file, which the next
 * start uses, and never a file without its passphrase.
 *
 * @throws CustodyError what creating and opening key files throws
 */
export async function openKeys(keys: KeyConfiguration, chains: readonly ChainId[], clock: Clock): Promise<OpenedKeys> {
  const { path } = keys;
  const passphrase = keys.kind === 'given' ? keys.passphrase : developmentPassphrase(keys);
  const created = keys.kind === 'development' && (await createdWhereMissing(path, passphrase));
  const signer = await openSoftwareSigner({ path, passphrase, developmentChains: chains, clock });
  return { signer, path, created };
}

/** The passphrase that was made for development, made now where there is none. */
export function developmentPassphrase(keys: Extract<KeyConfiguration, { kind: 'development' }>): string {
  return privateText(keys.passphrasePath, secret);
}

async function createdWhereMissing(path: string, passphrase: string): Promise<boolean> {
  if (existsSync(path)) return false;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    await createKeyFile({ path, passphrase });
    return true;
  } catch (error) {
    // Another process was faster with the same passphrase.
    if (error instanceof CustodyError && error.code === 'key/file-exists') return false;
    throw error;
  }
}

/** People of a start without configured tokens: the requester may not approve, so there are two who can. */
const developmentPeople: readonly { readonly name: string; readonly role: Role }[] = [
  { name: 'admin', role: 'admin' },
  { name: 'operator', role: 'operator' },
  { name: 'approver-1', role: 'approver' },
  { name: 'approver-2', role: 'approver' },
  { name: 'auditor', role: 'auditor' },
];

const tokenFile = z
  .array(z.strictObject({ name: z.string().min(1), role: z.enum(roles), token: z.string().min(tokenCharsMin) }))
  .min(1);

/** A token in clear, as it stands in the file of the data folder. */
export type DevelopmentToken = z.output<typeof tokenFile>[number];

/** Where tokens are kept that were made at the first start. */
export function tokenPath(configuration: Pick<Configuration, 'dataDirectory'>): string {
  return join(configuration.dataDirectory, 'tokens.json');
}

/**
 * Tokens of the development people, made at the first start and kept readable by their owner alone.
 *
 * @throws CustodyError `key/file-access`, `config/invalid` when the file was changed
 */
export function developmentTokens(configuration: Pick<Configuration, 'dataDirectory'>): readonly DevelopmentToken[] {
  const path = tokenPath(configuration);
  const text = privateText(
    path,
    () =>
      `${JSON.stringify(
        developmentPeople.map((person) => ({ ...person, token: secret() })),
        null,
        2,
      )}\n`,
  );
  const content = tokenFile.safeParse(parsedJson(text));
  if (content.success) return content.data;
  throw new CustodyError(
    'config/invalid',
    `${path} does not hold a list of tokens with name, role and token. Remove it to have new ones made.`,
  );
}

function parsedJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

/** The tokens that the API knows, and where those are that we made. */
export function tokensOf(configuration: Configuration): {
  readonly tokens: readonly Token[];
  readonly madeAt: string | undefined;
} {
  if (configuration.tokens !== undefined) return { tokens: configuration.tokens, madeAt: undefined };
  return { tokens: developmentTokens(configuration), madeAt: tokenPath(configuration) };
}
