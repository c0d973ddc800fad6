import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type AuthorityIntent, CustodyError, intentBytes, intentDigest, type Signer } from '@bulkhead/domain';
import { besideRunning, followSigner, loadConfiguration, openSigner } from '@bulkhead/server';
import { decodeParams, verifyRecord } from '@bulkhead/signer-client';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';

/** Time that the people of the root quorum have to approve a recovery, in seconds. */
export const recoverySecondsMax = 86_400n;

type Recovery = Extract<AuthorityIntent, { readonly kind: 'state-recovery' }>;

/** Writes down what the root quorum has to approve, so that the older state that the signer has now may go on. */
export async function recoveryIntent(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('signer', terminal.words, { out: { type: 'string' } });
  const out = resolve(terminal.folder, needed('signer recovery', 'out', options.out));
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  await using opened = await withProgress(terminal, 'reaching the signer', () => openSigner(configuration));
  const { slots } = await opened.signer.status();
  if (!slots.some(({ name, healthy }) => name === 'state' && !healthy)) {
    terminal.out(
      'The signer is not in recovery: its state is the newest that its slots know. There is nothing to approve.',
    );
    return exitCodes.found;
  }
  const intent = await intentFor(opened.signer, opened.pinned.deployment);
  const canonical = Buffer.from(intentBytes(intent)).toString('utf8');
  writeFileSync(out, `${JSON.stringify({ intent: canonical, list: '' })}\n`, { flag: 'wx' });
  terminal.out(`Written to ${out}, digest ${intentDigest(intent)}.`);
  terminal.out(
    `It lets the signer go on from record ${intent.sequence} and forget what came after. Before anybody approves it: docs/signer.md, "Recovery of an older state".`,
  );
  return exitCodes.ok;
}

/**
 * The signer says where its state ends and which heads would be given up, as the reason for which it refuses an intent that nobody
 * approved. What it says need not be believed: it takes no intent that is about anything else.
 */
async function intentFor(signer: Signer, deployment: string): Promise<Recovery> {
  const expiresAt = BigInt(Math.floor(Date.now() / 1_000)) + recoverySecondsMax;
  const asked: Recovery = {
    deployment,
    kind: 'state-recovery',
    id: 'sr_0',
    sequence: 0n,
    head: '0'.repeat(64),
    expiresAt,
  };
  const end = await refusedFor(signer, asked);
  const at: Recovery = { ...asked, sequence: BigInt(textOf(end, 'sequence')), head: textOf(end, 'head') };
  return { ...at, id: textOf(await refusedFor(signer, at), 'wanted') };
}

async function refusedFor(signer: Signer, intent: Recovery): Promise<CustodyError> {
  try {
    await signer.change({ intent, evidence: { approvals: [] }, list: '' });
  } catch (error) {
    if (error instanceof CustodyError && error.code === 'signer/state-rewound') return error;
    throw error;
  }
  throw new CustodyError('invariant/broken', 'The signer took a recovery that nobody approved.');
}

function textOf(error: CustodyError, name: string): string {
  const value = error.details[name];
  // A reason that says nothing of it is another one, and tells more than that a field is missing.
  if (typeof value !== 'string') throw error;
  return value;
}

/** Gives the signer a recovery with the approvals that people signed. */
export async function recover(terminal: Terminal): Promise<ExitCode> {
  const { positionals, values } = readWords(terminal.words);
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0 || values.approval === undefined) {
    throw new UsageError(
      'signer recover needs the file of "signer recovery" and an --approval <file> for each person.',
    );
  }
  const read = (name: string): unknown => jsonOf(resolve(terminal.folder, name));
  const bundle = read(file);
  const intent = typeof bundle === 'object' && bundle !== null && 'intent' in bundle ? bundle.intent : undefined;
  const change = decodeParams('change', { intent, evidence: { approvals: values.approval.map(read) }, list: '' });
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  await using opened = await withProgress(terminal, 'reaching the signer', () => openSigner(configuration));
  const { record } = await opened.signer.change(change);
  verifyRecord(record, opened.pinned.identities);
  terminal.out(`The signer goes on: record ${record.sequence} says so, with the names of those who approved it.`);
  terminal.out(
    'Next: "bulkhead signer follow", so that the books follow its log again. Then repeat the lost changes of the registry.',
  );
  return exitCodes.ok;
}

function readWords(words: readonly string[]): {
  readonly positionals: readonly string[];
  readonly values: { readonly approval?: string[] | undefined };
} {
  try {
    const options = { approval: { type: 'string', multiple: true } } as const;
    return parseArgs({ args: [...words], options, strict: true, allowPositionals: true });
  } catch {
    throw new UsageError('signer recover takes one file and --approval <file>, once for each person.');
  }
}

function jsonOf(path: string): unknown {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return value;
  } catch (cause) {
    throw new CustodyError('request/malformed', `${path} cannot be read, or is no JSON. Check the name of the file.`, {
      cause,
    });
  }
}

/** Has the books follow the log of a signer that was recovered, which otherwise stay with what it said before. */
export async function follow(terminal: Terminal): Promise<ExitCode> {
  readOptions('signer', terminal.words, {});
  const configuration = await besideRunning(loadConfiguration(terminal.folder, terminal.environment));
  const followed = await withProgress(terminal, 'comparing', () => followSigner(configuration));
  if (followed === undefined) {
    terminal.out('The books follow the signer, and nothing that is stored differs. Nothing was changed.');
  } else if (followed.recovery === null) {
    terminal.out('All that is stored is in the log of the signer again: the books follow it.');
  } else {
    terminal.out(
      `The books follow the signer from its recovery in record ${followed.recovery} on. ${followed.lost} records that it lost are kept in custody.signer_record_lost.`,
    );
  }
  return exitCodes.ok;
}
