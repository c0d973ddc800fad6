import { z } from 'zod';
import type { View } from './view.ts';
import { count } from './wire.ts';

/** Place of a fact in a path: what `Log-Facts` of a write says. */
export const factParameter: z.ZodType<bigint, string> = z
  .string()
  .regex(/^[1-9][0-9]{0,17}$/u, 'Expected the place of a fact, as the header Log-Facts of a write says it.')
  .transform(BigInt)
  .meta({ description: 'Place of the fact among all facts, from the header `Log-Facts` of a write', example: '4711' });

const bytes = z.base64().meta({ description: 'Bytes, base64 with padding' });

export const receipt = z
  .strictObject({
    index: z.int().min(0).meta({ description: 'Place of the leaf in the log' }),
    leaf: bytes,
    opening: z
      .strictObject({ salt: bytes, content: z.string().meta({ description: 'JSON text, exactly as it was hashed' }) })
      .nullable()
      .meta({
        description:
          'What the leaf commits to: for who caused the fact, for admins and for auditors. Null for others, and where it was erased',
      }),
    path: z.array(bytes).meta({ description: 'Inclusion path of RFC 6962, from the leaf up' }),
    checkpoint: z
      .string()
      .meta({ description: 'Signed note with the cosignatures of witnesses, C2SP tlog-checkpoint' }),
  })
  .meta({
    id: 'Receipt',
    description:
      'Proves to anybody, without asking the server, that a fact stands in the audit log: `bulkhead audit receipt --verify`',
  });

export const loggedFact = z
  .strictObject({
    fact: count.meta({ description: 'Place among all facts' }),
    receipt: receipt.nullable().meta({ description: 'Null while no checkpoint that readers are shown covers it' }),
  })
  .meta({ id: 'LoggedFact', description: 'A fact, and its receipt once the audit log has it' });

/** What facts are about: the id of a client, a withdrawal, a deposit, the key of a transfer. */
export const subjectParameter = z
  .string()
  .regex(/^[!-~]{1,128}$/u, 'Expected an id: 1 to 128 visible characters of ASCII.')
  .meta({
    description: 'Id of a client, a withdrawal, a deposit, a key of a transfer',
    example: 'wd_01931d5c-6f3a-7cc3-98c4-dc0c0c07398f',
  });

export type Receipt = View<typeof receipt>;
export type LoggedFact = View<typeof loggedFact>;
