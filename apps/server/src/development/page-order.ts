import { z } from 'zod';

/** What the process of the approval page for development is told: one line of JSON. */
export const pageOrderForm = z.strictObject({
  /** Folder that the page is built into. */
  directory: z.string(),
  /** How the page calls the installation. */
  name: z.string(),
  host: z.string(),
  /** 0 takes a free one. */
  port: z.int(),
  pins: z.strictObject({ deployment: z.string(), identities: z.array(z.string()).readonly() }),
});

export type PageOrder = z.output<typeof pageOrderForm>;
