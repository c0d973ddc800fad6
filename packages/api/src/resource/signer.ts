import { z } from 'zod';
import { hexBytes } from './approval.ts';
import { pageQuery } from './page.ts';
import { address, block, chain, chainInput, count, id, time } from './wire.ts';
import type { View } from './view.ts';

const digest = hexBytes(32);

export const statement = z
  .strictObject({
    statement: z.string().meta({ description: 'Text as it was signed: a header line and canonical JSON' }),
    identity: digest.meta({ description: 'Public key of the identity that signed, Ed25519' }),
    signature: hexBytes(64).meta({ description: 'Ed25519 over the UTF-8 bytes of the text' }),
  })
  .meta({ id: 'Statement', description: 'Something the signer vouches for; verified offline' });

export const slot = z
  .strictObject({
    name: z.string(),
    healthy: z.boolean(),
    detail: z.string(),
  })
  .meta({ id: 'Slot', description: 'A place that holds keys, or the head of the log' });

const residency = z.enum(['software', 'hsm', 'hsm-derived', 'hsm-sealed']);

const signerStanding = z
  .strictObject({
    name: z.string().meta({ description: 'How messages, metrics and this list call it' }),
    condition: z.enum(['signing', 'recovery', 'silent']).meta({
      description:
        'Just now: `signing`; `recovery`, answers and signs nothing until its state is mended; `silent`, nobody answers',
    }),
    reason: z.string().nullable().meta({ description: 'Why it is silent, or what is wrong with one that answers' }),
    pinned: z.array(digest).meta({ description: 'Identities that this server believes, by its configuration' }),
    residency: residency.nullable(),
    registryVersion: count.nullable(),
    registryHash: digest.nullable(),
    sequence: count.nullable().meta({ description: 'Newest record of its log' }),
    identities: z.array(digest).meta({ description: 'Identities that it has' }),
    members: z.array(address).meta({ description: 'Addresses of its keys that are for sets of signers' }),
    slots: z.array(slot),
  })
  .meta({ id: 'SignerStanding', description: 'One of the processes that sign, and where it stands' });

const signerQuorum = z
  .strictObject({
    chain,
    signerSet: address,
    threshold: z.int().positive().meta({ description: 'Members that must sign' }),
    members: z.array(
      z.strictObject({
        address,
        signing: z.boolean().meta({ description: 'Whether a signer with this key would sign now' }),
      }),
    ),
    signing: z.int().nonnegative().meta({ description: 'Members that would sign now; each counts once' }),
    sufficient: z.boolean().meta({ description: 'Whether vaults of this chain can pay now' }),
    heartbeat: z
      .strictObject({
        lastAt: time.meta({ description: 'The newest that the signer set has, at a final block' }),
        dueAt: time.nullable().meta({ description: 'When the next is made; null where this server makes none' }),
        missed: z.boolean().meta({ description: 'Whether it is overdue: silence opens the exits of all vaults' }),
        reason: z.string().nullable().meta({ description: 'Why the one that is under way does not move' }),
      })
      .nullable()
      .meta({ description: 'Null until somebody has looked' }),
  })
  .meta({ id: 'SignerQuorum', description: 'Whether as many signers as the vaults of a chain need would sign now' });

export const signerView = z
  .strictObject({
    reachable: z.boolean().meta({ description: 'Whether the signer answered just now' }),
    reason: z.string().nullable().meta({ description: 'Why not, or what is wrong with one that answers' }),
    deployment: z
      .string()
      .regex(/^[0-9a-f]{32}$/u)
      .meta({ description: 'The installation that every intent names' }),
    pinned: z.array(digest).meta({ description: 'Identities that this server believes, by its configuration' }),
    residency: residency.nullable(),
    registryVersion: count.nullable(),
    registryHash: digest.nullable(),
    sequence: count.nullable().meta({ description: "Newest record of the signer's log" }),
    identities: z.array(digest).meta({ description: 'Identities that the signer has' }),
    slots: z.array(slot),
    stored: z
      .strictObject({
        sequence: count.meta({ description: 'Newest record that is stored here, none missing before it' }),
        hash: digest,
        trouble: z
          .string()
          .nullable()
          .meta({ description: 'Why its log cannot be what it was: a fork, a gap, an older state' }),
      })
      .meta({ description: "How far the signer's log is stored here" }),
    signers: z.array(signerStanding).meta({
      description: 'All of them: the one that the other fields are about, and those that sign for vaults beside it',
    }),
    quorums: z.array(signerQuorum).meta({ description: 'One for each chain with vaults' }),
  })
  .meta({
    id: 'Signer',
    description:
      'The process that holds the keys of wallets and decides on its own what they sign, and those beside it',
  });

export const signerRecord = z
  .strictObject({
    sequence: count,
    line: z.string().meta({ description: 'The record, canonical JSON' }),
    previous: digest.meta({ description: 'Hash of the log before it' }),
    following: z.array(digest).meta({ description: 'Digests of the lines up to the signed head' }),
    head: statement,
  })
  .meta({ id: 'SignerRecord', description: 'A decision of the signer, a grant or a refusal, with what proves it' });

export const signerRecordListQuery = z.strictObject(pageQuery);

export const typedData = z
  .strictObject({
    domain: z.record(z.string(), z.union([z.string(), z.int()])),
    types: z.record(z.string(), z.array(z.strictObject({ name: z.string(), type: z.string() }))),
    primaryType: z.string(),
    message: z.record(z.string(), z.string()),
  })
  .meta({ id: 'TypedData', description: 'The intent as EIP-712 wallets show and sign it; bytes and integers as text' });

export const intentView = z
  .strictObject({
    canonical: z.string().meta({ description: 'The exact text that is approved; read it, do not believe us' }),
    digest: digest.meta({ description: 'SHA-256 of its bytes: the challenge of a passkey' }),
    typedData,
    approvalLink: z.string().nullable().meta({
      description: 'For the approval page, which decodes the text itself; null where no page is configured',
    }),
  })
  .meta({ id: 'Intent', description: 'What people approve and the signer acts on' });

export const withdrawalIntent = z
  .strictObject({
    withdrawalId: id('withdrawal'),
    intent: intentView,
    requestedBy: z.string(),
    requestSigned: z.boolean().meta({ description: "Whether the requester's own signature is there" }),
    brief: statement.nullable().meta({
      description: 'What the signer says about it now, signed; null while the signer does not answer',
    }),
    createdAt: time,
  })
  .meta({ id: 'WithdrawalIntent', description: 'The intent of a withdrawal, to be signed by people' });

export const heartbeat = z
  .strictObject({
    id: id('heartbeat'),
    chain,
    signerSet: address,
    state: z.enum(['signing', 'relaying', 'carried', 'failed']).meta({
      description: '`carried`: the signer set has it or a newer one; `failed`: the chain forgot its block before',
    }),
    block: block.meta({ description: 'The final block that it names: nobody could sign it earlier' }),
    anchor: z
      .strictObject({
        leaves: z.int().min(1),
        digest: z.string().regex(/^[0-9a-f]{64}$/u),
      })
      .nullable()
      .meta({
        description: 'The checkpoint of the audit log that it puts on the chain: SHA-256 of what its signature covers',
      }),
    reason: z.string().nullable().meta({ description: 'Why it does not move' }),
    dispatchId: id('dispatch').nullable().meta({ description: 'The transaction of the house that carries it' }),
    previousAt: time.meta({ description: 'The one before, by the signer set' }),
    carriedAt: time.nullable(),
    createdAt: time,
  })
  .meta({ id: 'Heartbeat', description: 'The signers of a set show its contract that they are there' });

export const heartbeatListQuery = z.strictObject({ ...pageQuery, chain: chainInput.exactOptional() });

export type HeartbeatView = View<typeof heartbeat>;
export type HeartbeatListQuery = z.output<typeof heartbeatListQuery>;
export type SignerView = View<typeof signerView>;
export type SignerStandingView = View<typeof signerStanding>;
export type SignerQuorumView = View<typeof signerQuorum>;
export type SignerRecordView = View<typeof signerRecord>;
export type SignerRecordListQuery = z.output<typeof signerRecordListQuery>;
export type Statement = View<typeof statement>;
export type IntentView = View<typeof intentView>;
export type TypedDataView = View<typeof typedData>;
export type WithdrawalIntentView = View<typeof withdrawalIntent>;
