import type { Operations } from '@bulkhead/api';
import type { Custody } from '@bulkhead/custody';
import type { ChainBoard } from './chain-board.ts';
import { clientOperations } from './operation/client.ts';
import { compartmentOperations } from './operation/compartment.ts';
import { ledgerOperations } from './operation/ledger.ts';
import { logOperations } from './operation/log.ts';
import { movementOperations } from './operation/movement.ts';
import { proofOperations } from './operation/proof.ts';
import { reconciliationOperations } from './operation/reconciliation.ts';
import { segregationMoveOperations } from './operation/segregation-move.ts';
import { signerOperations } from './operation/signer.ts';
import { sweepOperations } from './operation/sweep.ts';
import { vaultAuthorityOperations } from './operation/vault-authority.ts';
import { vaultOperations } from './operation/vault.ts';
import type { ReachedSigners } from './reached-signer.ts';

/** What operations need beside the workflows. */
export type Beside = {
  readonly board: ChainBoard;
  readonly reached: ReachedSigners;
  readonly approvalPage: string | undefined;
  /** Folder of proofs of reserves. */
  readonly proofsFolder: string;
  /** Cosignatures that a checkpoint needs before readers are shown it. */
  readonly witnessesMin: number;
};

/**
 * Everything the product can be asked to do, over the workflows of custody. Lists become pages and missing rows become
 * refusals here; everything else is decided further in.
 */
export function operationsOver(
  custody: Custody,
  { board, reached, approvalPage, proofsFolder, witnessesMin }: Beside,
): Operations {
  return {
    ...clientOperations(custody),
    ...compartmentOperations(custody, board),
    ...segregationMoveOperations(custody),
    ...vaultOperations(custody, approvalPage),
    ...vaultAuthorityOperations(custody, approvalPage),
    ...movementOperations(custody, approvalPage),
    ...sweepOperations(custody),
    ...reconciliationOperations(custody),
    ...proofOperations(custody, proofsFolder),
    ...ledgerOperations(custody, board),
    ...signerOperations(custody, { reached, approvalPage }),
    ...logOperations(custody, witnessesMin),
  };
}
