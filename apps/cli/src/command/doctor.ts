import { CustodyError, type KeyLabel, parseCompartment } from '@bulkhead/domain';
import { type DoctorRow, examine, type KeyDriver } from '@bulkhead/keys';
import { openKeys, readConfiguration, type SignerConfiguration } from '@bulkhead/signer';
import { denyCoreFiles, openCeremonyToken, readSecret } from '@bulkhead/signer/ceremony';
import { resolve } from 'node:path';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { environmentOf, numberOf } from './ceremony-words.ts';
import { openConsole } from './console.ts';

const colours: Readonly<Record<DoctorRow['verdict'], string>> = { good: '32', bad: '31', unknown: '33' };

/** Examines a hardware module for its owner, or the drivers that a signer's configuration names. */
export async function doctor(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('doctor', terminal.words, {
    library: { type: 'string' },
    label: { type: 'string' },
    'pin-file': { type: 'string' },
    environment: { type: 'string', multiple: true },
    config: { type: 'string' },
    key: { type: 'string' },
    compartment: { type: 'string' },
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
  const configuration = readConfiguration(resolve(terminal.folder, config));
  return tell(
    terminal,
    await examineConfigured(terminal, { configuration, testKey: testKeyOf(options, configuration) }),
  );
}

/** Only a module in which a throw-away key cannot be removed again is examined with a key that is there. */
function testKeyOf(
  { key, compartment }: { readonly key?: string | undefined; readonly compartment?: string | undefined },
  { labelled }: SignerConfiguration,
): KeyLabel | undefined {
  if (key === undefined && compartment === undefined) return undefined;
  if (labelled?.driver !== 'aws-kms') {
    throw new UsageError(
      'doctor takes --key and --compartment for aws-kms alone: the drivers of this configuration are examined with throw-away keys.',
    );
  }
  return {
    compartment: parseCompartment(numberOf('compartment', needed('doctor', 'compartment', compartment))),
    label: needed('doctor', 'key', key),
  };
}

type Configured = { readonly configuration: SignerConfiguration; readonly testKey: KeyLabel | undefined };

/** Every driver of a configuration. A signer that runs on the same tokens goes on: none of its keys signs, and what is made is removed. */
async function examineConfigured(
  terminal: Terminal,
  { configuration, testKey }: Configured,
): Promise<readonly DoctorRow[]> {
  const rows: DoctorRow[] = [];
  // A sealed seed is opened into this process, which is not the signer and has none of its options.
  denyCoreFiles();
  {
    await using keys = await openKeys(configuration);
    const { tree, labelled } = keys.drivers;
    if (tree !== undefined) {
      rows.push(...named(tree.name, await withProgress(terminal, 'examining', () => examine({ tree }))));
    }
    if (labelled?.name === 'aws-kms') rows.push(...named(labelled.name, await examineTestKey(labelled, testKey)));
  }
  const { labelled } = configuration;
  const entry =
    labelled?.driver === 'pkcs11-key' ? configuration.tokens.find(({ name }) => name === labelled.token) : undefined;
  if (entry !== undefined) {
    await using token = await openCeremonyToken('hsm_slot_1', entry, () => readSecret(entry.pinFile));
    rows.push(...named('pkcs11-key', await withProgress(terminal, 'examining', () => examine({ token }))));
  }
  if (rows.length === 0) throw new CustodyError('config/invalid', 'The configuration names no driver of keys.');
  return rows;
}

async function examineTestKey(driver: KeyDriver, testKey: KeyLabel | undefined): Promise<readonly DoctorRow[]> {
  if (testKey === undefined) {
    const detail = 'not examined: make a key for tests, which no wallet is, and name it with --key and --compartment';
    return [{ what: 'key for tests', verdict: 'unknown', detail }];
  }
  using console = openConsole('doctor --key');
  console.say(`Random digests will be signed with the key "${testKey.label}" of compartment ${testKey.compartment}.`);
  console.say(
    'A signature over a digest that nobody has looked at may move coins. Is it the key of a wallet, stop here.',
  );
  const typed = (): Promise<string> => console.ask('Type the label of this key for tests:');
  return await examine({ driver, testKey, typed });
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
