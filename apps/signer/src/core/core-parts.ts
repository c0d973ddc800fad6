import type { Hashes } from '@bulkhead/authority';
import type { IdentityKey } from '@bulkhead/keys';
import type { Addresses } from './addresses.ts';
import type { ApprovalVerifier } from './approvals.ts';
import type { Arrivals } from './arrivals.ts';
import type { Committer } from './commit.ts';
import type { Gate } from './gate.ts';
import type { Knowledge } from './knowledge.ts';
import type { StateLog } from './log.ts';
import type { CoreLimits, LogKey } from './options.ts';
import type { Refusals } from './refusals.ts';
import type { Signatures } from './signatures.ts';
import type { SteadyTime } from './time.ts';

/** What every decision is made with. */
export type CoreParts = {
  readonly hashes: Hashes;
  readonly limits: CoreLimits;
  readonly log: StateLog;
  readonly knowledge: Knowledge;
  readonly committer: Committer;
  readonly addresses: Addresses;
  readonly signatures: Signatures;
  readonly verifier: ApprovalVerifier;
  /** Those that were opened and that count by the registry of now. The first that answers signs. */
  readonly identities: () => readonly IdentityKey[];
  readonly logKey: LogKey | undefined;
  readonly gate: Gate;
  readonly arrivals: Arrivals;
  readonly time: SteadyTime;
  readonly refusals: Refusals;
};
