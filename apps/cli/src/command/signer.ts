import { loadConfiguration, besideRunning, openSigner } from '@bulkhead/server';
import { buildSigner } from '@bulkhead/signer/build';
import { CustodyError, type DecisionRecord } from '@bulkhead/domain';
import { parseRecordLine } from '@bulkhead/authority';
import { verifyLogKey, verifyRecord } from '@bulkhead/signer-client';
import { formatVerifierKey, verifierKey } from '@bulkhead/tlog';
import { resolve } from 'node:path';
import { readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { compare } from './signer-comparison.ts';
import { follow, recover, recoveryIntent } from './signer-recovery.ts';
import { verify } from './signer-verification.ts';

/** Records that one command prints at most. */
const recordsShownMax = 500;
const recordsShownDefault = 50;

const actions: Readonly<Record<string, (terminal: Terminal) => Promise<ExitCode>>> = {
  status,
  records,
  build,
  verify,
  recovery: recoveryIntent,
  recover,
  follow,
  compare,
  'log-key': logKey,
};

export async function signer(terminal: Terminal): Promise<ExitCode> {
  const [action = '', ...words] = terminal.words;
  const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (run === undefined) {
    throw new UsageError(
      'signer knows: status, records, build, verify, recovery, recover, follow, compare, log-key. "bulkhead help signer" explains them.',
    );
  }
  return run({ ...terminal, words });
}

async function status(terminal: Terminal): Promise<ExitCode> {
  readOptions('signer', terminal.words, {});
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  await using opened = await withProgress(terminal, 'reaching the signer', () => openSigner(configuration));
  const said = await opened.signer.status();
  terminal.out(`Deployment ${said.deployment}, keys: ${said.residency}`);
  terminal.out(`Registry version ${said.registryVersion}, ${said.registryHash}`);
  terminal.out(`Newest record ${said.sequence}`);
  for (const identity of said.identities) {
    terminal.out(`Identity ${identity}${opened.pinned.identities.includes(identity) ? '' : ' (not believed here)'}`);
  }
  for (const slot of said.slots) {
    terminal.out(`Slot ${slot.name}: ${slot.healthy ? 'works' : 'DOES NOT WORK'}, ${slot.detail}`);
  }
  return said.slots.every((slot) => slot.healthy) ? exitCodes.ok : exitCodes.found;
}

async function records(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('signer', terminal.words, { after: { type: 'string' }, limit: { type: 'string' } });
  const after = BigInt(numberOf('after', options.after ?? '0', Number.MAX_SAFE_INTEGER));
  const limit = numberOf('limit', options.limit ?? String(recordsShownDefault), recordsShownMax);
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  await using opened = await withProgress(terminal, 'reaching the signer', () => openSigner(configuration));
  const found = await opened.signer.records(after, limit);
  const wrong = found.filter((record) => !tellRecord(terminal, record, opened.pinned.identities));
  if (wrong.length > 0) terminal.err(`bulkhead: ${wrong.length} records are not what a believed identity has signed.`);
  return wrong.length === 0 ? exitCodes.ok : exitCodes.found;
}

/** Prints a record; false when it does not prove itself. */
function tellRecord(terminal: Terminal, record: DecisionRecord, identities: readonly string[]): boolean {
  try {
    verifyRecord(record, identities);
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    terminal.out(`${record.sequence} NOT PROVEN: ${error.message}`);
    return false;
  }
  const { at, type, fields } = parseRecordLine(record.line);
  const time = new Date(Number(at) * 1_000).toISOString();
  terminal.out(`${record.sequence} ${time} ${type} ${JSON.stringify(fields).slice(0, 400)}`);
  return true;
}

/** Prints the verifier key of the audit log, and below it what shows whose it is: the certificate by an identity key. */
async function logKey(terminal: Terminal): Promise<ExitCode> {
  readOptions('signer', terminal.words, {});
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  await using opened = await withProgress(terminal, 'reaching the signer', () => openSigner(configuration));
  const certified = await opened.signer.logKey();
  verifyLogKey(certified, opened.pinned);
  const { origin, publicKey, certificate } = certified;
  terminal.out(formatVerifierKey(verifierKey(origin, 'ed25519', Uint8Array.from(Buffer.from(publicKey, 'hex')))));
  terminal.out(JSON.stringify(certificate, null, 2));
  return exitCodes.ok;
}

async function build(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('signer', terminal.words, { out: { type: 'string' } });
  const { file, sha256 } = await withProgress(terminal, 'building', () =>
    buildSigner(resolve(terminal.folder, options.out ?? 'dist')),
  );
  terminal.out(`${sha256}  ${file}`);
  return exitCodes.ok;
}

function numberOf(name: string, text: string, max: number): number {
  const value = /^[0-9]{1,16}$/u.test(text) ? Number(text) : -1;
  if (value < 0 || value > max) throw new UsageError(`--${name} needs a whole number from 0 to ${max}.`);
  return value;
}
