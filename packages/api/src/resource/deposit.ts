import { z } from 'zod';
import { pageQuery } from './page.ts';
import {
  address,
  addressInput,
  amount,
  asset,
  assetInput,
  block,
  chainInput,
  compartment,
  compartmentParameter,
  hash,
  id,
  person,
  time,
} from './wire.ts';
import type { View } from './view.ts';

export const depositState = z.enum(['detected', 'final', 'released', 'frozen', 'returned', 'exited', 'removed']);
export const disposition = z.enum(['client', 'unassigned', 'dust', 'unexplained', 'house-funding']);
export const verdict = z.enum(['clear', 'hit', 'review', 'inconclusive', 'not-screened']);
export const movementKind = z.enum(['native', 'internal', 'token', 'validator-withdrawal', 'balance-difference']);
export const feePayer = z.enum(['client', 'house']);

export const finality = z
  .strictObject({
    rule: z.string().meta({ description: 'The finality rule that was met', example: 'finalized' }),
    block: block.meta({ description: 'The final block the rule was read from' }),
    sources: z.array(z.string()).meta({ description: 'Names of the sources that agreed' }),
    required: z.int().min(1).meta({ description: 'How many had to' }),
    reachedAt: time,
  })
  .meta({ id: 'Finality', description: 'Why a credit was allowed' });

export const deposit = z
  .strictObject({
    id: id('deposit'),
    clientId: id('client').nullable(),
    compartment,
    walletId: id('wallet'),
    address,
    asset,
    amount: amount.meta({ description: 'What the event on chain says' }),
    credited: amount.nullable().meta({ description: 'What arrived by the balance, known at finality' }),
    state: depositState,
    disposition: disposition.nullable(),
    verdict: verdict.nullable(),
    releaseProposedBy: person.nullable(),
    releasedBy: person.nullable(),
    assignmentProposed: z.strictObject({ by: person, clientId: id('client') }).nullable(),
    returnWithdrawalId: id('withdrawal').nullable().meta({ description: 'The withdrawal that sends it back' }),
    transactionHash: hash.nullable(),
    block,
    from: address.nullable(),
    movementKind,
    finality: finality.nullable(),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Deposit', description: 'Value that arrived at one of our wallets' });

export const assignmentInput = z.strictObject({ clientId: id('client') });

/** Without a destination the deposit goes back to where it came from. */
export const returnInput = z.strictObject({
  destination: addressInput.exactOptional(),
  feePayer: feePayer.exactOptional(),
});

export const depositListQuery = z.strictObject({
  ...pageQuery,
  clientId: id('client').exactOptional(),
  compartment: compartmentParameter.exactOptional(),
  state: depositState.exactOptional(),
  chain: chainInput.exactOptional(),
  asset: assetInput.exactOptional(),
});

export type Deposit = View<typeof deposit>;
export type AssignmentInput = z.output<typeof assignmentInput>;
export type ReturnInput = z.output<typeof returnInput>;
export type DepositListQuery = z.output<typeof depositListQuery>;
