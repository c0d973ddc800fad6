import type { RegistryItem } from '@bulkhead/authority';
import { type Address, houseSigners, parseAddress, parseCompartment } from '@bulkhead/domain';
import * as registry from '../../src/core/testing/registry.ts';
import {
  accountKey,
  clientPasskey,
  keys,
  signerSet,
  type TestVault,
  vaultOf,
  type VaultOrder,
  vaultSystem,
} from '../../src/core/testing/vault.ts';
import { vaultRequest, vaultWithdrawal } from '../../src/core/testing/vault-intent.ts';
import { change, type World } from '../../src/core/testing/world.ts';
import { acting, type Attack } from './attack.ts';

const { first, second, shared } = registry.compartments;
const { mainChain, sideChain, thief, clientOne, clientTwo } = registry;

const honestKey = accountKey('later');
const order: VaultOrder = { chain: mainChain, compartment: first, client: clientOne, key: honestKey };

type Kind = 'enrolment' | 'policy-change';

const send = async (world: World, items: readonly RegistryItem[], kind: Kind = 'enrolment'): Promise<unknown> =>
  world.core().change(change(world, { kind, items, id: 'en_later', before: 2n }));

/** A vault that two people of the operational quorum agreed to list, and that must not be listed. */
function listed(name: string, item: (honest: TestVault) => RegistryItem): Attack {
  return acting(name, 'signer/registry-list', {
    attack: async (world) => send(world, [item(vaultOf(order))]),
    honest: async (world) => {
      const vault = vaultOf(order);
      await send(world, [vault.item]);
      await world.core().signVault(vaultRequest(world, vaultWithdrawal(world, { vault: vault.address })));
    },
  });
}

const made = (own: Partial<VaultOrder>): (() => RegistryItem) => {
  return () => vaultOf({ ...order, ...own }).item;
};

const passkeyOf = (says: Parameters<typeof clientPasskey>[1]): Partial<VaultOrder> => ({
  key: clientPasskey('later'),
  signedBy: clientPasskey('later', says),
});

const agreements: readonly Attack[] = [
  listed('a vault whose exit destination was swapped after the client signed', ({ item }) => ({
    ...item,
    config: { ...item.config, exitDestination: thief },
  })),
  listed("a vault whose client's key was swapped after the client signed", ({ item }) => ({
    ...item,
    config: { ...item.config, clientKey: `0x${thief.slice(2).padStart(64, '0')}` },
  })),
  listed('a vault with a destination that the client did not agree to', ({ item }) => ({
    ...item,
    policy: { ...item.policy, destinations: [thief] },
  })),
  listed(
    'a vault for which the client signed another configuration',
    made({ signedAs: { exitDestination: parseAddress(`0x${'ea'.repeat(20)}`) } }),
  ),
  listed('a vault that somebody else signed for the client', made({ signedBy: accountKey('mallory') })),
  listed('a vault with the signature over another vault', ({ item }) => ({
    ...item,
    agreement: registry.vaults.first.item.agreement,
  })),
  listed('a vault with zeros in the place of a signature', ({ item }) => ({ ...item, agreement: '00'.repeat(65) })),
  listed('a vault with half a signature', ({ item }) => ({ ...item, agreement: item.agreement.slice(0, 64) })),
  listed('a vault that a passkey signed without verifying its user', made(passkeyOf({ flags: 0x01 }))),
  listed('a vault that a passkey signed without anybody there', made(passkeyOf({ flags: 0x04 }))),
  listed(
    'a vault signed by another passkey than the one it names',
    made({ key: clientPasskey('later'), signedBy: clientPasskey('mallory') }),
  ),
];

const terms: readonly Attack[] = [
  listed('a vault of another set of signers', made({ config: { signerSet: thief } })),
  listed('a vault that pays its fees to somebody else', made({ config: { feeReceiver: thief } })),
  listed('a vault with delays of seconds on a chain of value', made({ config: { changeDelay: 1n } })),
  listed('a vault with a fee above a tenth in a year', made({ config: { feeBpsYear: 1_001n } })),
  listed('a vault whose exit the client key could ask for', ({ item }) => ({
    ...item,
    config: { ...item.config, exitKey: item.config.clientKey },
  })),
  listed('a vault in the compartment of another client', made({ compartment: second })),
  listed('a vault of one client in a compartment that all share', made({ compartment: shared })),
  listed('a shared vault in the compartment of one client', () => {
    const { client: _, ...nobodys } = order;
    return vaultOf(nobodys).item;
  }),
  listed(
    'a vault of a client that nobody enrolled',
    made({ client: 'cl_nobody', compartment: parseCompartment(100_009) }),
  ),
  listed('the vault of one client, listed again for another', () => ({
    ...registry.vaults.first.item,
    compartment: second,
    client: clientTwo,
  })),
  listed(
    'a vault that calls its client as that of another client is called',
    ({ config }) =>
      vaultOf({ ...order, compartment: second, client: clientTwo, config: { clientId: config.clientId } }).item,
  ),
];

const another = (own: Parameters<typeof vaultSystem>[1]): RegistryItem => ({
  item: 'vault-system',
  ...vaultSystem(mainChain, own),
});

function ofSystem(name: string, items: readonly RegistryItem[], kind: Kind = 'policy-change'): Attack {
  const members: readonly Address[] = [...vaultSystem(mainChain).members].slice(0, 2);
  return acting(name, 'signer/registry-list', {
    attack: async (world) => send(world, items, kind),
    honest: async (world) => send(world, [another({ members })], 'policy-change'),
  });
}

const systems: readonly Attack[] = [
  ofSystem('the contracts of vaults by the operational quorum', [another({})], 'enrolment'),
  ofSystem('another factory under vaults that there are', [another({ factory: thief })]),
  ofSystem('another code of vaults under those that there are', [
    another({ codeHashes: { ...vaultSystem(mainChain).codeHashes, vaultImplementation: `0x${'66'.repeat(32)}` } }),
  ]),
  ofSystem('another set of signers under vaults that there are', [another({ signerSet: thief })]),
  ofSystem('a set of signers where nobody need sign', [another({ threshold: 0 })]),
  ofSystem('a set of signers where more must sign than there are', [another({ threshold: 4 })]),
  ofSystem('a set of signers with one member twice', [another({ members: [signerSet, signerSet] })]),
  ofSystem('a wallet for coins among the keys of the set of signers', [
    { item: 'wallet', compartment: houseSigners, key: '1', tier: 'hot', purpose: 'pool' },
  ]),
  ofSystem('a key of the set of signers in the compartment of a client', [
    { item: 'wallet', compartment: first, key: '5', tier: 'hot', purpose: 'vault-signer' },
  ]),
  acting('a vault on a chain that has no contracts for it', 'signer/registry-list', {
    before: async (world) => {
      const bare = { item: 'chain', chain: registry.bareChain, development: false } as const;
      const limits = { feeMax: 1n, feeWindowSeconds: 3_600n, feeWindowMax: 1n };
      const items = [{ ...bare, ...limits }];
      await world.core().change(change(world, { kind: 'policy-change', items, id: 'pc_bare', before: 2n }));
    },
    attack: async (world) => {
      const items = [vaultOf({ ...order, chain: registry.bareChain }).item];
      await world.core().change(change(world, { kind: 'enrolment', items, id: 'en_bare', before: 3n }));
    },
    honest: async (world) => {
      const items = [vaultOf({ ...order, chain: sideChain, key: keys.one }).item];
      await world.core().change(change(world, { kind: 'enrolment', items, id: 'en_side', before: 3n }));
    },
  }),
];

export const vaultListAttacks: readonly Attack[] = [...agreements, ...terms, ...systems];
