import { rm } from 'node:fs/promises';
import { CustodyError } from '@bulkhead/domain';
import { type Bundle, exportBundle } from './bundle.ts';
import { clearToken, inBothSlots } from './ceremony-token.ts';
import { parsePlan, planDigest } from './plan.ts';
import { lineOf, openRecord, type RecordLine, type StepResult } from './record.ts';
import { askName, sameName } from './share-paper.ts';
import { type CeremonyOrder, placeOf, type Stage } from './stage.ts';
import { stepActions } from './step-actions.ts';
import { type StepId, stepIds } from './steps.ts';

/** Attempts of one step before the ceremony has to be started again. */
export const attemptsMax: number = 20;

/** Between these the seed is in memory, or papers of it may exist that nobody has confirmed. */
const seedFrom: StepId = 'entropy';
const seedUntil: StepId = 'shares';

/**
 * Carries out a plan in front of people, and writes down who confirmed what and when. Started again in the same folder, it goes on
 * after the last confirmed step; a run that ended while the seed was in memory begins with new entropy, and says so in the record.
 *
 * A crash at any moment loses at most the step under way: a line is durable before the next step begins, and a step is repeated as a
 * whole. No coin depends on the seed before the bundle is out.
 *
 * @throws CustodyError `ceremony/malformed-plan`, `ceremony/interrupted`, `ceremony/damaged-bundle`, `hsm/…`
 */
export async function runCeremony(order: CeremonyOrder): Promise<Bundle> {
  const plan = parsePlan(order.planText);
  await using record = await openRecord(placeOf(order, 'record'), planDigest(order.planText));
  const stage: Stage = { ...order, plan, record, seed: { entropy: undefined } };
  try {
    greet(stage);
    if (record.lines.length > 0 && lineOf(record.lines, 'bundle') === undefined) await goOn(stage);
    for (const id of stepIds) {
      if (isDone(record.lines, id)) continue;
      await carryOut(stage, id);
    }
    return await exportBundle(stage);
  } finally {
    stage.seed.entropy?.wipe();
  }
}

function greet({ console, plan }: Stage): void {
  console.say(`Ceremony "${plan.name}", deployment ${plan.deployment}`);
  console.say(
    `Performer: ${plan.performer}. Witnesses: ${plan.witnesses.join(', ')}; ${plan.confirmations} confirm each step.`,
  );
}

/** Confirmed, and not undone by an interruption after it. */
export function isDone(lines: readonly RecordLine[], id: StepId): boolean {
  const confirmed = lines.findLastIndex((line) => line.type === 'step' && line.step === id);
  if (confirmed === -1) return false;
  const restarted = lines.findLastIndex((line) => line.type === 'interrupted' && undoes(line.step, id));
  return restarted < confirmed;
}

/** An interruption of a step between entropy and shares takes all of them back. */
function undoes(interrupted: StepId, id: StepId): boolean {
  return inSeedPhase(interrupted) && inSeedPhase(id);
}

function inSeedPhase(id: StepId): boolean {
  const at = stepIds.indexOf(id);
  return at >= stepIds.indexOf(seedFrom) && at <= stepIds.indexOf(seedUntil);
}

/** Writes down that a run ended before its time, and takes back what cannot be gone on with. */
async function goOn(stage: Stage): Promise<void> {
  const { console, record, plan, clock } = stage;
  const began = clock.now().toISOString();
  const step = stepIds.find((id) => !isDone(record.lines, id)) ?? 'bundle';
  const last = record.lines.at(-1);
  console.say(
    `\nAn earlier run was interrupted before step "${step}" was confirmed; the last line is of ${last?.ended ?? ''}.`,
  );
  const exceptions = [`ceremony/interrupted: a run ended before step "${step}" was confirmed.`];
  if (record.tornBytes > 0) exceptions.push(`${record.tornBytes} bytes of an unfinished line were cut off.`);
  let result: StepResult = { next: step };
  if (inSeedPhase(step)) {
    console.say(
      'The seed was in memory alone, or was being put on paper. It is given up: both tokens are cleared of it,',
    );
    console.say('and the ceremony goes on with new entropy. Destroy every paper that was written so far.');
    exceptions.push('The seed of that run is given up: new entropy is made, and papers written before are destroyed.');
    result = { next: seedFrom };
  }
  const people = await confirmation(stage, `continue with "${textOfNext(result)}"`);
  if (inSeedPhase(step)) result = { ...result, removed: await clearSeed(stage) };
  await record.append({
    type: 'interrupted',
    step,
    ...people,
    began,
    ended: clock.now().toISOString(),
    result,
    exceptions,
  });
  console.say(`Gone on by ${plan.performer}.`);
}

function textOfNext({ next }: StepResult): string {
  return typeof next === 'string' ? next : '';
}

/**
 * The record says which tokens were empty when this ceremony began; only those are cleared.
 *
 * @throws CustodyError `hsm/refused` where other tokens are in the slots
 */
async function clearSeed(stage: Stage): Promise<string[]> {
  const tokens = await stage.tokens();
  const serials = lineOf(stage.record.lines, 'slots')?.result['serials'];
  const known = Array.isArray(serials) ? serials : [];
  const cleared = await inBothSlots(tokens, async (slot, token) => {
    const { serial } = await token.describe();
    if (!known.includes(serial)) {
      throw new CustodyError(
        'hsm/refused',
        `The token in ${slot} has the serial number ${serial}, and this ceremony began with ${known.join(', ')}. Nothing was removed: bring those tokens back, or begin a new ceremony.`,
      );
    }
    return clearToken(slot, token);
  });
  await rm(placeOf(stage, 'envelope'), { force: true });
  return [...cleared.hsm_slot_1, ...cleared.hsm_slot_2];
}

async function carryOut(stage: Stage, id: StepId): Promise<void> {
  const { console, plan, record, clock } = stage;
  const position = stepIds.indexOf(id) + 1;
  const text = plan.steps.find((step) => step.id === id)?.text ?? '';
  console.say(`\nStep ${position} of ${stepIds.length}: ${id}\n${text}`);
  const { began, result } = await attempts(stage, id);
  const people = await confirmation(stage, `confirm step "${id}"`);
  const noted = await console.ask('Anything out of the ordinary, for the record (Enter: nothing):');
  await record.append({
    type: 'step',
    step: id,
    ...people,
    began,
    ended: clock.now().toISOString(),
    result,
    exceptions: noted === '' ? [] : [noted.slice(0, 500)],
  });
}

/** Does a step until it works. What went wrong is in the record before anybody is asked: whoever then stops does not take it along. */
async function attempts(stage: Stage, id: StepId): Promise<{ readonly began: string; readonly result: StepResult }> {
  const { console, plan, record, clock } = stage;
  for (let attempt = 1; ; attempt += 1) {
    const began = clock.now().toISOString();
    try {
      return { began, result: await stepActions[id](stage) };
    } catch (error) {
      if (!(error instanceof CustodyError) || error.code === 'ceremony/interrupted') throw error;
      await record.append({
        type: 'failed',
        step: id,
        performer: plan.performer,
        witnesses: [],
        began,
        ended: clock.now().toISOString(),
        result: {},
        exceptions: [`${error.code}: ${error.message}`],
      });
      if (error.code === 'invariant/broken' || attempt >= attemptsMax) throw error;
      console.say(`\n${error.message}`);
      const typed = await console.ask('Type "again" to repeat the step, anything else to stop:');
      if (typed !== 'again') throw error;
    }
  }
}

type People = Pick<RecordLine, 'performer' | 'witnesses'>;

/** The performer, and as many different witnesses as the plan wants, each typing the own name. */
async function confirmation({ console, plan }: Stage, what: string): Promise<People> {
  await askName(console, { name: plan.performer, question: `Performer, type your name to ${what}:` });
  const witnesses: string[] = [];
  while (witnesses.length < Number(plan.confirmations)) {
    const typed = await console.ask(
      `Witness ${witnesses.length + 1} of ${plan.confirmations}, type your name to ${what}:`,
    );
    const witness = plan.witnesses.find((name) => sameName(typed, name));
    if (witness === undefined) console.say(`"${typed.slice(0, 64)}" is no witness of this plan.`);
    else if (witnesses.includes(witness)) console.say(`${witness} has confirmed already.`);
    else witnesses.push(witness);
  }
  return { performer: plan.performer, witnesses };
}
