import { z } from 'zod';

/** What the set-up of a signer for development is told: one line of JSON. */
export const setUpOrderForm = z.strictObject({
  /** Folder of the signer. */
  directory: z.string(),
  deployment: z.string(),
  /** Canonical text of the first list of the registry. */
  list: z.string(),
  /** Library of SoftHSM; null for keys in software. */
  softhsm: z.string().nullable(),
  /** Configuration of the signer process. */
  configuration: z.unknown(),
});

export type SetUpOrder = z.output<typeof setUpOrderForm>;
