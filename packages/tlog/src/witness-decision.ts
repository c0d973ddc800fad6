import { CustodyError, equalBytes } from '@bulkhead/domain';
import { openCheckpoint, type VerifiedCheckpoint } from './checkpoint.ts';
import { emptyRoot } from './merkle-hash.ts';
import { type TreeHead, verifyConsistency } from './merkle-proof.ts';
import type { VerifyEd25519 } from './signed-note.ts';
import type { VerifierKey } from './verifier-key.ts';
import type { WitnessRequest } from './witness-request.ts';

/** What a witness does with a request; the names are those of the answers of C2SP tlog-witness. */
export type WitnessDecision =
  | { readonly status: 'cosign'; readonly checkpoint: VerifiedCheckpoint }
  /** The log began elsewhere than where the witness stands: it is told the size. Above the log's own, the log was rewound. */
  | { readonly status: 'conflict'; readonly size: number }
  /** The log did not sign this, or signed it with another key. */
  | { readonly status: 'forbidden'; readonly reason: string }
  | { readonly status: 'malformed'; readonly reason: string }
  /** The log signed something that does not follow what it signed before: a fork, with the proof of it in both checkpoints. */
  | { readonly status: 'fork'; readonly reason: string };

/**
 * Decides on a request in the order of C2SP tlog-witness. Pure: who stores the new head and signs must do both, in this order, before it
 * answers anybody else.
 *
 * @param last what the witness cosigned last for this log; undefined where it never did
 */
export function decideWitness(
  request: WitnessRequest,
  last: TreeHead | undefined,
  by: { readonly log: VerifierKey; readonly origin: string; readonly verify: VerifyEd25519 },
): WitnessDecision {
  const known = last ?? { size: 0, root: emptyRoot };
  let checkpoint: VerifiedCheckpoint;
  try {
    checkpoint = openCheckpoint(request.checkpoint, by);
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { status: error.code === 'log/unproven' ? 'forbidden' : 'malformed', reason: error.message };
  }
  const { oldSize, proof } = request;
  if (oldSize > checkpoint.size) {
    return { status: 'malformed', reason: 'The old size is above that of the checkpoint.' };
  }
  if (oldSize !== known.size) return { status: 'conflict', size: known.size };
  const isContinued =
    known.size === 0
      ? proof.length === 0 && (checkpoint.size > 0 || equalBytes(checkpoint.root, emptyRoot))
      : verifyConsistency(known, checkpoint, proof);
  if (isContinued) return { status: 'cosign', checkpoint };
  const reason = `The tree of ${checkpoint.size} leaves is not shown to begin with the ${known.size} that were cosigned before.`;
  return { status: 'fork', reason };
}
