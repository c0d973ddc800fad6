import { z } from 'zod';
import { hexBytes } from './approval.ts';
import { pageQuery } from './page.ts';
import { intentView, statement } from './signer.ts';
import { clientKeyInput, seconds, word } from './vault.ts';
import type { View } from './view.ts';
import { address, addressInput, block, chain, chainInput, compartment, count, hash, id, person, time } from './wire.ts';

/** Members of a set of signers, as the contract takes them. */
const membersMax = 32;

const approvals = z.array(z.strictObject({ by: person, at: time }));

export const keyRecoveryInput = z.strictObject({
  role: z.enum(['client', 'exit']).meta({ description: 'Which of the two keys the client has lost' }),
  newKey: clientKeyInput.meta({ description: 'The key that the client made anew' }),
});

export const keyRecovery = z
  .strictObject({
    id: id('keyRecovery'),
    vaultId: id('vault'),
    chain,
    compartment,
    role: z.enum(['client', 'exit']),
    newKey: word,
    change: word.meta({ description: 'What a veto of the client names' }),
    state: z.enum([
      'awaiting-approval',
      'signing',
      'broadcast',
      'queued',
      'executed',
      'vetoed',
      'void',
      'cancelled',
      'expired',
      'failed',
    ]),
    reason: z.string().nullable(),
    approvals,
    readyAt: seconds.nullable().meta({ description: 'From when on anybody may put the key in force, Unix seconds' }),
    intentDigest: hexBytes(32),
    expiresAt: time,
    transactionHash: hash.nullable().meta({ description: 'In which the vault queued it, whoever sent it' }),
    block: block.nullable(),
    ended: z
      .strictObject({ transactionHash: hash, block })
      .nullable()
      .meta({ description: 'In which the vault put it in force, or the client vetoed it' }),
    requestedBy: person,
    createdAt: time,
    updatedAt: time,
  })
  .meta({
    id: 'KeyRecovery',
    description:
      'Another key in the place of one that a client has lost: approved by people, signed by the quorum, in force after the long delay of the vault, in which the client vetoes',
  });

export const keyRecoveryIntent = z
  .strictObject({ keyRecoveryId: id('keyRecovery'), intent: intentView, brief: statement.nullable() })
  .meta({ id: 'KeyRecoveryIntent', description: 'What people sign' });

export const keyRecoveryListQuery = z.strictObject({ ...pageQuery, vaultId: id('vault').exactOptional() });

export const signerSetChangeInput = z
  .strictObject({
    chain: chainInput.meta({ description: 'Any chain whose vaults have the set; the change counts on all of them' }),
    members: z
      .array(addressInput)
      .min(1)
      .max(membersMax)
      .refine((members) => new Set(members).size === members.length, 'Each member counts once.')
      .meta({ description: 'Who is to be in the set: addresses of the member keys of the signers' }),
    threshold: z.int().min(1).max(membersMax),
  })
  .refine(({ members, threshold }) => threshold <= members.length, {
    message: 'More signatures than members are never there.',
    path: ['threshold'],
  });

export const signerSetChange = z
  .strictObject({
    id: id('signerSetChange'),
    signerSet: address,
    number: count,
    members: z.array(address),
    threshold: z.int(),
    state: z.enum(['awaiting-approval', 'signing', 'signed', 'cancelled', 'expired']),
    reason: z.string().nullable(),
    approvals,
    chains: z
      .array(
        z.strictObject({
          chain,
          state: z.enum(['missing', 'queued', 'in-force']),
          activeFrom: time.nullable(),
          reason: z.string().nullable(),
          transactionHash: hash.nullable(),
          block: block.nullable(),
        }),
      )
      .meta({ description: 'Of one that is signed: how far it has come on each chain, as of its final block' }),
    intentDigest: hexBytes(32),
    expiresAt: time,
    requestedBy: person,
    createdAt: time,
    updatedAt: time,
  })
  .meta({
    id: 'SignerSetChange',
    description:
      'Other members of the set of signers: approved by people, signed by those who are in it and those who are to be, carried to every chain',
  });

export const signerSetChangeIntent = z
  .strictObject({ signerSetChangeId: id('signerSetChange'), intent: intentView, brief: statement.nullable() })
  .meta({ id: 'SignerSetChangeIntent', description: 'What people sign' });

export const signerSetChangeListQuery = z.strictObject(pageQuery);

export type KeyRecoveryInput = z.output<typeof keyRecoveryInput>;
export type KeyRecovery = View<typeof keyRecovery>;
export type KeyRecoveryIntent = View<typeof keyRecoveryIntent>;
export type KeyRecoveryListQuery = z.output<typeof keyRecoveryListQuery>;
export type SignerSetChangeInput = z.output<typeof signerSetChangeInput>;
export type SignerSetChange = View<typeof signerSetChange>;
export type SignerSetChangeIntent = View<typeof signerSetChangeIntent>;
export type SignerSetChangeListQuery = z.output<typeof signerSetChangeListQuery>;
