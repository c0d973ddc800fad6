import { CustodyError } from '@bulkhead/domain';
import {
  createTokenIdentity,
  openToken,
  type SlotName,
  slotNames,
  type Token,
  tokenHeadStore,
  tokenIdentityLabel,
  tokenLogLabel,
} from '@bulkhead/keys';
import type { PlanSlot } from './plan.ts';

/** Label of the key in each token that the seed is sealed under. */
export const sealingLabel: string = 'bulkhead-seal';

/** Everything that a ceremony makes in a token. */
const keyLabels: readonly string[] = [sealingLabel, tokenIdentityLabel, tokenLogLabel];

/** The token of each slot, logged in. */
export type CeremonyTokens = Readonly<Record<SlotName, Token>>;

export type TokenPlace = Pick<PlanSlot, 'library' | 'label' | 'environment'>;

/** Answers the PIN of a slot in bytes of its own. */
export type CeremonyPins = (slot: SlotName) => Uint8Array | Promise<Uint8Array>;

/** @throws CustodyError `hsm/…` of the token that cannot be opened */
export async function openCeremonyToken(slot: SlotName, place: TokenPlace, pins: CeremonyPins): Promise<Token> {
  const { library, label, environment } = place;
  return openToken({ library, label, environment, pin: () => pins(slot), sessionsMax: 2 });
}

/** Public facts of a token that has served nobody, for the record. */
export type FreshToken = { readonly serial: string; readonly text: string };

/**
 * Asserts that a token holds nothing of a signer: no key, no head.
 *
 * @throws CustodyError `hsm/key-exists`, `signer/state-exists`
 */
export async function assertFresh(slot: SlotName, token: Token): Promise<FreshToken> {
  for (const label of keyLabels) {
    if (!(await hasKey(token, label))) continue;
    throw new CustodyError(
      'hsm/key-exists',
      `The token "${token.label}" in ${slot} has a key "${label}" already. A ceremony begins with tokens that serve no signer: take another one, or remove the key once nothing depends on it.`,
      { details: { slot, label } },
    );
  }
  const head = await tokenHeadStore(token).read();
  if (head !== undefined) {
    throw new CustodyError(
      'signer/state-exists',
      `The token "${token.label}" in ${slot} remembers record ${head.sequence} of a signer. Take another token.`,
      { details: { slot } },
    );
  }
  const { manufacturer, model, serial, firmware } = await token.describe();
  return { serial, text: `${token.label}, serial ${serial}, ${manufacturer} ${model} ${firmware}`.trim() };
}

/** @throws CustodyError `hsm/refused` where both are one token */
export function assertApart(serials: readonly string[]): void {
  if (new Set(serials).size === serials.length) return;
  throw new CustodyError(
    'hsm/refused',
    `Both slots are the token with serial ${serials[0]}: its loss would be the loss of the seed. Give each slot a token of its own.`,
  );
}

/**
 * The key of the audit log of a token: an object of its own beside the identity key. Which of the two tokens' keys signs is said by the
 * configuration of the signer, and certified by its identity key.
 */
export async function makeLogKey(token: Token): Promise<void> {
  await (await createTokenIdentity(token, tokenLogLabel))[Symbol.asyncDispose]();
}

export async function hasKey(token: Token, label: string): Promise<boolean> {
  try {
    await token.attributes(label);
    return true;
  } catch (error) {
    if (error instanceof CustodyError && error.code === 'hsm/key-missing') return false;
    throw error;
  }
}

/**
 * Removes what an interrupted ceremony left in a token. A head after the first record shows that a signer has worked with it, and then
 * nothing is removed.
 *
 * @returns labels of what was removed
 * @throws CustodyError `signer/state-exists`
 */
export async function clearToken(slot: SlotName, token: Token): Promise<readonly string[]> {
  await assertIdle(slot, token);
  const removed: string[] = [];
  for (const label of keyLabels) {
    if (!(await hasKey(token, label))) continue;
    await token.destroy(label);
    removed.push(`${slot}: ${label}`);
  }
  return removed;
}

/** @throws CustodyError `signer/state-exists` where a signer has gone on after the first record */
export async function assertIdle(slot: SlotName, token: Token): Promise<void> {
  const head = await tokenHeadStore(token).read();
  if (head === undefined || head.sequence <= 1n) return;
  throw new CustodyError(
    'signer/state-exists',
    `The token "${token.label}" in ${slot} remembers record ${head.sequence} of a signer that works with it. Nothing was removed: this ceremony cannot be gone on with.`,
    { details: { slot } },
  );
}

/** Does the same in both slots, one after the other: people watch, and the first failure is the one that is told. */
export async function inBothSlots<T>(
  tokens: CeremonyTokens,
  work: (slot: SlotName, token: Token) => Promise<T>,
): Promise<Readonly<Record<SlotName, T>>> {
  const [first, second] = slotNames;
  return { [first]: await work(first, tokens[first]), [second]: await work(second, tokens[second]) };
}
