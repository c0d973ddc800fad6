import { z } from 'zod';
import { pageQuery } from './page.ts';
import {
  accountNumberMax,
  accountNumberParameter,
  amount,
  asset,
  assetInput,
  block,
  compartment,
  compartmentParameter,
  count,
  signedAmount,
  text,
  time,
} from './wire.ts';
import type { View } from './view.ts';

export const accountKind = z.enum([
  'wallet',
  'loss',
  'available',
  'quarantine',
  'gas',
  'fee-payable',
  'suspense',
  'equity',
  'fee-income',
  'network-fee',
  'obligation',
]);

const accountNumber = z.int().min(0).max(accountNumberMax);
const holder = z.string().nullable().meta({ description: 'Id of a client or wallet, where the kind has one' });

export const account = z
  .strictObject({
    compartment,
    asset,
    number: accountNumber,
    kind: accountKind,
    holder,
    side: z.enum(['debit', 'credit']),
    posted: signedAmount.meta({ description: "Net posted balance, positive on the account's normal side" }),
    pendingOut: amount.meta({ description: 'Open holds that would lower it' }),
    pendingIn: amount.meta({ description: 'Open holds that would raise it' }),
  })
  .meta({ id: 'Account', description: 'One account of a book' });

const leg = z.strictObject({
  number: accountNumber,
  kind: accountKind,
  holder,
  balanceAfter: signedAmount
    .nullable()
    .meta({ description: 'Posted balance after this transfer; null where nothing was posted' }),
});

export const transfer = z
  .strictObject({
    key: z.uuid().meta({ description: 'Idempotency key of the transfer' }),
    position: count.meta({ description: 'Place in the ledger: grows with every transfer, never reused' }),
    type: z.enum(['post', 'hold', 'post-hold', 'void-hold', 'expire-hold']),
    compartment,
    asset,
    debit: leg,
    credit: leg,
    amount,
    code: z.string().meta({ description: 'What the transfer is for', example: 'deposit-final' }),
    reference: z.string().meta({ description: 'Id of the workflow it belongs to' }),
    block: block.nullable().meta({ description: 'The block that moved the coins' }),
    hold: z.uuid().nullable().meta({ description: 'Key of the hold that is posted or voided' }),
    link: z.string().nullable().meta({ description: 'Joins transfers of different books: a loss and its obligation' }),
    expiresAt: time.nullable(),
    createdAt: time,
  })
  .meta({ id: 'Transfer', description: 'One debit, one credit, one amount, in one book; never changed' });

export const accountListQuery = z.strictObject({
  ...pageQuery,
  compartment: compartmentParameter.exactOptional(),
  asset: assetInput.exactOptional(),
  kind: accountKind.exactOptional(),
  holder: text(80).exactOptional(),
});

export const transferListQuery = z
  .strictObject({
    ...pageQuery,
    compartment: compartmentParameter.exactOptional(),
    asset: assetInput.exactOptional(),
    reference: text(80).exactOptional(),
    account: accountNumberParameter
      .exactOptional()
      .meta({ description: 'Number of an account in the book that `compartment` and `asset` name' }),
  })
  .refine((query) => query.account === undefined || (query.compartment !== undefined && query.asset !== undefined), {
    path: ['account'],
    message: 'An account number means something inside one book only: name compartment and asset too.',
  });

export type Account = View<typeof account>;
export type AccountListQuery = z.output<typeof accountListQuery>;
export type Transfer = View<typeof transfer>;
export type TransferListQuery = z.output<typeof transferListQuery>;
