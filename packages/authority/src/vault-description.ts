import { type Address, type ChainId, checksumAddress, nativeAsset, tokenAsset } from '@bulkhead/domain';
import { accountOf, type InitialPolicy, type Limit, nativeToken, type VaultConfig } from '@bulkhead/vaults';
import { describeAmount, describeCompartment, type DescriptionLine, type KnownAssets } from './description.ts';
import type { VaultItem, VaultSystemEntry } from './registry-vault.ts';
import { describeSpan } from './time-span.ts';

type Configured = { readonly chain: ChainId; readonly config: VaultConfig; readonly policy: InitialPolicy };

/** Every field of a configuration and of the policy from the start, for whoever agrees to them. */
export function describeVaultTerms(
  { chain, config, policy }: Configured,
  assets: KnownAssets,
): readonly DescriptionLine[] {
  return [
    { name: 'Kind', value: config.kind },
    { name: 'Key that agrees to destinations and limits', value: describeKey(config.clientKey) },
    { name: 'Key that asks for the exit', value: describeKey(config.exitKey) },
    { name: 'An exit pays to', value: checksumAddress(config.exitDestination) },
    { name: 'An exit waits', value: describeSpan(config.exitDelay) },
    { name: 'Another exit destination waits', value: describeSpan(config.exitChangeDelay) },
    { name: 'Anybody may open the exit after a silence of', value: describeSpan(config.heartbeatPeriod) },
    { name: 'A new destination or a higher limit waits', value: describeSpan(config.changeDelay) },
    { name: 'A key that replaces a lost one waits', value: describeSpan(config.recoveryDelay) },
    { name: 'Window of the limits', value: describeSpan(config.windowSeconds) },
    { name: 'A pause lasts', value: describeSpan(config.pauseSeconds) },
    { name: 'Highest fee in a year', value: `${config.feeBpsYear} of 10,000` },
    { name: 'Fees go to', value: checksumAddress(config.feeReceiver) },
    { name: 'Set of signers', value: checksumAddress(config.signerSet) },
    { name: 'Client, as the chain sees it', value: config.clientId },
    ...policyLines(chain, policy, assets),
    { name: 'Hash of the policy', value: config.policyHash },
  ];
}

function policyLines(chain: ChainId, policy: InitialPolicy, assets: KnownAssets): readonly DescriptionLine[] {
  const limit = (name: string, { token, cap }: Limit): DescriptionLine => ({
    name,
    value: describeAmount(cap, token === nativeToken ? nativeAsset(chain) : tokenAsset(chain, token), assets),
  });
  return [
    ...policy.destinations.map((address, at) => ({ name: `Destination ${at + 1}`, value: checksumAddress(address) })),
    ...policy.limits.map((each, at) => limit(`Limit ${at + 1} of a window`, each)),
    ...policy.unlisted.map((each, at) => limit(`Limit ${at + 1} for addresses that nobody listed`, each)),
  ];
}

/** A key of a client: an account, or the id of a passkey. */
export function describeKey(id: VaultConfig['clientKey']): string {
  const account = accountOf(id);
  return account === undefined ? `passkey ${id}` : `account ${checksumAddress(account)}`;
}

export function vaultItemLines(item: VaultItem, assets: KnownAssets): readonly string[] {
  const whose = item.client === undefined ? 'of all its clients' : `of ${item.client}`;
  return [
    `List a vault ${whose} in compartment ${describeCompartment(item.compartment)} on ${item.chain}: ${item.tier}`,
    ...describeVaultTerms(item, assets).map(({ name, value }) => `  ${name}: ${value}`),
    `  Signature of the client: ${item.agreement}`,
  ];
}

export function vaultSystemLines(entry: VaultSystemEntry): readonly string[] {
  const contract = (name: string, address: Address, code: string): string =>
    `  ${name}: ${checksumAddress(address)}, code ${code.slice(2)}`;
  const { codeHashes } = entry;
  const delegate = entry.delegateCode === '' ? 'none' : entry.delegateCode;
  return [
    `List the contracts of vaults on ${entry.chain}: ${entry.threshold} of ${entry.members.length} keys sign for all of them`,
    ...entry.members.map((member) => `  Member: ${checksumAddress(member)}`),
    contract('Factory', entry.factory, codeHashes.factory),
    contract('Code of vaults', entry.vaultImplementation, codeHashes.vaultImplementation),
    contract('Code of forwarders', entry.forwarderImplementation, codeHashes.forwarderImplementation),
    contract('Set of signers', entry.signerSet, codeHashes.signerSet),
    `  Fees go to: ${checksumAddress(entry.feeReceiver)}`,
    `  Creation code of the delegate: ${delegate}`,
  ];
}
