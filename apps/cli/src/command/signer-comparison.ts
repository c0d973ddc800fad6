import { besideRunning, compareWithSigner, loadConfiguration } from '@bulkhead/server';
import { readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';

/** Prints what the signer granted and the database does not know, as after a backup of the database was put back. */
export async function compare(terminal: Terminal): Promise<ExitCode> {
  readOptions('signer', terminal.words, {});
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  const lost = await withProgress(terminal, 'comparing', () => compareWithSigner(configuration));
  if (lost.length === 0) {
    terminal.out('The database knows every transaction that the signer granted.');
    return exitCodes.ok;
  }
  for (const { sequence, intent, dispatch, signed, unsigned } of lost) {
    const { kind, id, amount, asset, compartment, to } = intent;
    terminal.out(`Record ${sequence}: ${kind} ${id}, ${amount} of ${asset} from compartment ${compartment} to ${to}`);
    terminal.out(
      dispatch === undefined ? '  no dispatch of it is here' : `  dispatch ${dispatch}, without this attempt`,
    );
    terminal.out(signed === undefined ? `  granted, no signature recorded: ${unsigned}` : `  hash ${signed.hash}`);
    if (signed !== undefined) terminal.out(`  signed 0x${signed.raw}`);
  }
  terminal.out(`${lost.length} transactions that the signer granted are not here: docs/operations/restore.md.`);
  return exitCodes.found;
}
