import type { Address } from './address.ts';
import type { AssetId } from './asset.ts';

/** Only `clear` releases by itself. */
export type ScreeningVerdict = 'clear' | 'hit' | 'review' | 'inconclusive' | 'not-screened';

export type ScreeningSubject = {
  readonly direction: 'in' | 'out';
  readonly asset: AssetId;
  readonly amount: bigint;
  /** Sender of a deposit where known, destination of a withdrawal. */
  readonly counterparty?: Address;
  readonly reference: string;
};

export type ScreeningAnswer = {
  readonly verdict: ScreeningVerdict;
  /** Who answered, e.g. `none`. */
  readonly provider: string;
  readonly detail: string;
};

/** The port to transaction screening. May be slow or fail; a failure is `inconclusive`, never `clear`. */
export interface Screening {
  screen(subject: ScreeningSubject): Promise<ScreeningAnswer>;
}
