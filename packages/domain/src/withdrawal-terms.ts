import type { Address } from './address.ts';
import type { AssetId } from './asset.ts';
import type { Compartment } from './compartment.ts';
import type { DispatchOutcome } from './dispatch.ts';
import type { FeePayer, MovementIntent } from './movement-intent.ts';
import type { ScreeningVerdict } from './screening.ts';
import type { VaultAuthorisation, VaultIntent } from './vault-intent.ts';

/** What never changes after the request. Amounts in base units, fees in wei. */
export type WithdrawalTerms = {
  /** The installation, as in every intent. */
  readonly deployment: string;
  readonly id: string;
  /** `withdrawal` pays from what is available; `deposit-return` sends a quarantined deposit back. */
  readonly kind: 'withdrawal' | 'deposit-return';
  readonly client: string;
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly amount: bigint;
  readonly destination: Address;
  readonly feePayer: FeePayer;
  readonly feeMax: bigint;
  readonly requestedBy: string;
  /** Approvals of different people needed, none of them the requester. Where it is 0, the requester need not sign either. */
  readonly quorum: number;
  readonly expiresAt: Date;
  /** Where a vault pays: which one, the nonce that is the withdrawal's for ever, and by what right it leaves. */
  readonly vault?: { readonly address: Address; readonly nonce: bigint; readonly authorisation: VaultAuthorisation };
};

/** What ended the carrying out of a withdrawal: of its transaction, or of the payment of a vault. */
export type WithdrawalOutcome = DispatchOutcome | 'lapsed' | 'exited';

export type WithdrawalStep =
  | 'requested'
  | 'screened'
  | 'awaiting-approval'
  | 'approved'
  | 'awaiting-liquidity'
  | 'signing'
  | 'broadcast'
  | 'settled'
  | 'failed'
  | 'rejected'
  | 'cancelled'
  | 'expired';

export type WithdrawalState = {
  readonly step: WithdrawalStep;
  readonly verdict?: ScreeningVerdict;
  readonly releasedBy?: string;
  readonly approvedBy: readonly string[];
  /** The requester's own signature over the intent is there. */
  readonly requestSigned: boolean;
  /** People the signer asked for when it was asked again; counts where it is more than the quorum of the request. */
  readonly approvalsNeeded?: number;
  /** The wallet the hold names; where it cannot pay yet the withdrawal waits for liquidity. */
  readonly wallet: string;
  readonly reserved: boolean;
  /** Grows with every change of wallet, so that the keys of the holds differ. */
  readonly holdRound: number;
  /** The fee hold exists: at once when the client pays, with the gas grant when the house does. */
  readonly feeHeld: boolean;
  readonly cancelAskedBy?: string;
  /** Why it failed, was rejected or waits. */
  readonly reason?: string;
};

/** What the quorum of a vault signs for a withdrawal. */
export type VaultWithdrawal = Extract<VaultIntent, { kind: 'vault-withdrawal' }>;

/** The intent that approvers approve and the signer carries out. */
export function withdrawalIntent(terms: WithdrawalTerms): MovementIntent | VaultWithdrawal {
  const { deployment, kind, id, compartment, asset, amount, feeMax, client, feePayer, vault } = terms;
  const expiresAt = BigInt(Math.floor(terms.expiresAt.getTime() / 1000));
  if (vault !== undefined) {
    const effect = { deployment, id, compartment, asset, to: terms.destination, amount, feeMax, client };
    // The vault takes nothing that is later than the signers would sign: after the expiry the payment is impossible.
    const bounds = { vault: vault.address, vaultNonce: vault.nonce, deadline: expiresAt, expiresAt };
    return { ...effect, ...bounds, kind: 'vault-withdrawal', authorisation: vault.authorisation };
  }
  return {
    deployment,
    kind,
    id,
    compartment,
    asset,
    to: terms.destination,
    amount,
    feeMax,
    client,
    feePayer,
    expiresAt,
  };
}
