import { z } from 'zod';

/** What a client has who leaves without the custodian: one line of JSON. */
export const leavingOrderForm = z.strictObject({
  /** The certificate that was handed over with the address. */
  certificateFile: z.string(),
  exitKeyFile: z.string(),
  /** Any node. */
  rpc: z.url(),
  /** Tokens to take out, beside the coin. */
  tokens: z.array(z.string()),
});

export type LeavingOrder = z.output<typeof leavingOrderForm>;
