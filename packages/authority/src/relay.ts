import {
  type Address,
  chainOf,
  CustodyError,
  houseGas,
  kindOf,
  type MovementIntent,
  parseAddress,
} from '@bulkhead/domain';
import {
  bytesOf,
  configHash,
  delegateSweep,
  type Hex,
  hexOf,
  messagePreimage,
  parseFactoryCall,
  parseProofRegistryCall,
  parseSignerSetCall,
  parseVaultCall,
  standardDeployment,
  standardFactory,
  sweepDelegateCreationCode,
  vaultAddress,
  type VaultCall,
  vaultCallMessage,
  type VaultConfig,
  vaultDomain,
} from '@bulkhead/vaults';
import { bytesToHex } from '@noble/hashes/utils.js';
import { difference } from './difference.ts';
import type { Hashes } from './hashes.ts';
import { refuse } from './judge-rule.ts';
import type { IsOwn, SignerRefusal } from './judgement.ts';
import type { Registry } from './registry.ts';
import { isVaultOf, type VaultEntry, vaultKey, type VaultSystemEntry } from './registry-vault.ts';

export type Relay = Extract<MovementIntent, { readonly kind: 'relay' }>;

/** Bytes of a call that is relayed: ten vaults at once, or a long initial policy. */
export const relayBytesMax: number = 16_384;

/** Authorisations that one transaction carries. */
export const relayAuthorizationsMax: number = 16;

type Target =
  | { readonly kind: 'factory' | 'signer-set' | 'proof-registry'; readonly system: VaultSystemEntry }
  | { readonly kind: 'vault'; readonly system: VaultSystemEntry; readonly vault: VaultEntry }
  | { readonly kind: 'own'; readonly system: VaultSystemEntry }
  /** The standard factory, which makes the delegate of a wallet: anybody may, and only once. */
  | { readonly kind: 'standard-factory'; readonly system: VaultSystemEntry };

function targetOf(registry: Registry, { asset, to, beneficiary }: Relay, isOwn: IsOwn): Target | undefined {
  const chain = chainOf(asset);
  const { systems, vaults } = registry;
  const system = systems.get(chain);
  if (system === undefined) return undefined;
  if (to === system.factory) return { kind: 'factory', system };
  if (to === system.signerSet) return { kind: 'signer-set', system };
  if (to === registry.proofRegistries.get(chain)?.registry) return { kind: 'proof-registry', system };
  if (to === standardFactory && system.delegateCode !== '') return { kind: 'standard-factory', system };
  const vault = vaults.get(vaultKey({ chain, address: to }));
  if (vault !== undefined) return { kind: 'vault', system, vault };
  return isOwn(beneficiary, to, 'derived') ? { kind: 'own', system } : undefined;
}

/** Why the house would not pay for a call of this contract; what the call says is compared with the transaction. */
export function relayObjection(registry: Registry, intent: Relay, isOwn: IsOwn): SignerRefusal | undefined {
  const { compartment, to } = intent;
  if (compartment !== houseGas) {
    return refuse(
      'signer/unknown-wallet',
      `Compartment ${compartment} relays nothing; only compartment ${houseGas} does.`,
      { compartment },
    );
  }
  if (targetOf(registry, intent, isOwn) !== undefined) return undefined;
  return refuse(
    'signer/unknown-destination',
    `A relay goes to the factory, the set of signers, the proof registry, a listed vault, an address of compartment ${intent.beneficiary}, or the standard factory where the registry has a delegate, and ${to} is none. If the address came from the database, find out who changed it.`,
    { kind: intent.kind, to },
  );
}

export type RelayedCall = {
  readonly registry: Registry;
  readonly intent: Relay;
  readonly data: Uint8Array;
  readonly isOwn: IsOwn;
  /** What the signer granted under the id that the relay names, where it did: the digest that the quorum signs, hex. */
  readonly granted: string | undefined;
};

/**
 * Asserts that call data asks a contract for what the intent names, and for nothing beside it. It decides what the house pays for, and no
 * more: whatever is called, contracts do only what others have signed.
 *
 * @throws CustodyError `signer/malformed-transaction`
 */
export function assertRelayed(hashes: Hashes, call: RelayedCall): void {
  try {
    assertCall(hashes, call);
  } catch (cause) {
    // What no function takes is a transaction that is not the one of the intent, like any other difference.
    if (!(cause instanceof CustodyError) || cause.code !== 'vault/malformed') throw cause;
    throw difference('call data', 'a call that the contract has', cause.message);
  }
}

function assertCall(hashes: Hashes, { registry, intent, data, isOwn, granted }: RelayedCall): void {
  const target = targetOf(registry, intent, isOwn);
  if (target === undefined) throw difference('contract called', 'one that the registry lists', intent.to);
  const hex = hexOf(data);
  switch (target.kind) {
    case 'vault':
      assertBeneficiary(intent, [target.vault]);
      return assertVaultCalls(hashes, { intent, vault: target.vault, calls: [hex], granted });
    case 'signer-set':
      parseSignerSetCall(hashes, hex);
      return;
    case 'proof-registry':
      parseProofRegistryCall(hashes, hex);
      return;
    case 'own':
      // Without call data: the transaction does nothing but carry the authorisation that takes a delegation back.
      if (data.length > 0 && delegateSweep.parse(hashes, data) === undefined) {
        throw difference('function called', delegateSweep.name, hex.slice(0, 10));
      }
      return;
    case 'standard-factory':
      return assertDelegateMade({ registry, intent, system: target.system, data, isOwn });
    case 'factory':
      return assertFactoryCall(hashes, { registry, intent, system: target.system, hex, granted });
  }
}

type DelegateMade = Pick<RelayedCall, 'registry' | 'intent' | 'data' | 'isOwn'> & { readonly system: VaultSystemEntry };

/** What is made is the registry's delegate of a listed wallet or vault of the beneficiary: it pays nobody else, whoever had it made. */
function assertDelegateMade({ registry, intent, system, data, isOwn }: DelegateMade): void {
  const wallet = parseAddress(hexOf(data.subarray(Math.max(data.length - 20, 0))).padEnd(42, '0'));
  const wanted = standardDeployment(sweepDelegateCreationCode(bytesOf(`0x${system.delegateCode}`), wallet));
  if (wanted !== hexOf(data)) throw difference('contract made', 'the delegate that the registry has', 'another one');
  const { beneficiary, asset } = intent;
  const at = { chain: chainOf(asset), compartment: beneficiary, address: wallet };
  if (isOwn(beneficiary, wallet, 'listed') || isVaultOf(registry, at)) return;
  throw difference('wallet of the delegate', `a listed wallet or vault of compartment ${beneficiary}`, wallet);
}

type FactoryAsked = Pick<RelayedCall, 'registry' | 'intent' | 'granted'> & {
  readonly system: VaultSystemEntry;
  readonly hex: Hex;
};

function assertFactoryCall(hashes: Hashes, { registry, intent, system, hex, granted }: FactoryAsked): void {
  const asked = parseFactoryCall(hashes, hex);
  const vaultOf = (config: VaultConfig): VaultEntry => listed(registry, system, vaultAddress(hashes, system, config));
  switch (asked.call) {
    case 'create':
      assertBeneficiary(intent, [vaultOf(asked.arguments.config)]);
      return;
    case 'createMany':
      assertBeneficiary(intent, asked.arguments.configs.map(vaultOf));
      return;
    case 'createAndCall': {
      const { config, calls } = asked.arguments;
      const vault = vaultOf(config);
      assertBeneficiary(intent, [vault]);
      return assertVaultCalls(hashes, { intent, vault, calls, granted });
    }
    case 'createForwarder':
    case 'flush':
      assertBeneficiary(intent, [listed(registry, system, asked.arguments.vault)]);
      return;
  }
}

function listed({ vaults }: Registry, { chain }: VaultSystemEntry, address: Address): VaultEntry {
  const vault = vaults.get(vaultKey({ chain, address }));
  if (vault === undefined) throw difference('vault in the call', 'one that the registry lists', address);
  return vault;
}

/** The cost of the house is booked for whom it served. */
function assertBeneficiary({ beneficiary }: Relay, vaults: readonly VaultEntry[]): void {
  const other = vaults.find(({ compartment }) => compartment !== beneficiary);
  const many = vaults.length > 1 && kindOf(beneficiary) === 'house';
  if (other === undefined || many) return;
  throw difference('compartment of the vault', String(beneficiary), String(other.compartment));
}

type Calls = {
  readonly intent: Relay;
  readonly vault: VaultEntry;
  readonly calls: readonly Hex[];
  readonly granted: string | undefined;
};

/** What every vault does for anybody, without a signature, at most beside one thing that was signed. */
const unsigned: ReadonlySet<VaultCall['call']> = new Set(['openPolicy']);

function assertVaultCalls(hashes: Hashes, { intent, vault, calls, granted }: Calls): void {
  const asked = calls.map((hex) => parseVaultCall(hashes, hex));
  const wanted = configHash(hashes, vault.config);
  const foreign = asked.find((call) => configHash(hashes, call.arguments.config) !== wanted);
  if (foreign !== undefined) throw difference('configuration in the call', 'that of the vault', foreign.call);
  const signed = asked.filter(({ call }) => !unsigned.has(call));
  if (signed.length > 1) throw difference('calls of the vault', 'one', signed.map(({ call }) => call).join(', '));
  if (granted === undefined) return;
  const [only] = signed;
  const message = only === undefined ? undefined : vaultCallMessage(only);
  const domain = vaultDomain(vault.chain, vault.address);
  const found = message === undefined ? 'none' : bytesToHex(hashes.keccak256(messagePreimage(hashes, domain, message)));
  if (found !== granted) throw difference(`message of ${intent.relays} in the call`, granted, found);
}
