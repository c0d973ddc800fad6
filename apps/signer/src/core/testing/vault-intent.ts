import { nobleHashes } from '@bulkhead/authority';
import type { Address, Signature, VaultIntent, VaultSignRequest } from '@bulkhead/domain';
import { addressOfPublicKey } from '@bulkhead/keys';
import { vaultIntentDigest } from '@bulkhead/vaults';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import * as registry from './registry.ts';
import { signerSet, type TestVault } from './vault.ts';
import type { World } from './world.ts';

export type VaultWithdrawal = Extract<VaultIntent, { readonly kind: 'vault-withdrawal' }>;
export type VaultFee = Extract<VaultIntent, { readonly kind: 'vault-fee' }>;
type Kind<K extends VaultIntent['kind']> = Extract<VaultIntent, { readonly kind: K }>;

type OfVault = { readonly deployment: string } & Pick<VaultWithdrawal, 'client' | 'vault' | 'vaultNonce' | 'deadline'>;

function ofVault(world: World, vault: TestVault): OfVault {
  return {
    deployment: registry.deployment,
    client: vault.item.client ?? registry.clientOne,
    vault: vault.address,
    vaultNonce: 0n,
    deadline: world.clock.seconds + 300n,
  };
}

export function vaultWithdrawal(
  world: World,
  own: Partial<VaultWithdrawal> = {},
  vault = registry.vaults.first,
): VaultWithdrawal {
  return {
    ...ofVault(world, vault),
    kind: 'vault-withdrawal',
    id: 'wd_vault',
    compartment: vault.item.compartment,
    asset: registry.ether,
    to: registry.exchange,
    amount: registry.oneEther,
    feeMax: 1_000_000n,
    authorisation: 'listed',
    expiresAt: world.clock.seconds + 600n,
    ...own,
  };
}

export function vaultFee(world: World, own: Partial<VaultFee> = {}, vault = registry.vaults.first): VaultFee {
  return {
    ...ofVault(world, vault),
    kind: 'vault-fee',
    id: 'fee_vault',
    compartment: vault.item.compartment,
    asset: registry.ether,
    to: vault.config.feeReceiver,
    amount: 0n,
    feeMax: 1_000_000n,
    ...own,
  };
}

type Matter = OfVault & Pick<Kind<'vault-pause'>, 'chain' | 'compartment'>;

function matter(world: World, vault: TestVault): Matter {
  const { chain, compartment } = vault.item;
  return { ...ofVault(world, vault), chain, compartment };
}

export function invalidation(world: World, own: Partial<Kind<'vault-invalidation'>> = {}): Kind<'vault-invalidation'> {
  return {
    ...matter(world, registry.vaults.first),
    kind: 'vault-invalidation',
    id: 'inv_one',
    cancels: 'wd_vault',
    ...own,
  };
}

export function pause(world: World, own: Partial<Kind<'vault-pause'>> = {}): Kind<'vault-pause'> {
  const expiresAt = world.clock.seconds + 600n;
  return { ...matter(world, registry.vaults.first), kind: 'vault-pause', id: 'vp_one', expiresAt, ...own };
}

export function lowering(world: World, own: Partial<Kind<'vault-limit-lowering'>> = {}): Kind<'vault-limit-lowering'> {
  return {
    ...matter(world, registry.vaults.first),
    kind: 'vault-limit-lowering',
    id: 'vl_one',
    asset: registry.ether,
    cap: 5n,
    window: 'listed',
    expiresAt: world.clock.seconds + 600n,
    ...own,
  };
}

export function removal(
  world: World,
  own: Partial<Kind<'vault-destination-removal'>> = {},
): Kind<'vault-destination-removal'> {
  const expiresAt = world.clock.seconds + 600n;
  const { exchange, vaults } = registry;
  return {
    ...matter(world, vaults.first),
    kind: 'vault-destination-removal',
    id: 'vd_one',
    to: exchange,
    expiresAt,
    ...own,
  };
}

export function keyRecovery(world: World, own: Partial<Kind<'vault-key-recovery'>> = {}): Kind<'vault-key-recovery'> {
  return {
    ...matter(world, registry.vaults.first),
    kind: 'vault-key-recovery',
    id: 'vk_one',
    role: 'client',
    newKey: 'ab'.repeat(32),
    expiresAt: world.clock.seconds + 600n,
    ...own,
  };
}

export function heartbeat(world: World, own: Partial<Kind<'signer-set-heartbeat'>> = {}): Kind<'signer-set-heartbeat'> {
  return {
    deployment: registry.deployment,
    kind: 'signer-set-heartbeat',
    id: 'hb_one',
    chain: registry.mainChain,
    signerSet,
    blockNumber: world.clock.seconds,
    blockHash: 'b1'.repeat(32),
    statement: '0'.repeat(64),
    ...own,
  };
}

export function setChange(
  world: World,
  members: readonly Address[],
  own: Partial<Kind<'signer-set-change'>> = {},
): Kind<'signer-set-change'> {
  return {
    deployment: registry.deployment,
    kind: 'signer-set-change',
    id: 'ssc_one',
    signerSet,
    number: 2n,
    members: [...members].sort().join(','),
    threshold: 2n,
    expiresAt: world.clock.seconds + 600n,
    ...own,
  };
}

/** The honest request for a signature, with the people that the kind needs. */
export function vaultRequest(world: World, intent: VaultIntent): VaultSignRequest {
  return { intent, evidence: evidenceFor(world, intent) };
}

const unattended: ReadonlySet<VaultIntent['kind']> = new Set([
  'vault-fee',
  'vault-invalidation',
  'signer-set-heartbeat',
]);

function evidenceFor(world: World, intent: VaultIntent): VaultSignRequest['evidence'] {
  return unattended.has(intent.kind) ? { approvals: [] } : world.approved(intent);
}

/** Who made a signature over what the contract checks. */
export function signerOf(intent: VaultIntent, { r, s, yParity }: Signature): Address {
  const signature = new secp256k1.Signature(r, s).addRecoveryBit(yParity);
  const point = signature.recoverPublicKey(vaultIntentDigest(nobleHashes, intent));
  return addressOfPublicKey(point.toBytes(false));
}
