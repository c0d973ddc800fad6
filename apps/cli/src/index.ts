import { readFileSync } from 'node:fs';
import { CustodyError } from '@bulkhead/domain';
import { address } from './command/address.ts';
import { approvalPage } from './command/approval-page.ts';
import { approve } from './command/approve.ts';
import { audit } from './command/audit.ts';
import { check } from './command/check.ts';
import { migrate } from './command/migrate.ts';
import { proof } from './command/proof.ts';
import { reconcile } from './command/reconcile.ts';
import { signer } from './command/signer.ts';
import { start } from './command/start.ts';
import { vault } from './command/vault.ts';
import { witness } from './command/witness.ts';
import { verify } from './command/verify.ts';
import { verifyPage } from './command/verify-page.ts';
import { type ExitCode, exitCodeOf, exitCodes, UsageError } from './exit-code.ts';
import { commandHelp, type CommandName, isCommand, overview } from './help.ts';
import type { Terminal } from './terminal.ts';

export type { ExitCode } from './exit-code.ts';
export type { Terminal } from './terminal.ts';

type Command = (terminal: Terminal) => Promise<ExitCode>;

const commands: Readonly<Record<Exclude<CommandName, 'help'>, Command>> = {
  start,
  migrate,
  check,
  audit,
  witness,
  address,
  approve,
  'approval-page': approvalPage,
  reconcile,
  signer,
  vault,
  proof,
  verify,
  'verify-page': verifyPage,
  // These open keys. A process that does anything else never loads what can.
  ceremony: async (terminal) => (await import('./command/ceremony.ts')).ceremony(terminal),
  doctor: async (terminal) => (await import('./command/doctor.ts')).doctor(terminal),
  keys: async (terminal) => (await import('./command/keys.ts')).keys(terminal),
};

/** Runs one command and answers what the shell is to be told. Faults become one clear sentence. */
export async function main(terminal: Terminal): Promise<ExitCode> {
  try {
    return await run(terminal);
  } catch (error) {
    terminal.err(complaint(error));
    if (isSet(terminal.environment['BULKHEAD_DEBUG'])) terminal.err(error instanceof Error ? (error.stack ?? '') : '');
    return exitCodeOf(error);
  }
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0';
}

function complaint(error: unknown): string {
  if (error instanceof UsageError || error instanceof CustodyError) return `bulkhead: ${error.message}`;
  const said = error instanceof Error ? error.message : String(error);
  return `bulkhead: It met a situation that it was not made for: ${said} Run it again with BULKHEAD_DEBUG=1 and report what it shows.`;
}

async function run(terminal: Terminal): Promise<ExitCode> {
  const [name = 'help', ...words] = terminal.words;
  if (name === '--version' || name === '-v') return say(terminal, version());
  if (name === 'help' || name === '--help' || name === '-h') return help(terminal, words);
  if (!isCommand(name)) throw new UsageError(`There is no command "${name.slice(0, 40)}". "bulkhead help" lists them.`);
  if (words.includes('--help') || words.includes('-h')) return help(terminal, [name]);
  return name === 'help' ? help(terminal, words) : commands[name]({ ...terminal, words });
}

function help(terminal: Terminal, [about]: readonly string[]): ExitCode {
  if (about === undefined || about.startsWith('-')) return say(terminal, overview(version()));
  if (!isCommand(about)) {
    throw new UsageError(`There is no command "${about.slice(0, 40)}". "bulkhead help" lists them.`);
  }
  return say(terminal, commandHelp[about]);
}

function say(terminal: Terminal, text: string): ExitCode {
  terminal.out(text);
  return exitCodes.ok;
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const known =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : undefined;
  return typeof known === 'string' ? known : 'unknown';
}
