import { createHash, sign } from 'node:crypto';
import { nobleHashes, type RegistryItem, type VaultSystemEntry } from '@bulkhead/authority';
import { type Address, type ChainId, type Compartment, houseSigners, parseAddress } from '@bulkhead/domain';
import {
  accountSignature,
  agreementDigest,
  type ClientKey,
  type Hex,
  hexOf,
  type InitialPolicy,
  keyId,
  nativeToken,
  passkeySignature,
  pointOfBytes,
  policyHash,
  vaultAddress,
  type VaultConfig,
  wordOf,
} from '@bulkhead/vaults';
import { addressOfPublicKey } from '@bulkhead/keys';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { passkeyMaterial } from './approver.ts';
import { treeNode } from './keys.ts';

/** Contracts and clients' keys of the tests. Their addresses are made up; the vaults' follow from them as anywhere. */
const day = 86_400n;
const addressOfByte = (byte: string): Address => parseAddress(`0x${byte.repeat(20)}`);

/** Seeds of the signers that are in the set: the first is the one of every other test. */
export const memberSeeds = [7, 8, 9] as const;

export function memberAddress(seed: number, index = 0): Address {
  const { publicKey } = treeNode(seed, { compartment: houseSigners, index });
  return addressOfPublicKey(secp256k1.Point.fromBytes(publicKey ?? new Uint8Array()).toBytes(false));
}

export const members: readonly Address[] = memberSeeds.map((seed) => memberAddress(seed)).sort();

const factory = addressOfByte('fa');
export const signerSet: Address = addressOfByte('5e');
export const feeReceiver: Address = addressOfByte('fe');
const word = (byte: string): Hex => `0x${byte.repeat(32)}`;

export function vaultSystem(chain: ChainId, own: Partial<VaultSystemEntry> = {}): VaultSystemEntry {
  return {
    chain,
    factory,
    vaultImplementation: addressOfByte('a1'),
    forwarderImplementation: addressOfByte('a2'),
    signerSet,
    codeHashes: {
      factory: word('c1'),
      vaultImplementation: word('c2'),
      forwarderImplementation: word('c3'),
      signerSet: word('c4'),
    },
    feeReceiver,
    members,
    threshold: 2,
    // A constructor that returns nothing; what counts here is that the address follows from it.
    delegateCode: '60006000f3',
    ...own,
  };
}

/** What a client signs with: an account, or a passkey in software. */
export type TestClientKey = { readonly key: ClientKey; sign(digest: Uint8Array): string };

export function accountKey(name: string): TestClientKey {
  const secret = createHash('sha256').update(`client ${name}`).digest();
  const address = addressOfPublicKey(secp256k1.getPublicKey(secret, false));
  return {
    key: { kind: 'secp256k1', address },
    sign(digest) {
      const bytes = secp256k1.sign(digest, secret, { prehash: false, lowS: true, format: 'recovered' });
      const { r, s, recovery } = secp256k1.Signature.fromBytes(bytes, 'recovered');
      return accountSignature({ r, s, yParity: recovery === 1 ? 1 : 0 }).slice(2);
    },
  };
}

/** What a passkey says, and may say falsely. */
export type PasskeySays = { readonly flags?: number; readonly type?: string };

export function clientPasskey(name: string, { flags = 0x05, type = 'webauthn.get' }: PasskeySays = {}): TestClientKey {
  const { point, privateKey } = passkeyMaterial(`client ${name}`);
  const { x, y } = pointOfBytes(point);
  return {
    key: { kind: 'passkey', point: { x, y } },
    sign(digest) {
      const challenge = Buffer.from(digest).toString('base64url');
      const client = Buffer.from(
        JSON.stringify({ type, challenge, origin: 'https://client.example', crossOrigin: false }),
      );
      const data = Buffer.concat([
        createHash('sha256').update('client.example').digest(),
        Buffer.of(flags, 0, 0, 0, 1),
      ]);
      const signed = Buffer.concat([data, createHash('sha256').update(client).digest()]);
      const made = passkeySignature(
        { x, y },
        {
          authenticatorData: hexOf(data),
          clientDataJson: hexOf(client),
          signature: hexOf(sign('sha256', signed, privateKey)),
        },
      );
      return made.slice(2);
    },
  };
}

export const keys = {
  one: accountKey('one'),
  two: clientPasskey('two'),
  pool: accountKey('pool'),
  exit: accountKey('exit'),
} as const;

export type VaultOrder = {
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly client?: string;
  readonly key: TestClientKey;
  readonly destinations?: readonly Address[];
  readonly config?: Partial<VaultConfig>;
  /** Who signs instead, and what. */
  readonly signedBy?: TestClientKey;
  readonly signedAs?: Partial<VaultConfig>;
};

export type TestVault = {
  readonly item: Extract<RegistryItem, { readonly item: 'vault' }>;
  readonly address: Address;
  readonly config: VaultConfig;
  readonly policy: InitialPolicy;
};

/** A vault as its client agreed to it. */
export function vaultOf(order: VaultOrder): TestVault {
  const { chain, compartment, client, key } = order;
  const omnibus = client === undefined;
  const limit = { token: nativeToken, cap: 10n ** 21n };
  const policy: InitialPolicy = {
    destinations: order.destinations ?? [],
    limits: [limit],
    unlisted: omnibus ? [limit] : [],
  };
  const config: VaultConfig = {
    clientId: hexOf(wordOf(BigInt(compartment))),
    signerSet,
    feeReceiver,
    exitDestination: addressOfByte('e9'),
    clientKey: keyId(nobleHashes, key.key),
    exitKey: keyId(nobleHashes, keys.exit.key),
    policyHash: policyHash(nobleHashes, policy),
    kind: omnibus ? 'omnibus' : 'individual',
    feeBpsYear: 50n,
    windowSeconds: day,
    changeDelay: 2n * day,
    recoveryDelay: 14n * day,
    exitDelay: 14n * day,
    exitChangeDelay: 21n * day,
    heartbeatPeriod: 60n * day,
    pauseSeconds: 7n * day,
    ...order.config,
  };
  const system = vaultSystem(chain);
  const address = vaultAddress(nobleHashes, system, config);
  const signed = { config: { ...config, ...order.signedAs }, policy };
  const agreement = (order.signedBy ?? key).sign(agreementDigest(nobleHashes, address, signed));
  const whose = omnibus ? {} : { client };
  return {
    item: { item: 'vault', chain, compartment, ...whose, tier: 'hot', config, policy, agreement },
    address,
    config,
    policy,
  };
}
