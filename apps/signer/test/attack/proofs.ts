import {
  type CheckpointSignRequest,
  type ControlSignRequest,
  parseAddress,
  parseAssetId,
  parseChainId,
  type ReserveIntent,
  type WalletControlIntent,
} from '@bulkhead/domain';
import type { ReserveHeader } from '@bulkhead/proofs/header';
import { testDriver } from '../../src/core/testing/keys.ts';
import {
  checkpoint,
  commitment,
  type Commitment,
  committed,
  contextOf,
  control,
  headerOf,
  headersUpTo,
  reserveProof,
  statements,
  testLog,
} from '../../src/core/testing/proof-intent.ts';
import * as registry from '../../src/core/testing/registry.ts';
import { change, type World } from '../../src/core/testing/world.ts';
import { acting, type Attack } from './attack.ts';

const [first = '', second = '', third = ''] = headersUpTo(3);
const stranger = 'ee'.repeat(32);
const { thief } = registry;

type Reserves = {
  readonly before?: (world: World) => Promise<unknown>;
  readonly attack: ReserveIntent;
  readonly honest: ReserveIntent;
};

/** An attack that asks a member of the set of signers to say something about reserves. */
function aboutReserves(name: string, code: Attack['code'], { before, attack, honest }: Reserves): Attack {
  return {
    name,
    code,
    ...(before === undefined ? {} : { before }),
    attack: async (world) => world.core().signReserves({ intent: attack }),
    honest: async (world) => world.core().signReserves({ intent: honest }),
    signs: true,
  };
}

const one = async (world: World): Promise<unknown> => committed(world, first);

async function both(world: World): Promise<void> {
  await committed(world, first);
  await committed(world, second);
}

/** A header of the first epoch that names something else, under an intent that an honest server would make for it. */
function strange(name: string, code: Attack['code'], own: Partial<ReserveHeader>): Attack {
  const attack = commitment(headerOf(1n, undefined, own));
  return aboutReserves(name, code, { attack, honest: commitment(first) });
}

/** A second epoch that does not continue the first. */
function astray(name: string, own: Partial<ReserveHeader>, epoch = 2n): Attack {
  const attack = commitment(headerOf(epoch, contextOf(first), own));
  return aboutReserves(name, 'signer/epoch-out-of-order', { before: one, attack, honest: commitment(second) });
}

function misplaced(name: string, code: Attack['code'], own: Partial<Commitment>): Attack {
  return aboutReserves(name, code, { attack: commitment(first, own), honest: commitment(first) });
}

const commitments: readonly Attack[] = [
  misplaced('a commitment for a registry that no list names', 'signer/unknown-proof-registry', { registry: thief }),
  misplaced('a commitment on a chain without a proof registry', 'signer/unknown-proof-registry', {
    chain: registry.sideChain,
  }),
  misplaced('a commitment of another installation', 'signer/wrong-deployment', { deployment: 'f'.repeat(32) }),
  misplaced('a commitment whose header is a digest', 'signer/header-mismatch', { header: '5e'.repeat(32) }),
  misplaced('a header with a byte behind it', 'signer/header-mismatch', { header: `${first}00` }),
  strange('a header of a registry on another chain', 'signer/header-mismatch', { registryChain: 10n }),
  strange('a header of another registry', 'signer/header-mismatch', { registry: new Uint8Array(20).fill(0x66) }),
  strange('a header of another custodian', 'signer/header-mismatch', { custodian: new Uint8Array(32).fill(0xee) }),
  strange('an epoch of an asset that nobody listed', 'signer/unknown-asset', {
    asset: parseAssetId(`${registry.mainChain}/erc20:${thief}`),
  }),
  strange('an epoch that was taken in the future', 'signer/epoch-out-of-order', { takenAt: 1_900_000_000n }),
  strange('a first epoch that has something before it', 'signer/epoch-out-of-order', {
    previous: new Uint8Array(32).fill(1),
  }),
  astray('an epoch whose block lies before the last', { blockNumber: 1_010n }),
  astray('an epoch for which the books went back', { ledgerPosition: 50n }),
  astray('an epoch that was taken before the last', { takenAt: 1_799_000_060n }),
  astray('an epoch in another unit', { unitExponent: 18 }),
  astray('an epoch that follows one that nobody committed to', { previous: new Uint8Array(32).fill(0xee) }),
  astray('a later epoch that names none before it', { previous: new Uint8Array(32) }, 4n),
  aboutReserves('a second context for an epoch', 'signer/epoch-taken', {
    before: one,
    attack: commitment(headerOf(1n, undefined, { blockNumber: 1_011n }), { id: 'rc_two' }),
    honest: commitment(second),
  }),
  aboutReserves('other reserves for an epoch', 'signer/epoch-taken', {
    before: one,
    attack: commitment(first, { id: 'rc_two', reserves: 2_000_000n }),
    honest: commitment(second),
  }),
  aboutReserves('another record for an epoch', 'signer/epoch-taken', {
    before: one,
    attack: commitment(first, { id: 'rc_two', record: stranger }),
    honest: commitment(second),
  }),
  aboutReserves('another content for an epoch that is missing between two', 'signer/epoch-out-of-order', {
    before: async (world) => {
      await committed(world, first);
      await committed(world, third);
    },
    attack: commitment(headerOf(2n, contextOf(first), { ledgerPosition: 51n })),
    honest: commitment(second),
  }),
  aboutReserves('two contents under one id', 'signer/intent-spent', {
    before: one,
    attack: commitment(second, { id: commitment(first).id }),
    honest: commitment(second),
  }),
];

const afterwards: readonly Attack[] = [
  aboutReserves('a proof of an epoch that nobody committed to', 'signer/unknown-context', {
    before: one,
    attack: reserveProof(stranger),
    honest: reserveProof(contextOf(first)),
  }),
  aboutReserves('statements of an epoch that nobody committed to', 'signer/unknown-context', {
    before: one,
    attack: statements(contextOf(second)),
    honest: statements(contextOf(first)),
  }),
  aboutReserves('two roots of statements for one epoch', 'signer/epoch-taken', {
    before: async (world) => {
      await both(world);
      await world.core().signReserves({ intent: statements(contextOf(first)) });
    },
    attack: statements(contextOf(first), { id: 'bs_two', root: stranger }),
    honest: statements(contextOf(second), { id: 'bs_two' }),
  }),
  aboutReserves('fewer statements under the same root', 'signer/epoch-taken', {
    before: async (world) => {
      await both(world);
      await world.core().signReserves({ intent: statements(contextOf(first)) });
    },
    attack: statements(contextOf(first), { id: 'bs_two', count: 11n }),
    honest: statements(contextOf(second), { id: 'bs_two' }),
  }),
  acting('a proof by a signer that is not in the set', 'signer/not-a-member', {
    before: one,
    attack: async (world) => {
      await world.restart({ drivers: { tree: testDriver('hsm-sealed', 12) } });
      return world.core().signReserves({ intent: reserveProof(contextOf(first)) });
    },
    honest: async (world) => {
      await world.restart();
      await world.core().signReserves({ intent: reserveProof(contextOf(first)) });
    },
  }),
  acting('a commitment by keys in software', 'signer/chain-not-development', {
    attack: async (world) => {
      await world.restart({ drivers: { tree: testDriver('software') } });
      return world.core().signReserves({ intent: commitment(first) });
    },
    honest: async (world) => {
      await world.restart();
      await world.core().signReserves({ intent: commitment(first) });
    },
  }),
  acting('more about reserves than a minute has room for', 'signer/velocity-exceeded', {
    before: async (world) => {
      await world.restart({ limits: { reservesPerMinuteMax: 2 } });
      await both(world);
    },
    attack: async (world) => world.core().signReserves({ intent: reserveProof(contextOf(first)) }),
    honest: async (world) => {
      world.clock.seconds += 60n;
      await world.core().signReserves({ intent: reserveProof(contextOf(first)) });
    },
  }),
];

type Asked = ControlSignRequest & { readonly intent: WalletControlIntent };

/** An attack that asks the key of a wallet to say that it is controlled. */
function ofWallet(
  name: string,
  code: Attack['code'],
  attack: (world: World, honest: Asked) => ControlSignRequest,
): Attack {
  return {
    name,
    code,
    before: one,
    attack: async (world) => world.core().signControl(attack(world, control(world))),
    honest: async (world) => world.core().signControl(control(world)),
    signs: true,
  };
}

const controls: readonly Attack[] = [
  ofWallet('the control of a wallet by the key of another', 'signer/unknown-wallet', (_, { intent, key }) => ({
    intent,
    key: { ...key, index: 4 },
  })),
  ofWallet('the control of an address of somebody else', 'signer/unknown-wallet', (_, { intent, key }) => ({
    intent: { ...intent, wallet: thief },
    key,
  })),
  ofWallet('a wallet of one compartment for another', 'signer/unknown-wallet', (_, { intent, key }) => ({
    intent: { ...intent, compartment: registry.compartments.second },
    key,
  })),
  ofWallet('the control of a wallet of the house', 'signer/unknown-wallet', (world) =>
    control(world, {}, { compartment: registry.compartments.gas, index: 0 }),
  ),
  ofWallet('a wallet with a label that nobody listed', 'signer/unknown-wallet', (_, { intent }) => ({
    intent,
    key: { compartment: intent.compartment, label: 'vault' },
  })),
  ofWallet('the control of a wallet at an epoch of nobody', 'signer/unknown-context', (world) =>
    control(world, { context: stranger }),
  ),
  ofWallet('the control of a wallet for another custodian', 'signer/header-mismatch', (world) =>
    control(world, { custodian: stranger }),
  ),
  ofWallet('a wallet on another chain than the asset', 'signer/header-mismatch', (world) =>
    control(world, { chain: registry.sideChain }),
  ),
  ofWallet('a wallet on a chain that nobody listed', 'signer/unknown-chain', (world) =>
    control(world, { chain: parseChainId('eip155:56') }),
  ),
  ofWallet('the control of a wallet in another installation', 'signer/wrong-deployment', (world) =>
    control(world, { deployment: 'f'.repeat(32) }),
  ),
  acting('more wallets than a minute has room for', 'signer/velocity-exceeded', {
    before: async (world) => {
      await world.restart({ limits: { controlsPerMinuteMax: 1 } });
      await one(world);
      await world.core().signControl(control(world));
    },
    attack: async (world) => world.core().signControl(control(world, { id: 'wc_two' }, key(4))),
    honest: async (world) => {
      world.clock.seconds += 60n;
      await world.core().signControl(control(world, { id: 'wc_two' }, key(4)));
    },
  }),
];

function key(index: number): { readonly compartment: typeof registry.compartments.first; readonly index: number } {
  return { compartment: registry.compartments.first, index };
}

const log = testLog(9);
const forked = testLog(9, 1);

/** An attack on a log of which five leaves are signed; honest people go on to nine. */
function onLog(name: string, code: Attack['code'], attack: () => Promise<CheckpointSignRequest>): Attack {
  return acting(name, code, {
    before: async (world) => world.core().signCheckpoint(await checkpoint(log, { from: 0, to: 5 })),
    attack: async (world) => world.core().signCheckpoint(await attack()),
    honest: async (world) => world.core().signCheckpoint(await checkpoint(log, { from: 5, to: 9 })),
  });
}

const checkpoints: readonly Attack[] = [
  onLog('a log with other leaves', 'signer/log-forked', async () => checkpoint(forked, { from: 5, to: 9 })),
  onLog('another tree of the same size', 'signer/log-forked', async () => ({
    ...(await checkpoint(forked, { from: 0, to: 5 })),
    oldSize: 5n,
  })),
  onLog('an older tree after a newer one', 'signer/log-forked', async () => checkpoint(log, { from: 0, to: 3 })),
  onLog('a log from its beginning, as if nothing had been signed', 'signer/log-position', async () =>
    checkpoint(forked, { from: 0, to: 9 }),
  ),
  onLog('a proof from another tree than the signed one', 'signer/log-position', async () =>
    checkpoint(log, { from: 4, to: 9 }),
  ),
  onLog('a longer tree without a proof', 'signer/log-forked', async () => ({
    ...(await checkpoint(log, { from: 5, to: 9 })),
    proof: [],
  })),
  onLog('a log of another name', 'signer/unknown-log', async () =>
    checkpoint(forked, { from: 0, to: 9 }, { origin: 'other.example/log' }),
  ),
  onLog('a checkpoint of another installation', 'signer/wrong-deployment', async () =>
    checkpoint(log, { from: 5, to: 9 }, { deployment: 'f'.repeat(32) }),
  ),
  acting('a first tree with a proof of something', 'signer/log-forked', {
    attack: async (world) =>
      world.core().signCheckpoint({ ...(await checkpoint(log, { from: 5, to: 9 })), oldSize: 0n }),
    honest: async (world) => world.core().signCheckpoint(await checkpoint(log, { from: 0, to: 9 })),
  }),
  acting('a fork after a restart', 'signer/log-forked', {
    before: async (world) => {
      await world.core().signCheckpoint(await checkpoint(log, { from: 0, to: 5 }));
      await world.restart();
    },
    attack: async (world) => world.core().signCheckpoint(await checkpoint(forked, { from: 5, to: 9 })),
    honest: async (world) => world.core().signCheckpoint(await checkpoint(log, { from: 5, to: 9 })),
  }),
  acting('a checkpoint by a signer without the key of the log', 'signer/unknown-log', {
    attack: async (world) => {
      await world.restart({ withoutLogKey: true });
      return world.core().signCheckpoint(await checkpoint(log, { from: 0, to: 5 }));
    },
    honest: async (world) => {
      await world.restart();
      await world.core().signCheckpoint(await checkpoint(log, { from: 0, to: 5 }));
    },
  }),
  acting('more checkpoints than a minute has room for', 'signer/velocity-exceeded', {
    before: async (world) => {
      await world.restart({ limits: { checkpointsPerMinuteMax: 1 } });
      await world.core().signCheckpoint(await checkpoint(log, { from: 0, to: 5 }));
    },
    attack: async (world) => world.core().signCheckpoint(await checkpoint(log, { from: 5, to: 9 })),
    honest: async (world) => {
      world.clock.seconds += 60n;
      await world.core().signCheckpoint(await checkpoint(log, { from: 5, to: 9 }));
    },
  }),
];

const item = {
  item: 'proof-registry',
  chain: registry.mainChain,
  registry: thief,
  custodian: registry.custodian,
  signerSet: thief,
} as const;

const lists: readonly Attack[] = [
  acting('a proof registry that the operational quorum brings', 'signer/registry-list', {
    attack: async (world) =>
      world.core().change(change(world, { kind: 'enrolment', items: [item], id: 'en_proofs', before: 2n })),
    honest: async (world) => world.core().signReserves({ intent: commitment(first) }),
  }),
  acting('an audit log that the operational quorum names', 'signer/registry-list', {
    attack: async (world) => {
      const items = [{ item: 'audit-log', origin: 'other.example/log' } as const];
      await world.core().change(change(world, { kind: 'enrolment', items, id: 'en_log', before: 2n }));
    },
    honest: async (world) => world.core().signCheckpoint(await checkpoint(log, { from: 0, to: 5 })),
  }),
  acting('a proof registry that asks other signers', 'signer/registry-list', {
    attack: async (world) =>
      world.core().change(change(world, { kind: 'policy-change', items: [item], id: 'pc_proofs', before: 2n })),
    honest: async (world) => {
      const signerSet = parseAddress(`0x${'5e'.repeat(20)}`);
      const items = [{ ...item, signerSet }];
      await world.core().change(change(world, { kind: 'policy-change', items, id: 'pc_two', before: 2n }));
      const asked = commitment(headerOf(1n, undefined, { registry: new Uint8Array(20).fill(0x66) }));
      await world.core().signReserves({ intent: { ...asked, registry: thief } });
    },
  }),
];

export const proofAttacks: readonly Attack[] = [...commitments, ...afterwards, ...controls, ...checkpoints, ...lists];
