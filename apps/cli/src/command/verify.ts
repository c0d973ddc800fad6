import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { chainNumber, type Compartment, parseAddress, parseChainId, parseCompartment } from '@bulkhead/domain';
import { bytesOf } from '@bulkhead/vaults';
import { checkClaim, httpNode, type PinnedRegistry, type Report } from '@bulkhead/verifier';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';

const optionForms = {
  rpc: { type: 'string', multiple: true },
  registry: { type: 'string' },
  'code-hash': { type: 'string' },
  client: { type: 'string' },
  compartment: { type: 'string' },
  amount: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** Bytes of a package that are read at most: a path of 32 levels in both trees has some 3,000. */
const packageBytesMax = 65_536;

/** Checks the package of a client against the registry, with nodes of the chain alone. */
export async function verify(terminal: Terminal): Promise<ExitCode> {
  const [file, ...words] = terminal.words;
  if (file === undefined || file.startsWith('-')) throw new UsageError('verify needs the file of a package first.');
  const options = readOptions('verify', words, optionForms);
  const need = (name: 'registry' | 'client' | 'compartment' | 'amount'): string =>
    needed('verify', name, options[name]);
  const question = {
    package: readPackage(resolve(terminal.folder, file)),
    own: {
      kind: 'client',
      holder: new TextEncoder().encode(need('client')),
      compartment: compartmentOf(need('compartment')),
      amount: amountOf(need('amount')),
    },
    registry: registryOf(need('registry'), options['code-hash']),
    nodes: nodesOf(options.rpc),
  } as const;
  const report = await withProgress(terminal, 'asking the chain', () => checkClaim(question));
  if (options.json === true) terminal.out(JSON.stringify(report, undefined, 2));
  else tell(terminal, report);
  return report.holds ? exitCodes.ok : exitCodes.found;
}

const marks = { holds: 'holds  ', fails: 'FAILS  ', unknown: 'unknown' } as const;

function tell(terminal: Terminal, { steps, holds }: Report): void {
  for (const { step, result, reason } of steps) terminal.out(`${marks[result]} ${step}: ${reason}`);
  const unknown = steps.filter(({ result }) => result === 'unknown').length;
  const rest = unknown === 0 ? '' : ` ${unknown} of ${steps.length} things could not be known from here.`;
  terminal.out(holds ? `\nEverything that was checked holds.${rest}` : `\nThis does not hold.${rest}`);
}

function readPackage(path: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${cause instanceof Error ? cause.message : ''}.`);
  }
  if (bytes.length > packageBytesMax) throw new UsageError(`${path} is too long for a package.`);
  return Uint8Array.from(bytes);
}

function compartmentOf(word: string): Compartment {
  if (!/^(?:0|[1-9][0-9]{0,9})$/u.test(word)) throw new UsageError('--compartment needs the number of a compartment.');
  return parseCompartment(Number(word));
}

function amountOf(word: string): bigint {
  if (/^(?:0|[1-9][0-9]{0,77})$/u.test(word)) return BigInt(word);
  throw new UsageError("--amount needs your claim as whole digits, in the asset's smallest unit.");
}

/** A CAIP-10 account: the chain and the address on it. */
function registryOf(word: string, codeHash: string | undefined): PinnedRegistry {
  const [, chain = '', address = ''] = /^(eip155:[0-9]+):(0x[0-9a-fA-F]{40})$/u.exec(word) ?? [];
  if (chain === '') throw new UsageError('--registry needs chain and address, as in eip155:1:0x….');
  const pinned = {
    chain: BigInt(chainNumber(parseChainId(chain))),
    address: bytesOf(`0x${parseAddress(address).slice(2)}`),
  };
  if (codeHash === undefined) return pinned;
  const digits = codeHash.toLowerCase();
  if (!/^0x[0-9a-f]{64}$/u.test(digits)) throw new UsageError('--code-hash needs 0x and 64 hex digits.');
  return { ...pinned, codeHash: bytesOf(`0x${digits.slice(2)}`) };
}

function nodesOf(urls: readonly string[] | undefined): ReturnType<typeof httpNode>[] {
  if (urls === undefined) throw new UsageError('verify needs --rpc, twice if you can: nodes of different people.');
  return urls.map((url) => {
    if (!/^https?:$/u.test(URL.canParse(url) ? new URL(url).protocol : '')) {
      throw new UsageError(`--rpc needs the address of a node, as in https://node.example: "${url}" is none.`);
    }
    return httpNode(url);
  });
}
