import { CustodyError, parseCompartment } from '@bulkhead/domain';
import { type DoctorRow, examine } from '@bulkhead/keys';
import { openKeys, readConfiguration } from '@bulkhead/signer';
import { denyCoreFiles, openCeremonyToken, readSecret } from '@bulkhead/signer/ceremony';
import { resolve } from 'node:path';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { environmentOf, numberOf } from './ceremony-words.ts';

const colours: Readonly<Record<DoctorRow['verdict'], string>> = { good: '32', bad: '31', unknown: '33' };

/** Examines a hardware module for its owner, or the drivers that a signer's configuration names. */
export async function doctor(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('doctor', terminal.words, {
    library: { type: 'string' },
    label: { type: 'string' },
    'pin-file': { type: 'string' },
    environment: { type: 'string', multiple: true },
    config: { type: 'string' },
    compartment: { type: 'string' },
    index: { type: 'string' },
    'key-label': { type: 'string' },
  });
  const { config, library } = options;
  if (config !== undefined && library !== undefined) {
    throw new UsageError('doctor takes --library or --config, not both. "bulkhead help doctor" explains them.');
  }
  if (config === undefined) {
    const place = {
      library: resolve(terminal.folder, needed('doctor', 'library', library)),
      label: needed('doctor', 'label', options.label),
      environment: environmentOf(options.environment ?? []),
    };
    const pinFile = resolve(terminal.folder, needed('doctor', 'pin-file', options['pin-file']));
    return tell(
      terminal,
      await withProgress(terminal, 'examining', async () => {
        await using token = await openCeremonyToken('hsm_slot_1', place, () => readSecret(pinFile));
        return await examine({ token });
      }),
    );
  }
  const compartment = parseCompartment(numberOf('compartment', options.compartment ?? '1'));
  const index = numberOf('index', options.index ?? '0');
  const file = resolve(terminal.folder, config);
  const rows = await withProgress(terminal, 'examining', () =>
    examineConfigured(file, { compartment, index, label: options['key-label'] }),
  );
  return tell(terminal, rows);
}

type Key = {
  readonly compartment: ReturnType<typeof parseCompartment>;
  readonly index: number;
  readonly label: string | undefined;
};

/** Every driver of a configuration. A signer that runs on the same tokens goes on: nothing is written. */
async function examineConfigured(file: string, { compartment, index, label }: Key): Promise<readonly DoctorRow[]> {
  // A sealed seed is opened into this process, which is not the signer and has none of its options.
  denyCoreFiles();
  await using keys = await openKeys(readConfiguration(file));
  const rows: DoctorRow[] = [];
  const { tree, labelled } = keys.drivers;
  if (tree !== undefined) rows.push(...named(tree.name, await examine({ driver: tree, key: { compartment, index } })));
  if (labelled !== undefined && label !== undefined) {
    rows.push(...named(labelled.name, await examine({ driver: labelled, key: { compartment, label } })));
  } else if (labelled !== undefined) {
    const detail = 'not examined: name one of its keys with --key-label and --compartment';
    rows.push({ what: labelled.name, verdict: 'unknown', detail });
  }
  if (rows.length === 0) throw new CustodyError('config/invalid', `${file} names no driver of keys.`);
  return rows;
}

function named(name: string, rows: readonly DoctorRow[]): readonly DoctorRow[] {
  return rows.map((row) => ({ ...row, what: `${name}: ${row.what}` }));
}

function tell(terminal: Terminal, rows: readonly DoctorRow[]): ExitCode {
  const width = Math.max(...rows.map(({ what }) => what.length));
  const coloured = process.stdout.isTTY && (terminal.environment['NO_COLOR'] ?? '') === '';
  for (const { what, verdict, detail } of rows) {
    const padded = verdict.padEnd(7);
    const shown = coloured ? `\u001B[${colours[verdict]}m${padded}\u001B[0m` : padded;
    terminal.out(`${shown}  ${what.padEnd(width)}  ${detail}`);
  }
  const bad = rows.filter(({ verdict }) => verdict === 'bad').length;
  const unknown = rows.filter(({ verdict }) => verdict === 'unknown').length;
  terminal.out(`${rows.length - bad - unknown} good, ${bad} bad, ${unknown} unknown`);
  return bad === 0 ? exitCodes.ok : exitCodes.found;
}
