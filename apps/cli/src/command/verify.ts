import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Address,
  chainNumber,
  type Compartment,
  parseAddress,
  parseChainId,
  parseCompartment,
} from '@bulkhead/domain';
import { hasAddress } from '@bulkhead/keys';
import { bytesOf } from '@bulkhead/vaults';
import { parseBalanceMapping } from '@bulkhead/proofs';
import {
  httpNode,
  type OwnKnowledge,
  type PinnedLog,
  type PinnedRegistry,
  type PinnedToken,
  type Pins,
  type Report,
} from '@bulkhead/verifier';
import { examine } from '@bulkhead/verifier/whole';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { fetchGiven, isAddress, readGiven } from './given-files.ts';
import { type LogFiles, logFiles } from './log-files.ts';

const many = { type: 'string', multiple: true } as const;
const one = { type: 'string' } as const;

const optionForms = {
  rpc: many,
  registry: one,
  'code-hash': one,
  client: one,
  compartment: one,
  amount: one,
  identity: many,
  expect: many,
  'log-key': one,
  witness: many,
  witnesses: one,
  'log-tiles': one,
  'signer-set': one,
  'from-block': one,
  token: many,
  exclude: many,
  'stale-after': one,
  json: { type: 'boolean' },
} as const;

/** Checks what somebody was given, with nodes of the chain and what they know from elsewhere, and nothing else. */
export async function verify(terminal: Terminal): Promise<ExitCode> {
  const { words, options } = read(terminal.words);
  const pins = pinsOf(options);
  const nodes = nodesOf(options.rpc ?? []);
  let doing = 'reading';
  const progress = (what: string): void => {
    doing = what;
  };
  const report = await withProgress(
    terminal,
    'checking',
    async () =>
      await examine({
        files: await filesOf(terminal, words, progress),
        pins,
        nodes,
        nowSeconds: BigInt(Math.floor(Date.now() / 1_000)),
        hasAddress,
        ...(options['log-tiles'] === undefined ? {} : { readTile: tilesOf(terminal, options['log-tiles']) }),
        progress,
      }),
  ).catch((error: unknown) => {
    terminal.err(`It ended while ${doing}.`);
    throw error;
  });
  if (options.json === true) terminal.out(JSON.stringify(report, undefined, 2));
  else tell(terminal, report);
  return report.holds ? exitCodes.ok : exitCodes.found;
}

type Options = ReturnType<typeof read>['options'];

function read(words: readonly string[]): {
  readonly words: readonly string[];
  readonly options: ReturnType<
    typeof parseArgs<{ options: typeof optionForms; allowPositionals: true; strict: true }>
  >['values'];
} {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      options: optionForms,
      strict: true,
      allowPositionals: true,
    });
    if (positionals.length > 0) return { words: positionals, options: values };
  } catch (error) {
    const said = error instanceof Error ? (error.message.split(/\.\s/u)[0] ?? '') : '';
    throw new UsageError(`${said.replace(/\.$/u, '')}. "bulkhead help verify" shows what it takes.`);
  }
  throw new UsageError('verify needs files, a folder, or the address of a proof. "bulkhead help verify" explains it.');
}

async function filesOf(
  { folder }: Terminal,
  words: readonly string[],
  progress: (what: string) => void,
): ReturnType<typeof fetchGiven> {
  const named = words[0] === 'proof' && words.length > 1 ? words.slice(1) : words;
  const fetched = [];
  for (const word of named.filter(isAddress)) fetched.push(...(await fetchGiven(word, progress)));
  return [
    ...fetched,
    ...readGiven(
      folder,
      named.filter((word) => !isAddress(word)),
    ),
  ];
}

const marks = { holds: 'holds  ', fails: 'FAILS  ', unknown: 'unknown' } as const;

function tell(terminal: Terminal, { steps, holds, limits }: Report): void {
  let about: string | undefined;
  for (const step of steps) {
    if (step.about !== undefined && step.about !== about) terminal.out(`\n${step.about}`);
    about = step.about;
    terminal.out(`${marks[step.result]} ${step.step}: ${step.reason}`);
  }
  if (limits.length > 0) {
    terminal.out('\nWhat no proof of this kind shows:');
    for (const limit of limits) terminal.out(`- ${limit}`);
  }
  terminal.out(`\n${verdict(steps, holds)}`);
}

function verdict(steps: Report['steps'], holds: boolean): string {
  const unknown = steps.filter(({ result }) => result === 'unknown').length;
  const rest = unknown === 0 ? '' : ` ${unknown} of ${steps.length} things could not be known from here.`;
  if (holds) return `Everything that was checked holds.${rest}`;
  return steps.some(({ result }) => result === 'fails') ? `This does not hold.${rest}` : `Nothing was proven.${rest}`;
}

function pinsOf(options: Options): Pins {
  const log = logOf(options);
  const own = ownOf(options);
  return {
    ...(options.registry === undefined ? {} : { registry: registryOf(options.registry, options['code-hash']) }),
    ...(own === undefined ? {} : { own }),
    ...(log === undefined ? {} : { log }),
    ...(options['stale-after'] === undefined
      ? {}
      : { staleAfterSeconds: digitsOf('stale-after', options['stale-after']) }),
    identities: (options.identity ?? []).map(identityOf),
    expected: Object.fromEntries((options.expect ?? []).map(fieldOf)),
    tokens: (options.token ?? []).map(tokenOf),
    excluded: (options.exclude ?? []).map((word) => parseAddress(word)),
  };
}

function ownOf({ client, compartment, amount }: Options): OwnKnowledge | undefined {
  if (client === undefined && compartment === undefined) return undefined;
  if (client === undefined || compartment === undefined) {
    throw new UsageError('--client and --compartment go together: they say whose claim is looked for.');
  }
  const known = { holder: new TextEncoder().encode(client), compartment: compartmentOf(compartment) };
  if (amount === undefined) return known;
  if (!/^(?:0|[1-9][0-9]{0,77})$/u.test(amount)) {
    throw new UsageError("--amount needs your claim as whole digits, in the asset's smallest unit.");
  }
  return { ...known, amount: BigInt(amount) };
}

function compartmentOf(word: string): Compartment {
  if (!/^(?:0|[1-9][0-9]{0,9})$/u.test(word)) throw new UsageError('--compartment needs the number of a compartment.');
  return parseCompartment(Number(word));
}

function digitsOf(name: string, word: string): bigint {
  if (/^(?:0|[1-9][0-9]{0,15})$/u.test(word)) return BigInt(word);
  throw new UsageError(`--${name} needs a whole number.`);
}

function identityOf(word: string): string {
  if (/^[0-9a-f]{64}$/u.test(word)) return word;
  throw new UsageError('--identity needs the 64 hex digits of an identity key, from the record of the ceremony.');
}

function fieldOf(word: string): readonly [string, string] {
  const [, name = '', value = ''] = /^(address|client|chain|compartment|deployment)=(.+)$/u.exec(word) ?? [];
  if (name === '') {
    throw new UsageError(
      '--expect needs a field and its value, as in client=cl_…: address, client, chain, compartment or deployment.',
    );
  }
  return [name, value];
}

function tilesOf({ folder }: Terminal, place: string): LogFiles['tile'] {
  return logFiles(isAddress(place) ? place : resolve(folder, place)).tile;
}

function logOf(options: Options): PinnedLog | undefined {
  const { 'log-key': key, witness = [], witnesses } = options;
  const stray = (['witness', 'log-tiles', 'signer-set'] as const).find((name) => options[name] !== undefined);
  if (key === undefined) {
    if (stray !== undefined) throw new UsageError(`--${stray} needs --log-key: the key of the log that it is about.`);
    return undefined;
  }
  const anchor = anchorOf(options);
  const least = witnesses === undefined ? BigInt(Math.min(1, witness.length)) : digitsOf('witnesses', witnesses);
  return { key, witnesses: witness, witnessesMin: Number(least), ...(anchor === undefined ? {} : { anchor }) };
}

function anchorOf({ 'signer-set': place, 'from-block': from }: Options): PinnedLog['anchor'] {
  if (place === undefined) {
    if (from !== undefined) throw new UsageError('--from-block needs --signer-set: whose heartbeats are looked for.');
    return undefined;
  }
  const { chain, address } = accountOf('signer-set', place);
  const anchor = { chain, signerSet: address };
  return from === undefined ? anchor : { ...anchor, fromBlock: digitsOf('from-block', from) };
}

/** `0x…=9`, and what else {@link parseBalanceMapping} reads behind the sign. */
function tokenOf(word: string): PinnedToken {
  const [, token = '', place = ''] = /^(0x[0-9a-fA-F]{40})=(.+)$/u.exec(word) ?? [];
  if (token === '') throw new UsageError('--token needs address and slot of its balances, as in 0x…=9.');
  return { token: parseAddress(token), balances: parseBalanceMapping(place) };
}

/** A CAIP-10 account: the chain and the address on it. */
function accountOf(name: string, word: string): { readonly chain: bigint; readonly address: Address } {
  const [, chain = '', address = ''] = /^(eip155:[0-9]+):(0x[0-9a-fA-F]{40})$/u.exec(word) ?? [];
  if (chain === '') throw new UsageError(`--${name} needs chain and address, as in eip155:1:0x….`);
  return { chain: BigInt(chainNumber(parseChainId(chain))), address: parseAddress(address) };
}

function registryOf(word: string, codeHash: string | undefined): PinnedRegistry {
  const { chain, address } = accountOf('registry', word);
  const pinned = { chain, address: bytesOf(`0x${address.slice(2)}`) };
  if (codeHash === undefined) return pinned;
  const digits = codeHash.toLowerCase();
  if (!/^0x[0-9a-f]{64}$/u.test(digits)) throw new UsageError('--code-hash needs 0x and 64 hex digits.');
  return { ...pinned, codeHash: bytesOf(`0x${digits.slice(2)}`) };
}

function nodesOf(urls: readonly string[]): ReturnType<typeof httpNode>[] {
  return urls.map((url) => {
    if (!isAddress(url)) {
      throw new UsageError(`--rpc needs the address of a node, as in https://node.example: "${url}" is none.`);
    }
    return httpNode(url);
  });
}
