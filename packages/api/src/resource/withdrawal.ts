import { z } from 'zod';
import { feePayer, verdict } from './deposit.ts';
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
  count,
  hash,
  id,
  person,
  positiveAmountInput,
  text,
  time,
} from './wire.ts';
import { toSign } from './vault.ts';
import type { View } from './view.ts';

export const withdrawalState = z.enum([
  'requested',
  'screened',
  'awaiting-approval',
  'approved',
  'awaiting-liquidity',
  'signing',
  'broadcast',
  'settled',
  'failed',
  'rejected',
  'cancelled',
  'expired',
]);

export const chainState = z
  .enum(['none', 'in-mempool', 'in-block', 'final', 'replaced', 'dropped', 'reverted', 'removed'])
  .meta({ description: 'Where the transaction stands on the chain: an axis of its own beside the state' });

export const approval = z
  .strictObject({ by: person, at: time })
  .meta({ id: 'Approval', description: 'One person approved the intent' });

export const withdrawalInput = z.strictObject({
  clientId: id('client'),
  asset: assetInput,
  amount: positiveAmountInput,
  destination: addressInput,
  feePayer: feePayer.default('client').meta({ description: 'Who bears the network fee; of a vault always the house' }),
  oneOff: z.boolean().exactOptional().meta({
    description: 'Out of a vault to anywhere and above any limit: the client key must sign it too',
  }),
});

export const vaultPayment = z
  .strictObject({
    vaultId: id('vault'),
    nonce: count,
    deadline: count.meta({ description: 'Unix seconds of the chain: the vault takes nothing later' }),
    authorisation: z.enum(['listed', 'unlisted', 'one-off']),
    state: z.enum(['queued', 'signing', 'relaying', 'done']).nullable(),
    outcome: z.enum(['paid', 'invalidated', 'superseded', 'lapsed', 'abandoned', 'exited']).nullable(),
    clientMustSign: toSign.nullable().meta({ description: 'Of a one-off payment, until the client key has signed' }),
  })
  .meta({ id: 'VaultPayment', description: 'How a vault pays a withdrawal, whoever relays it' });

export const rejectionInput = z.strictObject({ reason: text(500) });

export const withdrawal = z
  .strictObject({
    id: id('withdrawal'),
    kind: z.enum(['withdrawal', 'deposit-return']),
    clientId: id('client'),
    compartment,
    walletId: id('wallet').meta({ description: 'The wallet the hold names' }),
    asset,
    amount,
    destination: address,
    feePayer,
    feeMax: amount.meta({ description: 'Highest network fee, in the native coin of the chain' }),
    feePaid: amount.nullable(),
    state: withdrawalState,
    chainState,
    verdict: verdict.nullable(),
    releasedBy: person.nullable(),
    reason: z.string().nullable().meta({ description: 'Why it failed, was rejected or waits' }),
    requestedBy: person,
    approvals: z.array(approval),
    quorum: z.int().min(0).meta({ description: 'Approvals of different people needed, none of them the requester' }),
    intentDigest: z
      .string()
      .regex(/^[0-9a-f]{64}$/u)
      .meta({ description: 'SHA-256 of the canonical intent: what approvers approve' }),
    cancelAskedBy: person.nullable(),
    expiresAt: time,
    vault: vaultPayment.nullable().meta({ description: 'Null where a wallet with a key pays' }),
    transactionHash: hash.nullable(),
    block: block.nullable(),
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Withdrawal', description: 'Value that leaves to a destination outside' });

export const withdrawalListQuery = z.strictObject({
  ...pageQuery,
  clientId: id('client').exactOptional(),
  compartment: compartmentParameter.exactOptional(),
  state: withdrawalState.exactOptional(),
  chain: chainInput.exactOptional(),
  asset: assetInput.exactOptional(),
});

export type Withdrawal = View<typeof withdrawal>;
export type WithdrawalInput = z.output<typeof withdrawalInput>;
export type RejectionInput = z.output<typeof rejectionInput>;
export type Approval = View<typeof approval>;
export type WithdrawalListQuery = z.output<typeof withdrawalListQuery>;
