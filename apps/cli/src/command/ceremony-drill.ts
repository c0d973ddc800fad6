import {
  type Bundle,
  ceremonyFiles,
  denyCoreFiles,
  drillLines,
  type DrillRecord,
  openCeremonyToken,
  otherSlot,
  parseBundle,
  recordDrill,
  resealSlot,
  type SlotIdentities,
  verifyBundle,
  verifyDrills,
} from '@bulkhead/signer/ceremony';
import { dirname, join, resolve } from 'node:path';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { tellFindings, tokensOf } from './ceremony-tokens.ts';
import { bothSlots, fileText, pinsOf, slotsOf, slotWord } from './ceremony-words.ts';

const text = { type: 'string' } as const;
const texts = { type: 'string', multiple: true } as const;
const clock = { now: () => new Date() };
const people = { performer: text, witness: text } as const;

type Held = { readonly file: string; readonly bundle: Bundle; readonly record: DrillRecord };

/** The bundle, and the record of drills beside it. */
function heldAt(terminal: Terminal, named: string | undefined): Held {
  const file = resolve(terminal.folder, needed('ceremony', 'bundle', named));
  const written = fileText(terminal, file);
  return {
    file,
    bundle: parseBundle(written),
    record: { path: join(dirname(file), ceremonyFiles.drills), bundle: written },
  };
}

/** `hsm_slot_1=<key>`, for both slots or for none. */
function identitiesOf(given: readonly string[] | undefined): { readonly identities?: SlotIdentities } {
  if (given === undefined) return {};
  const found = Object.fromEntries(
    given.map((word) => slotWord('identity', word)).map(({ slot, value }) => [slot, value]),
  );
  const { hsm_slot_1: first, hsm_slot_2: second } = found;
  if (first !== undefined && second !== undefined) return { identities: { hsm_slot_1: first, hsm_slot_2: second } };
  throw new UsageError('--identity is given for both slots, hsm_slot_1=<key> and hsm_slot_2=<key>, or for none.');
}

/** Holds a drill of one slot. */
export async function drill(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('ceremony', terminal.words, {
    bundle: text,
    envelope: text,
    slot: texts,
    'pin-file': texts,
    ...people,
  });
  const { file, record } = heldAt(terminal, options.bundle);
  const places = slotsOf(terminal.folder, options.slot ?? []);
  const [slot, second] = (['hsm_slot_1', 'hsm_slot_2'] as const).filter((name) => places[name] !== undefined);
  const place = slot === undefined ? undefined : places[slot];
  if (slot === undefined || place === undefined || second !== undefined) {
    throw new UsageError('ceremony drill needs --slot once: each slot has a drill of its own.');
  }
  const envelope = options.envelope ?? join(dirname(file), ceremonyFiles.envelope);
  await using token = await openCeremonyToken(slot, place, pinsOf(terminal, options['pin-file'] ?? [], undefined));
  denyCoreFiles();
  const { passed, finding } = await recordDrill({
    record,
    envelope: resolve(terminal.folder, envelope),
    slot,
    token,
    performer: needed('ceremony', 'performer', options.performer),
    witness: needed('ceremony', 'witness', options.witness),
    clock,
  });
  terminal.out(`${slot}: ${passed ? 'passed' : 'NOT PASSED'}. ${finding}`);
  return passed ? exitCodes.ok : exitCodes.found;
}

/** Judges the record of drills: who signed it, whether it is whole, and how old the newest drill of each slot is. */
export async function drills(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('ceremony', terminal.words, { bundle: text, identity: texts });
  const { bundle, record } = heldAt(terminal, options.bundle);
  const unsound = verifyBundle(bundle).filter(({ faults }) => faults.length > 0);
  if (unsound.length > 0) return tellFindings(terminal, unsound);
  const lines = await drillLines(record.path);
  const given = { record, text: lines, now: clock.now(), ...identitiesOf(options.identity) };
  return tellFindings(terminal, verifyDrills(bundle, given).findings);
}

/** Seals the seed to a fresh token in the place of a lost one. */
export async function reseal(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('ceremony', terminal.words, {
    bundle: text,
    envelope: text,
    lost: text,
    slot: texts,
    'pin-file': texts,
    identity: texts,
    deployment: text,
    ...people,
  });
  const { file, bundle, record } = heldAt(terminal, options.bundle);
  const slots = bothSlots('ceremony reseal', slotsOf(terminal.folder, options.slot ?? []));
  const lost = slots.find(({ name }) => name === options.lost)?.name;
  if (lost === undefined) {
    throw new UsageError('ceremony reseal needs --lost hsm_slot_1 or --lost hsm_slot_2: where the fresh token is.');
  }
  const performer = needed('ceremony', 'performer', options.performer);
  const witness = needed('ceremony', 'witness', options.witness);
  const envelope = resolve(terminal.folder, options.envelope ?? join(dirname(file), ceremonyFiles.envelope));
  await using opened = tokensOf(slots, pinsOf(terminal, options['pin-file'] ?? [], undefined));
  denyCoreFiles();
  const { identities, item, head, certificates } = await resealSlot({
    bundle,
    record,
    envelope,
    directory: dirname(file),
    slot: lost,
    tokens: await opened.open(),
    performer,
    witness,
    clock,
    ...identitiesOf(options.identity),
    ...(options.deployment === undefined ? {} : { deployment: options.deployment }),
  });
  const works = otherSlot(lost);
  terminal.out(`${lost}: sealed from ${works}, and opened again. The envelope is ${envelope}`);
  terminal.out(`Identity ${identities[lost]}`);
  terminal.out(`Certificates of the account keys by the keys of now: ${certificates}`);
  terminal.out(
    head === undefined
      ? 'No token remembers a record of a signer.'
      : `Both tokens remember record ${head} of the signer.`,
  );
  terminal.out('What follows, in this order:');
  for (const [at, step] of nextSteps(lost, { item, identity: identities[lost] }).entries()) {
    terminal.out(`${at + 1}. ${step}`);
  }
  return exitCodes.ok;
}

type Made = { readonly item: string; readonly identity: string };

function nextSteps(lost: string, { item, identity }: Made): readonly string[] {
  return [
    `signer.json: the fresh token stands in ${lost}, and "identities" names the other token alone. Start the signer: it needs both tokens, and the fresh one remembers the head.`,
    `The root quorum approves a policy-change with ${item}`,
    `Whoever pins identity keys adds ${identity} to the keys that are there: the server, the approval page, clients.`,
    `signer.json: "identities" names ${lost} again. Start the signer once more.`,
    'The lost token, should it be found: initialise it, and never let a signer start with it.',
  ];
}
