import {
  parseAddress,
  parseAssetId,
  parseChainId,
  nativeAsset,
  type VaultIntent,
  type VaultSignRequest,
} from '@bulkhead/domain';
import { testDriver } from '../../src/core/testing/keys.ts';
import * as registry from '../../src/core/testing/registry.ts';
import { memberAddress, vaultSystem } from '../../src/core/testing/vault.ts';
import {
  heartbeat,
  invalidation,
  keyRecovery,
  pause,
  setChange,
  vaultFee,
  type VaultFee,
  vaultRequest,
  vaultWithdrawal,
  type VaultWithdrawal,
} from '../../src/core/testing/vault-intent.ts';
import { change, request, withdrawal, type World } from '../../src/core/testing/world.ts';
import { acting, askingMember, type Attack } from './attack.ts';

const { first, second, shared } = registry.compartments;
const { vaults, oneEther, thief } = registry;
const { olga, anna, ben, cleo, dora } = registry.people;

type Change = Partial<VaultWithdrawal> | ((world: World) => Partial<VaultWithdrawal>);

const changed = (world: World, own: Change): VaultWithdrawal =>
  vaultWithdrawal(world, typeof own === 'function' ? own(world) : own);

/** An intent that everybody approved as it is, and that the signer must refuse all the same. */
function approved(name: string, code: Attack['code'], own: Change): Attack {
  return askingMember(name, code, {
    attack: (world) => vaultRequest(world, changed(world, own)),
    honest: (world) => vaultRequest(world, vaultWithdrawal(world)),
  });
}

/** An intent that is another one than people approved. */
function altered(name: string, own: Change): Attack {
  return askingMember(name, 'signer/approval-invalid', {
    attack: (world) => ({ ...vaultRequest(world, vaultWithdrawal(world)), intent: changed(world, own) }),
    honest: (world) => vaultRequest(world, vaultWithdrawal(world)),
  });
}

function byPeople(
  name: string,
  code: Attack['code'],
  evidence: (intent: VaultWithdrawal) => VaultSignRequest['evidence'],
): Attack {
  return askingMember(name, code, {
    attack: (world) => {
      const intent = vaultWithdrawal(world);
      return { intent, evidence: evidence(intent) };
    },
    honest: (world) => vaultRequest(world, vaultWithdrawal(world)),
  });
}

const signed =
  (intent: (world: World) => VaultIntent) =>
  async (world: World): Promise<unknown> =>
    world.core().signVault(vaultRequest(world, intent(world)));

/** Something that a signature of before stands against. */
function afterwards(
  name: string,
  code: Attack['code'],
  at: Record<'before' | 'attack' | 'honest', (world: World) => VaultIntent>,
): Attack {
  return askingMember(name, code, {
    before: signed(at.before),
    attack: (world) => vaultRequest(world, at.attack(world)),
    honest: (world) => vaultRequest(world, at.honest(world)),
  });
}

function ofFee(name: string, code: Attack['code'], own: (world: World) => Partial<VaultFee>): Attack {
  return askingMember(name, code, {
    attack: (world) => vaultRequest(world, vaultFee(world, own(world))),
    honest: (world) => vaultRequest(world, vaultFee(world)),
  });
}

/** What two people of the wrong role agreed to. */
function byOperations(name: string, intent: (world: World) => VaultIntent): Attack {
  return askingMember(name, 'signer/approvals-missing', {
    attack: (world) => {
      const asked = intent(world);
      return { intent: asked, evidence: { approvals: [anna.approve(asked), olga.approve(asked)] } };
    },
    honest: (world) => {
      const asked = intent(world);
      return { intent: asked, evidence: { approvals: [anna.approve(asked), cleo.approve(asked)] } };
    },
  });
}

const signerChange = (world: World): VaultIntent => setChange(world, [memberAddress(7), memberAddress(12)]);

const recipients: readonly Attack[] = [
  approved('a payment of a vault to an address that nobody enrolled', 'signer/unknown-destination', { to: thief }),
  approved('a one-off payment to an address that nobody enrolled', 'signer/unknown-destination', {
    to: thief,
    authorisation: 'one-off',
  }),
  approved('a payment of a vault of one client by the window for unlisted addresses', 'signer/unknown-destination', {
    authorisation: 'unlisted',
  }),
  approved('a payment of a vault to itself', 'signer/unknown-destination', {
    to: vaults.first.address,
    authorisation: 'one-off',
  }),
  approved('a payment of a vault to the vault of another client', 'signer/unknown-destination', {
    to: vaults.second.address,
  }),
  askingMember('a payment of a vault to a destination that is still cooling', 'signer/destination-cooling', {
    before: async (world) => {
      const items = [registry.destination(registry.clientOne, first, thief)];
      await world.core().change(change(world, { kind: 'enrolment', items, id: 'en_thief', before: 2n }));
    },
    attack: (world) => vaultRequest(world, vaultWithdrawal(world, { to: thief })),
    honest: (world) => vaultRequest(world, vaultWithdrawal(world)),
  }),
  altered('another recipient after the approvals', { to: thief }),
  ofFee('the fee of a vault to somebody else', 'signer/unknown-destination', () => ({ to: thief })),
];

const places: readonly Attack[] = [
  approved('a payment of a vault that no list names', 'signer/unknown-vault', { vault: thief }),
  approved('a payment of a vault under the compartment of another', 'signer/unknown-vault', { compartment: second }),
  approved("a payment of a client's vault in the name of another", 'signer/unknown-client', {
    client: registry.clientTwo,
  }),
  approved('a payment of the sibling vault in the name of its neighbour', 'signer/unknown-vault', {
    vault: vaults.second.address,
  }),
  altered('the approvals of one vault for its sibling', {
    vault: vaults.second.address,
    compartment: second,
    client: registry.clientTwo,
  }),
  approved('a payment of the same vault on another chain, where it is not listed', 'signer/unknown-vault', {
    asset: nativeAsset(registry.sideChain),
  }),
  altered('the approvals of one chain for another', { asset: nativeAsset(registry.sideChain) }),
  approved('a payment of a vault on a chain that no list names', 'signer/unknown-chain', {
    asset: nativeAsset(parseChainId('eip155:5')),
  }),
  approved('a payment of a vault in an asset that no list names', 'signer/unknown-asset', {
    asset: parseAssetId(`eip155:1/erc20:0x${'99'.repeat(20)}`),
  }),
  approved('an intent about a vault of another installation', 'signer/wrong-deployment', {
    deployment: 'ff'.repeat(16),
  }),
  askingMember('a heartbeat of a set of signers that no list names', 'signer/unknown-vault', {
    attack: (world) => vaultRequest(world, heartbeat(world, { signerSet: thief })),
    honest: (world) => vaultRequest(world, heartbeat(world)),
  }),
  acting('a signature for a vault by a key that left the set', 'signer/not-a-member', {
    before: async (world) => {
      const system = vaultSystem(registry.mainChain, { members: [memberAddress(8), memberAddress(9)].sort() });
      const items = [{ item: 'vault-system', ...system } as const];
      await world.core().change(change(world, { kind: 'policy-change', items, id: 'pc_set', before: 2n }));
    },
    attack: signed((world) => vaultWithdrawal(world)),
    honest: async (world) => world.core().sign(request(world, withdrawal(world))),
  }),
  acting('a signature for a vault by a key in software', 'signer/chain-not-development', {
    before: async (world) => world.restart({ drivers: { tree: testDriver('software') } }),
    attack: signed((world) => vaultWithdrawal(world)),
    honest: async (world) => {
      await world.restart();
      await world.core().signVault(vaultRequest(world, vaultWithdrawal(world)));
    },
  }),
];

const limits: readonly Attack[] = [
  altered('a higher amount after the approvals', { amount: 2n * oneEther }),
  approved('a payment of a vault above the largest limit', 'signer/amount-above-limit', { amount: 11n * oneEther }),
  askingMember('payments of a vault that together are above the window', 'signer/velocity-exceeded', {
    before: async (world) => {
      for (const [at, id] of ['wd_a', 'wd_b'].entries()) {
        await signed(() => vaultWithdrawal(world, { id, amount: 10n * oneEther, vaultNonce: BigInt(at + 1) }))(world);
      }
    },
    attack: (world) => vaultRequest(world, vaultWithdrawal(world, { amount: 6n * oneEther })),
    honest: (world) => vaultRequest(world, vaultWithdrawal(world, { amount: 5n * oneEther })),
  }),
  approved('a relay of a vault that may burn more than one intent may', 'signer/fee-above-limit', { feeMax: oneEther }),
  ofFee('a fee of a vault above its limit', 'signer/amount-above-limit', () => ({ amount: oneEther })),
  approved('a deadline behind the expiry', 'signer/deadline-too-late', (world) => ({
    deadline: world.clock.seconds + 601n,
  })),
  approved('a deadline that is over', 'signer/intent-expired', (world) => ({ deadline: world.clock.seconds - 1n })),
  approved('a payment of a vault after its expiry', 'signer/intent-expired', (world) => ({
    deadline: world.clock.seconds - 2n,
    expiresAt: world.clock.seconds - 1n,
  })),
  ofFee('a fee of a vault that it would take for a year', 'signer/deadline-too-late', (world) => ({
    deadline: world.clock.seconds + 365n * 86_400n,
  })),
  afterwards('a heartbeat twice in an hour', 'signer/velocity-exceeded', {
    before: (world) => heartbeat(world),
    attack: (world) => heartbeat(world, { id: 'hb_two', blockNumber: world.clock.seconds + 1n }),
    honest: (world) => {
      world.clock.seconds += 3_600n;
      return heartbeat(world, { id: 'hb_two' });
    },
  }),
  afterwards('a heartbeat for a block before the last one', 'signer/velocity-exceeded', {
    before: (world) => heartbeat(world, { blockNumber: 9_000_000_000n }),
    attack: (world) => {
      world.clock.seconds += 3_600n;
      return heartbeat(world, { id: 'hb_two', blockNumber: 8_999_999_999n });
    },
    honest: (world) => heartbeat(world, { id: 'hb_two', blockNumber: 9_000_000_001n }),
  }),
];

const nonces: readonly Attack[] = [
  afterwards('the nonce of a vault for a second intent', 'signer/nonce-taken', {
    before: (world) => vaultWithdrawal(world),
    attack: (world) => vaultWithdrawal(world, { id: 'wd_two' }),
    honest: (world) => vaultWithdrawal(world, { id: 'wd_two', vaultNonce: 1n }),
  }),
  afterwards('the nonce of a payment for a pause', 'signer/nonce-taken', {
    before: (world) => vaultWithdrawal(world),
    attack: (world) => pause(world),
    honest: (world) => pause(world, { vaultNonce: 1n }),
  }),
  afterwards('a second nonce for one intent', 'signer/intent-spent', {
    before: (world) => vaultWithdrawal(world),
    attack: (world) => vaultWithdrawal(world, { vaultNonce: 1n }),
    honest: (world) => vaultWithdrawal(world, { id: 'wd_two', vaultNonce: 1n }),
  }),
  afterwards('another content under the id of a granted intent', 'signer/intent-spent', {
    before: (world) => vaultWithdrawal(world),
    attack: (world) => vaultWithdrawal(world, { amount: 2n * oneEther }),
    honest: (world) => vaultWithdrawal(world, { id: 'wd_two', vaultNonce: 1n }),
  }),
  afterwards('an invalidation that names another intent than has the nonce', 'signer/nonce-taken', {
    before: (world) => vaultWithdrawal(world),
    attack: (world) => invalidation(world, { cancels: 'wd_two' }),
    honest: (world) => invalidation(world),
  }),
  afterwards('a payment whose nonce was invalidated', 'signer/nonce-taken', {
    before: (world) => invalidation(world),
    attack: (world) => vaultWithdrawal(world, { id: 'wd_two' }),
    honest: (world) => vaultWithdrawal(world, { id: 'wd_two', vaultNonce: 1n }),
  }),
  afterwards('two changes of the set of signers with one number', 'signer/nonce-taken', {
    before: signerChange,
    attack: (world) => setChange(world, [memberAddress(7), memberAddress(13)], { id: 'ssc_two' }),
    honest: (world) => setChange(world, [memberAddress(7), memberAddress(13)], { id: 'ssc_two', number: 3n }),
  }),
];

const peopleOfVaults: readonly Attack[] = [
  byPeople('a payment of a vault that nobody asked for', 'signer/request-missing', (intent) => ({
    approvals: [anna.approve(intent), ben.approve(intent)],
  })),
  byPeople('a payment of a vault with one approval', 'signer/approvals-missing', (intent) => ({
    request: olga.approve(intent),
    approvals: [anna.approve(intent)],
  })),
  byPeople('a payment of a vault that its requester approved', 'signer/approvals-missing', (intent) => ({
    request: anna.approve(intent),
    approvals: [registry.people.annaRobot.approve(intent), ben.approve(intent)],
  })),
  byPeople('a payment of a vault asked for by somebody who may not ask', 'signer/person-not-entitled', (intent) => ({
    request: dora.approve(intent),
    approvals: [anna.approve(intent), ben.approve(intent)],
  })),
  byOperations('a change of the set of signers by the operational quorum', signerChange),
  byOperations("a recovery of a client's key by the operational quorum", (world) => keyRecovery(world)),
  askingMember('a pause by one person', 'signer/approvals-missing', {
    attack: (world) => {
      const intent = pause(world);
      return { intent, evidence: { approvals: [anna.approve(intent), dora.approve(intent)] } };
    },
    honest: (world) => vaultRequest(world, pause(world)),
  }),
];

const houseSigner = { compartment: registry.compartments.signers, index: 0 } as const;

const misuses: readonly Attack[] = [
  acting('a member key that is to sign a transaction', 'signer/unknown-wallet', {
    attack: async (world) => {
      const intent = { ...withdrawal(world), kind: 'gas-grant', compartment: registry.compartments.signers } as const;
      const { client: _, feePayer: __, expiresAt: ___, ...grant } = intent;
      const to = world.address(first, 0);
      return world.core().sign(request(world, { ...grant, to, beneficiary: first }, { key: houseSigner }));
    },
    honest: signed((world) => vaultWithdrawal(world)),
  }),
  acting('an intent about a vault that is to be signed as a transaction', 'signer/protocol', {
    attack: async (world) => {
      const asked = request(world, withdrawal(world));
      const intent = vaultWithdrawal(world);
      return world.core().sign({ ...asked, ...Object.fromEntries([['intent', intent]]) });
    },
    honest: signed((world) => vaultWithdrawal(world)),
  }),
  acting('a withdrawal of a wallet that a member key is to sign', 'signer/protocol', {
    attack: async (world) => {
      const asked = vaultRequest(world, vaultWithdrawal(world));
      return world.core().signVault({ ...asked, ...Object.fromEntries([['intent', withdrawal(world)]]) });
    },
    honest: async (world) => world.core().sign(request(world, withdrawal(world))),
  }),
  acting('a list as an intent for the set of signers', 'signer/protocol', {
    attack: async (world) => {
      const items = [{ item: 'client', client: 'cl_new', compartment: shared } as const];
      const { intent } = change(world, { kind: 'enrolment', items, id: 'en_new', before: 2n });
      const asked = vaultRequest(world, pause(world));
      return world.core().signVault({ ...asked, ...Object.fromEntries([['intent', intent]]) });
    },
    honest: signed((world) => pause(world)),
  }),
  acting("the certificate of another client's vault", 'signer/unknown-client', {
    attack: async (world) =>
      world.core().certifyVault({
        client: registry.clientTwo,
        chain: registry.mainChain,
        vault: vaults.first.address,
      }),
    honest: async (world) =>
      world.core().certifyVault({ client: registry.clientOne, chain: registry.mainChain, vault: vaults.first.address }),
  }),
  acting('the certificate of a vault that no list names', 'signer/unknown-vault', {
    attack: async (world) =>
      world.core().certifyVault({
        client: registry.clientOne,
        chain: registry.sideChain,
        vault: vaults.first.address,
      }),
    honest: async (world) =>
      world.core().certifyVault({ client: registry.clientOne, chain: registry.mainChain, vault: vaults.first.address }),
  }),
  acting('a gas grant to a vault, which has no key and needs no gas', 'signer/unknown-destination', {
    before: async (world) =>
      world.core().certifyVault({ client: registry.clientOne, chain: registry.mainChain, vault: vaults.first.address }),
    attack: async (world) => world.core().sign(grantTo(world, vaults.first.address)),
    honest: async (world) => world.core().sign(grantTo(world, world.address(first, 0))),
  }),
];

function grantTo(world: World, to: string): ReturnType<typeof request> {
  const { deployment } = registry;
  const grant = { deployment, kind: 'gas-grant', id: 'gas_one', compartment: registry.compartments.gas } as const;
  return request(world, {
    ...grant,
    asset: registry.ether,
    to: parseAddress(to),
    amount: 1n,
    feeMax: 1_000_000n,
    beneficiary: first,
  });
}

export const vaultAttacks: readonly Attack[] = [
  ...recipients,
  ...places,
  ...limits,
  ...nonces,
  ...peopleOfVaults,
  ...misuses,
];
