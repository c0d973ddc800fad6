import { z } from 'zod';

/** Two tokens of two copies of the library: what one hardware module has, the other has too. */
export const slots = ['hsm_slot_1', 'hsm_slot_2'] as const;
/** Label of the identity key in each token. */
export const identityLabel = 'bulkhead-identity';
/** Label of the key in each token that the seed is sealed under. */
export const sealingLabel = 'bulkhead-seal';

/** What the set-up of a signer for development is told: one line of JSON. */
export const setUpOrderForm = z.strictObject({
  /** Folder of the signer. */
  directory: z.string(),
  deployment: z.string(),
  /** Canonical text of the first list of the registry, without its people: who they are follows from the keys that are made here. */
  list: z.string(),
  /** Folder of the approver keys of the people. */
  peopleDirectory: z.string(),
  /** Library of SoftHSM; null for keys in software. */
  softhsm: z.string().nullable(),
  /** Configuration of the signer process. */
  configuration: z.unknown(),
});

export type SetUpOrder = z.output<typeof setUpOrderForm>;
