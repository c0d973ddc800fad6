import { clients } from './clients.ts';
import { compartments } from './compartments.ts';
import { movements } from './movements.ts';
import { reconciliations } from './reconciliations.ts';
import { ledger } from './ledger.ts';
import { log } from './log.ts';
import { proofs } from './proofs.ts';
import type { Route } from './route.ts';
import { segregationMoves } from './segregation-moves.ts';
import { signer } from './signer.ts';
import { sweeps } from './sweeps.ts';
import { vaultAuthority } from './vault-authority.ts';
import { vaults } from './vaults.ts';

/** Every route under `/v1`, in the order of the documentation. */
export const routes: readonly Route[] = [
  ...clients,
  ...segregationMoves,
  ...compartments,
  ...vaults,
  ...vaultAuthority,
  ...movements,
  ...sweeps,
  ...reconciliations,
  ...proofs,
  ...ledger,
  ...signer,
  ...log,
];
