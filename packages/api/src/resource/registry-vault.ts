import { z } from 'zod';
import { hexBytes } from './approval.ts';
import { addressInput, amountInput, chainInput, compartmentInput } from './wire.ts';

/** Members that a signer set can have. */
const setMembersMax = 32;
/** Entries of each list of an initial policy, and bytes of what is written out whole. */
const policyEntriesMax = 64;
const delegateCodeBytesMax = 8_192;
const agreementBytesMax = 4_096;

type Word = `0x${string}`;

const word: z.ZodType<Word, string> = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/u, 'Expected 0x and 64 lower-case hex digits')
  .meta({ description: '32 bytes', example: `0x${'0f'.repeat(32)}` })
  .transform((text): Word => `0x${text.slice(2)}`);

const codeHash: z.ZodType<Word, string> = hexBytes(32)
  .meta({ description: 'Keccak-256 of the code' })
  .transform((text): Word => `0x${text}`);

/** The contracts of vaults on a chain, as `bulkhead vault deploy` prints the item. */
export const vaultSystemItem = z.strictObject({
  item: z.literal('vault-system'),
  chain: chainInput,
  factory: addressInput,
  vaultImplementation: addressInput,
  forwarderImplementation: addressInput,
  signerSet: addressInput,
  codeHashes: z.strictObject({
    factory: codeHash,
    vaultImplementation: codeHash,
    forwarderImplementation: codeHash,
    signerSet: codeHash,
  }),
  feeReceiver: addressInput,
  members: z.array(addressInput).min(1).max(setMembersMax),
  threshold: z.int().min(1).max(setMembersMax),
  delegateCode: hexBytes(0, delegateCodeBytesMax).meta({
    description: 'Creation code of what addresses with tokens alone delegate to; empty where none do',
  }),
});

const limit = z.strictObject({ cap: amountInput, token: addressInput });
const limits = z.array(limit).max(policyEntriesMax);

const config = z.strictObject({
  clientId: word,
  signerSet: addressInput,
  feeReceiver: addressInput,
  exitDestination: addressInput,
  clientKey: word,
  exitKey: word,
  policyHash: word,
  kind: z.enum(['individual', 'omnibus']),
  feeBpsYear: amountInput,
  windowSeconds: amountInput,
  changeDelay: amountInput,
  recoveryDelay: amountInput,
  exitDelay: amountInput,
  exitChangeDelay: amountInput,
  heartbeatPeriod: amountInput,
  pauseSeconds: amountInput,
});

/** A vault as its client signed it. */
export const vaultItem = z.strictObject({
  item: z.literal('vault'),
  chain: chainInput,
  compartment: compartmentInput,
  client: z
    .string()
    .regex(/^[a-z]{1,16}_[0-9a-z-]{1,64}$/u, 'Expected the id of a client, cl_…')
    .exactOptional()
    .meta({ description: 'Whose vault it is; absent for the one of a pool' }),
  tier: z.enum(['hot', 'warm', 'cold']),
  config,
  policy: z.strictObject({
    destinations: z.array(addressInput).max(policyEntriesMax),
    limits,
    unlisted: limits,
  }),
  agreement: hexBytes(1, agreementBytesMax).meta({
    description: "The client key's signature over configuration and policy, as the contract takes it",
  }),
});
