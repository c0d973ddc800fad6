import { access, mkdir, readFile, rm } from 'node:fs/promises';
import { CustodyError, invariant, parseCompartment } from '@bulkhead/domain';
import {
  createTokenIdentity,
  drillSlot,
  openSealedSeed,
  openTokenIdentity,
  sealSeed,
  slotNames,
  tokenHeadStore,
  tokenIdentityLabel,
  tokenLogLabel,
} from '@bulkhead/keys';
import { createState } from '../core/index.ts';
import { nativeHashes } from '../process/native-hashes.ts';
import { accountsText, certifyAccounts } from './accounts.ts';
import {
  assertApart,
  assertFresh,
  assertIdle,
  clearToken,
  inBothSlots,
  makeLogKey,
  sealingLabel,
} from './ceremony-token.ts';
import { sha256Of } from './document.ts';
import { entropyBytes, mixEntropy } from './entropy.ts';
import { assertList, diceRollsNeeded, planDigest } from './plan.ts';
import { lineOf, type StepResult } from './record.ts';
import { sharesToPaper } from './share-paper.ts';
import { placeOf, type Stage } from './stage.ts';
import type { StepId } from './steps.ts';
import { writeWhole } from './whole-text.ts';

const typedDigits = 8;

/** What each step does. Each can be repeated: what an earlier attempt left is removed or found again. */
export const stepActions: Readonly<Record<StepId, (stage: Stage) => Promise<StepResult>>> = {
  plan: confirmPlan,
  program: confirmProgram,
  slots: confirmSlots,
  entropy: gatherEntropy,
  seal,
  identity: makeIdentities,
  shares: splitToPaper,
  certificates: certify,
  registry: openRegistry,
  drill: drillBoth,
  bundle: closeRecord,
};

async function confirmPlan({ console, plan, planText, list }: Stage): Promise<StepResult> {
  const digest = planDigest(planText);
  assertList(plan, list);
  const typed = await console.ask(`Last ${typedDigits} digits of the plan's SHA-256, from the paper:`);
  if (typed.toLowerCase() !== digest.slice(-typedDigits)) {
    throw new CustodyError(
      'ceremony/malformed-plan',
      `"${typed.slice(0, 20)}" is not the end of the SHA-256 of this plan: it is another plan than the one that was written down, or it was typed wrong. Compare the paper with "sha256sum".`,
    );
  }
  console.say(`SHA-256 of the plan: ${digest}`);
  return { plan: digest, registry: plan.registry.digest };
}

async function confirmProgram({ console, plan, programDigest }: Stage): Promise<StepResult> {
  const program = await programDigest();
  if (program !== plan.program) {
    throw new CustodyError(
      'ceremony/malformed-plan',
      `The signer's program made here has the SHA-256 ${program}, and the plan names ${plan.program}: this is another release than the plan was made for. Bring the release of the plan, or make a new plan.`,
    );
  }
  console.say(`SHA-256 of the signer's program: ${program}`);
  return { program };
}

async function confirmSlots(stage: Stage): Promise<StepResult> {
  const { console } = stage;
  const envelope = placeOf(stage, 'envelope');
  if (await exists(envelope)) {
    throw new CustodyError('key/file-exists', `${envelope} is there already. Begin a ceremony in an empty folder.`);
  }
  const found = await inBothSlots(await stage.tokens(), assertFresh);
  assertApart(slotNames.map((slot) => found[slot].serial));
  for (const slot of slotNames) console.say(`${slot}: ${found[slot].text}`);
  return {
    hsm_slot_1: found.hsm_slot_1.text,
    hsm_slot_2: found.hsm_slot_2.text,
    serials: slotNames.map((slot) => found[slot].serial),
  };
}

async function gatherEntropy(stage: Stage): Promise<StepResult> {
  const { console, plan, seed } = stage;
  const dice = plan.entropy.dice === 'true' ? await askDice(stage) : '';
  const random = await inBothSlots(await stage.tokens(), (_slot, token) => token.random(entropyBytes));
  seed.entropy?.wipe();
  seed.entropy = mixEntropy({ random: slotNames.map((slot) => random[slot]), dice });
  console.say(`${entropyBytes} bytes of each token${dice === '' ? '' : ` and ${dice.length} throws`} are mixed.`);
  return { sources: [...slotNames, ...(dice === '' ? [] : ['dice'])], throws: String(dice.length) };
}

async function askDice({ console }: Stage): Promise<string> {
  return console.aside(async () => {
    console.say(
      `Throw a die at least ${diceRollsNeeded} times, and type each throw, 1 to 6. Lines may have any length.`,
    );
    let throws = '';
    while (throws.length < diceRollsNeeded) {
      const line = (await console.ask(`${diceRollsNeeded - throws.length} to go>`)).replace(/\s+/gu, '');
      if (/^[1-6]{1,200}$/u.test(line)) throws += line;
      else console.say('Only digits from 1 to 6; this line was not taken.');
    }
    return throws;
  });
}

async function seal(stage: Stage): Promise<StepResult> {
  const { console, seed } = stage;
  invariant(seed.entropy !== undefined, 'There is no entropy to seal.');
  const tokens = await stage.tokens();
  await rm(placeOf(stage, 'envelope'), { force: true });
  await inBothSlots(tokens, async (slot, token) => {
    await clearToken(slot, token);
    await token.generateSealingKey(sealingLabel);
  });
  const { seedId, fingerprint } = await sealSeed({
    path: placeOf(stage, 'envelope'),
    entropy: seed.entropy,
    slots: {
      hsm_slot_1: { token: tokens.hsm_slot_1, kek: sealingLabel },
      hsm_slot_2: { token: tokens.hsm_slot_2, kek: sealingLabel },
    },
  });
  console.say(`Sealed to both slots and read back. Fingerprint of the master key: ${fingerprint}`);
  return { seedId, fingerprint, envelope: sha256Of(await readFile(placeOf(stage, 'envelope'), 'utf8')) };
}

async function makeIdentities(stage: Stage): Promise<StepResult> {
  const { console } = stage;
  const made = await inBothSlots(await stage.tokens(), async (slot, token) => {
    await assertIdle(slot, token);
    for (const label of [tokenIdentityLabel, tokenLogLabel]) await token.destroy(label).catch(unlessMissing);
    await makeLogKey(token);
    await using identity = await createTokenIdentity(token);
    return identity.publicKey;
  });
  console.say('Public identity keys, to be written down and pinned:');
  for (const slot of slotNames) console.say(`${slot}: ${made[slot]}`);
  return { ...made };
}

function unlessMissing(error: unknown): void {
  if (!(error instanceof CustodyError) || error.code !== 'hsm/key-missing') throw error;
}

async function splitToPaper(stage: Stage): Promise<StepResult> {
  const { console, plan, seed, record } = stage;
  const fingerprint = textOf(lineOf(record.lines, 'seal')?.result, 'fingerprint');
  invariant(seed.entropy !== undefined, 'There is no entropy to split.');
  const { threshold, holders } = plan.shares;
  const made = await sharesToPaper(console, {
    entropy: seed.entropy,
    fingerprint,
    threshold: Number(threshold),
    holders,
  });
  seed.entropy.wipe();
  seed.entropy = undefined;
  console.say('Every share is on paper and was read back. The entropy in memory is wiped.');
  return { set: made.set, threshold: made.threshold, members: [...made.members] };
}

async function certify(stage: Stage): Promise<StepResult> {
  const { console, plan } = stage;
  const tokens = await stage.tokens();
  const accounts = await certifyAccounts({
    tokens,
    envelope: placeOf(stage, 'envelope'),
    deployment: plan.deployment,
    compartments: plan.compartments.map((text) => parseCompartment(Number(text))),
  });
  const text = accountsText(accounts);
  await writeWhole(placeOf(stage, 'accounts'), text);
  for (const { compartment, xpub } of accounts) console.say(`m/44'/60'/${compartment}'  ${xpub}`);
  return { accounts: sha256Of(text), compartments: [...plan.compartments] };
}

async function openRegistry(stage: Stage): Promise<StepResult> {
  const { console, plan, list, clock } = stage;
  const tokens = await stage.tokens();
  await clearState(stage);
  await mkdir(placeOf(stage, 'state'), { mode: 0o700 });
  await using opened = new AsyncDisposableStack();
  const identities = [];
  for (const slot of slotNames) identities.push(opened.use(await openTokenIdentity(tokens[slot])));
  const record = await createState({
    stateDirectory: placeOf(stage, 'state'),
    identities,
    heads: slotNames.map((slot) => tokenHeadStore(tokens[slot])),
    hashes: nativeHashes(),
    clock,
    genesis: { deployment: plan.deployment, list },
  });
  const heads = await inBothSlots(tokens, (_slot, token) => tokenHeadStore(token).read());
  const [one, two] = slotNames.map((slot) => heads[slot]);
  invariant(one?.sequence === 1n && two?.hash === one.hash, 'A slot does not remember the first record.');
  console.say(`The state of the signer is open. Both slots remember record 1, ${one.hash}`);
  return { registry: plan.registry.digest, head: one.hash, recordLine: sha256Of(record.line) };
}

/** What an attempt before left: a state that no signer has ever started with. */
async function clearState(stage: Stage): Promise<void> {
  await inBothSlots(await stage.tokens(), async (slot, token) => {
    await assertIdle(slot, token);
    for (const object of ['bulkhead/head-a', 'bulkhead/head-b', 'bulkhead/head-claim']) {
      await token.destroy(object).catch(unlessMissing);
    }
  });
  await rm(placeOf(stage, 'state'), { recursive: true, force: true });
}

async function drillBoth(stage: Stage): Promise<StepResult> {
  const tokens = await stage.tokens();
  const result: Record<string, string> = {};
  for (const slot of slotNames) {
    const drill = await drillSlot({ path: placeOf(stage, 'envelope'), slot, token: tokens[slot] });
    stage.console.say(`${slot}: ${drill.passed ? 'passed' : 'NOT PASSED'}. ${drill.finding}`);
    if (!drill.passed) throw new CustodyError('hsm/refused', `The drill of ${slot} did not pass: ${drill.finding}`);
    result[slot] = 'passed';
  }
  await using keys = await openSealedSeed({
    path: placeOf(stage, 'envelope'),
    tokens: { hsm_slot_1: async () => tokens.hsm_slot_1, hsm_slot_2: async () => tokens.hsm_slot_2 },
  });
  return { ...result, fingerprint: keys.fingerprint };
}

/** The bundle itself is written after this line: it holds it. */
async function closeRecord({ console, record }: Stage): Promise<StepResult> {
  console.say(`The record has ${record.lines.length} lines; with this one it is closed and signed.`);
  return { lines: String(record.lines.length + 1) };
}

export function textOf(result: StepResult | undefined, name: string): string {
  const value = result?.[name];
  return typeof value === 'string' ? value : '';
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    // Whatever cannot be reached is made by this ceremony, and that would say why it cannot.
    return false;
  }
}
