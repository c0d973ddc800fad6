import type { Signer } from '@bulkhead/domain';
import type { Pinned } from '@bulkhead/signer-client';

/** A signer that can be asked, and whom of it this server believes. */
export type ReachedSigner = {
  readonly signer: Signer;
  readonly pinned: Pinned;
  /** Where commands beside this server reach it. */
  readonly endpoint: string;
  /** Process id of the one that this server runs, which changes when it is started again; undefined where somebody else runs it. */
  readonly pid: (() => number) | undefined;
};
