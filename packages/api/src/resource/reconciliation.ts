import { z } from 'zod';
import { pageQuery } from './page.ts';
import {
  address,
  asset,
  assetInput,
  amount,
  block,
  chain,
  chainInput,
  compartment,
  compartmentParameter,
  count,
  id,
  person,
  signedAmount,
  text,
  time,
} from './wire.ts';
import type { View } from './view.ts';

export const breakType = z
  .enum([
    'pending',
    'fee',
    'unknown-deposit',
    'missing-movement',
    'shortfall',
    'excess',
    'reorg',
    'token-code',
    'vault-code',
  ])
  .meta({ description: 'Types of break, in words of the reconciliation desk' });
export const reconciliationState = z.enum(['queued', 'running', 'finished', 'failed']);
export const breakState = z.enum(['open', 'resolved']);

export const breakAction = z.enum(['book-loss', 'book-suspense', 'acknowledge']).meta({
  description:
    '`book-loss`: the books follow the chain and the house owes what is missing; `book-suspense`: what is too much belongs to nobody yet; `acknowledge`: nothing has to be booked',
});

export const reconciliationInput = z.strictObject({ chain: chainInput });

export const reconciliation = z
  .strictObject({
    id: id('reconciliation'),
    chain,
    state: reconciliationState,
    block: block.nullable().meta({ description: 'The final block that was pinned' }),
    ledgerPosition: count.nullable().meta({ description: 'The books as of the coverage marker of that block' }),
    sources: z.array(z.string()).meta({ description: 'Names of the sources that agreed on every balance' }),
    sourcesRequired: z.int().min(1).meta({ description: 'How many had to' }),
    walletsCount: z.int().min(0),
    linesCount: z.int().min(0).meta({ description: 'Lines that are not zero on both sides' }),
    breaksCount: z.int().min(0).meta({ description: 'Lines where books and chain differ' }),
    reason: z.string().nullable().meta({ description: 'Why it failed' }),
    requestedBy: person,
    createdAt: time,
    finishedAt: time.nullable(),
  })
  .meta({ id: 'Reconciliation', description: 'Books against chain, per wallet and asset, at one pinned final block' });

export const reconciliationLine = z
  .strictObject({
    compartment,
    walletId: id('wallet'),
    address,
    asset,
    books: signedAmount,
    onChain: amount,
    difference: signedAmount.meta({ description: 'onChain - books; the tolerance is zero' }),
    pendingIn: amount,
    pendingOut: amount,
    unbookedIn: amount,
    unbookedOut: amount,
    unbookedFees: amount,
    breakType: breakType.nullable(),
    breakId: id('break').nullable(),
  })
  .meta({ id: 'ReconciliationLine', description: 'One wallet and asset at the pinned block' });

export const breakView = z
  .strictObject({
    id: id('break'),
    type: breakType,
    state: breakState,
    freezes: z.boolean().meta({ description: 'Whether it stops withdrawals of its compartment while it is open' }),
    chain,
    compartment: compartment.nullable(),
    walletId: id('wallet').nullable(),
    address: address.nullable(),
    asset: asset.nullable(),
    books: signedAmount.nullable(),
    onChain: amount.nullable(),
    difference: signedAmount
      .nullable()
      .meta({ description: 'onChain - books; null where a chain as a whole is meant' }),
    block: block.nullable().meta({ description: 'The pinned block it was found at' }),
    detail: z.string().nullable().meta({ description: 'What is there and what had to be, where it is about code' }),
    reconciliationId: id('reconciliation').nullable().meta({ description: 'The run that found it' }),
    lastReconciliationId: id('reconciliation').nullable().meta({ description: 'The newest run that still saw it' }),
    owner: person.nullable().meta({ description: 'Who works on it' }),
    openedAt: time,
    ageSeconds: z.int().min(0),
    deadline: time.nullable(),
    proposal: z
      .strictObject({ action: breakAction, note: z.string(), by: person })
      .nullable()
      .meta({ description: 'What the first of two people asked for' }),
    resolution: z
      .strictObject({
        action: z.enum([...breakAction.options, 'vanished', 'reclassified']),
        note: z.string(),
        by: z.array(person),
        at: time,
      })
      .nullable()
      .meta({ description: '`vanished`, `reclassified`: a later reconciliation ended it' }),
  })
  .meta({ id: 'Break', description: 'A difference found by reconciliation' });

export const resolutionInput = z.strictObject({
  action: breakAction,
  note: text(2_000, 'many-lines'),
});

export const ownerInput = z.strictObject({ owner: text(120) });

export const reconciliationListQuery = z.strictObject({
  ...pageQuery,
  chain: chainInput.exactOptional(),
  state: reconciliationState.exactOptional(),
});

export const reconciliationLineListQuery = z.strictObject({
  ...pageQuery,
  compartment: compartmentParameter.exactOptional(),
  asset: assetInput.exactOptional(),
  breaks: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .exactOptional()
    .meta({ description: '`true`: only lines that differ' }),
});

export const breakListQuery = z.strictObject({
  ...pageQuery,
  state: breakState.exactOptional(),
  type: breakType.exactOptional(),
  chain: chainInput.exactOptional(),
  compartment: compartmentParameter.exactOptional(),
});

export type Reconciliation = View<typeof reconciliation>;
export type ReconciliationInput = z.output<typeof reconciliationInput>;
export type ReconciliationListQuery = z.output<typeof reconciliationListQuery>;
export type ReconciliationLineView = View<typeof reconciliationLine>;
export type ReconciliationLineListQuery = z.output<typeof reconciliationLineListQuery>;
export type Break = View<typeof breakView>;
export type BreakListQuery = z.output<typeof breakListQuery>;
export type ResolutionInput = z.output<typeof resolutionInput>;
export type OwnerInput = z.output<typeof ownerInput>;
