import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Address, CustodyError, parseAddress } from '@bulkhead/domain';
import { hasAddress } from '@bulkhead/keys';
import { type Told, verifyShown } from '@bulkhead/verifier/whole';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';

/** Characters of a file that is verified. A record with a long list of changes is the longest. */
export const verifiedCharsMax = 16 * 2 ** 20;

type Expected = {
  readonly identities: readonly string[];
  readonly address: Address | undefined;
  /** Fields that must be exactly so. */
  readonly fields: Readonly<Record<string, string>>;
};

/**
 * Verifies a certificate or a record offline, for whoever has nothing of the installation but its identity keys: no configuration is
 * read and nobody is asked.
 */
export async function verify(terminal: Terminal): Promise<ExitCode> {
  const { file, expected } = read(terminal.words);
  const value = jsonOf(resolve(terminal.folder, file));
  try {
    for (const told of verifyShown(value, { ...expected, hasAddress })) terminal.out(lineOf(told));
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    terminal.out(`NOT PROVEN: ${error.message}`);
    return exitCodes.found;
  }
}

function lineOf({ mark, text }: Told): string {
  switch (mark) {
    case 'proven':
      return `Proven: ${text}`;
    case 'field':
      return `  ${text}`;
    case 'unseen':
      return `Not looked at: ${text}`;
  }
}

const options = {
  identity: { type: 'string', multiple: true },
  address: { type: 'string' },
  client: { type: 'string' },
  chain: { type: 'string' },
  compartment: { type: 'string' },
  deployment: { type: 'string' },
} as const;

const explained = '"bulkhead help signer" shows what it takes.';

function read(words: readonly string[]): { readonly file: string; readonly expected: Expected } {
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true; strict: true }>>;
  try {
    parsed = parseArgs({ args: [...words], options, strict: true, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message.split(/\.\s/u)[0] : ''}. ${explained}`);
  }
  const { values, positionals } = parsed;
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError(`signer verify takes one file. ${explained}`);
  const identities = values.identity ?? [];
  if (identities.length === 0 || !identities.every((key) => /^[0-9a-f]{64}$/u.test(key))) {
    throw new UsageError(
      `signer verify needs --identity with the 64 hex digits of each identity key that you believe, from the ceremony. A key that comes with the file proves nothing.`,
    );
  }
  const { identity: _, address, ...fields } = values;
  return {
    file,
    expected: { identities, address: address === undefined ? undefined : parseAddress(address), fields },
  };
}

function jsonOf(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : ''}`);
  }
  if (text.length > verifiedCharsMax) {
    throw new UsageError(`${path} has ${text.length} characters, at most ${verifiedCharsMax} are read.`);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${path} is not JSON: give the certificate or the record as the API gave it.`);
  }
}
