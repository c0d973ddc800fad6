import {
  type Compartment,
  type CompartmentKind,
  CustodyError,
  parseAddress,
  parseAmount,
  parseAssetId,
  parseChainId,
  parseCompartment,
} from '@bulkhead/domain';
import type { CanonicalObject, CanonicalValue } from './canonical-json.ts';
import { isHex } from './hashes.ts';
import { approverKeyFields, approverKeyOf, edwardsKeyOf, personIdOf, rolesOf } from './registry-person.ts';
import type {
  AssetEntry,
  ChainEntry,
  PolicyDocument,
  RegistryItem,
  Rule,
  RuleKind,
  Tier,
  WalletEntry,
} from './registry.ts';
import { logOriginOf, proofRegistryFields, proofRegistryNames, proofRegistryOf } from './registry-proof.ts';
import {
  vaultItemFields,
  vaultItemOf,
  vaultNames,
  vaultSystemFields,
  vaultSystemNames,
  vaultSystemOf,
} from './registry-vault.ts';
import { assertNames, countOf, fieldOf, listOf, objectOf, oneOf, windowOf } from './registry-field.ts';
import { visibleText } from './visible-text.ts';

/** Rules of a policy: five kinds in a few tiers, for each asset. */
export const rulesMax: number = 2_000;

/** People that one rule or quorum can ask for. */
export const quorumMax: number = 20;

/** Identity keys that count at the same time: one for each token, and those that follow. */
export const identitiesMax: number = 8;

/** Longest cooling period of a destination. */
export const coolingSecondsMax: bigint = 90n * 86_400n;

/** ERC-20 gives decimals as a byte; nobody can read more digits than an amount has. */
export const decimalsMax: number = 77;

const clientForm = /^[a-z]{1,16}_[0-9a-z-]{1,64}$/u;
const symbolForm = /^[A-Za-z0-9][A-Za-z0-9.+$_-]{0,15}$/u;
const walletKeyForm = /^(?:0|[1-9][0-9]{0,9}|[a-z][a-z0-9-]{0,63})$/u;

/** The object that stands for an item. Numbers are decimal digits, true and false are words. */
export function itemFields(item: RegistryItem): CanonicalObject {
  switch (item.item) {
    case 'client':
      return { item: item.item, client: item.client, compartment: String(item.compartment) };
    case 'destination':
      return { ...destinationFields(item), item: item.item, label: item.label };
    case 'destination-removed':
      return { ...destinationFields(item), item: item.item };
    case 'person-suspended':
    case 'person-removed':
      return { item: item.item, person: item.person };
    case 'chain':
      return chainFields(item);
    case 'asset':
      return {
        item: item.item,
        asset: item.asset,
        symbol: item.symbol,
        decimals: String(item.decimals),
        codeHash: item.codeHash,
      };
    case 'asset-removed':
      return { item: item.item, asset: item.asset };
    case 'wallet': {
      const { compartment, key, tier, purpose } = item;
      return { item: item.item, compartment: String(compartment), key, tier, purpose };
    }
    case 'person': {
      const { id, name, roles, keys } = item;
      return { item: item.item, id, name, roles, keys: keys.map((key) => approverKeyFields(key)) };
    }
    case 'vault-system':
      return { ...vaultSystemFields(item), item: item.item };
    case 'vault':
      return { ...vaultItemFields(item), item: item.item };
    case 'proof-registry':
      return proofRegistryFields(item);
    case 'audit-log':
      return { item: item.item, origin: item.origin };
    case 'identities':
      return { item: item.item, publicKeys: item.publicKeys };
    case 'policy':
      return policyFields(item);
  }
}

/**
 * Reads an item; a field that its kind does not have is refused like one that is missing.
 *
 * @throws CustodyError `signer/registry-list` and the faults of the field parsers
 */
export function itemOf(fields: CanonicalObject): RegistryItem {
  const item = fieldOf(fields, 'item');
  const names = itemNames.get(item);
  if (names === undefined) throw wrong(`"${item.slice(0, 60)}" is no kind of item`);
  assertNames(fields, ['item', ...names]);
  switch (item) {
    case 'client':
      return { item, client: clientOf(fields), compartment: compartmentOf(fields) };
    case 'destination':
      return { item, ...destinationOf(fields), label: visibleText(fieldOf(fields, 'label'), 'label') };
    case 'destination-removed':
      return { item, ...destinationOf(fields) };
    case 'person-suspended':
    case 'person-removed':
      return { item, person: personIdOf(fieldOf(fields, 'person')) };
    case 'chain':
      return { item, ...chainOfFields(fields) };
    case 'asset':
      return { item, ...assetOf(fields) };
    case 'asset-removed':
      return { item, asset: exactly(parseAssetId, fieldOf(fields, 'asset')) };
    case 'wallet':
      return { item, ...walletOf(fields) };
    case 'person': {
      const keys = listOf(fields, 'keys').map((key) => approverKeyOf(objectOf(key)));
      const name = visibleText(fieldOf(fields, 'name'), 'name');
      return { item, id: personIdOf(fieldOf(fields, 'id')), name, roles: rolesOf(listOf(fields, 'roles')), keys };
    }
    case 'vault-system':
      return { item, ...vaultSystemOf(fields) };
    case 'vault':
      return { item, ...vaultItemOf(fields) };
    case 'proof-registry':
      return { item, ...proofRegistryOf(fields) };
    case 'audit-log':
      return { item, origin: logOriginOf(fields) };
    case 'identities':
      return { item, publicKeys: identitiesOf(listOf(fields, 'publicKeys')) };
    default:
      return { item: 'policy', ...policyOf(fields) };
  }
}

const destinationNames = ['client', 'compartment', 'chain', 'address'];

const itemNames: ReadonlyMap<string, readonly string[]> = new Map([
  ['client', ['client', 'compartment']],
  ['destination', [...destinationNames, 'label']],
  ['destination-removed', destinationNames],
  ['person-suspended', ['person']],
  ['chain', ['chain', 'development', 'feeMax', 'feeWindowSeconds', 'feeWindowMax']],
  ['asset', ['asset', 'symbol', 'decimals', 'codeHash']],
  ['asset-removed', ['asset']],
  ['wallet', ['compartment', 'key', 'tier', 'purpose']],
  ['person', ['id', 'name', 'roles', 'keys']],
  ['person-removed', ['person']],
  ['vault-system', vaultSystemNames],
  ['vault', vaultNames],
  ['proof-registry', proofRegistryNames],
  ['audit-log', ['origin']],
  ['identities', ['publicKeys']],
  ['policy', ['coolingSeconds', 'operationalQuorum', 'rootQuorum', 'rules']],
]);

type Destination = Omit<Extract<RegistryItem, { readonly item: 'destination-removed' }>, 'item'>;

function destinationFields({ client, compartment, chain, address }: Destination): Readonly<Record<string, string>> {
  return { client, compartment: String(compartment), chain, address };
}

function destinationOf(fields: CanonicalObject): Destination {
  return {
    client: clientOf(fields),
    compartment: compartmentOf(fields),
    chain: parseChainId(fieldOf(fields, 'chain')),
    address: exactly(parseAddress, fieldOf(fields, 'address')),
  };
}

function clientOf(fields: CanonicalObject): string {
  const client = fieldOf(fields, 'client');
  if (!clientForm.test(client)) throw wrong(`"${client.slice(0, 90)}" is no id of a client`);
  return client;
}

function compartmentOf(fields: CanonicalObject): Compartment {
  return parseCompartment(countOf(fields, 'compartment', 2 ** 31 - 1));
}

/** Each key once and in order, so that a list has one form. */
function identitiesOf(values: readonly CanonicalValue[]): readonly string[] {
  if (values.length === 0 || values.length > identitiesMax) {
    throw wrong(`${values.length} identity keys are named, not 1 to ${identitiesMax}`);
  }
  const keys = values.map((value) => edwardsKeyOf(typeof value === 'string' ? value : ''));
  if (keys.some((key, at) => at > 0 && key <= (keys[at - 1] ?? ''))) {
    throw wrong('identity keys are sorted, each once');
  }
  return keys;
}

function chainFields(entry: ChainEntry): CanonicalObject {
  const { chain, development, feeMax, feeWindowSeconds, feeWindowMax } = entry;
  return {
    item: 'chain',
    chain,
    development: String(development),
    feeMax: String(feeMax),
    feeWindowSeconds: String(feeWindowSeconds),
    feeWindowMax: String(feeWindowMax),
  };
}

function chainOfFields(fields: CanonicalObject): ChainEntry {
  return {
    chain: parseChainId(fieldOf(fields, 'chain')),
    development: oneOf(fields, 'development', ['true', 'false']) === 'true',
    feeMax: positive(fields, 'feeMax'),
    feeWindowSeconds: windowOf(fields, 'feeWindowSeconds'),
    feeWindowMax: positive(fields, 'feeWindowMax'),
  };
}

function assetOf(fields: CanonicalObject): AssetEntry {
  const asset = exactly(parseAssetId, fieldOf(fields, 'asset'));
  const symbol = fieldOf(fields, 'symbol');
  if (!symbolForm.test(symbol)) throw wrong(`"${symbol.slice(0, 60)}" is no symbol: 1 to 16 letters, digits and .+$_-`);
  const codeHash = fieldOf(fields, 'codeHash');
  if (!isHex(codeHash, asset.includes('/erc20:') ? 32 : 0)) {
    throw wrong('the hash of the code has 64 lower-case hex digits for a token and is empty for a native coin');
  }
  return { asset, symbol, decimals: countOf(fields, 'decimals', decimalsMax), codeHash };
}

function walletOf(fields: CanonicalObject): WalletEntry {
  const key = fieldOf(fields, 'key');
  if (!walletKeyForm.test(key) || Number(key) >= 2 ** 31) {
    throw wrong(
      `"${key.slice(0, 90)}" is no key: an index below 2^31, or a label of lower-case letters, digits and hyphens`,
    );
  }
  return {
    compartment: compartmentOf(fields),
    key,
    tier: tierOfField(fields),
    purpose: oneOf(fields, 'purpose', ['deposit', 'pool', 'gas', 'fees', 'treasury', 'vault-signer']),
  };
}

function tierOfField(fields: CanonicalObject): Tier {
  return oneOf(fields, 'tier', ['hot', 'warm', 'cold']);
}

function policyFields({ coolingSeconds, operationalQuorum, rootQuorum, rules }: PolicyDocument): CanonicalObject {
  return {
    item: 'policy',
    coolingSeconds: String(coolingSeconds),
    operationalQuorum: String(operationalQuorum),
    rootQuorum: String(rootQuorum),
    rules: rules.map((rule) => ruleFields(rule)),
  };
}

function ruleFields(rule: Rule): CanonicalObject {
  const { kind, compartments, tier, asset, destination } = rule;
  return {
    kind,
    compartments,
    tier,
    asset,
    destination,
    amountMax: String(rule.amountMax),
    approvals: String(rule.approvals),
    windowSeconds: String(rule.windowSeconds),
    windowMax: String(rule.windowMax),
  };
}

function policyOf(fields: CanonicalObject): PolicyDocument {
  const coolingSeconds = parseAmount(fieldOf(fields, 'coolingSeconds'));
  if (coolingSeconds > coolingSecondsMax) throw wrong(`the cooling period is above ${coolingSecondsMax} seconds`);
  const rules = listOf(fields, 'rules');
  if (rules.length > rulesMax) throw wrong(`the policy has ${rules.length} rules, at most ${rulesMax}`);
  return {
    coolingSeconds,
    operationalQuorum: quorumOf(fields, 'operationalQuorum'),
    rootQuorum: quorumOf(fields, 'rootQuorum'),
    rules: rules.map((rule) => ruleOf(objectOf(rule))),
  };
}

function quorumOf(fields: CanonicalObject, name: string): number {
  const quorum = countOf(fields, name, quorumMax);
  if (quorum === 0) throw wrong(`"${name}" is 0: without people nothing may change`);
  return quorum;
}

const kinds: readonly CompartmentKind[] = ['house', 'group', 'omnibus', 'individual'];
const ruleKinds: readonly RuleKind[] = [
  'withdrawal',
  'deposit-return',
  'sweep',
  'gas-grant',
  'fee-payment',
  'vault-withdrawal',
  'vault-fee',
];
const ruleNames = [
  'kind',
  'compartments',
  'tier',
  'asset',
  'destination',
  'amountMax',
  'approvals',
  'windowSeconds',
  'windowMax',
];

function ruleOf(fields: CanonicalObject): Rule {
  assertNames(fields, ruleNames);
  return {
    kind: oneOf(fields, 'kind', ruleKinds),
    compartments: oneOf(fields, 'compartments', kinds),
    tier: tierOfField(fields),
    asset: exactly(parseAssetId, fieldOf(fields, 'asset')),
    amountMax: positive(fields, 'amountMax'),
    approvals: countOf(fields, 'approvals', quorumMax),
    windowSeconds: windowOf(fields, 'windowSeconds'),
    windowMax: positive(fields, 'windowMax'),
    destination: oneOf(fields, 'destination', ['enrolled', 'any', 'own']),
  };
}

function positive(fields: CanonicalObject, name: string): bigint {
  const amount = parseAmount(fieldOf(fields, name));
  if (amount === 0n) throw wrong(`"${name}" is 0`);
  return amount;
}

/** Parsers of addresses and assets admit upper case; a list has one form of each. */
function exactly<T extends string>(parse: (text: string) => T, text: string): T {
  const parsed = parse(text);
  if (parsed !== text) throw wrong(`"${text.slice(0, 120)}" is not in lower case`);
  return parsed;
}

function wrong(fact: string): CustodyError {
  return new CustodyError('signer/registry-list', fact);
}
