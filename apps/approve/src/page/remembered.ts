/** Who signs on this device. Nothing of it is secret: a passkey's secret stays in its authenticator. */
export type Remembered = {
  readonly person: string;
  readonly key: string;
  /** Credential id in hex; empty where the authenticator is to offer what it has. */
  readonly credential: string;
};

const name = 'bulkhead-approver';

/** What was remembered, or nothing. */
export function recall(): Remembered {
  const nobody = { person: '', key: '', credential: '' };
  try {
    const value: unknown = JSON.parse(localStorage.getItem(name) ?? '{}');
    if (typeof value !== 'object' || value === null) return nobody;
    const fields = new Map<string, unknown>(Object.entries(value));
    const text = (field: string): string => {
      const found = fields.get(field);
      return typeof found === 'string' ? found : '';
    };
    return { person: text('person'), key: text('key'), credential: text('credential') };
  } catch {
    // Storage is switched off, or somebody wrote into it: then it is asked anew.
    return nobody;
  }
}

export function remember(remembered: Remembered): void {
  try {
    localStorage.setItem(name, JSON.stringify(remembered));
  } catch {
    // Without storage it is asked again the next time.
  }
}
