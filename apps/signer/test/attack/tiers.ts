import type { PolicyDocument, RegistryItem, Rule, Tier } from '@bulkhead/authority';
import { CustodyError, type Evidence, type Intent, type KeyRef, type MovementIntent } from '@bulkhead/domain';
import { testDriver } from '../../src/core/testing/keys.ts';
import * as registry from '../../src/core/testing/registry.ts';
import { change, request, withdrawal, type World } from '../../src/core/testing/world.ts';
import { acting, type Attack, asking } from './attack.ts';

const { first, gas } = registry.compartments;
const { oneEther } = registry;

/** Addresses of the seed that the root quorum has listed as warm and cold, beside the hot pool at 0. */
const warm: KeyRef = { compartment: first, index: 1 };
const cold: KeyRef = { compartment: first, index: 2 };
/** The hot wallet has a limit of 10, the warm one of 3, the cold one of 20 and needs one person more. */
const limits: Readonly<Record<Exclude<Tier, 'hot'>, Pick<Rule, 'amountMax' | 'approvals'>>> = {
  warm: { amountMax: 3n * oneEther, approvals: 2 },
  cold: { amountMax: 20n * oneEther, approvals: 3 },
};

function genesisPolicy(): PolicyDocument {
  const found = registry.genesisItems.find((item) => item.item === 'policy');
  if (found?.item !== 'policy') throw new Error('The first list of the test has no policy.');
  return found;
}

function tieredItems(): readonly RegistryItem[] {
  const policy = genesisPolicy();
  const model = policy.rules.find(({ kind, asset }) => kind === 'withdrawal' && asset === registry.ether);
  if (model === undefined) throw new Error('The first list of the test has no rule for withdrawals.');
  const tiers: readonly Rule[] = [
    { ...model, tier: 'warm', ...limits.warm },
    { ...model, tier: 'cold', ...limits.cold },
  ];
  return [
    { item: 'wallet', compartment: first, key: '1', tier: 'warm', purpose: 'treasury' },
    { item: 'wallet', compartment: first, key: '2', tier: 'cold', purpose: 'treasury' },
    { item: 'wallet', compartment: gas, key: '1', tier: 'cold', purpose: 'gas' },
    { item: 'wallet', compartment: first, key: 'vault', tier: 'cold', purpose: 'treasury' },
    { ...policy, item: 'policy', rules: [...policy.rules, ...tiers] },
  ];
}

/** A second module, with keys that have labels. It answers for whatever label it is asked for, as a careless one would. */
async function listTiers(world: World): Promise<void> {
  const seed = testDriver();
  const labelled = {
    ...testDriver('hsm'),
    publicKey: async (key: KeyRef) => seed.publicKey({ compartment: key.compartment, index: 77 }),
    sign: async () => {
      throw new CustodyError('hsm/refused', 'The labelled module of the test signs nothing.');
    },
  };
  await world.restart({ drivers: { tree: world.driver, labelled } });
  await world.core().change(change(world, { kind: 'policy-change', items: tieredItems(), id: 'pc_tiers', before: 2n }));
}

function byThree(world: World, intent: Intent): Evidence {
  const { request: asks, approvals } = world.approved(intent);
  return {
    ...(asks === undefined ? {} : { request: asks }),
    approvals: [...approvals, registry.people.cleo.approve(intent)],
  };
}

type Own = { readonly key?: KeyRef; readonly ether?: bigint; readonly people?: 2 | 3; readonly id?: string };

function paying(world: World, { key, ether = 1n, people = 2, id = 'wd_one' }: Own): ReturnType<typeof request> {
  const intent = withdrawal(world, { id, amount: ether * oneEther });
  const evidence = people === 3 ? byThree(world, intent) : world.approved(intent);
  return request(world, intent, { evidence, ...(key === undefined ? {} : { key }) });
}

/** The same movement from another wallet of the same compartment is judged by the rule of that wallet's tier. */
function tiered(
  name: string,
  code: Attack['code'],
  { attack, honest }: { readonly attack: Own; readonly honest: Own },
): Attack {
  return asking(name, code, {
    before: listTiers,
    attack: (world) => paying(world, attack),
    honest: (world) => paying(world, honest),
  });
}

const unattended = (own: Pick<MovementIntent, 'compartment' | 'to'>): Omit<MovementIntent, 'kind'> => ({
  deployment: registry.deployment,
  id: 'sw_one',
  asset: registry.ether,
  amount: oneEther / 100n,
  feeMax: 1_000_000n,
  ...own,
});

const sweep = (world: World): MovementIntent => ({
  ...unattended({ compartment: first, to: world.address(first, 0) }),
  kind: 'sweep',
});

const grantOfGas = (world: World): MovementIntent => ({
  ...unattended({ compartment: gas, to: world.address(first, 5) }),
  kind: 'gas-grant',
  beneficiary: first,
});

function relisted(world: World, kind: 'enrolment' | 'policy-change'): ReturnType<typeof change> {
  const items: readonly RegistryItem[] = [
    { item: 'wallet', compartment: first, key: '2', tier: 'hot', purpose: 'pool' },
  ];
  return change(world, { kind, items, id: 'pc_relisted', before: 3n });
}

export const tierAttacks: readonly Attack[] = [
  tiered("a cold wallet's limit used by the hot one", 'signer/amount-above-limit', {
    attack: { ether: 15n, people: 3 },
    honest: { ether: 15n, people: 3, key: cold },
  }),
  tiered("a hot wallet's limit used by the warm one", 'signer/amount-above-limit', {
    attack: { ether: 4n, key: warm },
    honest: { ether: 4n },
  }),
  tiered("a cold wallet's limit used by the warm one", 'signer/amount-above-limit', {
    attack: { ether: 4n, people: 3, key: warm },
    honest: { ether: 4n, people: 3, key: cold },
  }),
  tiered("a hot wallet's few approvals used by the cold one", 'signer/approvals-missing', {
    attack: { key: cold },
    honest: { key: cold, people: 3 },
  }),
  tiered('a cold wallet by a label that looks like its index', 'signer/unknown-wallet', {
    attack: { key: { compartment: first, label: '2' }, people: 3 },
    honest: { key: cold, people: 3 },
  }),
  tiered('a cold wallet by a label that nobody listed', 'signer/unknown-wallet', {
    attack: { key: { compartment: first, label: 'vault-1' }, people: 3 },
    honest: { key: cold, people: 3 },
  }),
  tiered('a cold wallet by its label, asked for as a hot payment', 'signer/approvals-missing', {
    attack: { key: { compartment: first, label: 'vault' } },
    honest: { key: cold, people: 3 },
  }),
  tiered('a listed label in a compartment that does not list it', 'signer/unknown-wallet', {
    attack: { key: { compartment: registry.compartments.second, label: 'vault' }, people: 3 },
    honest: { key: cold, people: 3 },
  }),
  tiered('a cold wallet named as index and label at once', 'signer/unknown-wallet', {
    attack: { key: { ...cold, label: '0' }, people: 2 },
    honest: { key: cold, people: 3 },
  }),
  asking("a sweep out of a cold wallet by the deposit addresses' rule", 'signer/amount-above-limit', {
    before: listTiers,
    attack: (world) => request(world, sweep(world), { key: cold }),
    honest: (world) => request(world, sweep(world), { key: { compartment: first, index: 9 } }),
  }),
  asking('a gas grant out of a cold wallet of the house', 'signer/amount-above-limit', {
    before: listTiers,
    attack: (world) => request(world, grantOfGas(world), { key: { compartment: gas, index: 1 } }),
    honest: (world) => request(world, grantOfGas(world)),
  }),
  asking('the window of a compartment, gone round by another tier', 'signer/velocity-exceeded', {
    before: async (world) => {
      await listTiers(world);
      await world.core().sign(paying(world, { id: 'wd_hot', ether: 10n }));
      await world.core().sign(paying(world, { id: 'wd_cold', ether: 13n, key: cold, people: 3 }));
    },
    attack: (world) => paying(world, { key: warm, ether: 3n }),
    honest: (world) => paying(world, { key: warm, ether: 2n, id: 'wd_honest' }),
  }),
  acting('a cold wallet listed as hot by the operational quorum', 'signer/registry-list', {
    before: listTiers,
    attack: async (world) => world.core().change(relisted(world, 'enrolment')),
    honest: async (world) => world.core().change(relisted(world, 'policy-change')),
  }),
];
