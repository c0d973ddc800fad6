import { amountMax, checksumAddress, contractOf } from '@bulkhead/domain';
import { describeAmount, describeCompartment, type KnownAssets } from './description.ts';
import { describeSpan } from './time-span.ts';
import { vaultItemLines, vaultSystemLines } from './vault-description.ts';
import type { ApproverKey, ChainEntry, PolicyDocument, RegistryItem, Rule } from './registry.ts';

/** One item of a registry list as lines for people: what it does first, its parts below it. */
export function describeItem(item: RegistryItem, assets: KnownAssets): readonly string[] {
  switch (item.item) {
    case 'client':
      return [`Enrol client ${item.client} in compartment ${describeCompartment(item.compartment)}`];
    case 'destination':
      return [
        `Enrol destination ${checksumAddress(item.address)} on ${item.chain}, called "${item.label}", for ${item.client} in compartment ${describeCompartment(item.compartment)}`,
      ];
    case 'destination-removed':
      return [
        `Remove destination ${checksumAddress(item.address)} on ${item.chain} of ${item.client} in compartment ${describeCompartment(item.compartment)}`,
      ];
    case 'person-suspended':
      return [`Suspend person "${item.person}": neither requests nor approvals count any more`];
    case 'person-removed':
      return [`Remove person "${item.person}"`];
    case 'chain':
      return [chainLine(item)];
    case 'asset':
      return [
        `List asset ${item.asset} as ${item.symbol} with ${item.decimals} decimals` +
          (contractOf(item.asset) === undefined ? '' : `, contract code ${item.codeHash}`),
      ];
    case 'asset-removed':
      return [`Remove asset ${item.asset}: nothing in it is signed any more`];
    case 'wallet':
      return [
        `List wallet ${item.key} of compartment ${describeCompartment(item.compartment)}: ${item.tier}, for ${item.purpose}`,
      ];
    case 'person':
      return [
        `Register person "${item.id}", called "${item.name}", as ${item.roles.join(', ') || 'nothing'}; what was registered under this id ends`,
        ...item.keys.map((key) => `  key ${keyLine(key)}`),
      ];
    case 'vault-system':
      return vaultSystemLines(item);
    case 'vault':
      return vaultItemLines(item, assets);
    case 'proof-registry':
      return [
        `List the proof registry of ${item.chain} at ${checksumAddress(item.registry)}: proofs of reserves are pinned there by the set of signers`,
        `  Custodian: ${item.custodian}`,
        `  Set of signers: ${checksumAddress(item.signerSet)}`,
      ];
    case 'audit-log':
      return [`Sign checkpoints of the audit log "${item.origin}", and of no other`];
    case 'identities':
      return [
        `Replace the identity keys of the signer: from now on these ${item.publicKeys.length} sign for it, and no others`,
        ...item.publicKeys.map((key) => `  Ed25519 public key ${key}`),
      ];
    case 'policy':
      return policyLines(item, assets);
  }
}

function chainLine({ chain, development, feeMax, feeWindowSeconds, feeWindowMax }: ChainEntry): string {
  const worth = development ? 'DEVELOPMENT: software keys may sign, its coins must be worth nothing' : 'coins of value';
  return `List chain ${chain} (${worth}): network fee at most ${feeMax} wei for one intent, ${feeWindowMax} wei for a compartment in ${describeSpan(feeWindowSeconds)}`;
}

function keyLine(key: ApproverKey): string {
  switch (key.kind) {
    case 'webauthn':
      return `${key.id}: passkey ${key.credential} for ${key.origin} (relying party ${key.relyingParty}), public key ${key.publicKey}`;
    case 'eip712':
      return `${key.id}: wallet ${checksumAddress(key.address)}`;
    case 'ed25519':
      return `${key.id}: Ed25519 public key ${key.publicKey}`;
  }
}

function policyLines(policy: PolicyDocument, assets: KnownAssets): readonly string[] {
  return [
    `Replace the policy: ${policy.operationalQuorum} people for enrolments, ${policy.rootQuorum} for people and policy, destinations cool for ${describeSpan(policy.coolingSeconds)}, ${policy.rules.length} rules`,
    ...policy.rules.map((rule) => `  ${ruleLine(rule, assets)}`),
  ];
}

function ruleLine(rule: Rule, assets: KnownAssets): string {
  const { kind, compartments, tier, asset, approvals, destination } = rule;
  const people = approvals === 0 ? 'nobody approves' : `${approvals} approve besides the requester`;
  const window =
    rule.windowMax >= amountMax ? 'without limit' : `at most ${describeAmount(rule.windowMax, asset, assets)}`;
  return `${kind} from ${tier} wallets of ${compartments} compartments: up to ${describeAmount(rule.amountMax, asset, assets)} each, ${window} in ${describeSpan(rule.windowSeconds)} for a compartment, to ${destination} destinations, ${people}`;
}
