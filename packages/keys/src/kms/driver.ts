import type { GetPublicKeyCommand, KeyMetadata, KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CustodyError, type FaultCode, invariant, type KeyRef } from '@bulkhead/domain';
import type { KeyDriver, SlotHealth } from '../driver.ts';
import { assertDigest, checkedSignature } from '../signature.ts';
import { readDerSignature, readSpki } from './der.ts';

/** How often a call is made before it counts as failed. */
export const kmsAttemptsMax: number = 4;
/** Longest wait before the second attempt, in milliseconds; it doubles with each. The SDK's own waits are seconds, and its caller waits. */
export const kmsRetryWaitMs: number = 100;
export const kmsConnectTimeoutMs: number = 2_000;
export const kmsRequestTimeoutMs: number = 5_000;

/** Said wherever this driver shows itself. */
export const kmsEvidence: string = 'tested with the real SDK against a local stand-in of three calls, not against AWS';

export type KmsOptions = {
  readonly region: string;
  /** Only for a private endpoint; otherwise that of the region. */
  readonly endpoint?: string;
  /** Where they are not given, the SDK looks for them as it always does. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
};

export type KmsKeyDriver = KeyDriver & { readonly name: 'aws-kms' };

/** Wallets are found by alias; the compartment is part of it. */
export function kmsAlias(key: KeyRef): string {
  if (!('label' in key)) {
    throw new CustodyError(
      'hsm/key-missing',
      `The driver aws-kms has one key per wallet and no tree: there is no key at index ${key.index} of compartment ${key.compartment}.`,
      { details: { compartment: key.compartment, index: key.index } },
    );
  }
  const alias = `alias/bulkhead/${key.compartment}/${key.label}`;
  invariant(
    /^alias\/[a-zA-Z0-9/_-]{1,250}$/u.test(alias),
    'A label of a wallet in AWS KMS has letters, digits, / _ and -.',
  );
  return alias;
}

/**
 * Driver `aws-kms`: keys of type ECC_SECG_P256K1 in AWS KMS, made by its owner, each with an alias of {@link kmsAlias}. AWS sees every
 * digest, and whoever may change the alias or the policy of a key there may sign with it. Where a key comes from is asked before its first
 * use: one that was imported, or that lies in somebody's external key store, is not as far from software as `residency` says, and refused.
 *
 * @throws CustodyError `key/native-module-missing`
 */
export async function openKmsKeys(options: KmsOptions): Promise<KmsKeyDriver> {
  const sdk = await import('@aws-sdk/client-kms');
  const client = new sdk.KMSClient(clientConfiguration(options));
  const known = new Map<string, Uint8Array>();
  let asked: string | undefined;

  const publicKeyOf = async (alias: string): Promise<Uint8Array> => {
    const before = known.get(alias);
    if (before !== undefined) return before;
    const { KeyMetadata: said } = await kept(alias, () => client.send(new sdk.DescribeKeyCommand({ KeyId: alias })));
    const keyId = madeInside(alias, said);
    // By its own name, so that an alias that is moved meanwhile gives no key whose origin nobody asked for.
    const answer = await kept(alias, () => client.send(new sdk.GetPublicKeyCommand({ KeyId: keyId })));
    if (answer.KeySpec !== 'ECC_SECG_P256K1' || answer.KeyUsage !== 'SIGN_VERIFY') {
      throw kmsFault('hsm/refused', alias, {
        text: `is a key of type ${answer.KeySpec} for ${answer.KeyUsage}, not ECC_SECG_P256K1 for SIGN_VERIFY`,
      });
    }
    const publicKey = readSpki(answer.PublicKey ?? new Uint8Array());
    known.set(alias, publicKey);
    asked = alias;
    return publicKey;
  };
  return {
    name: 'aws-kms',
    residency: 'hsm',
    publicKey: async (key) => Uint8Array.from(await publicKeyOf(kmsAlias(key))),
    async sign(key, digest) {
      assertDigest(digest);
      const alias = kmsAlias(key);
      const publicKey = await publicKeyOf(alias);
      const command = new sdk.SignCommand({
        KeyId: alias,
        Message: digest,
        MessageType: 'DIGEST',
        SigningAlgorithm: 'ECDSA_SHA_256',
      });
      const { Signature: der } = await kept(alias, () => client.send(command));
      return checkedSignature({ compact: readDerSignature(der ?? new Uint8Array()), digest, publicKey });
    },
    health: async () => [await health({ client, alias: asked, region: options.region }, sdk.GetPublicKeyCommand)],
    [Symbol.asyncDispose]: () => {
      client.destroy();
      return Promise.resolve();
    },
  };
}

/** Origins of keys that were made in a module and cannot be outside of one: KMS's own, and a CloudHSM cluster of the owner's. */
export const kmsOrigins: readonly string[] = ['AWS_KMS', 'AWS_CLOUDHSM'];

/** Name of the key itself. @throws CustodyError `hsm/refused` for a key whose origin does not bear out `hsm` */
function madeInside(alias: string, said: KeyMetadata | undefined): string {
  const origin = said?.Origin ?? 'unknown';
  if (said?.Arn === undefined || !kmsOrigins.includes(origin)) {
    throw kmsFault('hsm/refused', alias, {
      text: `has the origin ${origin}, not ${kmsOrigins.join(' or ')}: what was imported or lies elsewhere may exist in software, and certificates would say "hsm"`,
    });
  }
  if (said.KeyState === 'Enabled') return said.Arn;
  throw kmsFault('hsm/refused', alias, { text: `is in the state ${said.KeyState ?? 'unknown'}, not Enabled` });
}

function clientConfiguration(options: KmsOptions): KMSClientConfig {
  return {
    region: options.region,
    maxAttempts: 1,
    requestHandler: { connectionTimeout: kmsConnectTimeoutMs, requestTimeout: kmsRequestTimeoutMs },
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  };
}

const answers: ReadonlyMap<string, FaultCode> = new Map<string, FaultCode>([
  ['NotFoundException', 'hsm/key-missing'],
  ['AccessDeniedException', 'hsm/refused'],
  ['DisabledException', 'hsm/refused'],
  ['InvalidKeyUsageException', 'hsm/refused'],
  ['InvalidGrantTokenException', 'hsm/refused'],
  ['KMSInvalidStateException', 'hsm/refused'],
  ['UnsupportedOperationException', 'hsm/refused'],
  ['ValidationException', 'hsm/refused'],
  ['UnrecognizedClientException', 'hsm/refused'],
  ['InvalidSignatureException', 'hsm/refused'],
]);

/** Calls, again after a wait where AWS is busy or away: what is no definite answer counts as that. */
async function kept<T>(alias: string, call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const name = error instanceof Error ? error.name : 'unknown';
      const code = answers.get(name) ?? 'hsm/unavailable';
      if (code !== 'hsm/unavailable' || attempt === kmsAttemptsMax) {
        throw kmsFault(code, alias, { text: `could not be used: AWS KMS answered ${name}`, cause: error });
      }
    }
    // Spread, so that those who were turned away together do not come back together.
    await sleep(randomInt(1, kmsRetryWaitMs * 2 ** (attempt - 1)));
  }
}

function kmsFault(
  code: FaultCode,
  alias: string,
  said: { readonly text: string; readonly cause?: unknown },
): CustodyError {
  const advice =
    code === 'hsm/unavailable' ? 'Work goes on by itself once it answers.' : 'Check alias, key and policy.';
  return new CustodyError(code, `${alias} ${said.text}. ${advice}`, { details: { alias }, cause: said.cause });
}

/** Asks for a key that was used before; before the first there is nothing to ask for. */
async function health(
  at: { readonly client: KMSClient; readonly alias: string | undefined; readonly region: string },
  GetPublicKey: typeof GetPublicKeyCommand,
): Promise<SlotHealth> {
  const name = `aws-kms ${at.region}`;
  const { alias } = at;
  if (alias === undefined) return { name, healthy: true, detail: `not asked yet; ${kmsEvidence}` };
  try {
    await kept(alias, () => at.client.send(new GetPublicKey({ KeyId: alias })));
    return { name, healthy: true, detail: kmsEvidence };
  } catch (error) {
    const detail = error instanceof CustodyError ? `${error.code}: ${error.message}` : String(error);
    return { name, healthy: false, detail: `${detail} (${kmsEvidence})` };
  }
}
