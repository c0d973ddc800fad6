import { z } from 'zod';
import { pageQuery } from './page.ts';
import {
  asset,
  amount,
  chain,
  chainInput,
  compartment,
  assetInput,
  id,
  person,
  text,
  time,
  timeInput,
} from './wire.ts';
import type { View } from './view.ts';

export const segregation = z
  .enum(['individual', 'omnibus'])
  .meta({ description: 'Segregation model in the words of EMIR art. 39 and CSDR art. 38' });
export const clientKind = z.enum(['natural', 'legal']);

const item = text(4_000, 'many-lines');

const erasedAt = time.nullable().meta({
  description: 'When what names the client was destroyed, once legal retention was over; such fields are null then',
});

/** The seven items that the agreement with a client must contain, MiCA art. 75(1)(a) to (g). */
const agreementItems = {
  parties: item.meta({ description: '(a) Identity of the parties' }),
  service: item.meta({ description: '(b) Nature of the service and its description' }),
  custodyPolicy: item.meta({ description: '(c) Custody policy' }),
  communication: item.meta({ description: '(d) Means of communication, and how the client is authenticated' }),
  security: item.meta({ description: '(e) Security systems' }),
  fees: item.meta({ description: '(f) Fees, costs and charges' }),
  applicableLaw: item.meta({ description: '(g) Applicable law' }),
};

export const agreementInput = z.strictObject({ ...agreementItems, signedAt: timeInput });

export const agreement = z
  .strictObject({
    id: id('agreement'),
    clientId: id('client'),
    parties: agreementItems.parties.nullable(),
    service: agreementItems.service.nullable(),
    custodyPolicy: agreementItems.custodyPolicy.nullable(),
    communication: agreementItems.communication.nullable(),
    security: agreementItems.security.nullable(),
    fees: agreementItems.fees.nullable(),
    applicableLaw: agreementItems.applicableLaw.nullable(),
    signedAt: time,
    recordedBy: person,
    recordedAt: time,
    erasedAt,
  })
  .meta({ id: 'Agreement', description: 'Agreement with a client: the seven items of MiCA art. 75(1)' });

export const clientInput = z.strictObject({
  reference: text(120).meta({
    description: "The custodian's own number for the client; no personal data",
    example: 'C-1001',
  }),
  kind: clientKind,
  segregation,
  agreement: agreementInput.exactOptional(),
});

export const client = z
  .strictObject({
    id: id('client'),
    reference: z.string().nullable(),
    kind: clientKind,
    segregation: segregation.meta({ description: 'Model on chains for which no other version is in force' }),
    agreementId: id('agreement').nullable().meta({ description: 'Newest agreement; without one no address is issued' }),
    createdBy: person,
    createdAt: time,
    erasedAt,
  })
  .meta({ id: 'Client', description: 'A person with claims' });

export const segregationInput = z.strictObject({ chain: chainInput, segregation });

export const segregationVersion = z
  .strictObject({
    clientId: id('client'),
    chain,
    version: z.int().min(1),
    segregation,
    compartment: compartment.meta({ description: 'Where new addresses on this chain are issued' }),
    decidedBy: person,
    decidedAt: time,
  })
  .meta({
    id: 'SegregationVersion',
    description: 'Segregation model of a client on a chain; the highest version is in force',
  });

export const balance = z
  .strictObject({
    asset,
    compartment,
    available: amount.meta({ description: 'What the client may dispose of now: holds are taken off' }),
    held: amount.meta({ description: 'Held for withdrawals under way' }),
    quarantine: amount.meta({ description: 'Arrived and final, not yet released; or frozen' }),
    gas: amount.meta({ description: 'Native coin at the address of the client for network fees' }),
    feePayable: amount.meta({ description: 'Owed to the custodian' }),
  })
  .meta({ id: 'Balance', description: 'Claims of a client in one book' });

export const clientListQuery = z.strictObject({ ...pageQuery, reference: text(120).exactOptional() });
export const segregationListQuery = z.strictObject({ ...pageQuery, chain: chainInput.exactOptional() });
export const balanceListQuery = z.strictObject({ ...pageQuery, asset: assetInput.exactOptional() });

export type Client = View<typeof client>;
export type ClientInput = z.output<typeof clientInput>;
export type ClientListQuery = z.output<typeof clientListQuery>;
export type Agreement = View<typeof agreement>;
export type AgreementInput = z.output<typeof agreementInput>;
export type SegregationVersion = View<typeof segregationVersion>;
export type SegregationInput = z.output<typeof segregationInput>;
export type SegregationListQuery = z.output<typeof segregationListQuery>;
export type Balance = View<typeof balance>;
export type BalanceListQuery = z.output<typeof balanceListQuery>;
