import {
  type Asset,
  CustodyError,
  kindOf,
  parseAddress,
  parseAmount,
  parseAssetId,
  parseChainId,
  parseCompartment,
  parsePositiveAmount,
  isLogOrigin,
} from '@bulkhead/domain';
import { roles } from '@bulkhead/api';
import { parseBalanceMapping } from '@bulkhead/proofs';
import { isKeyName, parseVerifierKey } from '@bulkhead/tlog';
import { isHexOf } from '@bulkhead/vaults';
import { z } from 'zod';

/** Longest string a value may be. Nothing we configure needs more, and messages stay readable. */
const textCharsMax = 500;

/** Runs a parser of the domain; its fault becomes the message. */
function parsed<In, Out>(parse: (value: In) => Out): (value: In, context: z.core.$RefinementCtx<In>) => Out {
  return (value, context) => {
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof CustodyError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  };
}

function whole(min: number, max: number): z.ZodNumber {
  const error = `Give a whole number from ${min} to ${max}, without quotes.`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

const words = z
  .string({ error: 'Give some text in quotes.' })
  .min(1, { error: 'Give some text, not an empty one.' })
  .max(textCharsMax);
const flag = z.boolean({ error: 'Give true or false, without quotes.' });
const digits = z
  .string({ error: 'Give decimal digits in quotes, such as "1500000000": JSON numbers lose digits.' })
  .max(textCharsMax);
const amount = digits.transform(parsed(parseAmount));
const positive = digits.transform(parsed(parsePositiveAmount));
const chainId = words.transform(parsed(parseChainId));

const fees = z.strictObject({
  maxFeePerGas: positive.default(100_000_000_000n),
  nativeGas: positive.default(50_000n),
  tokenGas: positive.default(150_000n),
});

const embedded = z.strictObject({ port: whole(0, 65_535).default(0), blockTimeSeconds: whole(0, 3_600).default(0) });

const address = words.transform(parsed(parseAddress));
const codeHash = z
  .string({ error: 'Give the hash of the code in quotes.' })
  .refine((text) => isHexOf(text, 32), { error: 'Give 0x and 64 lower-case hex digits.' })
  .transform((text): `0x${string}` => `0x${text.slice(2)}`);

/** Members that a signer set may have, as its contract has it. */
const setMembersMax = 32;

/** The contracts of vaults on one chain, as `bulkhead vault deploy` prints them. */
export const systemForm = z.strictObject({
  factory: address,
  vaultImplementation: address,
  forwarderImplementation: address,
  signerSet: address,
  codeHashes: z.strictObject({
    factory: codeHash,
    vaultImplementation: codeHash,
    forwarderImplementation: codeHash,
    signerSet: codeHash,
  }),
  members: z.array(address, { error: 'Give a list of addresses.' }).min(1).max(setMembersMax),
  threshold: whole(1, setMembersMax),
});

export type SystemSection = z.output<typeof systemForm>;

const seconds = whole(1, 366 * 86_400).transform(BigInt);

/** Where proofs of reserves are pinned on one chain, as `bulkhead proof deploy` prints it, and what is proven there. */
const proofRegistryForm = z.strictObject({
  address,
  codeHash,
  custodian: z
    .string({ error: 'Give who the custodian is in quotes.' })
    .refine((text) => isHexOf(text, 32), { error: 'Give 0x and 64 lower-case hex digits.' })
    .transform((text): `0x${string}` => `0x${text.slice(2)}`),
  window: whole(1, 100_000),
  drawDelay: whole(1, 8_000),
  commitWithinSeconds: seconds,
  cadenceSeconds: seconds,
  proveWithinSeconds: seconds,
  epochSeconds: whole(0, 366 * 86_400)
    .transform(BigInt)
    .exactOptional(),
  assets: z
    .array(
      z.strictObject({
        asset: words.transform(parsed(parseAssetId)),
        tier: z.enum(['plain', 'confidential'], { error: 'Give one of: plain, confidential.' }),
        unitExponent: whole(0, 36),
        balances: words.transform(parsed(parseBalanceMapping)).exactOptional(),
      }),
      { error: 'Give a list of assets.' },
    )
    .max(1_000),
});

export type ProofRegistrySection = z.output<typeof proofRegistryForm>;

/** One followed chain. Its sources are in the environment, because their addresses carry access keys. */
const chain = z.strictObject({
  id: chainId,
  development: flag.default(false),
  agreement: whole(1, 9).exactOptional(),
  startBlock: amount.exactOptional(),
  pollMs: whole(20, 600_000).default(1_000),
  fees: fees.prefault({}),
  embedded: embedded.prefault({}),
  vaults: systemForm.exactOptional(),
  proofRegistry: proofRegistryForm.exactOptional(),
  sweepDelegates: flag.default(false),
});

const asset = z
  .strictObject({
    asset: words.transform(parsed(parseAssetId)),
    symbol: words.max(20),
    decimals: whole(0, 36),
    behaviour: z.enum(['native', 'standard', 'fee-on-transfer'], {
      error: 'Give one of: native, standard, fee-on-transfer.',
    }),
    dustMax: amount,
    dti: words.regex(/^[0-9B-DF-HJ-NP-TV-XZ]{9}$/u, { error: 'Give nine characters of ISO 24165.' }).exactOptional(),
  })
  .transform(({ asset: id, dti, ...rest }): Asset => ({ id, ...rest, ...(dti === undefined ? {} : { dti }) }));

const token = z
  .strictObject({
    name: words.max(120),
    role: z.enum(roles, { error: `Give one of: ${roles.join(', ')}.` }),
    client: z
      .string()
      .regex(/^cl_[0-9a-f-]{36}$/u, { error: 'Give the id of the client, as the API shows it.' })
      .exactOptional(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/u, { error: 'Give 64 lower-case hex digits: printf %s "$TOKEN" | sha256sum' })
      .exactOptional(),
    environment: z
      .string()
      .regex(/^[A-Z][A-Z0-9_]{0,99}$/u, { error: 'Give the name of an environment variable, such as TOKEN_ALICE.' })
      .exactOptional(),
  })
  .refine(({ role, client }) => (role === 'client') === (client !== undefined), {
    error:
      'Give client, the id of one, exactly where the role is client: its token reads the proofs of that client alone.',
  })
  .refine((value) => (value.sha256 === undefined) !== (value.environment === undefined), {
    error: 'Give either sha256, the digest of the token, or environment, the variable that holds it.',
  });

/** What the law of the place forbids. Both are said, so that nobody takes what was left out for what was looked up. */
const jurisdiction = z.strictObject({
  name: words.max(120),
  omnibusForbidden: flag,
  noContractInColdTier: flag,
});

const policy = z.strictObject({
  quorum: whole(1, 20).default(2),
  withdrawalTtlHours: whole(1, 24 * 365).default(72),
  releaseUnscreenedDeposits: flag.default(false),
  releaseUnscreenedWithdrawals: flag.default(false),
  omnibusCompartment: z
    .number({ error: 'Give the number of an omnibus compartment, 10000 to 99999.' })
    .refine(
      (value) =>
        Number.isInteger(value) &&
        value >= 10_000 &&
        kindOf(parseCompartment(Math.min(value, 2 ** 31 - 1))) === 'omnibus',
      {
        error: 'Give the number of an omnibus compartment, 10000 to 99999.',
      },
    )
    .transform(parseCompartment)
    .default(parseCompartment(10_000)),
  bumpAfterSeconds: whole(1, 86_400).default(90),
  gasGrantTransactions: whole(1, 1_000).default(3),
  balanceSweepBlocks: whole(1, 1_000_000).default(100),
  breakOwner: words.max(120).default('reconciliation'),
  breakDeadlineHours: whole(1, 24 * 365).default(24),
  jurisdiction: jurisdiction.exactOptional(),
});

const hexDigits = (count: number, what: string): z.ZodString =>
  z.string({ error: `Give ${what} in quotes.` }).regex(new RegExp(`^[0-9a-f]{${count}}$`, 'u'), {
    error: `Give ${what}: ${count} lower-case hex digits.`,
  });

/** Identities that one deployment may have: one for each slot, and those of the year before. */
const identitiesMax = 8;

/** A signer that somebody else runs. Which identities are believed is decided here and nowhere else. */
const vaultSigner = z.strictObject(
  {
    address: words.regex(/^(?:unix:\/.+|tls:\/\/[^/\s]+:[0-9]{1,5})$/u, {
      error: 'Give unix:/path/to/its/socket or tls://host:port.',
    }),
    identities: z
      .array(hexDigits(64, 'a public identity key of the signer'), { error: 'Give a list of identity keys.' })
      .min(1, { error: 'Name at least one identity: without one nothing that the signer says could be believed.' })
      .max(identitiesMax),
    tls: z
      .strictObject({
        authorityFile: words,
        certificateFile: words,
        keyFile: words,
        signerKeys: z
          .array(hexDigits(64, "the SHA-256 of the public key of the signer's certificate"))
          .min(1)
          .max(identitiesMax),
      })
      .exactOptional(),
  },
  {
    error: ({ code }) =>
      code === 'invalid_type' ? 'Give an object with address and identities of the signer.' : undefined,
  },
);

/** The one that holds the keys of the wallets also says which installation this is. */
const signer = vaultSigner.extend({ deployment: hexDigits(32, 'the id of the deployment') });

/** Signers beside the first one that hold a key of the signer set of the vaults. */
export const vaultSignersMax = 15;

/** How many of them are started beside the signer for development. */
export const vaultSignersOfDevelopment: z.ZodDefault<z.ZodNumber> = whole(0, vaultSignersMax).default(2);

/** What vaults are offered with, and where their certificates are kept. */
const vaults = z.strictObject({
  backup: words.exactOptional(),
  feeBpsYear: whole(0, 1_000).transform(BigInt).exactOptional(),
  windowSeconds: seconds.exactOptional(),
  changeDelaySeconds: seconds.exactOptional(),
  recoveryDelaySeconds: seconds.exactOptional(),
  exitDelaySeconds: seconds.exactOptional(),
  exitChangeDelaySeconds: seconds.exactOptional(),
  heartbeatPeriodSeconds: seconds.exactOptional(),
  pauseSeconds: seconds.exactOptional(),
  heartbeatHours: whole(0, 8_784).exactOptional(),
});

const pageMistake =
  'Give the address of the approval page, such as "https://approve.example.com"; beside the signer for development, { "port": 4401, "name": "…" } says how it is served.';
const pageAddress = z.url({ protocol: /^https?$/u, error: pageMistake }).max(textCharsMax);
/** How the page for development is served. */
export const pageOfDevelopment = z.strictObject({
  port: whole(0, 65_535).exactOptional(),
  name: words.max(64).default('Bulkhead, for development'),
});

/** Sections of the file by name. Each is checked on its own, so that a mistake in one hides none in another. */
const logKey = words.max(400).transform(parsed(parseVerifierKey));

/** The audit log: its name, where its key is, and who outside watches it. */
const auditLog = z
  .strictObject({
    origin: words
      .max(200)
      .refine((name) => isKeyName(name) && isLogOrigin(name), {
        error: 'Give a name of visible ASCII without plus signs, such as custody.example.com/log.',
      })
      .optional(),
    keyFile: words.optional(),
    checkpointSeconds: whole(1, 86_400).optional(),
    witnesses: z
      .array(
        z.strictObject({
          key: logKey.refine(({ purpose }) => purpose === 'cosignature', {
            error: 'Give the key that bulkhead witness prints.',
          }),
          address: z.url({ protocol: /^https?$/u, error: 'Give the address of the witness: https://…' }),
        }),
        { error: 'Give a list of witnesses.' },
      )
      .max(16)
      .default([]),
    witnessesMin: whole(0, 16).default(0),
  })
  .refine(({ witnesses, witnessesMin }) => witnessesMin <= witnesses.length, {
    path: ['witnessesMin'],
    error: 'Give at most as many as there are witnesses.',
  });

export const sections = {
  dataDirectory: words.default('.bulkhead'),
  logLevel: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'], {
      error: 'Give one of: trace, debug, info, warn, error, silent.',
    })
    .default('info'),
  http: z
    .strictObject({
      host: words.default('127.0.0.1'),
      port: whole(0, 65_535).default(4_400),
      hosts: z.array(words.max(253)).max(50).default([]),
    })
    .prefault({}),
  database: z.strictObject({ connections: whole(2, 500).default(20) }).prefault({}),
  signer: signer.optional(),
  vaultSigners: z
    .array(vaultSigner, { error: 'Give a list of signers, or beside the signer for development how many are started.' })
    .max(vaultSignersMax)
    .default([]),
  vaults: vaults.prefault({}),
  proofs: z
    .strictObject({
      folder: words.exactOptional(),
      secretFile: words.exactOptional(),
      threads: whole(1, 256).exactOptional(),
    })
    .prefault({}),
  approvalPage: z.union([pageAddress, pageOfDevelopment], { error: pageMistake }).optional(),
  chains: z.array(chain, { error: 'Give a list of chains.' }).max(50).default([]),
  assets: z.array(asset, { error: 'Give a list of assets.' }).max(1_000).optional(),
  policy: policy.prefault({}),
  log: auditLog.prefault({}),
  tokens: z.array(token, { error: 'Give a list of tokens.' }).max(1_000).optional(),
  schedule: z
    .strictObject({ reconcileMinutes: whole(0, 44_640).default(60), jobs: whole(1, 100).default(4) })
    .prefault({}),
} as const;

export type SectionName = keyof typeof sections;
export type Section<Name extends SectionName> = z.output<(typeof sections)[Name]>;
export const sectionNames: readonly SectionName[] = [
  'dataDirectory',
  'logLevel',
  'http',
  'database',
  'signer',
  'vaultSigners',
  'vaults',
  'proofs',
  'approvalPage',
  'chains',
  'assets',
  'policy',
  'log',
  'tokens',
  'schedule',
];
