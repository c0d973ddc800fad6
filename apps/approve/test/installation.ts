import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  type Brief,
  briefFields,
  listDigest,
  listText,
  nobleHashes,
  type RegistryItem,
  statementText,
} from '@bulkhead/authority';
import {
  type Intent,
  intentBytes,
  intentDigest,
  type MovementIntent,
  parseAddress,
  parseAssetId,
  parseChainId,
  parseCompartment,
  type SignedStatement,
} from '@bulkhead/domain';

export const deployment = '00112233445566778899aabbccddeeff';
export const chain = parseChainId('eip155:1');
export const ether = parseAssetId('eip155:1/slip44:60');
export const compartment = parseCompartment(100_001);

/** A and B of the lies: what the server says, and what the bytes say. */
export const addressA = parseAddress('0x52908400098527886e0f7030069857d2e4169ee7');
export const addressB = parseAddress('0x8617e340b3d01fa5f11f306f4090fd50e238070d');
/** Begins and ends like B. */
export const addressLikeB = parseAddress('0x8617aaaa00001111222233334444555566660' + '70d');

export type Identity = { readonly publicKey: string; readonly privateKey: KeyObject };

export function identity(): Identity {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return { privateKey, publicKey: Buffer.from(x, 'base64url').toString('hex') };
}

export const nowSeconds = (): bigint => BigInt(Math.floor(Date.now() / 1_000));

type Withdrawal = Extract<MovementIntent, { readonly kind: 'withdrawal' | 'deposit-return' }>;

export function withdrawal(changes: Partial<Withdrawal> = {}): Withdrawal {
  return {
    kind: 'withdrawal',
    deployment,
    id: 'wd_0001',
    compartment,
    asset: ether,
    to: addressB,
    amount: 100n * 10n ** 18n,
    feeMax: 10n ** 16n,
    client: 'cl_0001',
    feePayer: 'client',
    expiresAt: nowSeconds() + 3_600n,
    ...changes,
  };
}

export function listChange(
  items: readonly RegistryItem[],
  kind: 'enrolment' | 'policy-change' = 'enrolment',
): { readonly intent: Intent; readonly list: string } {
  const list = listText(items);
  const digest = listDigest(nobleHashes, list);
  const expiresAt = nowSeconds() + 3_600n;
  return {
    list,
    intent: { kind, deployment, id: 'rc_0001', before: 4n, items: BigInt(items.length), digest, expiresAt },
  };
}

export const canonical = (intent: Intent): string => Buffer.from(intentBytes(intent)).toString('utf8');

export function briefFor(intent: Intent, changes: Partial<Brief> = {}): Brief {
  return {
    deployment,
    digest: intentDigest(intent),
    at: nowSeconds() - 5n,
    registryVersion: 4n,
    approvalsNeeded: 2,
    requestNeeded: true,
    approvedBy: ['approver-1'],
    ...('amount' in intent
      ? {
          compartmentKind: 'individual' as const,
          client: 'cl_0001',
          development: false,
          asset: { asset: ether, symbol: 'ETH', decimals: 18 },
          rule: {
            tier: 'hot' as const,
            destination: 'enrolled' as const,
            amountMax: 200n * 10n ** 18n,
            windowSeconds: 86_400n,
            windowMax: 1_000n * 10n ** 18n,
            spent: 150n * 10n ** 18n,
            left: 850n * 10n ** 18n,
          },
          fees: {
            feeMax: 10n ** 17n,
            windowSeconds: 86_400n,
            windowMax: 2n * 10n ** 18n,
            spent: 0n,
            left: 2n * 10n ** 18n,
          },
          destination: {
            label: 'Treasury of the client',
            usableFrom: nowSeconds() - 1_000_000n,
            timesUsed: 12n,
            firstUsed: nowSeconds() - 900_000n,
            lookAlikes: [],
          },
        }
      : {}),
    ...changes,
  };
}

export function signedBrief({ privateKey, publicKey }: Identity, brief: Brief): SignedStatement {
  const statement = statementText('brief', briefFields(brief));
  return { statement, identity: publicKey, signature: sign(null, Buffer.from(statement), privateKey).toString('hex') };
}
