import { readFileSync } from 'node:fs';
import { CustodyError } from '@bulkhead/domain';
import { type ExitCode, exitCodeOf, exitCodes, UsageError } from './exit-code.ts';
import { commandHelp, type CommandName, isCommand, overview } from './help.ts';
import type { Terminal } from './terminal.ts';

export type { ExitCode } from './exit-code.ts';
export type { Terminal } from './terminal.ts';

type Command = (terminal: Terminal) => Promise<ExitCode>;

/**
 * A command is loaded when it is typed: a process loads what it needs and no more, and only one that opens keys loads what can.
 */
const commands: Readonly<Record<Exclude<CommandName, 'help'>, Command>> = {
  start: async (terminal) => (await import('./command/start.ts')).start(terminal),
  migrate: async (terminal) => (await import('./command/migrate.ts')).migrate(terminal),
  check: async (terminal) => (await import('./command/check.ts')).check(terminal),
  audit: async (terminal) => (await import('./command/audit.ts')).audit(terminal),
  witness: async (terminal) => (await import('./command/witness.ts')).witness(terminal),
  address: async (terminal) => (await import('./command/address.ts')).address(terminal),
  approve: async (terminal) => (await import('./command/approve.ts')).approve(terminal),
  'approval-page': async (terminal) => (await import('./command/approval-page.ts')).approvalPage(terminal),
  reconcile: async (terminal) => (await import('./command/reconcile.ts')).reconcile(terminal),
  signer: async (terminal) => (await import('./command/signer.ts')).signer(terminal),
  vault: async (terminal) => (await import('./command/vault.ts')).vault(terminal),
  proof: async (terminal) => (await import('./command/proof.ts')).proof(terminal),
  verify: async (terminal) => (await import('./command/verify.ts')).verify(terminal),
  'verify-page': async (terminal) => (await import('./command/verify-page.ts')).verifyPage(terminal),
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
