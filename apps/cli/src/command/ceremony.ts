import { buildSigner } from '@bulkhead/signer/build';
import {
  addressesMax,
  type Bundle,
  ceremonyFiles,
  certifiedAddresses,
  denyCoreFiles,
  type ListedAddress,
  parseBundle,
  parsePlan,
  planDigest,
  planText,
  recordFacts,
  restoredAddresses,
  restoreSeed,
  runCeremony,
  verifyBundle,
} from '@bulkhead/signer/ceremony';
import { importCeremony } from '@bulkhead/custody';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import { type Terminal, withProgress } from '../terminal.ts';
import { byHand } from './address.ts';
import { reached } from './audit-access.ts';
import { drill, drills, reseal } from './ceremony-drill.ts';
import { tellFindings, tokensOf } from './ceremony-tokens.ts';
import { bothSlots, fileBytes, fileText, numberOf, numbersOf, pinsOf, slotsOf } from './ceremony-words.ts';
import { openConsole } from './console.ts';

const actions: Readonly<Record<string, (terminal: Terminal) => Promise<ExitCode>>> = {
  plan,
  run,
  verify,
  import: importBundle,
  restore,
  addresses,
  drill,
  drills,
  reseal,
};

const text = { type: 'string' } as const;
const texts = { type: 'string', multiple: true } as const;
const clock = { now: () => new Date() };

export async function ceremony(terminal: Terminal): Promise<ExitCode> {
  const [action = '', ...words] = terminal.words;
  const act = Object.hasOwn(actions, action) ? actions[action] : undefined;
  if (act === undefined) {
    throw new UsageError(
      'ceremony knows: plan, run, verify, import, restore, addresses, drill, drills, reseal. "bulkhead help ceremony" explains them.',
    );
  }
  return act({ ...terminal, words });
}

async function plan(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('ceremony', terminal.words, {
    out: text,
    name: text,
    deployment: text,
    performer: text,
    witness: texts,
    confirmations: text,
    slot: texts,
    dice: { type: 'boolean' },
    threshold: text,
    holder: texts,
    compartments: text,
    registry: text,
    program: text,
  });
  const need = (name: string, value: string | undefined): string => needed('ceremony', name, value);
  const out = resolve(terminal.folder, need('out', options.out));
  const order = {
    name: need('name', options.name),
    performer: need('performer', options.performer),
    witnesses: options.witness ?? [],
    confirmations: numberOf('confirmations', options.confirmations ?? '1'),
    slots: bothSlots('ceremony plan', slotsOf(terminal.folder, options.slot ?? [])),
    dice: options.dice === true,
    threshold: numberOf('threshold', need('threshold', options.threshold)),
    holders: options.holder ?? [],
    compartments: numbersOf('compartments', need('compartments', options.compartments)),
    list: fileText(terminal, need('registry', options.registry)),
  };
  const program = options.program ?? (await programOf(terminal, dirname(out)));
  const deployment = options.deployment === undefined ? {} : { deployment: options.deployment };
  const made = planText({ ...order, ...deployment, program });
  writeNew(out, made);
  terminal.out(planDigest(made));
  terminal.err(`The plan is ${out}. Write its SHA-256 down, on paper, for everybody who will be there.`);
  return exitCodes.ok;
}

async function programOf(terminal: Terminal, folder: string): Promise<string> {
  return (await withProgress(terminal, 'building the signer', () => buildSigner(folder))).sha256;
}

async function digestOf(terminal: Terminal, file: string): Promise<string> {
  // The bytes as they are: text that is no UTF-8 must not hash like text that is.
  return createHash('sha256').update(fileBytes(terminal, file)).digest('hex');
}

function writeNew(path: string, made: string): void {
  try {
    writeFileSync(path, made, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new UsageError(`${path} cannot be written (${code}). A file that is there is not replaced.`);
  }
}

async function run(terminal: Terminal): Promise<ExitCode> {
  const [file = '', ...words] = terminal.words;
  const options = readOptions('ceremony', words, { out: text, registry: text, program: text, 'pin-file': texts });
  const made = fileText(terminal, file);
  const { slots } = parsePlan(made);
  const list = fileText(terminal, needed('ceremony', 'registry', options.registry));
  const directory = folderOf(terminal, options.out);
  using console = openConsole('ceremony run');
  await using opened = tokensOf(slots, pinsOf(terminal, options['pin-file'] ?? [], console));
  denyCoreFiles();
  await runCeremony({
    planText: made,
    list,
    directory,
    console,
    clock,
    tokens: opened.open,
    programDigest: () =>
      options.program === undefined ? programOf(terminal, directory) : digestOf(terminal, options.program),
  });
  return exitCodes.ok;
}

function folderOf(terminal: Terminal, out: string | undefined): string {
  const directory = resolve(terminal.folder, needed('ceremony', 'out', out));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

async function verify(terminal: Terminal): Promise<ExitCode> {
  const [file = '', ...words] = terminal.words;
  const options = readOptions('ceremony', words, { 'plan-hash': text, identity: texts });
  const planHash = options['plan-hash'];
  const bundle = parseBundle(fileText(terminal, file));
  const findings = verifyBundle(bundle, {
    ...(planHash === undefined ? {} : { planHash }),
    ...(options.identity === undefined ? {} : { identities: options.identity }),
  });
  const code = tellFindings(terminal, findings);
  for (const { identity } of bundle.signatures) terminal.out(`Identity ${identity}`);
  if (planHash === undefined || options.identity === undefined) {
    terminal.err(
      'Compare the SHA-256 of the plan and the identity keys with paper, or give --plan-hash and --identity.',
    );
  }
  return code;
}

/** Brings a verified ceremony into the journal, and so into the audit log: once, at its installation. */
async function importBundle(terminal: Terminal): Promise<ExitCode> {
  const [file = '', ...words] = terminal.words;
  const options = readOptions('ceremony', words, { 'plan-hash': text, identity: texts });
  const planHash = needed('ceremony import', 'plan-hash', options['plan-hash']);
  const [identity = '', ...others] = options.identity ?? [];
  const identities = [needed('ceremony import', 'identity', identity), ...others];
  const content = fileText(terminal, file);
  const bundle = parseBundle(content);
  // Only what people wrote down tells this ceremony from another one that is as sound.
  const code = tellFindings(terminal, verifyBundle(bundle, { planHash, identities }));
  if (code !== exitCodes.ok) return code;
  await using opened = await reached(terminal, 'app');
  const written = await importCeremony(opened.db, new Date(), {
    actor: byHand('ceremony').actor,
    plan: planDigest(bundle.plan),
    bundle: createHash('sha256').update(content).digest('hex'),
    lines: recordFacts(bundle),
  });
  terminal.out(written === 0 ? 'The journal has this ceremony already.' : `${written} steps are in the journal.`);
  return exitCodes.ok;
}

const restoring = { bundle: text, out: text, slot: texts, 'pin-file': texts, identity: texts } as const;

async function restore(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('ceremony', terminal.words, {
    ...restoring,
    registry: text,
    deployment: text,
    performer: text,
    witness: texts,
  });
  const bundle = bundleOf(terminal, options.bundle);
  const performer = needed('ceremony', 'performer', options.performer);
  const witnesses = options.witness ?? [];
  if (witnesses.length === 0 || witnesses.includes(performer)) {
    throw new UsageError('ceremony restore needs --witness: somebody else than the performer watches.');
  }
  const slots = bothSlots('ceremony restore', slotsOf(terminal.folder, options.slot ?? []));
  const state =
    options.registry === undefined
      ? {}
      : {
          state: {
            deployment: options.deployment ?? randomBytes(16).toString('hex'),
            list: fileText(terminal, options.registry),
          },
        };
  const directory = folderOf(terminal, options.out);
  using console = openConsole('ceremony restore');
  await using opened = tokensOf(slots, pinsOf(terminal, options['pin-file'] ?? [], console));
  denyCoreFiles();
  const restored = await restoreSeed({
    bundle,
    directory,
    console,
    clock,
    tokens: await opened.open(),
    performer,
    witnesses,
    ...(options.identity === undefined ? {} : { identities: options.identity }),
    ...state,
  });
  terminal.out(`Restored: seed ${restored.fingerprint}, sealed in ${join(directory, ceremonyFiles.envelope)}`);
  for (const identity of restored.identities) terminal.out(`Identity ${identity}`);
  if (state.state !== undefined) {
    terminal.out(`Deployment ${state.state.deployment}, state in ${join(directory, ceremonyFiles.state)}`);
  }
  return exitCodes.ok;
}

function bundleOf(terminal: Terminal, file: string | undefined): Bundle {
  return parseBundle(fileText(terminal, needed('ceremony', 'bundle', file)));
}

async function addresses(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('ceremony', terminal.words, {
    bundle: text,
    envelope: text,
    slot: texts,
    'pin-file': texts,
    identity: texts,
    compartments: text,
    count: text,
  });
  const listed = {
    compartments: numbersOf('compartments', needed('ceremony', 'compartments', options.compartments)),
    count: numberOf('count', options.count ?? '20'),
    ...(options.identity === undefined ? {} : { identities: options.identity }),
  };
  if (listed.count > addressesMax) throw new UsageError(`--count is at most ${addressesMax}.`);
  if ((options.bundle === undefined) === (options.envelope === undefined)) {
    throw new UsageError('ceremony addresses takes --bundle, or --envelope with --slot twice.');
  }
  const found =
    options.envelope === undefined
      ? certifiedAddresses(bundleOf(terminal, options.bundle), listed)
      : await fromSeed(terminal, { ...options, envelope: options.envelope, listed });
  for (const { path, address } of found) terminal.out(`${path}  ${address}`);
  return exitCodes.ok;
}

async function fromSeed(
  terminal: Terminal,
  of: {
    readonly envelope: string;
    readonly slot?: string[] | undefined;
    readonly 'pin-file'?: string[] | undefined;
    readonly listed: Parameters<typeof restoredAddresses>[1];
  },
): Promise<readonly ListedAddress[]> {
  const slots = bothSlots('ceremony addresses', slotsOf(terminal.folder, of.slot ?? []));
  await using opened = tokensOf(slots, pinsOf(terminal, of['pin-file'] ?? [], undefined));
  denyCoreFiles();
  return await restoredAddresses(
    { tokens: await opened.open(), envelope: resolve(terminal.folder, of.envelope) },
    of.listed,
  );
}
