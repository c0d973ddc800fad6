import { mkdir } from 'node:fs/promises';
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
  slotNames,
  tokenHeadStore,
} from '@bulkhead/keys';
import { createState } from '../core/index.ts';
import { nativeHashes } from '../process/native-hashes.ts';
import { accountsText, type CeremonyAccount, certifyAccounts } from './accounts.ts';
import type { Bundle } from './bundle.ts';
import { assertApart, assertFresh, type CeremonyTokens, inBothSlots, sealingLabel } from './ceremony-token.ts';
import type { CeremonyConsole } from './console.ts';
import { parsePlan, planDigest } from './plan.ts';
import { lineOf, readChain } from './record.ts';
import { sharesFromPaper } from './share-paper.ts';
import { ceremonyFiles } from './stage.ts';
import { textOf } from './step-actions.ts';
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
 * @throws CustodyError `ceremony/damaged-bundle`, `ceremony/interrupted`, `hsm/…`, `key/file-exists`
 */
export async function restoreSeed(order: RestoreOrder): Promise<Restored> {
  const { bundle, console, tokens, directory } = order;
  assertSound(bundle, order.identities);
  const plan = parsePlan(bundle.plan);
  const { lines } = readChain(bundle.record, planDigest(bundle.plan));
  const { fingerprint } = parseSealedSeed(bundle.envelope, 'the envelope of the bundle');
  const found = await inBothSlots(tokens, assertFresh);
  assertApart(slotNames.map((slot) => found[slot].serial));
  for (const slot of slotNames) console.say(`${slot}: ${found[slot].text}`);
  const envelope = join(directory, ceremonyFiles.envelope);
  {
    using entropy = await sharesFromPaper(console, {
      set: textOf(lineOf(lines, 'shares')?.result, 'set'),
      threshold: Number(plan.shares.threshold),
      fingerprint,
      wordCount: shareWords,
    });
    console.say(`The shares give the seed with the fingerprint ${fingerprint}.`);
    await inBothSlots(tokens, (_slot, token) => token.generateSealingKey(sealingLabel));
    const [one, two] = slotNames;
    const slots = {
      [one]: { token: tokens[one], kek: sealingLabel },
      [two]: { token: tokens[two], kek: sealingLabel },
    };
    await sealSeed({ path: envelope, entropy, slots });
  }
  await assertDrilled(order, envelope);
  const identities = await inBothSlots(tokens, (_slot, token) => createTokenIdentity(token));
  const deployment = order.state?.deployment ?? plan.deployment;
  const compartments = bundle.accounts.map(({ compartment }) => compartment);
  const accounts = await certifyAccounts({ tokens, envelope, deployment, compartments });
  assertSameAccounts(bundle.accounts, accounts);
  await writeWhole(join(directory, ceremonyFiles.accounts), accountsText(accounts));
  const keys = slotNames.map((slot) => identities[slot]);
  if (order.state !== undefined) await openState(order, { state: order.state, keys });
  return { fingerprint, identities: keys.map(({ publicKey }) => publicKey), accounts };
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

async function assertDrilled({ console, tokens }: RestoreOrder, path: string): Promise<void> {
  for (const slot of slotNames) {
    const { passed, finding } = await drillSlot({ path, slot, token: tokens[slot] });
    if (!passed) throw new CustodyError('hsm/refused', `${slot} does not give the seed back: ${finding}`);
    console.say(`${slot}: sealed, and opened again.`);
  }
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
  { directory, clock, tokens }: RestoreOrder,
  of: { readonly state: NonNullable<RestoreOrder['state']>; readonly keys: readonly IdentityKey[] },
): Promise<void> {
  const stateDirectory = join(directory, ceremonyFiles.state);
  await mkdir(stateDirectory, { mode: 0o700 });
  await createState({
    stateDirectory,
    identities: of.keys,
    heads: slotNames.map((slot) => tokenHeadStore(tokens[slot])),
    hashes: nativeHashes(),
    clock,
    genesis: of.state,
  });
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
