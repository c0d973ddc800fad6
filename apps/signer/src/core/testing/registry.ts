import { listDigest, listText, nobleHashes, type RegistryItem, type Rule } from '@bulkhead/authority';
import {
  type Address,
  type AssetId,
  type AuthorityIntent,
  type ChainId,
  type Compartment,
  houseSigners,
  nativeAsset,
  parseAddress,
  parseAssetId,
  parseChainId,
  parseCompartment,
} from '@bulkhead/domain';
import { passkey, robot, wallet } from './approver.ts';
import { keys, signerSet, vaultOf, vaultSystem } from './vault.ts';

export const deployment: string = 'd0'.repeat(16);
export const mainChain: ChainId = parseChainId('eip155:1');
export const sideChain: ChainId = parseChainId('eip155:10');
/** Listed by the tests that want it; it has no vaults. */
export const bareChain: ChainId = parseChainId('eip155:100');
export const ether: AssetId = nativeAsset(mainChain);
export const token: AssetId = parseAssetId(`eip155:1/erc20:0x${'70'.repeat(20)}`);
export const oneEther: bigint = 10n ** 18n;

export const compartments: Readonly<Record<'gas' | 'fees' | 'signers' | 'first' | 'second' | 'shared', Compartment>> = {
  gas: parseCompartment(1),
  fees: parseCompartment(2),
  signers: houseSigners,
  first: parseCompartment(100_000),
  second: parseCompartment(100_001),
  shared: parseCompartment(10_000),
};

/** Everybody, and what they sign with. Anna has three keys of three kinds. */
export const people = {
  olga: robot('olga'),
  anna: passkey('anna'),
  annaWallet: wallet('anna'),
  annaRobot: robot('anna'),
  ben: passkey('ben'),
  cleo: wallet('cleo'),
  dora: robot('dora'),
} as const;

const rules: readonly Rule[] = [
  rule({ kind: 'withdrawal', compartments: 'individual', destination: 'enrolled', approvals: 2 }),
  rule({ kind: 'withdrawal', compartments: 'individual', destination: 'enrolled', approvals: 2, asset: token }),
  rule({ kind: 'withdrawal', compartments: 'omnibus', destination: 'enrolled', approvals: 2 }),
  rule({ kind: 'deposit-return', compartments: 'individual', destination: 'any', approvals: 2 }),
  rule({ kind: 'sweep', compartments: 'individual', destination: 'own', approvals: 0 }),
  rule({ kind: 'gas-grant', compartments: 'house', destination: 'own', approvals: 0, amountMax: oneEther / 10n }),
  rule({ kind: 'fee-payment', compartments: 'individual', destination: 'own', approvals: 0 }),
  rule({ kind: 'vault-withdrawal', compartments: 'individual', destination: 'enrolled', approvals: 2 }),
  rule({ kind: 'vault-withdrawal', compartments: 'omnibus', destination: 'enrolled', approvals: 2 }),
  rule({ kind: 'vault-fee', compartments: 'individual', destination: 'own', approvals: 0, amountMax: oneEther / 10n }),
];

function rule(own: Pick<Rule, 'kind' | 'compartments' | 'destination' | 'approvals'> & Partial<Rule>): Rule {
  const limits = { amountMax: 10n * oneEther, windowSeconds: 86_400n, windowMax: 25n * oneEther };
  return { tier: 'hot', asset: ether, ...limits, ...own };
}

const codeHash = 'c0'.repeat(32);

/** Where proofs of reserves are pinned on the main chain, and who pins them. */
export const proofRegistry: Address = parseAddress(`0x${'71'.repeat(20)}`);
export const custodian: string = 'c5'.repeat(32);
/** Name of the audit log. */
export const logOrigin = 'custody.example/log';

export const coolingSeconds: bigint = 3_600n;

/** What the ceremony decides. */
export const genesisItems: readonly RegistryItem[] = [
  ...[mainChain, sideChain].map((chain): RegistryItem => ({
    item: 'chain',
    chain,
    development: false,
    feeMax: oneEther / 100n,
    feeWindowSeconds: 86_400n,
    feeWindowMax: oneEther / 20n,
  })),
  { item: 'asset', asset: ether, symbol: 'ETH', decimals: 18, codeHash: '' },
  { item: 'asset', asset: nativeAsset(sideChain), symbol: 'ETH', decimals: 18, codeHash: '' },
  { item: 'asset', asset: token, symbol: 'TKN', decimals: 18, codeHash },
  { item: 'wallet', compartment: compartments.gas, key: '0', tier: 'hot', purpose: 'gas' },
  { item: 'wallet', compartment: houseSigners, key: '0', tier: 'hot', purpose: 'vault-signer' },
  { item: 'vault-system', ...vaultSystem(mainChain) },
  { item: 'vault-system', ...vaultSystem(sideChain) },
  { item: 'proof-registry', chain: mainChain, registry: proofRegistry, custodian, signerSet },
  { item: 'audit-log', origin: logOrigin },
  { item: 'wallet', compartment: compartments.fees, key: '0', tier: 'hot', purpose: 'fees' },
  { item: 'wallet', compartment: compartments.first, key: '0', tier: 'hot', purpose: 'pool' },
  { item: 'wallet', compartment: compartments.second, key: '0', tier: 'hot', purpose: 'pool' },
  { item: 'wallet', compartment: compartments.shared, key: '0', tier: 'hot', purpose: 'pool' },
  { item: 'person', id: 'olga', name: 'Olga', roles: ['operational', 'requester'], keys: [people.olga.key] },
  {
    item: 'person',
    id: 'anna',
    name: 'Anna',
    roles: ['approver', 'operational', 'requester', 'root'],
    keys: [people.anna.key, people.annaWallet.key, people.annaRobot.key],
  },
  { item: 'person', id: 'ben', name: 'Ben', roles: ['approver', 'operational', 'root'], keys: [people.ben.key] },
  { item: 'person', id: 'cleo', name: 'Cleo', roles: ['approver', 'root'], keys: [people.cleo.key] },
  { item: 'person', id: 'dora', name: 'Dora', roles: ['approver'], keys: [people.dora.key] },
  { item: 'policy', coolingSeconds, operationalQuorum: 2, rootQuorum: 2, rules },
];

export const exchange: Address = parseAddress(`0x${'e1'.repeat(20)}`);
export const thief: Address = parseAddress(`0x${'66'.repeat(20)}`);
export const clientOne = 'cl_one';
export const clientTwo = 'cl_two';

/** Vaults of the two clients, and the one that they share. */
export const vaults = {
  first: vaultOf({
    chain: mainChain,
    compartment: compartments.first,
    client: clientOne,
    key: keys.one,
    destinations: [exchange],
  }),
  second: vaultOf({ chain: mainChain, compartment: compartments.second, client: clientTwo, key: keys.two }),
  shared: vaultOf({ chain: mainChain, compartment: compartments.shared, key: keys.pool, destinations: [exchange] }),
} as const;

/** Clients, their destinations and vaults, as the operational quorum enrols them. */
export const enrolmentItems: readonly RegistryItem[] = [
  { item: 'client', client: clientOne, compartment: compartments.first },
  { item: 'client', client: clientTwo, compartment: compartments.second },
  { item: 'client', client: clientOne, compartment: compartments.shared },
  { item: 'client', client: clientTwo, compartment: compartments.shared },
  destination(clientOne, compartments.first, exchange),
  destination(clientOne, compartments.shared, exchange),
  ...Object.values(vaults).map(({ item }) => item),
];

export function destination(client: string, compartment: Compartment, address: Address): RegistryItem {
  return { item: 'destination', client, compartment, chain: mainChain, address, label: 'Exchange' };
}

/** An intent about a list, and the list. */
export function listed(
  kind: 'enrolment' | 'policy-change',
  items: readonly RegistryItem[],
  at: { readonly id: string; readonly before: bigint; readonly expiresAt: bigint },
): { readonly intent: AuthorityIntent; readonly list: string } {
  const list = listText(items);
  const digest = listDigest(nobleHashes, list);
  return { intent: { deployment, kind, ...at, items: BigInt(items.length), digest }, list };
}
