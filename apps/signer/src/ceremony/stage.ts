import { join } from 'node:path';
import type { Clock } from '@bulkhead/domain';
import type { Secret } from '@bulkhead/keys';
import type { CeremonyTokens } from './ceremony-token.ts';
import type { CeremonyConsole } from './console.ts';
import type { Plan } from './plan.ts';
import type { CeremonyRecord } from './record.ts';

/** Everything a ceremony has to do with the world. */
export type CeremonyOrder = {
  readonly planText: string;
  /** Canonical text of the first list of the registry. */
  readonly list: string;
  /** Folder of what comes out; it exists, with mode 0700. */
  readonly directory: string;
  readonly console: CeremonyConsole;
  readonly clock: Clock;
  /** Opens the tokens of the plan, once; whoever gives this closes them. */
  readonly tokens: () => Promise<CeremonyTokens>;
  /** SHA-256 of the signer's program as it is emitted here, hex. */
  readonly programDigest: () => Promise<string>;
};

/** A ceremony under way. */
export type Stage = CeremonyOrder & {
  readonly plan: Plan;
  readonly record: CeremonyRecord;
  /** The entropy between the step that makes it and the one that has it on paper. */
  readonly seed: { entropy: Secret | undefined };
};

/** Names of files in the folder of a ceremony. */
export const ceremonyFiles = {
  record: 'record.jsonl',
  envelope: 'seed.json',
  accounts: 'accounts.json',
  state: 'state',
  bundle: 'bundle.json',
  drills: 'drills.jsonl',
  restoration: 'restoration.jsonl',
  resealedAccounts: 'resealed-accounts.json',
} as const;

export function placeOf(stage: Pick<CeremonyOrder, 'directory'>, file: keyof typeof ceremonyFiles): string {
  return join(stage.directory, ceremonyFiles[file]);
}
