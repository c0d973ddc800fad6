import { createHash } from 'node:crypto';
import { isAbsolute } from 'node:path';
import { tokenCharsMin } from '@bulkhead/api';
import { type ChainId, parseChainId } from '@bulkhead/domain';
import { type Section, sections } from './config-schema.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads variables and writes down what is wrong with them. No sentence ever repeats a value: most of these are secrets. */
export type EnvironmentReader = {
  readonly variables: Environment;
  readonly problems: { place: string; sentence: string }[];
};

/** Variables of ours that are not named by the number of a chain. */
const known: ReadonlySet<string> = new Set([
  'BULKHEAD_CONFIG',
  'BULKHEAD_DATA',
  'BULKHEAD_DEBUG',
  'BULKHEAD_LOG_LEVEL',
  'BULKHEAD_PORT',
  'BULKHEAD_SOFTHSM',
]);

/** An empty variable is an absent one, as shells and container files make them. */
function variable({ variables }: EnvironmentReader, name: string): string | undefined {
  const value = variables[name];
  return value === undefined || value.trim() === '' ? undefined : value;
}

function isUrl(text: string, protocols: readonly string[]): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol);
}

/** The two addresses of the database, empty where it is embedded, undefined where they are wrong. */
export function databaseUrls(
  reader: EnvironmentReader,
): { readonly url?: string; readonly ownerUrl?: string } | undefined {
  const url = variable(reader, 'DATABASE_URL');
  const ownerUrl = variable(reader, 'DATABASE_OWNER_URL');
  let wrong = false;
  for (const [place, value] of [
    ['DATABASE_URL', url],
    ['DATABASE_OWNER_URL', ownerUrl],
  ] as const) {
    if (value === undefined || isUrl(value, ['postgres:', 'postgresql:'])) continue;
    wrong = true;
    reader.problems.push({
      place,
      sentence: 'It is not an address of PostgreSQL. Give postgres://user:password@host:5432/database.',
    });
  }
  if (url === undefined && ownerUrl !== undefined) {
    wrong = true;
    const sentence =
      'It is set and DATABASE_URL is not. Set the address for the running server too, or neither to use the embedded database.';
    reader.problems.push({ place: 'DATABASE_OWNER_URL', sentence });
  }
  if (wrong) return undefined;
  return { ...(url === undefined ? {} : { url }), ...(ownerUrl === undefined ? {} : { ownerUrl }) };
}

/** Sources of every chain that `CHAIN_EIP155_<id>_RPC` names. Also reports variables that look like ours and are not. */
export function chainSources(reader: EnvironmentReader): ReadonlyMap<ChainId, readonly string[]> {
  const found = new Map<ChainId, readonly string[]>();
  for (const name of Object.keys(reader.variables).toSorted()) {
    if (name.startsWith('BULKHEAD_') && !name.startsWith('BULKHEAD_TOKEN_') && !known.has(name)) {
      reader.problems.push({ place: name, sentence: `There is no such variable. Ours are: ${[...known].join(', ')}.` });
    }
    if (!name.startsWith('CHAIN_EIP155')) continue;
    const value = variable(reader, name);
    if (value === undefined) continue;
    const number = /^CHAIN_EIP155_([1-9][0-9]{0,14})_RPC$/u.exec(name)?.[1];
    if (number === undefined) {
      reader.problems.push({
        place: name,
        sentence: 'It names no chain. Sources are named CHAIN_EIP155_<chain id>_RPC, such as CHAIN_EIP155_1_RPC.',
      });
      continue;
    }
    const urls = value.split(',').map((url) => url.trim());
    if (urls.some((url) => !isUrl(url, ['http:', 'https:'])) || new Set(urls).size !== urls.length) {
      reader.problems.push({
        place: name,
        sentence: 'Give different http:// or https:// addresses, separated by commas.',
      });
    }
    found.set(parseChainId(`eip155:${number}`), urls);
  }
  return found;
}

export function portFrom(reader: EnvironmentReader): number | undefined {
  const text = variable(reader, 'BULKHEAD_PORT');
  if (text === undefined) return undefined;
  const port = /^[0-9]{1,5}$/u.test(text) ? Number(text) : -1;
  if (port >= 0 && port <= 65_535) return port;
  reader.problems.push({ place: 'BULKHEAD_PORT', sentence: 'Give a port from 0 to 65535; 0 takes a free one.' });
  return undefined;
}

/** Library of SoftHSM where Debian puts it: a hardware module in software, for development and tests. */
export const softhsmLibraryOfDebian = '/usr/lib/softhsm/libsofthsm2.so';

export function softhsmLibraryFrom(reader: EnvironmentReader): string {
  const path = variable(reader, 'BULKHEAD_SOFTHSM') ?? softhsmLibraryOfDebian;
  if (!isAbsolute(path)) {
    reader.problems.push({
      place: 'BULKHEAD_SOFTHSM',
      sentence: `Give the path of libsofthsm2.so from the root on, such as ${softhsmLibraryOfDebian}.`,
    });
  }
  return path;
}

export function logLevelFrom(reader: EnvironmentReader): Section<'logLevel'> | undefined {
  const text = variable(reader, 'BULKHEAD_LOG_LEVEL');
  if (text === undefined) return undefined;
  const result = sections.logLevel.safeParse(text);
  if (result.success) return result.data;
  reader.problems.push({ place: 'BULKHEAD_LOG_LEVEL', sentence: result.error.issues[0]?.message ?? 'It is no level.' });
  return undefined;
}

/** SHA-256 of a token in a variable, so that the configuration holds no token. */
export function tokenDigest(reader: EnvironmentReader, name: string): string | undefined {
  if (name === '') return undefined;
  const token = variable(reader, name);
  if (token === undefined) {
    reader.problems.push({
      place: name,
      sentence: 'A token of the configuration is to be here, and the variable is not set.',
    });
    return undefined;
  }
  if (token.length < tokenCharsMin || !/^[\x21-\x7e]+$/u.test(token)) {
    const sentence = `A token needs at least ${tokenCharsMin} visible ASCII characters. Make one with: openssl rand -hex 32`;
    reader.problems.push({ place: name, sentence });
    return undefined;
  }
  return createHash('sha256').update(token, 'utf8').digest('hex');
}
