import { besideRunning, examine, type Finding, loadConfiguration, reachDatabase } from '@bulkhead/server';
import { readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';

export async function check(terminal: Terminal): Promise<ExitCode> {
  readOptions('check', terminal.words, {});
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  await using database = await reachDatabase(configuration);
  return tellFindings(terminal, await withProgress(terminal, 'checking', () => examine(database.access)));
}

/** Prints what an examination found, one line each. */
export function tellFindings(terminal: Terminal, findings: readonly Finding[]): ExitCode {
  for (const { kind, detail } of findings) terminal.out(`${kind}: ${detail}`);
  if (findings.length === 0) {
    terminal.out('Every invariant of the books holds, and no block and no record of the signer is missing.');
  } else {
    terminal.out(
      `${findings.length} invariants are broken. Stop withdrawals, keep a copy of the database, and find out who changed it.`,
    );
  }
  return findings.length === 0 ? exitCodes.ok : exitCodes.found;
}
