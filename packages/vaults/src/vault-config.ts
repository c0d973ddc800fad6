import { type Address, parseAddress, parseAmount } from '@bulkhead/domain';
import {
  addressCodec,
  type Codec,
  encodeAll,
  type Keccak,
  named,
  struct,
  type StructCodec,
  unsigned,
  wordHexCodec,
} from './codec.ts';
import {
  assertInitialPolicy,
  fieldsOf,
  type InitialPolicy,
  nativeToken,
  policyHash,
  textOf,
  wrong,
} from './initial-policy.ts';
import { type Hex, hexOf, isHexOf, wordAt, wordBytes, wordOf } from './word.ts';

export type VaultKind = 'individual' | 'omnibus';

/** Everything about a vault that never changes. Its hash is the salt of the vault's address. */
export type VaultConfig = {
  /** 32 random bytes: nothing about a person. */
  readonly clientId: Hex;
  readonly signerSet: Address;
  readonly feeReceiver: Address;
  /** Where an exit pays, until the client key changes it. */
  readonly exitDestination: Address;
  /** Id of the key that agrees to destinations and limits; of an omnibus, its governance's. */
  readonly clientKey: Hex;
  /** Id of the key that asks for the exit; of an omnibus, the insolvency administrator's. */
  readonly exitKey: Hex;
  readonly policyHash: Hex;
  readonly kind: VaultKind;
  readonly feeBpsYear: bigint;
  /** Length of the window of limits. */
  readonly windowSeconds: bigint;
  /** Until a new destination, a raised limit, or a key changed by its old one counts. */
  readonly changeDelay: bigint;
  /** Until a key counts that the quorum put in the place of a lost one. */
  readonly recoveryDelay: bigint;
  readonly exitDelay: bigint;
  /** Until a new exit destination counts. */
  readonly exitChangeDelay: bigint;
  /** Silence of the signer set after which anybody may open the exit. */
  readonly heartbeatPeriod: bigint;
  /** A pause ends by itself after this, and the same side may not pause again for as long. */
  readonly pauseSeconds: bigint;
};

/** A configuration as text: numbers in decimal digits, the kind as a word. */
export type VaultConfigText = Readonly<Record<keyof VaultConfig, string>>;

/** What a client agrees to: the configuration, and the policy its `policyHash` stands for. */
export type VaultTerms = { readonly config: VaultConfig; readonly policy: InitialPolicy };

/** The highest fee in a year: ten percent. */
export const feeBpsYearMax: bigint = 1_000n;

const secondFields = [
  'windowSeconds',
  'changeDelay',
  'recoveryDelay',
  'exitDelay',
  'exitChangeDelay',
  'heartbeatPeriod',
  'pauseSeconds',
] as const;

type SecondField = (typeof secondFields)[number];

const kindCodec: Codec<VaultKind> = named({ individual: 1n, omnibus: 2n });
const rateCodec = unsigned(16);
const secondsCodec = unsigned(32);

const identities = {
  clientId: wordHexCodec,
  signerSet: addressCodec,
  feeReceiver: addressCodec,
  exitDestination: addressCodec,
  clientKey: wordHexCodec,
  exitKey: wordHexCodec,
  policyHash: wordHexCodec,
};

/** Field by field, as people sign it. */
const readableCodec: StructCodec<VaultConfig> = struct('VaultConfig', {
  ...identities,
  kind: kindCodec,
  feeBpsYear: rateCodec,
  windowSeconds: secondsCodec,
  changeDelay: secondsCodec,
  recoveryDelay: secondsCodec,
  exitDelay: secondsCodec,
  exitChangeDelay: secondsCodec,
  heartbeatPeriod: secondsCodec,
  pauseSeconds: secondsCodec,
});

/** As contracts take it: the small numbers share one word. */
const packedCodec = struct('VaultConfig', { ...identities, terms: unsigned(256) });

/** A configuration in calls and events: eight words. In what people sign each number has a field of its own. */
export const vaultConfigCodec: StructCodec<VaultConfig> = {
  ...readableCodec,
  abiType: packedCodec.abiType,
  headBytes: packedCodec.headBytes,
  encode: (config) => packedCodec.encode({ ...config, terms: packTerms(config) }),
  decode: (bytes, at) => {
    const { value, end } = packedCodec.decode(bytes, at);
    const { terms, ...named } = value;
    return { value: { ...named, ...unpackTerms(terms) }, end };
  },
};

/** The small numbers of a configuration. */
type Terms = Pick<VaultConfig, 'kind' | 'feeBpsYear' | SecondField>;

/** The 32 bytes from the front: zero, kind (1), fee (2), then seven times four bytes of seconds. */
function packTerms(terms: Terms): bigint {
  const seconds = secondFields.reduce((word, name) => (word << 32n) | wordAt(secondsCodec.encode(terms[name]), 0), 0n);
  const kind = wordAt(kindCodec.encode(terms.kind), 0);
  return (kind << 240n) | (wordAt(rateCodec.encode(terms.feeBpsYear), 0) << 224n) | seconds;
}

function unpackTerms(word: bigint): Terms {
  const seconds = (place: number): bigint => (word >> BigInt(192 - 32 * place)) & 0xffff_ffffn;
  return {
    kind: kindCodec.decode(wordOf(word >> 240n), 0).value,
    feeBpsYear: (word >> 224n) & 0xffffn,
    windowSeconds: seconds(0),
    changeDelay: seconds(1),
    recoveryDelay: seconds(2),
    exitDelay: seconds(3),
    exitChangeDelay: seconds(4),
    heartbeatPeriod: seconds(5),
    pauseSeconds: seconds(6),
  };
}

/** `abi.encode(config)`: eight words. */
export function vaultConfigBytes(config: VaultConfig): Uint8Array {
  return encodeAll([[vaultConfigCodec, config]]);
}

/** `keccak256(abi.encode(config))`. */
export function configHash(hashes: Keccak, config: VaultConfig): Hex {
  return hexOf(hashes.keccak256(vaultConfigBytes(config)));
}

const day = 86_400n;

/** What the contracts demand, so that development chains may count in seconds, or what is fit for clients' assets. */
export type VaultProfile = 'contract' | 'production';

/** Shortest times in production: long enough that people see what happens, and answer. */
export const productionSecondsMin: Readonly<Record<SecondField, bigint>> = {
  windowSeconds: 3_600n,
  changeDelay: day,
  recoveryDelay: 7n * day,
  exitDelay: 7n * day,
  exitChangeDelay: 8n * day,
  heartbeatPeriod: 30n * day,
  pauseSeconds: 3_600n,
};

/** Longest times in production: what takes longer than a year protects nobody. */
export const productionSecondsMax: bigint = 366n * day;

/**
 * The rules of the factory, and in production those of {@link productionSecondsMin} besides.
 *
 * @throws CustodyError `vault/configuration` that names the first rule which is broken
 */
export function assertVaultConfig(config: VaultConfig, profile: VaultProfile): void {
  // What fits no struct has no rules to keep.
  vaultConfigCodec.encode(config);
  const broken = brokenRule(config) ?? (profile === 'production' ? brokenInProduction(config) : undefined);
  if (broken !== undefined) throw wrong(broken);
}

/**
 * A configuration with the initial policy that its hash names.
 *
 * @throws CustodyError `vault/configuration`
 */
export function assertVaultTerms(hashes: Keccak, { config, policy }: VaultTerms, profile: VaultProfile): void {
  assertVaultConfig(config, profile);
  assertInitialPolicy(policy, config.feeReceiver);
  if (config.kind === 'individual' && policy.unlisted.length > 0) {
    throw wrong('only an omnibus pays to addresses that are not listed');
  }
  const hash = policyHash(hashes, policy);
  if (hash !== config.policyHash) throw wrong(`its policyHash is ${config.policyHash}, and the policy's is ${hash}`);
}

function brokenRule(config: VaultConfig): string | undefined {
  const words = ['clientId', 'clientKey', 'exitKey', 'policyHash'] as const;
  const addresses = ['signerSet', 'feeReceiver', 'exitDestination'] as const;
  const zero =
    words.find((name) => BigInt(config[name]) === 0n) ??
    addresses.find((name) => config[name] === nativeToken) ??
    secondFields.find((name) => config[name] === 0n);
  if (zero !== undefined) return `${zero} is zero`;
  if (config.clientKey === config.exitKey) return 'clientKey and exitKey are the same';
  if (config.exitDestination === config.feeReceiver) return 'exitDestination and feeReceiver are the same';
  if (config.feeBpsYear > feeBpsYearMax) return `feeBpsYear is ${config.feeBpsYear}, at most ${feeBpsYearMax}`;
  if (config.recoveryDelay <= config.changeDelay) return 'recoveryDelay is not longer than changeDelay';
  if (config.exitChangeDelay <= config.exitDelay) return 'exitChangeDelay is not longer than exitDelay';
  if (config.pauseSeconds > config.exitDelay) return 'pauseSeconds is longer than exitDelay';
  return undefined;
}

function brokenInProduction(config: VaultConfig): string | undefined {
  const short = secondFields.find((name) => config[name] < productionSecondsMin[name]);
  if (short !== undefined) {
    return `${short} is ${config[short]} seconds, in production at least ${productionSecondsMin[short]}`;
  }
  const long = secondFields.find((name) => config[name] > productionSecondsMax);
  return long === undefined
    ? undefined
    : `${long} is ${config[long]} seconds, in production at most ${productionSecondsMax}`;
}

export function vaultConfigText(config: VaultConfig): VaultConfigText {
  const { kind, ...rest } = config;
  return {
    ...rest,
    kind,
    feeBpsYear: String(config.feeBpsYear),
    windowSeconds: String(config.windowSeconds),
    changeDelay: String(config.changeDelay),
    recoveryDelay: String(config.recoveryDelay),
    exitDelay: String(config.exitDelay),
    exitChangeDelay: String(config.exitChangeDelay),
    heartbeatPeriod: String(config.heartbeatPeriod),
    pauseSeconds: String(config.pauseSeconds),
  };
}

/** @throws CustodyError `vault/configuration`, `address/malformed`, `address/checksum`, `amount/malformed` */
export function parseVaultConfig(value: unknown): VaultConfig {
  const fields = fieldsOf(
    value,
    vaultConfigCodec.fields.map(({ name }) => name),
    'configuration',
  );
  const address = (name: keyof VaultConfig): Address => parseAddress(textOf(fields, name));
  const number = (name: keyof VaultConfig): bigint => parseAmount(textOf(fields, name));
  const config: VaultConfig = {
    clientId: wordFieldOf(fields, 'clientId'),
    signerSet: address('signerSet'),
    feeReceiver: address('feeReceiver'),
    exitDestination: address('exitDestination'),
    clientKey: wordFieldOf(fields, 'clientKey'),
    exitKey: wordFieldOf(fields, 'exitKey'),
    policyHash: wordFieldOf(fields, 'policyHash'),
    kind: kindOf(textOf(fields, 'kind')),
    feeBpsYear: number('feeBpsYear'),
    windowSeconds: number('windowSeconds'),
    changeDelay: number('changeDelay'),
    recoveryDelay: number('recoveryDelay'),
    exitDelay: number('exitDelay'),
    exitChangeDelay: number('exitChangeDelay'),
    heartbeatPeriod: number('heartbeatPeriod'),
    pauseSeconds: number('pauseSeconds'),
  };
  vaultConfigCodec.encode(config);
  return config;
}

function wordFieldOf(fields: ReadonlyMap<string, unknown>, name: string): Hex {
  const text = textOf(fields, name);
  if (!isHexOf(text, wordBytes)) throw wrong(`"${name}" is not 0x and 64 lower-case hex digits`);
  return text;
}

function kindOf(text: string): VaultKind {
  if (text !== 'individual' && text !== 'omnibus') {
    throw wrong(`"${text.slice(0, 60)}" is no kind: individual, omnibus`);
  }
  return text;
}
