/** What a reader knows from elsewhere, in the order in which it is asked for. */
export const pinNames = [
  'registry',
  'codeHash',
  'nodes',
  'client',
  'compartment',
  'amount',
  'decimals',
  'address',
  'identities',
  'chain',
  'deployment',
  'logKey',
  'witnesses',
  'witnessesMin',
  'token',
  'excluded',
  'hours',
] as const;

export type PinName = (typeof pinNames)[number];

/** What people typed, by field. Nothing stands for an empty field. */
export type PinTexts = Readonly<Partial<Record<PinName, string>>>;
