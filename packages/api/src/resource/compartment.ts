import { z } from 'zod';
import { pageQuery } from './page.ts';
import { address, amount, asset, chain, chainInput, compartment, id, signedAmount, time } from './wire.ts';
import type { View } from './view.ts';

export const compartmentKind = z.enum(['house', 'group', 'omnibus', 'individual']);
export const walletPurpose = z.enum(['deposit', 'unassigned', 'pool', 'gas', 'fees']).meta({
  description:
    '`deposit`: address of one client; `unassigned`: issued to nobody yet; `pool`: pays the withdrawals of an omnibus; `gas`, `fees`: of the house',
});

export const wallet = z
  .strictObject({
    id: id('wallet'),
    chain,
    compartment,
    clientId: id('client').nullable(),
    address,
    kind: z.enum(['key', 'multisig', 'vault']),
    purpose: walletPurpose,
    tier: z.enum(['hot', 'warm', 'cold']),
    keyResidency: z.string().meta({ description: 'Where the key is, honestly', example: 'software' }),
    derivationPath: z.string().nullable().meta({ example: "m/44'/60'/100000'/0/0" }),
    createdAt: time,
  })
  .meta({ id: 'Wallet', description: 'One on-chain destination of one compartment on one chain' });

/** For a client: the compartment follows from its segregation model on the chain. */
export const clientWalletInput = z.strictObject({ chain: chainInput });

export const compartmentWalletInput = z.strictObject({
  chain: chainInput,
  purpose: z.enum(['unassigned', 'pool', 'gas', 'fees']),
});

export const book = z
  .strictObject({
    asset,
    wallet: signedAmount.meta({ description: 'What the books say is at the wallets' }),
    loss: amount.meta({ description: 'A hole that the house owes' }),
    available: amount.meta({ description: 'Claims that clients may dispose of now' }),
    held: amount.meta({ description: 'Claims held for movements under way' }),
    quarantine: amount,
    gas: amount,
    feePayable: amount,
    suspense: amount,
    equity: signedAmount,
    feeIncome: amount,
    networkFee: amount,
    obligation: amount,
  })
  .meta({
    id: 'Book',
    description: 'Sums of one compartment in one asset. wallet + loss + networkFee = all the others.',
  });

export const compartmentView = z
  .strictObject({
    number: compartment,
    kind: compartmentKind,
    clientId: id('client').nullable().meta({ description: 'Owner, if individual' }),
    frozen: z.boolean().meta({ description: 'Whether withdrawals are stopped' }),
    frozenBy: z.array(id('break')).meta({ description: 'The open breaks that stop them' }),
    books: z.array(book),
    createdAt: time,
  })
  .meta({ id: 'Compartment', description: 'A ring-fence' });

export const compartmentListQuery = z.strictObject({
  ...pageQuery,
  kind: compartmentKind.exactOptional(),
  frozen: z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .exactOptional(),
});

export const walletListQuery = z.strictObject({
  ...pageQuery,
  chain: chainInput.exactOptional(),
  purpose: walletPurpose.exactOptional(),
});

export type Wallet = View<typeof wallet>;
export type ClientWalletInput = z.output<typeof clientWalletInput>;
export type CompartmentWalletInput = z.output<typeof compartmentWalletInput>;
export type WalletListQuery = z.output<typeof walletListQuery>;
export type BookView = View<typeof book>;
export type CompartmentView = View<typeof compartmentView>;
export type CompartmentListQuery = z.output<typeof compartmentListQuery>;
