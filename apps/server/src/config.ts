import type { Witness } from '@bulkhead/log';
import { readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import type { Token } from '@bulkhead/api';
import type { FeeCaps, Policy } from '@bulkhead/custody';
import {
  type Asset,
  type ChainId,
  chainNumber,
  chainOf,
  contractOf,
  CustodyError,
  nativeAsset,
  parseChainId,
} from '@bulkhead/domain';
import {
  pageOfDevelopment,
  type Section,
  type SectionName,
  sectionNames,
  sections,
  vaultSignersOfDevelopment,
} from './config-schema.ts';
import { type SignerConfiguration, signerOf } from './config-signer.ts';
import { type ProofsConfiguration, proofsOf } from './config-proofs.ts';
import { type VaultsConfiguration, vaultsOf } from './config-vaults.ts';
import {
  chainSources,
  databaseUrls,
  type Environment,
  type EnvironmentReader,
  logLevelFrom,
  portFrom,
  softhsmLibraryFrom,
  tokenDigest,
} from './environment.ts';
import type { z } from 'zod';

/** Name of the file that is read when nothing else is said. */
export const configurationFile = 'bulkhead.config.json';
/** The chain that starts when none is configured: anvil's own number. */
export const embeddedChainId: ChainId = parseChainId('eip155:31337');

/** One thing that is wrong: where, and what to do about it. Never the value where it could be a secret. */
export type ConfigurationProblem = { readonly place: string; readonly sentence: string };

export type ChainConfiguration = {
  readonly id: ChainId;
  /** Its coins are worth nothing: the signer that starts by itself may sign for it. */
  readonly development: boolean;
  /** RPC addresses with their access keys, or the node that we start ourselves. */
  readonly source:
    | { readonly kind: 'rpc'; readonly urls: readonly string[] }
    | { readonly kind: 'embedded'; readonly port: number; readonly blockTimeSeconds: number };
  /** Sources that must say the same. */
  readonly required: number;
  readonly startBlock: bigint | undefined;
  readonly pollMs: number;
  /** Whether addresses with keys are swept by a delegate (EIP-7702) where the chain has contracts of vaults, instead of with gas of their own. */
  readonly sweepDelegates: boolean;
  readonly fees: FeeCaps;
};

/**
 * Where people see and sign intents. `none`: intents have no links; `address`: somebody else serves it; `development`: it is built for
 * the signer for development, and served by a process of its own.
 */
export type ApprovalPageConfiguration =
  | { readonly kind: 'none' }
  | { readonly kind: 'address'; readonly address: string }
  | {
      readonly kind: 'development';
      readonly directory: string;
      /** 0 takes a free one; undefined is the one above that of the API. */
      readonly port: number | undefined;
      readonly name: string;
    };

export type LogConfiguration = {
  /** Undefined: what the signer's registry says, or made from the id of the installation. */
  readonly origin: string | undefined;
  /** Undefined: the signer has the key. A file is for development alone. */
  readonly keyFile: string | undefined;
  /** Least time between two checkpoints of a log that grows. */
  readonly checkpointMs: number;
  readonly witnesses: readonly Witness[];
  /** Cosignatures that a checkpoint must have before it is shown in the place of an older one. */
  readonly witnessesMin: number;
};

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
  readonly signer: SignerConfiguration;
  readonly vaults: VaultsConfiguration;
  readonly proofs: ProofsConfiguration;
  readonly approvalPage: ApprovalPageConfiguration;
  /** The audit log; `keyFile` is absolute where there is one. */
  readonly log: LogConfiguration;
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

function readJson(
  path: string,
  needed: boolean,
): { readonly content: unknown; readonly problems: readonly ConfigurationProblem[] } {
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
    return problem(
      `${path} is not JSON${place === undefined ? '' : ` (${place})`}. Mend it, or compare it with bulkhead.config.example.json.`,
    );
  }
}

/** Checks file and environment together. Everything wrong is named; a configuration is there only if nothing is. */
export function checkConfiguration(input: ConfigurationInput): {
  readonly configuration: Configuration | undefined;
  readonly problems: readonly ConfigurationProblem[];
} {
  const problems: ConfigurationProblem[] = [];
  const reader: EnvironmentReader = { variables: input.environment, problems };
  const file = readSections(input.content, problems);
  const dataDirectory = absolute(input.folder, input.environment['BULKHEAD_DATA'] ?? file.dataDirectory ?? '.bulkhead');
  const database = databaseOf(databaseUrls(reader), file.database);
  const chains = chainsOf(file.chains, chainSources(reader), problems);
  const assets = assetsOf(file.assets, chains, problems);
  const tokens = tokensOf(file.tokens, reader);
  const signer = signerOf(
    { folder: input.folder, dataDirectory, softhsmLibrary: softhsmLibraryFrom(reader), file, chains },
    problems,
  );
  const vaults = vaultsOfFile({ folder: input.folder, dataDirectory, file, chains, signer }, problems);
  const proofs = proofsOf(
    { folder: input.folder, dataDirectory, section: file.proofs, chains: file.chains ?? [] },
    problems,
  );
  if (file.log?.keyFile !== undefined && signer.kind === 'external') {
    const sentence = 'the signer has the key of the log. Leave this out; a key in a file is for development alone.';
    problems.push({ place: '/log/keyFile', sentence });
  }
  const page = pageOf({ dataDirectory, section: file.approvalPage, signer }, problems);
  const port = portFrom(reader);
  const logLevel = logLevelFrom(reader) ?? file.logLevel;
  const { http, policy, schedule, log } = file;
  const whole =
    log !== undefined && http !== undefined && policy !== undefined && schedule !== undefined && database !== undefined;
  if (problems.length > 0 || !whole || logLevel === undefined) return { configuration: undefined, problems };
  const configuration: Configuration = {
    dataDirectory,
    logLevel,
    http: { ...http, port: port ?? http.port },
    database,
    chains,
    assets,
    policy: policyOf(policy),
    tokens,
    signer,
    vaults,
    proofs,
    approvalPage: page,
    log: logOf(input.folder, log, signer),
    schedule: { reconcileMinutes: schedule.reconcileMinutes, jobsConcurrently: schedule.jobs },
  };
  return { configuration, problems };
}

/** Each checkpoint is a record of the signer for ever, so there are not many of them where it has the key. */
function logOf(
  folder: string,
  { origin, keyFile, checkpointSeconds, witnesses, witnessesMin }: Section<'log'>,
  signer: SignerConfiguration,
): LogConfiguration {
  const secondsDefault = keyFile !== undefined ? 0.5 : signer.kind === 'development' ? 2 : 30;
  return {
    origin,
    keyFile: keyFile === undefined ? undefined : absolute(folder, keyFile),
    checkpointMs: (checkpointSeconds ?? secondsDefault) * 1_000,
    witnesses: witnesses.map(({ key, address }) => ({ key, url: address.replace(/\/+$/u, '') })),
    witnessesMin,
  };
}

function absolute(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

type FileSections = { readonly [Name in SectionName]: Section<Name> | undefined } & {
  /** How many are to be started, where the file gives a number in place of the list. */
  readonly vaultSignersCount: number | undefined;
};

function readSections(content: unknown, problems: ConfigurationProblem[]): FileSections {
  const isObject = typeof content === 'object' && content !== null && !Array.isArray(content);
  if (!isObject) problems.push({ place: '/', sentence: 'The file must hold one JSON object.' });
  const given = new Map<string, unknown>(isObject ? Object.entries(content) : []);
  for (const name of given.keys()) {
    if (name === '$schema' || sectionNames.some((known) => known === name)) continue;
    const sentence = `There is no such setting. Settings are: ${sectionNames.join(', ')}.`;
    problems.push({ place: `/${name.slice(0, 80)}`, sentence });
  }
  const read = <Schema extends z.ZodType>(name: SectionName, schema: Schema): z.output<Schema> | undefined => {
    const result = schema.safeParse(given.get(name));
    if (result.success) return result.data;
    problems.push(...result.error.issues.flatMap((issue) => problemsOf(name, issue)));
    return undefined;
  };
  const counted = typeof given.get('vaultSigners') === 'number';
  return {
    dataDirectory: read('dataDirectory', sections.dataDirectory),
    logLevel: read('logLevel', sections.logLevel),
    http: read('http', sections.http),
    database: read('database', sections.database),
    signer: read('signer', sections.signer),
    vaultSigners: counted ? [] : read('vaultSigners', sections.vaultSigners),
    vaults: read('vaults', sections.vaults),
    proofs: read('proofs', sections.proofs),
    vaultSignersCount: counted ? read('vaultSigners', vaultSignersOfDevelopment) : undefined,
    approvalPage: read('approvalPage', sections.approvalPage),
    chains: read('chains', sections.chains),
    assets: read('assets', sections.assets),
    policy: read('policy', sections.policy),
    log: read('log', sections.log),
    tokens: read('tokens', sections.tokens),
    schedule: read('schedule', sections.schedule),
  };
}

function problemsOf(section: SectionName, issue: z.core.$ZodIssue): ConfigurationProblem[] {
  const path = ['', section, ...issue.path.map(String)].join('/');
  if (issue.code !== 'unrecognized_keys') return [{ place: path, sentence: issue.message }];
  const sentence = 'There is no such setting. Remove it, or mend its name.';
  return issue.keys.map((key) => ({ place: `${path}/${key.slice(0, 80)}`, sentence }));
}

const hourMs = 3_600_000;

function policyOf(section: Section<'policy'>): Configuration['policy'] {
  return {
    quorum: section.quorum,
    withdrawalTtlMs: section.withdrawalTtlHours * hourMs,
    releaseUnscreenedDeposits: section.releaseUnscreenedDeposits,
    releaseUnscreenedWithdrawals: section.releaseUnscreenedWithdrawals,
    omnibusCompartment: section.omnibusCompartment,
    bumpAfterMs: section.bumpAfterSeconds * 1_000,
    gasGrantTransactions: BigInt(section.gasGrantTransactions),
    balanceSweepBlocks: BigInt(section.balanceSweepBlocks),
    breakOwner: section.breakOwner,
    breakDeadlineMs: section.breakDeadlineHours * hourMs,
    ...(section.jurisdiction === undefined ? {} : { jurisdiction: section.jurisdiction }),
  };
}

function databaseOf(
  urls: { readonly url?: string; readonly ownerUrl?: string } | undefined,
  section: Section<'database'> | undefined,
): Configuration['database'] | undefined {
  if (urls === undefined || section === undefined) return undefined;
  const { url, ownerUrl } = urls;
  const { connections } = section;
  if (url === undefined) return { kind: 'embedded', connections };
  return { kind: 'server', url, connections, ...(ownerUrl === undefined ? {} : { ownerUrl }) };
}

/** Chains of the file and of the environment together; the embedded one where there are none. */
function chainsOf(
  listed: Section<'chains'> | undefined,
  sources: ReadonlyMap<ChainId, readonly string[]>,
  problems: ConfigurationProblem[],
): readonly ChainConfiguration[] {
  if (listed === undefined) return [];
  const twice = listed.find((chain, at) => listed.findIndex((other) => other.id === chain.id) !== at);
  if (twice !== undefined) {
    problems.push({ place: '/chains', sentence: `${twice.id} is listed twice. Keep one of them.` });
  }
  const unlisted = [...sources.keys()].filter((id) => listed.every((chain) => chain.id !== id));
  const alone = listed.length === 0 && unlisted.length === 0;
  const added = alone ? [{ id: embeddedChainId, development: true }] : unlisted.map((id) => ({ id }));
  const all = [...listed, ...sections.chains.parse(added)];
  return all.flatMap((chain, at) =>
    chainOfSection({ chain, urls: sources.get(chain.id), place: `/chains/${at}` }, problems),
  );
}

type ChainSection = Section<'chains'>[number];

function chainOfSection(
  {
    chain,
    urls,
    place,
  }: { readonly chain: ChainSection; readonly urls: readonly string[] | undefined; readonly place: string },
  problems: ConfigurationProblem[],
): readonly ChainConfiguration[] {
  const { id, development, startBlock, pollMs, fees, embedded, sweepDelegates } = chain;
  const variable = `CHAIN_EIP155_${chainNumber(id)}_RPC`;
  if (urls === undefined && !development) {
    problems.push({
      place: variable,
      sentence: `${id} is configured and has no source. Set it to the addresses of its nodes, separated by commas.`,
    });
    return [];
  }
  const count = urls?.length ?? 1;
  const required = chain.agreement ?? Math.floor(count / 2) + 1;
  if (required > count) {
    const sentence = `${required} sources must agree and ${variable} names ${count}. Name more, or lower the number.`;
    problems.push({ place: `${place}/agreement`, sentence });
  }
  const source = urls === undefined ? ({ kind: 'embedded', ...embedded } as const) : ({ kind: 'rpc', urls } as const);
  const caps = { maxFeePerGas: fees.maxFeePerGas, nativeGas: fees.nativeGas, tokenGas: fees.tokenGas };
  return [{ id, development, source, required, startBlock, pollMs, fees: caps, sweepDelegates }];
}

/** A deposit of at most this much is dust where nobody decides otherwise: a millionth of a coin, in wei. */
const nativeDustWei = 10n ** 12n;

function assetsOf(
  listed: Section<'assets'> | undefined,
  chains: readonly ChainConfiguration[],
  problems: ConfigurationProblem[],
): readonly Asset[] {
  if (listed === undefined) {
    return chains
      .filter((chain) => chain.development)
      .map(({ id }) => ({
        id: nativeAsset(id),
        symbol: 'ETH',
        decimals: 18,
        behaviour: 'native',
        dustMax: nativeDustWei,
      }));
  }
  for (const [at, asset] of listed.entries()) {
    const place = `/assets/${at}`;
    if (!chains.some((chain) => chain.id === chainOf(asset.id))) {
      problems.push({
        place,
        sentence: `${chainOf(asset.id)} is not among the chains. Add the chain, or remove the asset.`,
      });
    }
    if ((contractOf(asset.id) === undefined) !== (asset.behaviour === 'native')) {
      problems.push({
        place: `${place}/behaviour`,
        sentence: 'Give "native" for the coin of a chain, and something else for a token.',
      });
    }
    if (listed.findIndex((other) => other.id === asset.id) !== at) {
      problems.push({ place, sentence: `${asset.id} is listed twice. Keep one of them.` });
    }
  }
  return listed;
}

function tokensOf(listed: Section<'tokens'> | undefined, reader: EnvironmentReader): readonly Token[] | undefined {
  if (listed === undefined) return undefined;
  if (listed.length === 0) {
    reader.problems.push({
      place: '/tokens',
      sentence: 'An empty list lets nobody in. Name somebody, or leave the list out to have tokens made.',
    });
  }
  return listed.flatMap(({ name, role, sha256, environment, client }, at): Token[] => {
    const who = { name, role, ...(client === undefined ? {} : { clientId: client }) };
    if (listed.findIndex((other) => other.name === name) !== at) {
      reader.problems.push({
        place: `/tokens/${at}/name`,
        sentence: `"${name}" has two tokens. One person, one name, one token.`,
      });
    }
    if (sha256 !== undefined) return [{ ...who, tokenSha256: sha256 }];
    const digest = tokenDigest(reader, environment ?? '');
    return digest === undefined ? [] : [{ ...who, tokenSha256: digest }];
  });
}

type VaultsOrder = {
  readonly folder: string;
  readonly dataDirectory: string;
  readonly file: FileSections;
  readonly chains: readonly ChainConfiguration[];
  readonly signer: SignerConfiguration;
};

function vaultsOfFile(
  { folder, dataDirectory, file, chains, signer }: VaultsOrder,
  problems: ConfigurationProblem[],
): VaultsConfiguration {
  const listed = file.chains ?? [];
  return vaultsOf(
    {
      folder,
      dataDirectory,
      section: file.vaults,
      // Those of the file come first and keep their places there.
      chains: [...listed, ...chains.filter(({ id }) => listed.every((chain) => chain.id !== id))],
      signers: signer.kind === 'external' ? 1 + signer.vaultSigners.length : undefined,
    },
    problems,
  );
}

type PageOrder = {
  readonly dataDirectory: string;
  readonly section: Section<'approvalPage'>;
  readonly signer: SignerConfiguration;
};

function pageOf(
  { dataDirectory, section, signer }: PageOrder,
  problems: ConfigurationProblem[],
): ApprovalPageConfiguration {
  if (typeof section === 'string') return { kind: 'address', address: section.replace(/\/+$/u, '') };
  if (signer.kind === 'development') {
    const { port, name } = section ?? pageOfDevelopment.parse({});
    return { kind: 'development', directory: join(dataDirectory, 'approval-page'), port, name };
  }
  if (section !== undefined) {
    const sentence =
      'The page is served by itself beside the signer for development alone. Serve it elsewhere ("bulkhead help approval-page") and give its address here.';
    problems.push({ place: '/approvalPage', sentence });
  }
  return { kind: 'none' };
}
