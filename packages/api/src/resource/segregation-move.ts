import { z } from 'zod';
import { pageQuery } from './page.ts';
import { chain, chainInput, compartment, id, person, time } from './wire.ts';
import type { View } from './view.ts';

export const segregationMoveInput = z.strictObject({
  chain: chainInput,
  segregation: z.enum(['individual', 'omnibus']).meta({ description: 'The model that the client moves to' }),
});

export const segregationMove = z
  .strictObject({
    id: id('segregationMove'),
    clientId: id('client'),
    chain,
    segregation: z.enum(['individual', 'omnibus']),
    fromCompartment: compartment,
    toCompartment: compartment,
    toWalletId: id('wallet'),
    state: z.enum(['proposed', 'moving', 'done', 'withdrawn']),
    reason: z.string().nullable().meta({ description: 'What it waits for; null where nothing is known to hold it up' }),
    proposedBy: person,
    confirmedBy: person.nullable(),
    halves: z
      .array(z.strictObject({ withdrawalId: id('withdrawal'), depositId: id('deposit').nullable() }))
      .meta({ description: 'What left the one compartment, and the deposit that it became in the other' }),
    certificate: z.string().nullable().meta({
      description:
        'Once it is over: each half with transaction, block and the records of the signers; `bulkhead signer verify` proves it',
    }),
    certificateDigest: z
      .string()
      .regex(/^[0-9a-f]{64}$/u)
      .nullable()
      .meta({ description: 'SHA-256 of exactly that text' }),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'SegregationMove', description: 'A client moves from a pool to a compartment of its own, or back' });

export const segregationMoveListQuery = z.strictObject({ ...pageQuery, clientId: id('client').exactOptional() });

export type SegregationMove = View<typeof segregationMove>;
export type SegregationMoveInput = z.output<typeof segregationMoveInput>;
export type SegregationMoveListQuery = z.output<typeof segregationMoveListQuery>;
