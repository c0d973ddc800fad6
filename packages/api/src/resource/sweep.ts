import { z } from 'zod';
import { pageQuery } from './page.ts';
import {
  address,
  amount,
  asset,
  assetInput,
  block,
  chain,
  chainInput,
  compartment,
  compartmentInput,
  compartmentParameter,
  hash,
  id,
  person,
  text,
  time,
  positiveAmountInput,
} from './wire.ts';
import { chainState } from './withdrawal.ts';
import type { View } from './view.ts';

/** Most wallets one request sweeps; ask again for the rest. */
export const sweepWalletsMax = 200;

/** State of a movement that needs no approval: inside one compartment, or of fees that are owed. */
export const movementState = z.enum([
  'awaiting-gas',
  'queued',
  'signing',
  'broadcast',
  'settled',
  'failed',
  'cancelled',
]);

/** What sweeps and fee payments have in common: one movement from one wallet to another, in one asset. */
const movement = {
  compartment,
  chain,
  asset,
  amount,
  walletId: id('wallet'),
  toWalletId: id('wallet'),
  toAddress: address,
  state: movementState,
  chainState,
  reason: z.string().nullable(),
  dispatchId: id('dispatch').nullable(),
  feeMax: amount.nullable(),
  feePaid: amount.nullable(),
  transactionHash: hash.nullable(),
  block: block.nullable(),
  requestedBy: person,
  createdAt: time,
  updatedAt: time,
};

export const sweep = z
  .strictObject({ id: id('sweep'), ...movement })
  .meta({ id: 'Sweep', description: 'From a deposit address to the pool wallet of the same compartment' });

export const sweepBatch = z
  .strictObject({ items: z.array(sweep).max(sweepWalletsMax) })
  .meta({ id: 'SweepBatch', description: 'The sweeps that one request started' });

/** Every wallet of the compartment on the chain that has something to move, or one wallet. */
export const sweepInput = z.union([
  z.strictObject({ compartment: compartmentInput, chain: chainInput, asset: assetInput.exactOptional() }),
  z.strictObject({ walletId: id('wallet'), asset: assetInput.exactOptional() }),
]);

export const sweepListQuery = z.strictObject({
  ...pageQuery,
  compartment: compartmentParameter.exactOptional(),
  chain: chainInput.exactOptional(),
  state: movementState.exactOptional(),
});

export const feeInput = z.strictObject({
  clientId: id('client'),
  asset: assetInput,
  amount: positiveAmountInput,
  description: text(500),
});

export const fee = z
  .strictObject({
    id: id('fee'),
    clientId: id('client'),
    compartment,
    asset,
    amount,
    description: z.string().nullable().meta({ description: 'Null once it was erased' }),
    chargedBy: person,
    createdAt: time,
  })
  .meta({ id: 'Fee', description: 'A charge: available becomes fee-payable. Nothing moves on chain yet.' });

/** Pays everything that the client owes in the asset, or as much of it as its vault lets out. */
export const feePaymentInput = z.strictObject({ clientId: id('client'), asset: assetInput });

export const feePayment = z.strictObject({ id: id('feePayment'), clientId: id('client'), ...movement }).meta({
  id: 'FeePayment',
  description:
    'Fees that a client owes go to the fee wallet of the house, on chain. Out of a vault at most what the agreed rate lets out; the first one of an asset is of 0 and starts the clock.',
});

export const feePaymentListQuery = z.strictObject({
  ...pageQuery,
  clientId: id('client').exactOptional(),
  state: movementState.exactOptional(),
});

export const delegation = z
  .strictObject({
    id: id('delegation'),
    chain,
    compartment,
    walletId: id('wallet').meta({ description: 'The address that signed' }),
    toWalletId: id('wallet').meta({ description: 'The only wallet that the delegate pays' }),
    delegate: z.string().nullable().meta({ description: 'Null for one that takes a delegation back' }),
    state: z.enum(['queued', 'signed', 'in-force', 'superseded']),
    reason: z.string().nullable(),
    requestedBy: person,
    createdAt: time,
    updatedAt: time,
  })
  .meta({
    id: 'Delegation',
    description: 'An address lets a delegate sweep its tokens (EIP-7702), or takes that back; as of a final block',
  });

export const delegationListQuery = z.strictObject({ ...pageQuery, walletId: id('wallet').exactOptional() });

export type Delegation = View<typeof delegation>;
export type DelegationListQuery = z.output<typeof delegationListQuery>;
export type Sweep = View<typeof sweep>;
export type SweepBatch = View<typeof sweepBatch>;
export type SweepInput = z.output<typeof sweepInput>;
export type SweepListQuery = z.output<typeof sweepListQuery>;
export type Fee = View<typeof fee>;
export type FeeInput = z.output<typeof feeInput>;
export type FeePayment = View<typeof feePayment>;
export type FeePaymentInput = z.output<typeof feePaymentInput>;
export type FeePaymentListQuery = z.output<typeof feePaymentListQuery>;
