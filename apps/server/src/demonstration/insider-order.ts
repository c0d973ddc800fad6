import { z } from 'zod';

/** What somebody signs who has taken the folders of signers, with their tokens and PINs: one line of JSON. */
export const insiderOrderForm = z.strictObject({
  /** Configuration of each signer whose folder was taken. */
  configurations: z.array(z.unknown()),
  /** 32 bytes in hex, with 0x. */
  digest: z.string().regex(/^0x[0-9a-f]{64}$/u),
});

export const insiderAnswerForm = z.array(z.strictObject({ member: z.string(), signature: z.string() }));

export type InsiderOrder = z.output<typeof insiderOrderForm>;
