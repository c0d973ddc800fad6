import { type PinName, pinNames, type PinTexts } from '../pin-name.ts';

const name = 'bulkhead-verify';

/** What was typed the last time, where somebody asked for it to be remembered. */
export function recall(): PinTexts | undefined {
  try {
    const text = localStorage.getItem(name);
    if (text === null) return undefined;
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const kept: Partial<Record<PinName, string>> = {};
    for (const [key, typed] of Object.entries(value)) {
      const known = pinNames.find((each) => each === key);
      if (known !== undefined && typeof typed === 'string') kept[known] = typed;
    }
    return kept;
  } catch {
    // Storage is switched off, or somebody else wrote into it: then it is asked anew.
    return undefined;
  }
}

/** @returns whether the browser keeps it */
export function remember(texts: PinTexts): boolean {
  try {
    localStorage.setItem(name, JSON.stringify(texts));
    return true;
  } catch {
    return false;
  }
}

export function forget(): void {
  try {
    localStorage.removeItem(name);
  } catch {
    // What cannot be written was never kept.
  }
}
