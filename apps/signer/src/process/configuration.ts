import { readFileSync } from 'node:fs';
import { CustodyError } from '@bulkhead/domain';
import { z } from 'zod';
import type { CoreLimits } from '../core/index.ts';
import { type ListenLimits, listenLimits } from './limits.ts';

/** Highest rate that a configuration may allow to those whom nobody approves: 200 in a second. Each leaves a record for ever. */
export const perMinuteMax = 12_000;

/** Bytes of a configuration file. */
export const configurationBytesMax = 65_536;

const path = z.string().regex(/^\/[^\0]{0,4000}$/u, 'must be an absolute path');

/**
 * Where a secret is read from: an absolute path, `credential:<name>` of systemd's LoadCredential, or `descriptor:<number>` of a file
 * that the starting process left open. Never the environment, which every child and `/proc` would repeat.
 */
const secret = z.string().regex(/^(?:\/[^\0]{1,4000}|credential:[\w.-]{1,255}|descriptor:[3-9])$/u, {
  error: 'must be an absolute path, credential:<name> or descriptor:<3 to 9>',
});

const name = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/u, 'must begin with a letter: a-z, 0-9, _ and -, at most 32');
const label = z.string().min(1).max(128);

const token = z.strictObject({
  /** How drivers below and the status name it: `hsm_slot_1`. */
  name,
  /** The vendor's PKCS#11 library. */
  library: path,
  /** Label of the token. */
  label,
  pinFile: secret,
  /** What the library reads from its environment when it is initialised, such as SOFTHSM2_CONF. No secrets. */
  environment: z.record(z.string().max(64), z.string().max(4_096)).default({}),
});

const tree = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('software'), file: path, passphraseFile: secret }),
  z.strictObject({
    driver: z.literal('pkcs11-sealed-seed'),
    envelope: path,
    tokens: z.array(name).length(2),
    /** How long the seed's tree stays in memory after its last use. */
    idleSeconds: z.number().int().min(1).max(86_400).exactOptional(),
  }),
  z.strictObject({ driver: z.literal('luna-bip32'), token: name, seedLabel: label }),
]);

const labelled = z.discriminatedUnion('driver', [
  z.strictObject({ driver: z.literal('pkcs11-key'), token: name }),
  /** Credentials are those of the machine's role: there is no place here for an access key. */
  z.strictObject({
    driver: z.literal('aws-kms'),
    region: z.string().max(64),
    endpoint: z.url().max(1_024).exactOptional(),
  }),
]);

const identity = z.discriminatedUnion('driver', [
  /** Made of the entropy of the software tree's file. */
  z.strictObject({ driver: z.literal('software') }),
  z.strictObject({ driver: z.literal('pkcs11'), token: name, label }),
]);

const limit = (most: number): z.ZodExactOptional<z.ZodNumber> => z.number().int().min(1).max(most).exactOptional();

const schema = z.strictObject({
  format: z.literal('bulkhead-signer-configuration-v1'),
  /** Coins are worth nothing here: keys in software are allowed, and the signer ends with the process that started it. */
  development: z.boolean().default(false),
  /** Folder of the log, for this process alone. */
  state: path,
  socket: z
    .strictObject({
      path,
      mode: z.enum(['0600', '0660']).default('0600'),
      /** Users who may connect. Absent: the signer's own. */
      users: z.array(z.number().int().min(0)).max(16).optional(),
    })
    .optional(),
  tls: z
    .strictObject({
      host: z.string().max(253),
      port: z.number().int().min(0).max(65_535),
      certificateFile: path,
      keyFile: secret,
      authorityFile: path,
      /** SHA-256 of the public key (SubjectPublicKeyInfo, DER) of each client that may connect, hex. The authority alone is not enough. */
      clientKeys: z
        .array(z.string().regex(/^[0-9a-f]{64}$/u, 'must be 64 lower-case hex digits'))
        .min(1)
        .max(8),
    })
    .optional(),
  tokens: z.array(token).max(8).default([]),
  tree: tree.optional(),
  labelled: labelled.optional(),
  identities: z.array(identity).min(1).max(8),
  /** The key of the audit log, where this signer has it: of one signer of an installation. */
  logKey: identity.exactOptional(),
  /** For one start, after the clock was looked at: it is long after the newest record, and right. */
  acceptLongStandstill: z.boolean().default(false),
  limits: z
    .strictObject({
      connectionsMax: limit(listenLimits.connectionsMax),
      outstandingMax: limit(listenLimits.outstandingMax),
      heldBytesMax: limit(listenLimits.heldBytesMax),
      untakenBytesMax: limit(listenLimits.untakenBytesMax),
      frameMsMax: limit(listenLimits.frameMsMax),
      idleMsMax: limit(listenLimits.idleMsMax),
      requestMsMax: limit(listenLimits.requestMsMax),
      headsRequired: limit(8),
      /** For each compartment; what they are unless told stands in `coreLimitDefaults`. */
      unattendedPerMinuteMax: limit(perMinuteMax),
      certificatesPerMinuteMax: limit(perMinuteMax),
      controlsPerMinuteMax: limit(perMinuteMax),
    })
    .default({}),
});

/** The configuration file as people and programs write it; defaults may be left out. */
export type SignerConfigurationFile = z.input<typeof schema>;
export type SignerConfiguration = z.output<typeof schema>;

/** The limits of the configuration that are the core's, those alone that it names. */
export function coreLimitsOf({ limits }: SignerConfiguration): Partial<CoreLimits> {
  const { headsRequired, unattendedPerMinuteMax, certificatesPerMinuteMax, controlsPerMinuteMax } = limits;
  return {
    ...(headsRequired === undefined ? {} : { headsRequired }),
    ...(unattendedPerMinuteMax === undefined ? {} : { unattendedPerMinuteMax }),
    ...(certificatesPerMinuteMax === undefined ? {} : { certificatesPerMinuteMax }),
    ...(controlsPerMinuteMax === undefined ? {} : { controlsPerMinuteMax }),
  };
}

/** Those that are the listener's. */
export function listenLimitsOf({ limits }: SignerConfiguration): Partial<ListenLimits> {
  const {
    headsRequired: _,
    unattendedPerMinuteMax: _unattended,
    certificatesPerMinuteMax: _certificates,
    controlsPerMinuteMax: _controls,
    ...rest
  } = limits;
  return rest;
}

/**
 * Reads the one configuration file. It holds places and limits, and no secret.
 *
 * @throws CustodyError `config/invalid` with every mistake at once
 */
export function readConfiguration(file: string): SignerConfiguration {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CustodyError('config/invalid', `The configuration ${file} cannot be read.`, { cause });
  }
  if (text.length > configurationBytesMax) throw invalid([`it has more than ${configurationBytesMax} characters`]);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid(['it is not JSON']);
  }
  return checkConfiguration(value);
}

/** @throws CustodyError `config/invalid` with every mistake at once */
export function checkConfiguration(value: unknown): SignerConfiguration {
  const result = schema.safeParse(value);
  const faults = result.success ? contradictions(result.data) : result.error.issues.map(faultOf);
  if (!result.success || faults.length > 0) throw invalid(faults);
  return result.data;
}

function faultOf({ path: at, message }: z.core.$ZodIssue): string {
  return `${at.join('.') || 'the file'}: ${message}`;
}

/** What each value alone does not show. */
function contradictions(configuration: SignerConfiguration): readonly string[] {
  const { development, socket, tls, tokens } = configuration;
  const identities = identitiesOf(configuration);
  const faults: string[] = [];
  const names = tokens.map((entry) => entry.name);
  if (new Set(names).size < names.length) faults.push('tokens: two have the same name');
  if (socket === undefined && tls === undefined) faults.push('socket: give a socket, tls, or both');
  if (configuration.tree === undefined && configuration.labelled === undefined) {
    faults.push('tree: give a tree of keys, keys with labels, or both');
  }
  if (configuration.tree?.driver === 'software' && !development) {
    faults.push('tree: keys in software are for development; set "development" only where coins are worth nothing');
  }
  if (identities.some(({ driver }) => driver === 'software') && configuration.tree?.driver !== 'software') {
    faults.push('identities: an identity key and a log key in software come from the file of a software tree');
  }
  for (const used of tokensUsed(configuration)) {
    if (!names.includes(used)) faults.push(`tokens: there is none with the name "${used}"`);
  }
  return faults;
}

/** The identity keys, and the key of the log where there is one. */
function identitiesOf({ identities, logKey }: SignerConfiguration): SignerConfiguration['identities'] {
  return logKey === undefined ? identities : [...identities, logKey];
}

function tokensUsed(configuration: SignerConfiguration): readonly string[] {
  const { tree: seed, labelled: keys } = configuration;
  const ofSeed = seed?.driver === 'pkcs11-sealed-seed' ? seed.tokens : [];
  const ofTree = seed?.driver === 'luna-bip32' ? [seed.token] : ofSeed;
  const ofKeys = keys?.driver === 'pkcs11-key' ? [keys.token] : [];
  const ofIdentities = identitiesOf(configuration).flatMap((entry) => (entry.driver === 'pkcs11' ? [entry.token] : []));
  return [...new Set([...ofTree, ...ofKeys, ...ofIdentities])];
}

function invalid(faults: readonly string[]): CustodyError {
  return new CustodyError('config/invalid', `The configuration of the signer cannot be used: ${faults.join('; ')}.`);
}
