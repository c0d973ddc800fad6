import { access, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Address, type Clock, type Compartment, CustodyError, parseCompartment } from '@bulkhead/domain';
import {
  createTokenIdentity,
  deriveAddress,
  drillSlot,
  type IdentityKey,
  openSealedSeed,
  parseSealedSeed,
  sealSeed,
  type Secret,
  slotNames,
  tokenHeadStore,
} from '@bulkhead/keys';
import { createState } from '../core/index.ts';
import { nativeHashes } from '../process/native-hashes.ts';
import { accountsText, type CeremonyAccount, certifyAccounts } from './accounts.ts';
import { type Bundle, bundleText } from './bundle.ts';
import {
  assertApart,
  assertFresh,
  type CeremonyTokens,
  inBothSlots,
  makeLogKey,
  sealingLabel,
} from './ceremony-token.ts';
import type { CeremonyConsole } from './console.ts';
import { sha256Of } from './document.ts';
import { parsePlan, type Plan, planDigest } from './plan.ts';
import { type CeremonyRecord, lineOf, openRecord, readChain, type StepResult } from './record.ts';
import { sharesFromPaper } from './share-paper.ts';
import { ceremonyFiles } from './stage.ts';
import { textOf } from './step-actions.ts';
import type { StepId } from './steps.ts';
import { identitiesOf, verifyBundle } from './verification.ts';
import { writeWhole } from './whole-text.ts';

/** Words of a share of 32 bytes of entropy (SLIP-39). */
const shareWords = 33;

export type RestoreOrder = {
  readonly bundle: Bundle;
  /** Public identity keys as the witnesses wrote them down; the bundle must be signed by these. */
  readonly identities?: readonly string[];
  readonly directory: string;
  readonly console: CeremonyConsole;
  readonly tokens: CeremonyTokens;
  readonly clock: Clock;
  /** Who does it, and who watches: named in the record. */
  readonly performer: string;
  readonly witnesses: readonly string[];
  /** A new state of a signer, where the old one cannot be gone on with; absent: only the seed is restored. */
  readonly state?: { readonly deployment: string; readonly list: string };
};

export type Restored = {
  readonly fingerprint: string;
  /** Public identity keys of the new tokens, by slot. */
  readonly identities: readonly string[];
  readonly accounts: readonly CeremonyAccount[];
};

/**
 * Restores the seed of a bundle from shares on paper into two tokens that serve nobody: sealed to both and opened again, with identity
 * keys of their own, and the same account keys certified by those. A state of a signer is opened where one is asked for.
 *
 * Every step is in a record that is chained to the bundle, and durable before the next one begins; one that fails or is interrupted is
 * in it, too. A run that was killed leaves its steps, and the next one in that folder writes down that it ended early.
 *
 * @throws CustodyError `ceremony/damaged-bundle`, `ceremony/interrupted`, `hsm/…`, `key/file-exists`
 */
export async function restoreSeed(order: RestoreOrder): Promise<Restored> {
  const { bundle, directory } = order;
  assertSound(bundle, order.identities);
  const envelope = join(directory, ceremonyFiles.envelope);
  await assertAbsent(envelope);
  const bundleHash = sha256Of(bundleText(bundle));
  await using record = await openRecord(join(directory, ceremonyFiles.restoration), bundleHash);
  const restoration: Restoration = { ...order, record, envelope, plan: parsePlan(bundle.plan) };
  await noteEarlierRun(restoration);
  const { fingerprint } = parseSealedSeed(bundle.envelope, 'the envelope of the bundle');
  await step(restoration, 'plan', async () => ({ value: undefined, result: { bundle: bundleHash, fingerprint } }));
  await step(restoration, 'slots', () => freshTokens(restoration));
  {
    using entropy = await step(restoration, 'shares', () => entropyFromShares(restoration, fingerprint));
    await step(restoration, 'seal', () => sealTo(restoration, entropy));
  }
  await step(restoration, 'drill', () => drillBoth(restoration));
  const keys = await step(restoration, 'identity', () => makeIdentities(restoration));
  const accounts = await step(restoration, 'certificates', () => certifySame(restoration));
  const { state } = order;
  if (state !== undefined) await step(restoration, 'registry', () => openState(restoration, { state, keys }));
  return { fingerprint, identities: keys.map(({ publicKey }) => publicKey), accounts };
}

type Restoration = RestoreOrder & {
  readonly record: CeremonyRecord;
  readonly envelope: string;
  readonly plan: Plan;
};

type Done<T> = { readonly value: T; readonly result: StepResult };

/** Does a step, and writes down what came of it before the next one begins. */
async function step<T>(restoration: Restoration, id: StepId, work: () => Promise<Done<T>>): Promise<T> {
  const { record, clock, performer, witnesses } = restoration;
  const began = clock.now().toISOString();
  const line = { step: id, performer, began };
  try {
    const { value, result } = await work();
    await record.append({
      ...line,
      type: 'step',
      witnesses: [...witnesses],
      ended: clock.now().toISOString(),
      result,
      exceptions: [],
    });
    return value;
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    const type = error.code === 'ceremony/interrupted' ? 'interrupted' : 'failed';
    const exceptions = [`${error.code}: ${error.message}`];
    await record.append({ ...line, type, witnesses: [], ended: clock.now().toISOString(), result: {}, exceptions });
    throw error;
  }
}

/** A run that ended by itself has said so. One that was killed could not. */
async function noteEarlierRun({ record, clock, performer, witnesses }: Restoration): Promise<void> {
  const last = record.lines.at(-1);
  if (last?.type !== 'step') return;
  const at = clock.now().toISOString();
  const exceptions = [`ceremony/interrupted: a run ended after step "${last.step}" of ${last.ended}.`];
  if (record.tornBytes > 0) exceptions.push(`${record.tornBytes} bytes of an unfinished line were cut off.`);
  await record.append({
    type: 'interrupted',
    step: last.step,
    performer,
    witnesses: [...witnesses],
    began: at,
    ended: at,
    result: {},
    exceptions,
  });
}

async function assertAbsent(envelope: string): Promise<void> {
  try {
    await access(envelope);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  throw new CustodyError('key/file-exists', `${envelope} is there already. Restore into an empty folder.`);
}

async function freshTokens({ tokens, console }: Restoration): Promise<Done<undefined>> {
  const found = await inBothSlots(tokens, assertFresh);
  const serials = slotNames.map((slot) => found[slot].serial);
  assertApart(serials);
  for (const slot of slotNames) console.say(`${slot}: ${found[slot].text}`);
  return {
    value: undefined,
    result: { hsm_slot_1: found.hsm_slot_1.text, hsm_slot_2: found.hsm_slot_2.text, serials },
  };
}

async function entropyFromShares({ bundle, console, plan }: Restoration, fingerprint: string): Promise<Done<Secret>> {
  const { lines } = readChain(bundle.record, planDigest(bundle.plan));
  const set = textOf(lineOf(lines, 'shares')?.result, 'set');
  const { threshold } = plan.shares;
  const wanted = { set, threshold: Number(threshold), fingerprint, wordCount: shareWords };
  const entropy = await sharesFromPaper(console, wanted);
  console.say(`The shares give the seed with the fingerprint ${fingerprint}.`);
  return { value: entropy, result: { set, threshold } };
}

async function sealTo({ tokens, envelope }: Restoration, entropy: Secret): Promise<Done<undefined>> {
  await inBothSlots(tokens, (_slot, token) => token.generateSealingKey(sealingLabel));
  const { seedId, fingerprint } = await sealSeed({
    path: envelope,
    entropy,
    slots: {
      hsm_slot_1: { token: tokens.hsm_slot_1, kek: sealingLabel },
      hsm_slot_2: { token: tokens.hsm_slot_2, kek: sealingLabel },
    },
  });
  return { value: undefined, result: { seedId, fingerprint, envelope: sha256Of(await readFile(envelope, 'utf8')) } };
}

async function drillBoth({ console, tokens, envelope }: Restoration): Promise<Done<undefined>> {
  for (const slot of slotNames) {
    const { passed, finding } = await drillSlot({ path: envelope, slot, token: tokens[slot] });
    if (!passed) throw new CustodyError('hsm/refused', `${slot} does not give the seed back: ${finding}`);
    console.say(`${slot}: sealed, and opened again.`);
  }
  return { value: undefined, result: { hsm_slot_1: 'passed', hsm_slot_2: 'passed' } };
}

async function makeIdentities({ tokens }: Restoration): Promise<Done<readonly IdentityKey[]>> {
  const { hsm_slot_1, hsm_slot_2 } = await inBothSlots(tokens, async (_slot, token) => {
    await makeLogKey(token);
    return createTokenIdentity(token);
  });
  const result = { hsm_slot_1: hsm_slot_1.publicKey, hsm_slot_2: hsm_slot_2.publicKey };
  return { value: [hsm_slot_1, hsm_slot_2], result };
}

async function certifySame(restoration: Restoration): Promise<Done<readonly CeremonyAccount[]>> {
  const { bundle, tokens, envelope, directory, plan, state } = restoration;
  const deployment = state?.deployment ?? plan.deployment;
  const compartments = bundle.accounts.map(({ compartment }) => compartment);
  const accounts = await certifyAccounts({ tokens, envelope, deployment, compartments });
  assertSameAccounts(bundle.accounts, accounts);
  const text = accountsText(accounts);
  await writeWhole(join(directory, ceremonyFiles.accounts), text);
  return { value: accounts, result: { accounts: sha256Of(text), deployment } };
}

function assertSound(bundle: Bundle, identities: readonly string[] | undefined): void {
  const findings = verifyBundle(bundle, identities === undefined ? {} : { identities });
  const bad = findings.find(({ faults }) => faults.length > 0);
  if (bad === undefined) return;
  throw new CustodyError(
    'ceremony/damaged-bundle',
    `The bundle is not sound, and nothing is restored by it: ${bad.part}: ${bad.faults[0] ?? ''}. Take a sound copy of it.`,
  );
}

function assertSameAccounts(before: readonly CeremonyAccount[], after: readonly CeremonyAccount[]): void {
  const other = before.find(({ xpub }, at) => after[at]?.xpub !== xpub);
  if (other === undefined) return;
  throw new CustodyError(
    'key/derivation',
    `The restored seed gives another account key for compartment ${other.compartment} than the bundle certifies. Use nothing of it.`,
  );
}

async function openState(
  { directory, clock, tokens }: Restoration,
  of: { readonly state: NonNullable<RestoreOrder['state']>; readonly keys: readonly IdentityKey[] },
): Promise<Done<undefined>> {
  const stateDirectory = join(directory, ceremonyFiles.state);
  await mkdir(stateDirectory, { mode: 0o700 });
  const opened = await createState({
    stateDirectory,
    identities: of.keys,
    heads: slotNames.map((slot) => tokenHeadStore(tokens[slot])),
    hashes: nativeHashes(),
    clock,
    genesis: of.state,
  });
  const { deployment, list } = of.state;
  return { value: undefined, result: { deployment, registry: sha256Of(list), recordLine: sha256Of(opened.line) } };
}

/** Addresses that are listed of one compartment at once. */
export const addressesMax: number = 100_000;

export type ListedAddress = { readonly path: string; readonly address: Address };

/**
 * The first addresses of compartments, from account keys that a bundle certifies.
 *
 * @throws CustodyError `ceremony/damaged-bundle` where the bundle does not certify a compartment
 */
export function certifiedAddresses(bundle: Bundle, of: Listed): readonly ListedAddress[] {
  assertSound(bundle, of.identities);
  return of.compartments.flatMap((number) => {
    const compartment = parseCompartment(number);
    const account = bundle.accounts.find((each) => each.compartment === compartment);
    if (account !== undefined) return addressesOf({ compartment, xpub: account.xpub }, of.count);
    throw new CustodyError(
      'ceremony/damaged-bundle',
      `The bundle certifies no account of compartment ${compartment}; it has ${identitiesOf(bundle).length} keys and ${bundle.accounts.length} accounts. List it from the sealed seed instead.`,
    );
  });
}

export type Listed = {
  readonly compartments: readonly number[];
  readonly count: number;
  readonly identities?: readonly string[];
};

/** The same from a sealed seed and its tokens: the seed and the numbers of the compartments are all that is needed. */
export async function restoredAddresses(
  of: { readonly tokens: CeremonyTokens; readonly envelope: string },
  { compartments, count }: Listed,
): Promise<readonly ListedAddress[]> {
  const { tokens, envelope } = of;
  await using keys = await openSealedSeed({
    path: envelope,
    tokens: { hsm_slot_1: async () => tokens.hsm_slot_1, hsm_slot_2: async () => tokens.hsm_slot_2 },
  });
  const listed: ListedAddress[] = [];
  for (const number of compartments) {
    const compartment = parseCompartment(number);
    listed.push(...addressesOf({ compartment, xpub: (await keys.accountXpub?.(compartment)) ?? '' }, count));
  }
  return listed;
}

function addressesOf(
  account: { readonly compartment: Compartment; readonly xpub: string },
  count: number,
): ListedAddress[] {
  return Array.from({ length: count }, (_, index) => ({
    path: `m/44'/60'/${account.compartment}'/0/${index}`,
    address: deriveAddress(account, index),
  }));
}
