import {
  type Address,
  type Compartment,
  nativeAsset,
  parseAddress,
  parseChainId,
  parseCompartment,
  tokenAsset,
} from '@bulkhead/domain';
import type { AssetId, ChainId } from '@bulkhead/domain';
import { nobleHashes } from '../src/noble-hashes.ts';
import { applyList, emptyRegistry, type ListAuthority } from '../src/registry-change.ts';
import type { Person, PolicyDocument, Registry, RegistryItem, Rule } from '../src/registry.ts';

/** A registry as a ceremony opens it, for tests: one chain of value, one of development, four people, a rule of each kind. */
export const deployment: string = '0123456789abcdef0123456789abcdef';
export const now: bigint = 1_790_000_000n;
export const cooling: bigint = 86_400n;

export const mainnet: ChainId = parseChainId('eip155:1');
export const anvil: ChainId = parseChainId('eip155:31337');
export const ether: AssetId = nativeAsset(mainnet);
export const play: AssetId = nativeAsset(anvil);
export const token: AssetId = tokenAsset(mainnet, parseAddress(`0x${'a1'.repeat(20)}`));
export const client: string = 'cl_ada';
export const vault: Compartment = parseCompartment(100_000);
export const pool: Compartment = parseCompartment(10_000);
export const payee: Address = parseAddress(`0x${'d'.repeat(40)}`);

export const passkey: Person['keys'][number] = {
  id: 'passkey',
  kind: 'webauthn',
  credential: 'c0ffee',
  publicKey: `04${'5'.repeat(128)}`,
  relyingParty: 'approve.example',
  origin: 'https://approve.example',
};

export type PersonItem = Extract<RegistryItem, { readonly item: 'person' }>;

/** A person with one Ed25519 key of its own. */
export function person(id: string, ...roles: Person['roles']): PersonItem {
  const publicKey = Buffer.from(id.padEnd(32, '-')).toString('hex');
  return { item: 'person', id, name: id, roles, keys: [{ id: 'robot', kind: 'ed25519', publicKey }] };
}

const window = { windowSeconds: 86_400n, windowMax: 1_000n };
export const small: Rule = {
  kind: 'withdrawal',
  compartments: 'individual',
  tier: 'hot',
  asset: token,
  amountMax: 100n,
  approvals: 1,
  ...window,
  destination: 'enrolled',
};
export const large: Rule = { ...small, amountMax: 500n, approvals: 2 };
export const sweep: Rule = {
  ...small,
  kind: 'sweep',
  amountMax: 5_000n,
  windowMax: 9_000n,
  approvals: 0,
  destination: 'own',
};
export const grant: Rule = { ...sweep, kind: 'gas-grant', compartments: 'house', asset: ether, windowMax: 9_000n };
export const feePayment: Rule = { ...sweep, kind: 'fee-payment', windowMax: 50n, amountMax: 50n };
export const back: Rule = { ...small, kind: 'deposit-return', destination: 'any' };

export const policy: PolicyDocument = {
  coolingSeconds: cooling,
  operationalQuorum: 2,
  rootQuorum: 2,
  rules: [large, small, sweep, grant, feePayment, back],
};

export const limits = { feeMax: 1_000n, feeWindowSeconds: 3_600n, feeWindowMax: 2_500n } as const;

export const people: readonly PersonItem[] = [
  person('admin', 'operational', 'root'),
  person('olga', 'operational', 'requester'),
  { ...person('anna', 'approver', 'operational', 'root'), keys: [passkey] },
  {
    ...person('ben', 'approver', 'root'),
    keys: [{ id: 'ledger', kind: 'eip712', address: parseAddress(`0x${'be'.repeat(20)}`) }],
  },
];

export const opening: readonly RegistryItem[] = [
  { item: 'chain', chain: mainnet, development: false, ...limits },
  { item: 'chain', chain: anvil, development: true, ...limits },
  { item: 'asset', asset: ether, symbol: 'ETH', decimals: 18, codeHash: '' },
  { item: 'asset', asset: play, symbol: 'ETH', decimals: 18, codeHash: '' },
  { item: 'asset', asset: token, symbol: 'USDC', decimals: 6, codeHash: 'c0'.repeat(32) },
  { item: 'wallet', compartment: vault, key: '0', tier: 'hot', purpose: 'pool' },
  { item: 'wallet', compartment: parseCompartment(1), key: 'gas-1', tier: 'hot', purpose: 'gas' },
  { item: 'wallet', compartment: parseCompartment(2), key: '0', tier: 'warm', purpose: 'fees' },
  ...people,
  { item: 'policy', ...policy },
];

export const enrolment: readonly RegistryItem[] = [
  { item: 'client', client, compartment: vault },
  { item: 'client', client, compartment: pool },
  { item: 'destination', client, compartment: vault, chain: mainnet, address: payee, label: 'Ada at her bank' },
];

/** The registry after lists, each with who stands behind it. */
export function registryAfter(...lists: readonly (readonly [ListAuthority, readonly RegistryItem[]])[]): Registry {
  let registry = emptyRegistry(deployment);
  for (const [authority, list] of lists) registry = applyList(nobleHashes, registry, { list, now, authority });
  return registry;
}

export function opened(): Registry {
  return registryAfter(['opening', opening]);
}

export function enrolled(): Registry {
  return registryAfter(['opening', opening], ['operational', enrolment]);
}
