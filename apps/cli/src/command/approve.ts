import { readFileSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type ApprovalRequest,
  bundleCharactersMax,
  closeApproverKey,
  createApproverKey,
  examine,
  examineAgreement,
  type Examination,
  openApproverKey,
  type Pins,
  readAgreement,
  readRequest,
  signApproval,
  type SoftwareApprover,
  verifyEd25519,
} from '@bulkhead/approve';
import { approverKeyFields, canonicalJson, nobleHashes, personIdOf } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import { needed } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { askLine, askSecret, isTyped, readStandardInput } from './approve-input.ts';
import { describeAgreement, describeExamination, plain } from './approve-words.ts';

/** Hex digits of the digest that a person types: enough to have looked at it. */
export const typedDigits = 6;

const optionForms = {
  key: { type: 'string' },
  out: { type: 'string' },
  yes: { type: 'boolean' },
  digest: { type: 'string' },
  'passphrase-file': { type: 'string' },
  deployment: { type: 'string' },
  identity: { type: 'string', multiple: true },
  'new-key': { type: 'string' },
  agreement: { type: 'string' },
  kind: { type: 'string' },
  person: { type: 'string' },
  'key-id': { type: 'string' },
} as const;

type Options = ReturnType<typeof parseArgs<{ options: typeof optionForms; strict: true }>>['values'];

export async function approve(terminal: Terminal): Promise<ExitCode> {
  const { values, positionals } = readWords(terminal.words);
  if (values['new-key'] !== undefined) {
    if (positionals.length > 0) throw new UsageError('approve --new-key makes a key and reads nothing to approve.');
    return newKey(terminal, values);
  }
  if (values.agreement !== undefined) {
    if (positionals.length > 0) throw new UsageError('approve --agreement shows one vault and signs nothing.');
    return showAgreement(terminal, values.agreement);
  }
  const [source, ...others] = positionals;
  if (source === undefined || others.length > 0) {
    throw new UsageError('approve needs one file, link or "-". "bulkhead help approve" shows what it takes.');
  }
  const path = inFolder(terminal, needed('approve', 'key', values.key));
  assertConfirmable(values, source);
  const request = await requestFrom(terminal, source);
  const approver = await openApproverKey(path, await passphraseFrom(terminal, values, `Passphrase of ${path}`));
  try {
    return await decide(terminal, { values, request, approver });
  } finally {
    closeApproverKey(approver);
  }
}

/** Terms of a vault for whoever is to agree to them. Keys of clients are not in files of ours, so nothing is signed here. */
async function showAgreement(terminal: Terminal, source: string): Promise<ExitCode> {
  const text = source === '-' ? await readStandardInput(bundleCharactersMax) : readText(terminal, source);
  try {
    const examination = examineAgreement(readAgreement(text));
    for (const line of describeAgreement(examination)) terminal.out(plain(line));
    if (examination.refusal === undefined) return exitCodes.ok;
    return refuse(terminal, `This must not be signed: ${examination.refusal}`);
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return refuse(terminal, error.message);
  }
}

type Decision = { readonly values: Options; readonly request: ApprovalRequest; readonly approver: SoftwareApprover };

async function decide(terminal: Terminal, { values, request, approver }: Decision): Promise<ExitCode> {
  const pins = pinsFrom(values, approver);
  const examined = async (): Promise<Examination> =>
    examine(request, { pins, hashes: nobleHashes, verify: verifyEd25519, now: BigInt(Math.floor(Date.now() / 1_000)) });
  let examination: Examination;
  try {
    examination = await examined();
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return refuse(terminal, error.message);
  }
  for (const line of describeExamination(examination)) terminal.err(plain(line));
  if (examination.refusal !== undefined) return refuse(terminal, `This cannot be signed: ${examination.refusal}`);
  if (!(await isConfirmed(terminal, values, examination.digest))) return exitCodes.found;
  // A person may have thought for an hour: what expired meanwhile is not signed.
  const late = (await examined()).refusal;
  if (late !== undefined) return refuse(terminal, `This cannot be signed any more: ${late}`);
  const text = JSON.stringify(signApproval(approver, examination.intent));
  if (values.out === undefined) terminal.out(text);
  else {
    writeNew(inFolder(terminal, values.out), `${text}\n`);
    terminal.err(`Signed: the approval is in ${values.out}. It was sent nowhere.`);
  }
  return exitCodes.ok;
}

function readWords(words: readonly string[]): { readonly values: Options; readonly positionals: readonly string[] } {
  try {
    return parseArgs({ args: [...words], options: optionForms, strict: true, allowPositionals: true });
  } catch (error) {
    const said = error instanceof Error ? (error.message.split('. ')[0] ?? '') : '';
    throw new UsageError(`${said.replace(/\.$/u, '')}. "bulkhead help approve" shows what it takes.`);
  }
}

/** Who says yes must be able to: a person at a terminal, or a program that knows the digest. */
function assertConfirmable({ yes, digest, 'passphrase-file': file }: Options, source: string): void {
  if (yes === true) {
    if (isTyped()) {
      throw new UsageError('--yes is for programs: at a terminal, read what is shown and type its digits.');
    }
    if (digest === undefined) throw new UsageError('--yes needs --digest: say what is approved.');
    if (file === undefined) throw new UsageError('--yes needs --passphrase-file: nobody is there to type.');
  } else if (!isTyped() || source === '-') {
    throw new UsageError('Nobody is at the keyboard to confirm. A program gives --yes and --digest <hex>.');
  }
  if (digest !== undefined && !/^[0-9a-f]{64}$/u.test(digest)) {
    throw new UsageError('--digest is 64 lower-case hex digits: the SHA-256 of the canonical bytes.');
  }
}

async function isConfirmed(terminal: Terminal, { yes, digest: expected }: Options, digest: string): Promise<boolean> {
  if (expected !== undefined && expected !== digest) {
    refuse(terminal, `The digest is ${digest}, and ${expected} was expected. Nothing was signed.`);
    return false;
  }
  if (yes === true) return true;
  const typed = await askLine(`Type the last ${typedDigits} digits of the digest to sign, anything else to stop: `);
  if (typed.trim().toLowerCase() === digest.slice(-typedDigits)) return true;
  refuse(terminal, 'Those are not the digits. Nothing was signed.');
  return false;
}

function refuse(terminal: Terminal, message: string): ExitCode {
  terminal.err(plain(`bulkhead: ${message}`));
  return exitCodes.found;
}

/** The key file knows its installation; where it does not, whoever types must say it. */
function pinsFrom({ deployment, identity }: Options, { pins }: SoftwareApprover): Pins {
  if (pins !== undefined) {
    if (deployment === undefined && identity === undefined) return pins;
    throw new UsageError('The key file names its installation: leave --deployment and --identity out.');
  }
  return givenPins(deployment, identity) ?? missingPins();
}

function missingPins(): never {
  throw new UsageError('The key file names no installation: give --deployment and --identity.');
}

function givenPins(deployment: string | undefined, identities: readonly string[] | undefined): Pins | undefined {
  if (deployment === undefined && identities === undefined) return undefined;
  if (deployment === undefined || !/^[0-9a-f]{32}$/u.test(deployment)) {
    throw new UsageError('--deployment is the 32 lower-case hex digits of the installation.');
  }
  if (identities === undefined || !identities.every((identity) => /^[0-9a-f]{64}$/u.test(identity))) {
    throw new UsageError(
      '--identity is an identity key of the signer, 64 lower-case hex digits; give it once for each.',
    );
  }
  return { deployment, identities };
}

async function newKey(terminal: Terminal, values: Options): Promise<ExitCode> {
  const { kind, 'new-key': file, 'key-id': id = 'file', deployment, identity } = values;
  if (kind !== 'ed25519' && kind !== 'eip712') {
    throw new UsageError('approve --new-key needs --kind ed25519 or eip712.');
  }
  const person = idFrom('person', needed('approve --new-key', 'person', values.person));
  const key = idFrom('key-id', id);
  const pins = givenPins(deployment, identity);
  const path = inFolder(terminal, needed('approve', 'new-key', file));
  const passphrase = await passphraseFrom(terminal, values, `Passphrase for ${path}`);
  if (values['passphrase-file'] === undefined && passphrase !== (await askSecret('Once more: '))) {
    throw new UsageError('The two passphrases differ. No key was made.');
  }
  const entry = await createApproverKey({
    path,
    passphrase,
    kind,
    person,
    key,
    ...(pins === undefined ? {} : { pins }),
  });
  terminal.out(canonicalJson(approverKeyFields(entry)));
  terminal.err(`The key is in ${path}. The line above is its entry under "keys" of the person ${person}.`);
  return exitCodes.ok;
}

function idFrom(option: string, text: string): string {
  try {
    return personIdOf(text);
  } catch (error) {
    throw new UsageError(`--${option}: ${error instanceof Error ? error.message : ''}.`);
  }
}

async function passphraseFrom(terminal: Terminal, values: Options, prompt: string): Promise<string> {
  const file = values['passphrase-file'];
  if (file !== undefined) return readText(terminal, file).replace(/\r?\n$/u, '');
  if (isTyped()) return askSecret(`${prompt}: `);
  throw new UsageError('Nobody is there to type the passphrase: give --passphrase-file.');
}

async function requestFrom(terminal: Terminal, source: string): Promise<ApprovalRequest> {
  if (source === '-') return readRequest(await readStandardInput(bundleCharactersMax));
  return readRequest(source.includes('#') ? source : readText(terminal, source));
}

function readText(terminal: Terminal, path: string): string {
  try {
    return readFileSync(inFolder(terminal, path), 'utf8');
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`);
  }
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (cause) {
    throw new UsageError(`${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}.`);
  }
}

function inFolder({ folder }: Terminal, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}
