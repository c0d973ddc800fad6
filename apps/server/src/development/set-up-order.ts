import { z } from 'zod';

/** Two tokens of two copies of the library: what one hardware module has, the other has too. */
export const slots = ['hsm_slot_1', 'hsm_slot_2'] as const;
/** Label of the identity key in each token. */
export const identityLabel = 'bulkhead-identity';
/** Label of the key of the audit log, in the first token of the first signer. */
export const logLabel = 'bulkhead-log';
/** Label of the key in each token that the seed is sealed under. */
export const sealingLabel = 'bulkhead-seal';

/**
 * What the set-up of a signer for development is told, step by step: each a line of JSON, answered by one. The keys of all signers
 * are made at the same time; what they have in common follows.
 */
export const setUpStepForm = z.discriminatedUnion('step', [
  /** Makes the keys of one signer. */
  z.strictObject({
    step: z.literal('keys'),
    /** Folder of the signer. */
    directory: z.string(),
    /** Library of SoftHSM; null for keys in software. */
    softhsm: z.string().nullable(),
    /** Configuration of the signer process. */
    configuration: z.unknown(),
  }),
  /** Makes the approver keys of the people, for all signers of the installation. */
  z.strictObject({
    step: z.literal('people'),
    peopleDirectory: z.string(),
    pins: z.strictObject({ deployment: z.string(), identities: z.array(z.string()).readonly() }),
  }),
  /** Writes the first record of the signer whose keys were made. */
  z.strictObject({
    step: z.literal('state'),
    deployment: z.string(),
    /** Canonical text of the first list of the registry. */
    list: z.string(),
  }),
]);

export type SetUpStep = z.output<typeof setUpStepForm>;

export const setUpAnswerForm = z.union([
  /** Public identity keys, and addresses: of the key for the signer set of the vaults, and of the fee wallet of the house. */
  z.strictObject({ identities: z.array(z.string()), vaultSigner: z.string(), fees: z.string() }),
  /** Canonical text of the list of the people. */
  z.strictObject({ people: z.string() }),
  z.strictObject({ begun: z.literal(true) }),
  z.strictObject({ failed: z.strictObject({ code: z.string(), message: z.string() }) }),
]);

export type SetUpAnswer = z.output<typeof setUpAnswerForm>;
