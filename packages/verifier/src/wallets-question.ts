import type { BalancePlace, CompartmentWallets, SignedCertificate } from '@bulkhead/proofs';
import type { Examination } from './order.ts';
import type { PinnedEpoch } from './registry-check.ts';

/** Wallets of some compartments, and what they should hold and be. */
export type WalletsQuestion = {
  readonly order: Examination;
  readonly pinned: PinnedEpoch;
  readonly declared: BalancePlace;
  readonly compartments: readonly CompartmentWallets[];
  /** What each compartment says that it holds, in units. */
  readonly rows: readonly { readonly compartment: number; readonly reserves: bigint }[];
  /** Whose all wallets are, where they are one client's. */
  readonly client?: string;
  /** Undefined where they were not given. */
  readonly certificates: readonly SignedCertificate[] | undefined;
};
