import { z } from 'zod';
import { pageQuery } from './page.ts';
import {
  address,
  amount,
  asset,
  block,
  chain,
  chainInput,
  compartment,
  compartmentParameter,
  count,
  hash,
  id,
  person,
  text,
  time,
} from './wire.ts';
import { chainState } from './withdrawal.ts';
import type { View } from './view.ts';

export const intentKind = z.enum([
  'withdrawal',
  'deposit-return',
  'sweep',
  'gas-grant',
  'fee-payment',
  'cancel',
  'relay',
]);
export const dispatchStep = z.enum(['queued', 'signing', 'broadcast', 'done']);
export const dispatchOutcome = z.enum(['succeeded', 'reverted', 'cancelled', 'superseded', 'abandoned', 'impossible']);

export const attempt = z
  .strictObject({
    ordinal: z.int().min(1),
    role: z.enum(['effect', 'cancel']),
    hash: hash.nullable().meta({ description: 'Known once signed' }),
    chainState,
    gasLimit: count,
    maxFeePerGas: amount.meta({ description: 'In wei' }),
    maxPriorityFeePerGas: amount.meta({ description: 'In wei' }),
  })
  .meta({ id: 'Attempt', description: 'One signed transaction of a dispatch; all of them use its nonce' });

export const dispatch = z
  .strictObject({
    id: id('dispatch'),
    kind: intentKind,
    reference: z.string().meta({ description: 'Id of the workflow that asked' }),
    intentDigest: z.string().regex(/^[0-9a-f]{64}$/u),
    chain,
    compartment,
    walletId: id('wallet'),
    from: address,
    to: address,
    asset,
    amount,
    feeMax: amount,
    nonce: count.nullable(),
    state: dispatchStep,
    outcome: dispatchOutcome.nullable(),
    chainState,
    cancelAsked: z.boolean(),
    attempts: z.array(attempt),
    block: block.nullable(),
    feePaid: amount.nullable(),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Dispatch', description: 'An outgoing transaction: one intent, one nonce, one effect at most' });

export const dispatchListQuery = z.strictObject({
  ...pageQuery,
  chain: chainInput.exactOptional(),
  compartment: compartmentParameter.exactOptional(),
  kind: intentKind.exactOptional(),
  state: dispatchStep.exactOptional(),
  reference: text(80).exactOptional(),
});

export const source = z
  .strictObject({
    name: z.string().meta({ description: 'Name from the configuration; never the address, which may contain a key' }),
    healthy: z.boolean(),
    latest: count.nullable().meta({ description: 'Height that it last told' }),
    reason: z.string().nullable().meta({ description: 'What was wrong the last time' }),
    checkedAt: time.nullable(),
  })
  .meta({ id: 'Source', description: 'One RPC source of a chain' });

export const chainView = z
  .strictObject({
    id: chain,
    state: z.enum(['following', 'catching-up', 'stalled']),
    reason: z.string().nullable().meta({ description: 'Why it stands still' }),
    covered: block.nullable().meta({ description: 'Newest block whose observations are stored; no hole below' }),
    booked: count.nullable().meta({ description: 'Height up to which the books are made' }),
    tip: block.nullable(),
    final: block.nullable(),
    lagBlocks: count.nullable().meta({ description: 'tip - covered' }),
    required: z.int().min(1).meta({ description: 'Sources that must agree' }),
    sources: z.array(source),
  })
  .meta({ id: 'Chain', description: 'How far we see a chain' });

export const chainResumption = z
  .strictObject({
    chain,
    resumedBy: person,
    resumedAt: time,
    stoppedReason: z.string().meta({ description: 'Why it stood still' }),
  })
  .meta({ id: 'ChainResumption', description: 'A chain that stood still was let go on' });

export const chainListQuery = z.strictObject(pageQuery);

export type Dispatch = View<typeof dispatch>;
export type DispatchListQuery = z.output<typeof dispatchListQuery>;
export type ChainView = View<typeof chainView>;
export type ChainResumption = View<typeof chainResumption>;
export type ChainListQuery = z.output<typeof chainListQuery>;
