/** A part that was started: one line for people. */
export type StartedPart = {
  readonly part: 'database' | 'chain' | 'signer' | 'tokens' | 'people' | 'approval-page' | 'log' | 'api';
  readonly what: string;
  readonly where: string;
};

export type Tell = (part: StartedPart) => void;
