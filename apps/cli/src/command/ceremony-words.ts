import type { CeremonyPins, PlanOrder, PlanSlot, TokenPlace } from '@bulkhead/signer/ceremony';
import { readSecret } from '@bulkhead/signer/ceremony';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import type { TypedConsole } from './console.ts';

type PlanSlots = PlanOrder['slots'];
type SlotName = PlanSlot['name'];

const slotNames = ['hsm_slot_1', 'hsm_slot_2'] as const;

/** `NAME=value` of a library's environment. */
export function environmentOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = /^([A-Z][A-Z0-9_]{0,63})=(.*)$/su.exec(text) ?? [];
      if (name === undefined || value === undefined) {
        throw new UsageError(`"${text.slice(0, 80)}" is no variable: NAME=value.`);
      }
      return [name, value];
    }),
  );
}

/** `hsm_slot_1=<library>,<label>[,NAME=value…]`, each slot at most once. */
export function slotsOf(folder: string, texts: readonly string[]): Partial<Record<SlotName, TokenPlace>> {
  const places: Partial<Record<SlotName, TokenPlace>> = {};
  for (const text of texts) {
    const { slot, value } = slotWord('slot', text);
    const [library = '', label = '', ...variables] = value.split(',');
    if (library === '' || label === '') {
      throw new UsageError('--slot needs hsm_slot_1=<library>,<label of the token>[,NAME=value]; or hsm_slot_2.');
    }
    if (places[slot] !== undefined) throw new UsageError(`--slot names ${slot} twice.`);
    places[slot] = { library: resolve(folder, library), label, environment: environmentOf(variables) };
  }
  return places;
}

/** Both slots, or a complaint. */
export function bothSlots(command: string, places: Partial<Record<SlotName, TokenPlace>>): PlanSlots {
  const { hsm_slot_1: first, hsm_slot_2: second } = places;
  if (first === undefined || second === undefined) {
    throw new UsageError(
      `${command} needs --slot twice: hsm_slot_1=<library>,<label> and hsm_slot_2=<library>,<label>.`,
    );
  }
  return [
    { name: slotNames[0], ...first },
    { name: slotNames[1], ...second },
  ];
}

/** PINs from files, `--pin-file hsm_slot_1=<file>`; one without a file is typed, once, and not shown. */
export function pinsOf(terminal: Terminal, texts: readonly string[], console: TypedConsole | undefined): CeremonyPins {
  const files: Partial<Record<SlotName, string>> = {};
  for (const text of texts) {
    const { slot, value } = slotWord('pin-file', text);
    files[slot] = resolve(terminal.folder, value);
  }
  return async (slot) => {
    const file = files[slot];
    if (file !== undefined) return readSecret(file);
    if (console === undefined) throw new UsageError(`--pin-file ${slot}=<file> is missing.`);
    return Buffer.from(await console.askHidden(`PIN of ${slot} (not shown):`), 'utf8');
  };
}

/** `hsm_slot_1=<value>` */
export function slotWord(option: string, text: string): { readonly slot: SlotName; readonly value: string } {
  const at = text.indexOf('=');
  const slot = slotNames.find((name) => name === text.slice(0, at));
  const value = text.slice(at + 1);
  if (slot !== undefined && value !== '') return { slot, value };
  throw new UsageError(`--${option} begins with hsm_slot_1= or hsm_slot_2=, and "${text.slice(0, 80)}" does not.`);
}

/** A file that somebody named. */
export function fileText(terminal: Terminal, path: string): string {
  return fileBytes(terminal, path).toString('utf8');
}

export function fileBytes(terminal: Terminal, path: string): Buffer {
  try {
    return readFileSync(resolve(terminal.folder, path));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new UsageError(`${path} cannot be read (${code}).`);
  }
}

export function numberOf(name: string, text: string): number {
  if (/^[0-9]{1,10}$/u.test(text)) return Number(text);
  throw new UsageError(`--${name} needs a whole number.`);
}

/** `1,2,10000` */
export function numbersOf(name: string, text: string): readonly number[] {
  return text.split(',').map((part) => numberOf(name, part));
}
