import { z } from 'zod';
import { hexBytes } from './approval.ts';
import { pageQuery } from './page.ts';
import {
  address,
  addressInput,
  amountInput,
  assetInput,
  block,
  chain,
  chainInput,
  compartment,
  compartmentInput,
  compartmentParameter,
  count,
  hash,
  id,
  person,
  time,
} from './wire.ts';
import { intentView, statement } from './signer.ts';
import type { View } from './view.ts';

/** Entries of each list of an initial policy, and bytes of an assertion of a passkey. */
const policyEntriesMax = 64;
const signatureBytesMax = 4_096;

type Hex = `0x${string}`;

export const word = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/u)
  .meta({ description: '32 bytes', example: `0x${'0f'.repeat(32)}` });

const wordInput: z.ZodType<bigint, string> = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/u, 'Expected 0x and 64 lower-case hex digits')
  .transform((text) => BigInt(text));

export const clientKeyInput = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('secp256k1'), address: addressInput }),
  z.strictObject({ kind: z.literal('passkey'), point: z.strictObject({ x: wordInput, y: wordInput }) }),
]);

const limitInput = z.strictObject({ token: addressInput, cap: amountInput });
const limitsInput = z.array(limitInput).max(policyEntriesMax);

export const vaultInput = z
  .strictObject({
    chain: chainInput,
    clientId: id('client')
      .exactOptional()
      .meta({ description: 'Whose vault it is; for a pool its compartment instead' }),
    compartment: compartmentInput.exactOptional().meta({ description: 'The omnibus compartment whose vault it is' }),
    clientKey: clientKeyInput.meta({ description: 'Agrees to destinations and limits; of a pool, its governance' }),
    exitKey: clientKeyInput.meta({ description: "Asks for the exit; of a pool, the insolvency administrator's" }),
    exitDestination: addressInput,
    destinations: z.array(addressInput).max(policyEntriesMax),
    limits: limitsInput.meta({
      description: 'Most that leaves of a token in one window; the zero address is the coin',
    }),
    unlisted: limitsInput.default([]).meta({ description: 'The same for destinations nobody listed; of a pool alone' }),
    tier: z
      .enum(['hot', 'warm', 'cold'])
      .exactOptional()
      .meta({ description: 'How readily it pays, as the registry of the signers is to list it; `hot` where left out' }),
  })
  .refine(({ clientId, compartment: pool }) => (clientId === undefined) !== (pool === undefined), {
    message: 'Name a client, or the compartment of a pool.',
  });

export const vaultSignatureInput = z.strictObject({
  signature: z
    .string()
    .max(2 + signatureBytesMax * 2)
    .regex(/^0x(?:[0-9a-f]{2})+$/u, 'Expected 0x and lower-case hex of whole bytes')
    .meta({
      description: 'Signature of a client key as contracts take it: 65 bytes, or an encoded assertion of a passkey',
    })
    .transform((text): Hex => `0x${text.slice(2)}`),
});

export const flushInput = z.strictObject({ asset: assetInput });

export const toSign = z
  .strictObject({
    digest: word,
    typedData: z.strictObject({
      domain: z.record(z.string(), z.string()),
      types: z.record(z.string(), z.array(z.strictObject({ name: z.string(), type: z.string() }))),
      primaryType: z.string(),
      message: z.record(z.string(), z.unknown()),
    }),
  })
  .meta({ id: 'ToSign', description: 'What a client key has to sign, as eth_signTypedData_v4 takes it' });

const limit = z.strictObject({ token: z.string(), cap: z.string() });
export const seconds = count.meta({ description: 'Unix seconds of the chain' });

const configuration = z
  .strictObject({
    clientId: word,
    signerSet: z.string(),
    feeReceiver: z.string(),
    exitDestination: z.string(),
    clientKey: word,
    exitKey: word,
    policyHash: word,
    kind: z.string(),
    feeBpsYear: z.string(),
    windowSeconds: z.string(),
    changeDelay: z.string(),
    recoveryDelay: z.string(),
    exitDelay: z.string(),
    exitChangeDelay: z.string(),
    heartbeatPeriod: z.string(),
    pauseSeconds: z.string(),
  })
  .meta({ id: 'VaultConfiguration', description: 'Everything about a vault that never changes' });

export const vault = z
  .strictObject({
    id: id('vault'),
    chain,
    compartment,
    clientId: id('client').nullable(),
    state: z.enum(['drafted', 'agreed', 'certified', 'issued']),
    walletId: id('wallet').nullable(),
    address: address.nullable().meta({ description: 'Null until the client has acknowledged the certificate' }),
    configHash: word,
    configuration,
    policy: z.strictObject({
      destinations: z.array(z.string()),
      limits: z.array(limit),
      unlisted: z.array(limit),
    }),
    agreement: toSign.nullable().meta({ description: 'Missing for the next step; null where it is there' }),
    agreementSignature: z.string().nullable(),
    receipt: toSign.nullable().meta({ description: 'Missing for the next step; null where it is there' }),
    certificate: z.string().nullable().meta({
      description: 'The bytes that the client keeps: with them and the chain it can deploy the vault and exit alone',
    }),
    certificateDigest: word.nullable(),
    backedUpAt: time.nullable(),
    onChain: z.strictObject({
      asOf: block.nullable(),
      deployedIn: block.nullable(),
      policyOpened: z.boolean(),
      destinations: z.array(z.strictObject({ address, activeFrom: seconds.nullable() })),
      limits: z.array(limit),
      unlistedLimits: z.array(limit),
      queue: z.array(
        z.strictObject({
          change: word,
          kind: z.enum(['limit', 'exit-destination', 'key']),
          readyAt: seconds,
          token: z.string().nullable(),
          cap: z.string().nullable(),
          unlisted: z.boolean().nullable(),
          to: z.string().nullable(),
          role: z.enum(['client', 'exit']).nullable(),
          newKey: z.string().nullable(),
        }),
      ),
      exit: z.enum(['none', 'requested', 'open']),
      exitReadyAt: seconds.nullable(),
      exitDestination: address,
      clientKey: word,
      exitKey: word,
      pausedUntil: z.strictObject({ quorum: seconds.nullable(), client: seconds.nullable() }),
    }),
    requestedBy: person,
    createdAt: time,
    updatedAt: time,
  })
  .meta({ id: 'Vault', description: 'The contract of one compartment on one chain, as of the final block' });

export const vaultListQuery = z.strictObject({
  ...pageQuery,
  chain: chainInput.exactOptional(),
  clientId: id('client').exactOptional(),
  compartment: compartmentParameter.exactOptional(),
  address: addressInput.exactOptional(),
});

export const restrictionInput = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('pause') }),
  z.strictObject({
    kind: z.literal('limit-lowering'),
    asset: assetInput,
    cap: amountInput.meta({ description: 'Most that the window lets through from now on' }),
    window: z.enum(['listed', 'unlisted']).meta({ description: 'Of destinations that are listed, or of all others' }),
  }),
  z.strictObject({ kind: z.literal('destination-removal'), destination: addressInput }),
]);

export const vaultRestriction = z
  .strictObject({
    id: id('vaultRestriction'),
    vaultId: id('vault'),
    chain,
    compartment,
    kind: z.enum(['pause', 'limit-lowering', 'destination-removal']),
    asset: z.string().nullable(),
    cap: z.string().nullable(),
    window: z.enum(['listed', 'unlisted']).nullable(),
    destination: z.string().nullable(),
    state: z.enum(['awaiting-approval', 'signing', 'broadcast', 'applied', 'cancelled', 'expired', 'failed']),
    reason: z.string().nullable(),
    approvals: z.array(z.strictObject({ by: person, at: time })),
    intentDigest: hexBytes(32),
    expiresAt: time,
    transactionHash: hash.nullable().meta({ description: 'In which the vault said so, whoever sent it' }),
    block: block.nullable(),
    requestedBy: person,
    createdAt: time,
    updatedAt: time,
  })
  .meta({
    id: 'VaultRestriction',
    description: 'What makes a vault do less, at once: approved by people, signed by the quorum, carried by the house',
  });

export const vaultRestrictionIntent = z
  .strictObject({ restrictionId: id('vaultRestriction'), intent: intentView, brief: statement.nullable() })
  .meta({ id: 'VaultRestrictionIntent', description: 'What people sign' });

export const restrictionListQuery = z.strictObject({ ...pageQuery, vaultId: id('vault').exactOptional() });

export type RestrictionInput = z.output<typeof restrictionInput>;
export type VaultRestriction = View<typeof vaultRestriction>;
export type VaultRestrictionIntent = View<typeof vaultRestrictionIntent>;
export type RestrictionListQuery = z.output<typeof restrictionListQuery>;
export type Vault = View<typeof vault>;
export type VaultInput = z.output<typeof vaultInput>;
export type VaultSignatureInput = z.output<typeof vaultSignatureInput>;
export type FlushInput = z.output<typeof flushInput>;
export type VaultListQuery = z.output<typeof vaultListQuery>;
