import { z } from 'zod';
import { pageQuery } from './page.ts';
import { statement } from './signer.ts';
import { address, amount, asset, chain, chainInput, compartment, id, signedAmount, text, time } from './wire.ts';
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
    kind: z.enum(['key', 'vault', 'forwarder']).meta({
      description:
        '`key`: an account of a key; `vault`: the contract of the compartment; `forwarder`: sends what it gets to its vault and nowhere else',
    }),
    purpose: walletPurpose,
    tier: z.enum(['hot', 'warm', 'cold']),
    keyResidency: z.enum(['software', 'hsm', 'hsm-derived', 'hsm-sealed']).nullable().meta({
      description:
        "Null for vaults and forwarders, which have no key. How far the key is from software, by the signer's certificate: `hsm` made in a module and never outside, `hsm-derived` derived inside one, `hsm-sealed` sealed by one and in memory while it signs, `software` in a file",
    }),
    derivationPath: z.string().nullable().meta({ example: "m/44'/60'/100000'/0/0" }),
    keyLabel: z.string().nullable().meta({ description: 'Of a key of its own, which has no path' }),
    vaultWalletId: id('wallet').nullable().meta({ description: 'The vault that a forwarder is bound to' }),
    createdAt: time,
  })
  .meta({ id: 'Wallet', description: 'One on-chain destination of one compartment on one chain' });

export const listedWallet = wallet
  .extend({
    address: address.nullable().meta({ description: 'Null where there is a problem: do not pay to it' }),
    problem: z
      .enum(['wallet/address-mismatch', 'signer/certificate-invalid', 'vault/receipt-missing'])
      .nullable()
      .meta({
        description:
          'Why no address is shown: the stored one is not that of the key, nothing proves it, or the client does not hold the certificate of the vault yet',
      }),
  })
  .meta({ id: 'ListedWallet', description: 'A wallet in a list; one that is not proven is there without its address' });

/** For a client: the compartment follows from its segregation model on the chain. */
export const clientWalletInput = z.strictObject({ chain: chainInput });

export const compartmentWalletInput = z.strictObject({
  chain: chainInput,
  purpose: z.enum(['unassigned', 'pool', 'gas', 'fees']),
  keyLabel: text(64).exactOptional().meta({
    description: 'Label of a key of its own in a hardware module; without it the key comes from the seed',
  }),
});

export const walletCertificate = z
  .strictObject({
    walletId: id('wallet'),
    address,
    certificate: statement,
    certificates: z.array(statement).meta({
      description: 'One of the signer for an address of a key; of as many signers as must agree for one of a contract',
    }),
    vaultCertificates: z.array(statement).meta({
      description: 'Of a forwarder: those of the vault that it pays, with the whole configuration; none otherwise',
    }),
  })
  .meta({ id: 'WalletCertificate', description: 'Deposit-address certificate of one client; verifies offline' });

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
export type ListedWallet = View<typeof listedWallet>;
export type ClientWalletInput = z.output<typeof clientWalletInput>;
export type WalletCertificate = View<typeof walletCertificate>;
export type CompartmentWalletInput = z.output<typeof compartmentWalletInput>;
export type WalletListQuery = z.output<typeof walletListQuery>;
export type BookView = View<typeof book>;
export type CompartmentView = View<typeof compartmentView>;
export type CompartmentListQuery = z.output<typeof compartmentListQuery>;
