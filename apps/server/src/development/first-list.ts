import { relayGasMax } from '@bulkhead/custody';
import type { PolicyDocument, ProofRegistryEntry, RegistryItem, Rule, VaultSystemEntry } from '@bulkhead/authority';
import {
  type Asset,
  type AssetId,
  chainOf,
  type Compartment,
  contractOf,
  houseFees,
  houseGas,
  houseSigners,
  invariant,
} from '@bulkhead/domain';
import type { ChainConfiguration, Configuration } from '../config.ts';

const day = 86_400n;
const ether = 10n ** 18n;

/** A destination can be used this long after it was enrolled. In production it is a day or more; nobody waits that long here. */
const coolingSeconds = 2n;

/** Network fees of one compartment in a day: as many payments at the highest fee. */
const feesPerDay = 1_000n;

type Terms = Pick<Configuration, 'chains' | 'assets' | 'policy'>;

/**
 * The first list of an installation for development, but for its people: its chains, their native coins, its audit log, the wallets of house
 * and pool, and a policy under which the people can do everything that a custodian does. Tokens come later, by a change that the root quorum
 * approves.
 */
export function firstList(terms: Terms, of: FirstVaults & { readonly origin: string }): readonly RegistryItem[] {
  const { chains, assets, policy } = terms;
  const { origin, ...vaults } = of;
  const development = chains.filter((chain) => chain.development);
  const coins = assets.filter(
    ({ id }) => contractOf(id) === undefined && development.some((chain) => chain.id === chainOf(id)),
  );
  return [
    ...development.map(chainItem),
    ...coins.map(coinItem),
    { item: 'audit-log', origin },
    ...walletItems(policy.omnibusCompartment),
    ...(vaults.vaultSigners ? [vaultSignerItem] : []),
    ...vaults.systems.map((system): RegistryItem => ({ item: 'vault-system', ...system })),
    ...vaults.registries.map((registry): RegistryItem => ({ item: 'proof-registry', ...registry })),
    { item: 'policy', ...policyOf(coins.map((coin) => rulesFor(coin, policy.quorum)).flat()) },
  ];
}

/** What of vaults there is from the start. */
export type FirstVaults = {
  /** Whether each signer has a key for the signer set. */
  readonly vaultSigners: boolean;
  readonly systems: readonly VaultSystemEntry[];
  /** Where proofs of reserves are pinned. */
  readonly registries: readonly ProofRegistryEntry[];
};

/** One entry for all signers: each has another key behind it. */
const vaultSignerItem: RegistryItem = {
  item: 'wallet',
  compartment: houseSigners,
  key: '0',
  tier: 'hot',
  purpose: 'vault-signer',
};

function chainItem({ id, fees }: ChainConfiguration): RegistryItem {
  const { maxFeePerGas, nativeGas, tokenGas } = fees;
  const gas = [nativeGas, tokenGas, relayGasMax].reduce((most, one) => (one > most ? one : most));
  const feeMax = maxFeePerGas * gas;
  return {
    item: 'chain',
    chain: id,
    development: true,
    feeMax,
    feeWindowSeconds: day,
    feeWindowMax: feeMax * feesPerDay,
  };
}

function coinItem({ id, symbol, decimals }: Asset): RegistryItem {
  return { item: 'asset', asset: id, symbol, decimals, codeHash: '' };
}

function walletItems(pool: Compartment): readonly RegistryItem[] {
  return [
    { item: 'wallet', compartment: houseGas, key: '0', tier: 'hot', purpose: 'gas' },
    { item: 'wallet', compartment: houseFees, key: '0', tier: 'hot', purpose: 'fees' },
    { item: 'wallet', compartment: pool, key: '0', tier: 'hot', purpose: 'pool' },
  ];
}

/** The policy with its rules; the quorums are those that the development people can form. */
export function policyOf(rules: readonly Rule[]): PolicyDocument {
  return { coolingSeconds, operationalQuorum: 2, rootQuorum: 2, rules };
}

/** What may be done in one asset. */
export function rulesFor(asset: Pick<Asset, 'id' | 'decimals'>, approvals: number): readonly Rule[] {
  const whole = 10n ** BigInt(asset.decimals);
  const native = contractOf(asset.id) === undefined;
  return [...clientRules(asset.id, { whole, approvals }), ...(native ? [grantRule(asset.id)] : [])];
}

function clientRules(
  asset: AssetId,
  { whole, approvals }: { readonly whole: bigint; readonly approvals: number },
): readonly Rule[] {
  const most = { amountMax: 1_000_000n * whole, windowSeconds: day, windowMax: 10_000_000n * whole };
  return (['individual', 'omnibus'] as const).flatMap((compartments): readonly Rule[] => {
    const rule = { compartments, tier: 'hot', asset, ...most } as const;
    return [
      { ...rule, kind: 'withdrawal', approvals, destination: 'enrolled' },
      { ...rule, kind: 'vault-withdrawal', approvals, destination: 'enrolled' },
      { ...rule, kind: 'vault-fee', approvals: 0, destination: 'own' },
      { ...rule, kind: 'deposit-return', approvals, destination: 'any' },
      { ...rule, kind: 'sweep', approvals: 0, destination: 'own' },
      { ...rule, kind: 'fee-payment', approvals: 0, destination: 'own' },
    ];
  });
}

function grantRule(asset: AssetId): Rule {
  invariant(contractOf(asset) === undefined, 'Gas is granted in the native coin.');
  return {
    kind: 'gas-grant',
    compartments: 'house',
    tier: 'hot',
    asset,
    amountMax: ether / 10n,
    approvals: 0,
    windowSeconds: day,
    windowMax: 100n * ether,
    destination: 'own',
  };
}
