import type { RecordLine } from '@bulkhead/authority';
import { houseSigners, invariant, type LogCheckpointIntent, parseIntentText, type ProofIntent } from '@bulkhead/domain';
import type { Keccak } from '@bulkhead/vaults';
import type { Pace, PaceStep } from './pace.ts';
import { type ProofGrants, readHeader } from './proof-grants.ts';
import { textOf } from './record-fields.ts';

type Ledgers = { readonly proofGrants: ProofGrants; readonly pace: Pace };

/** What the grant of something that is shown to others takes. */
export type ProofReservation = { readonly intent: ProofIntent; readonly digest: string; readonly at: bigint };

/** Binds at once, so that a decision made while another one waits for the disk sees it. Twice is the same as once. */
export function reserveProof(hashes: Keccak, { proofGrants, pace }: Ledgers, taken: ProofReservation): void {
  const { intent, digest, at } = taken;
  pace.take(proofPaceStepOf(intent, at));
  const header = intent.kind === 'reserve-commitment' ? readHeader(hashes, intent.header) : undefined;
  proofGrants.bind({ intent, digest, ...(header === undefined ? {} : { header }) });
}

/** The record of a checkpoint. Its signature follows from it, and is not written down. */
export function takeCheckpoint({ proofGrants, pace }: Ledgers, { fields, sequence, at }: RecordLine): void {
  const intent = parseIntentText(textOf(fields, 'intent'));
  invariant(intent.kind === 'log-checkpoint', 'A record of a checkpoint is about something else.');
  pace.take(proofPaceStepOf(intent, at));
  proofGrants.bind({ intent, digest: textOf(fields, 'digest'), sequence });
}

/** What nobody approves has its place in the minute, in so far as it is something new. */
export function proofPaceStepOf(intent: ProofIntent, at: bigint): PaceStep {
  switch (intent.kind) {
    case 'reserve-commitment':
    case 'reserve-proof':
    case 'balance-statements':
      return { kind: 'reserves', compartment: houseSigners, name: intent.id, at };
    case 'wallet-control': {
      const { compartment, chain, wallet, context } = intent;
      return { kind: 'control', compartment, name: `${chain} ${wallet} ${context}`, at };
    }
    case 'log-checkpoint':
      return { kind: 'checkpoint', compartment: houseSigners, name: checkpointName(intent), at };
  }
}

export function checkpointName({ origin, size, root }: LogCheckpointIntent): string {
  return `${origin} ${size} ${root}`;
}
