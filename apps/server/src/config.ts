import { readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import type { Token } from '@bulkhead/api';
import type { FeeCaps, Policy } from '@bulkhead/custody';
import { type Asset, type ChainId, chainNumber, chainOf, contractOf, CustodyError, nativeAsset, parseChainId } from '@bulkhead/domain';
import { type Section, type SectionName, sectionNames, sections } from './config-schema.ts';
import { chainSources, databaseUrls, type Environment, keyPassphrase, numberFrom, tokenFrom } from './environment.ts';

/** Name of the file that is read when nothing else is said. */
export const configurationFile = 'bulkhead.config.json';
/** The chain that starts when none is configured: anvil's own number. */
export const embeddedChainId: ChainId = parseChainId('eip155:31337');

/** One thing that is wrong: where, and what to do about it. Never the value where it could be a secret. */
export type ConfigurationProblem = { readonly place: string; readonly sentence: string };

export type ChainConfiguration = {
  readonly id: ChainId;
  /** Software keys may sign for it: its coins are worth nothing. */
  readonly development: boolean;
  /** RPC addresses with their access keys, or the node that we start ourselves. */
  readonly source:
    | { readonly kind: 'rpc'; readonly urls: readonly string[] }
    | { readonly kind: 'embedded'; readonly port: number; readonly blockTimeSeconds: number };
  /** Sources that must say the same. */
  readonly required: number;
  readonly startBlock: bigint | undefined;
  readonly pollMs: number;
  readonly fees: FeeCaps;
};

/** Where an administrator keeps the keys. `development` means that we may make both ourselves. */
export type KeyConfiguration =
  | { readonly kind: 'development'; readonly path: string; readonly passphrasePath: string }
  | { readonly kind: 'given'; readonly path: string; readonly passphrase: string };

/** Everything the server is told, checked. Holds secrets: it is never printed or logged. */
export type Configuration = {
  /** Absolute. Holds what is embedded, and what was made at the first start. */
  readonly dataDirectory: string;
  readonly logLevel: Section<'logLevel'>;
  readonly http: { readonly host: string; readonly port: number; readonly hosts: readonly string[] };
  readonly database:
    | { readonly kind: 'embedded'; readonly connections: number }
    | { readonly kind: 'server'; readonly url: string; readonly ownerUrl?: string; readonly connections: number };
  readonly chains: readonly ChainConfiguration[];
  readonly assets: readonly Asset[];
  readonly policy: Omit<Policy, 'feeCaps' | 'agreement'>;
  /** Undefined: made at the first start. */
  readonly tokens: readonly Token[] | undefined;
  readonly keys: KeyConfiguration;
  readonly schedule: { readonly reconcileMinutes: number; readonly jobsConcurrently: number };
};

export type ConfigurationInput = {
  /** Folder that relative paths start from. */
  readonly folder: string;
  readonly environment: Environment;
  /** Content of the file, parsed; `{}` where there is none. */
  readonly content: unknown;
};

/**
 * Reads file and environment of a start.
 *
 * @throws CustodyError `config/invalid`, naming everything that is wrong at once
 */
export function loadConfiguration(folder: string, environment: Environment): Configuration {
  const named = environment['BULKHEAD_CONFIG'];
  const path = resolve(folder, named ?? configurationFile);
  const file = readJson(path, named !== undefined);
  const result = checkConfiguration({ folder, environment, content: file.content });
  const problems = [...file.problems, ...result.problems];
  if (result.configuration !== undefined && problems.length === 0) return result.configuration;
  throw new CustodyError('config/invalid', problemList(path, problems));
}

function problemList(path: string, problems: readonly ConfigurationProblem[]): string {
  const count = problems.length === 1 ? 'one thing is wrong' : `${problems.length} things are wrong`;
  const lines = problems.map(({ place, sentence }) => `  ${place}: ${sentence}`);
  return `The configuration cannot be used, ${count}; /paths are places in ${path}, the others environment variables.\n${lines.join('\n')}`;
}

function readJson(path: string, needed: boolean): { readonly content: unknown; readonly problems: readonly ConfigurationProblem[] } {
  const problem = (sentence: string): { content: unknown; problems: ConfigurationProblem[] } => ({
    content: {},
    problems: [{ place: '/', sentence }],
  });
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (missing && !needed) return { content: {}, problems: [] };
    return problem(`${path} cannot be read. Check the path and its mode.`);
  }
  try {
    const content: unknown = JSON.parse(text);
    return { content, problems: [] };
  } catch (error) {
    // The parser's message quotes the text around the mistake, which could be a secret put there by mistake: only the place is told.
    const place = /line \d+ column \d+/u.exec(error instanceof Error ? error.message : '')?.[0];
    return problem(`${path} is not JSON${place === undefined ? '' : ` (${place})`}. Mend it, or compare it with bulkhead.config.example.json.`);
  }
}

/** Checks file and environment together. Everything wrong is named; a configuration is there only if nothing is. */
export function checkConfiguration(input: ConfigurationInput): {
  readonly configuration: Configuration | undefined;
  readonly problems: readonly ConfigurationProblem[];
} {
  const problems: ConfigurationProblem[] = [];
  const file = readSections(input.content, problems);
  const environment = { variables: input.environment, problems };
  const dataDirectory = absolute(input.folder, input.environment['BULKHEAD_DATA'] ?? file.dataDirectory ?? '.bulkhead');
  const database = databaseOf(databaseUrls(environment), file.database);
  const chains = chainsOf(file.chains, chainSources(environment), problems);
  const assets = assetsOf(file.assets, chains, problems);
  const tokens = tokensOf(file.tokens, environment);
  const keys = keysOf({ folder: input.folder, dataDirectory, section: file.keys, passphrase: keyPassphrase(environment, file.keys?.passphraseFile, input.folder) });
  const port = numberFrom(environment, 'BULKHEAD_PORT', { min: 0, max: 65_535 });
  const logLevel = levelFrom(input.environment['BULKHEAD_LOG_LEVEL'], problems);
  const { http, policy, schedule } = file;
  if (problems.length > 0 || http === undefined || policy === undefined || schedule === undefined || database === undefined) {
    return { configuration: undefined, problems };
  }
  const configuration: Configuration = {
    dataDirectory,
    logLevel: logLevel ?? file.logLevel ?? 'info',
    http: { ...http, port: port ?? http.port },
    database,
    chains,
    assets,
    policy: policyOf(policy),
    tokens,
    keys,
    schedule: { reconcileMinutes: schedule.reconcileMinutes, jobsConcurrently: schedule.jobs },
  };
  return { configuration, problems };
}

function absolute(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

type FileSections = { readonly [Name in SectionName]?: Section<Name> };

function readSections(content: unknown, problems: ConfigurationProblem[]): FileSections {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    problems.push({ place: '/', sentence: 'The file must hold one JSON object.' });
    return readSections({}, []);
  }
  const given = new Map<string, unknown>(Object.entries(content));
  for (const name of given.keys()) {
    if (name === '$schema' || sectionNames.some((known) => known === name)) continue;
    problems.push({ place: `/${name.slice(0, 80)}`, sentence: `There is no such setting. Settings are: ${sectionNames.join(', ')}.` });
  }
  const section = <Name extends SectionName>(name: Name): { readonly [Key in Name]?: Section<Name> } => {
    const result = sections[name].safeParse(given.get(name));
    if (result.success) return keyed(name, result.data);
    for (const issue of result.error.issues) {
      const path = [name, ...issue.path].map(String).join('/');
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys) problems.push({ place: `/${path}/${key.slice(0, 80)}`, sentence: 'There is no such setting. Remove it, or mend its name.' });
      } else problems.push({ place: `/${path}`, sentence: issue.message });
    }
    return {};
  };
  return {
    ...section('dataDirectory'),
    ...section('logLevel'),
    ...section('http'),
    ...section('database'),
    ...section('keys'),
    ...section('chains'),
    ...section('assets'),
    ...section('policy'),
    ...section('tokens'),
    ...section('schedule'),
  };
}
