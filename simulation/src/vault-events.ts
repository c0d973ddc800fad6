import { type Address, type AssetId, type Hash, type Hex } from '@bulkhead/domain';
import { fakeKeccak, fakeMembers, fakeVaultSystem, namedAddress, quorumSignature } from '@bulkhead/fakes';
import {
  callData,
  factoryCalls,
  forwarderSalt,
  removedDestination,
  typedDigest,
  vaultCalls,
  vaultDomain,
  vaultForms,
  vaultToken,
  windowOf,
} from '@bulkhead/vaults';
import { bigint } from '@bulkhead/postgres';
import { farAway, signedByClient, stateOf, vaultThief, type WorldVault } from './vaulting.ts';
import { chainId, count, keepTime, type World } from './world.ts';

/** What strangers, thieves and clients do to vaults without asking the house. */

function anyVault(world: World): WorldVault | undefined {
  const vaults = world.vaulting?.vaults ?? [];
  return vaults.length === 0 ? undefined : world.random.pick(vaults);
}

function call(world: World, to: Address, data: Hex): Hash {
  return world.chain.outside.call({ to, data });
}

/** Calls a vault that may not be there yet, with whatever makes it. */
function callVault(world: World, { config }: WorldVault, data: Hex): Hash {
  return call(
    world,
    fakeVaultSystem.factory,
    callData(fakeKeccak, factoryCalls.createAndCall, { config, calls: [data] }),
  );
}

/** Somebody makes a vault or a forwarder of ours before we need it. */
export function createByStranger(world: World): void {
  const vault = anyVault(world);
  if (vault === undefined) return;
  const { config } = vault;
  call(world, fakeVaultSystem.factory, callData(fakeKeccak, factoryCalls.create, { config }));
}

/** Coins of every kind reach vaults: also a token that nobody here follows. */
export function giveUnfollowed(world: World): void {
  const { vaulting, chain, random } = world;
  const vault = anyVault(world);
  if (vault === undefined || vaulting === undefined) return;
  chain.outside.send({ to: vault.address, amount: random.amount(10n ** 6n), asset: vaulting.unfollowed });
}

/** A stranger sends what lies at forwarders to their vault, whatever the token and whether or not something is there. */
export async function flushByStranger(world: World): Promise<void> {
  const { random, assets, vaulting } = world;
  const vault = vaulting?.vaults.find(({ client }) => client === undefined);
  if (vault === undefined) return;
  const rows = await world.database.admin.query(
    `select forwarder_index from custody.wallet where kind = 'forwarder' order by forwarder_index`,
  );
  const indices = rows.map((row) => bigint(row, 'forwarder_index')).filter(() => random.percent(60));
  if (indices.length === 0) return;
  const token = vaultToken(random.pick([assets.native, assets.native, assets.dollar, assets.taxed]));
  const salts = indices.map(forwarderSalt);
  call(
    world,
    fakeVaultSystem.factory,
    callData(fakeKeccak, factoryCalls.flush, { vault: vault.address, salts, token }),
  );
  count(world, 'flush by a stranger');
}

/**
 * Somebody else submits a call that was signed for us: before our own relay, which is held up or forgotten, or long after. What was
 * signed for one vault is tried at another as well.
 */
export function foreignRelay(world: World): void {
  const { chain, random } = world;
  const { mempool } = chain.ground;
  const places = new Set<Address>([
    fakeVaultSystem.factory,
    ...(world.vaulting?.vaults ?? []).map(({ address }) => address),
  ]);
  const ours = new Set<Address>(world.wallets.filter(({ purpose }) => purpose === 'gas').map(({ address }) => address));
  const isRelay = (one: { readonly from: Address; readonly transaction: { readonly to: Address } }): boolean =>
    ours.has(one.from) && places.has(one.transaction.to);
  const waiting = mempool.ready().filter(isRelay);
  const before = waiting.length > 0 && random.percent(75);
  const known = before ? waiting : chain.ground.sentBefore().filter(isRelay);
  if (known.length === 0) return;
  const relay = random.pick(known);
  const { to, data } = relay.transaction;
  if (before) {
    if (random.percent(50)) mempool.withhold(relay.hash);
    else mempool.drop(relay.hash);
  }
  call(world, random.percent(90) ? to : random.pick([...places]), hexOf(data));
  count(world, before ? 'foreign relay' : 'relay replayed');
  if (before && random.percent(50)) chain.ground.mine();
}

function hexOf(data: string): Hex {
  return `0x${data.slice(2)}`;
}

/** With one key of three, with the same key twice, or with signatures for another vault: none of it is a quorum. */
export function stealFromVault(world: World): void {
  const { chain, random } = world;
  const vault = anyVault(world);
  if (vault === undefined) return;
  const asset = anyHeld(world, vault) ?? chain.native;
  const amount = random.amount(chain.ground.balance(asset, vault.address) + 1n);
  const message = { token: vaultToken(asset), to: vaultThief, amount, nonce: farAway, deadline: farAway };
  const elsewhere = random.pick(world.vaulting?.vaults ?? []).address;
  const [one] = fakeMembers;
  if (one === undefined) return;
  const [domain, members] = random.pick([
    [vault.address, [one]],
    [vault.address, [one, one]],
    [vault.address, [one, namedAddress('a retired member')]],
    [elsewhere === vault.address ? vaultThief : elsewhere, fakeMembers.slice(0, 2)],
  ] as const);
  const form = vaultForms.oneOff;
  const signatures = quorumSignature(typedDigest(fakeKeccak, vaultDomain(chainId, domain), { form, message }), members);
  const { config } = vault;
  callVault(
    world,
    vault,
    callData(fakeKeccak, vaultCalls.payOnce, { config, message, signatures, clientSignature: '0x' }),
  );
  count(world, 'theft from a vault tried');
}

function anyHeld(world: World, vault: WorldVault): AssetId | undefined {
  const { chain, assets, random } = world;
  const held = Object.values(assets).filter((asset) => chain.ground.balance(asset, vault.address) > 0n);
  return held.length === 0 ? undefined : random.pick(held);
}

/** The client tightens what it agreed to, and loosens it again. */
export function clientDecides(world: World): void {
  const { random } = world;
  const vault = anyVault(world);
  if (vault === undefined) return;
  random.pick([pause, pause, moveDestination, moveLimit])(world, vault);
}

function pause(world: World, vault: WorldVault): void {
  const { bounds, signature } = signedByClient(vault);
  const message = { side: 'client', ...bounds } as const;
  callVault(world, vault, callData(fakeKeccak, vaultCalls.pause, { config: vault.config, message, signature }));
  count(world, 'pause');
}

/** A destination that is listed is removed; one that was removed is listed again. */
function moveDestination(world: World, vault: WorldVault): void {
  const { vaulting, chain, random } = world;
  if (vaulting === undefined) return;
  const to = random.pick(vault.policy.destinations);
  const removed = stateOf(vaulting, chain, { vault }).destinations.get(to) === removedDestination;
  const { bounds, signature } = signedByClient(vault);
  const { config } = vault;
  const data = removed
    ? callData(fakeKeccak, vaultCalls.addDestination, { config, message: { to, ...bounds }, signature })
    : callData(fakeKeccak, vaultCalls.removeDestination, {
        config,
        message: { side: 'client', to, ...bounds },
        signature,
      });
  callVault(world, vault, data);
  count(world, removed ? 'destination listed again' : 'destination removed');
}

/** The limit of a token is lowered to a third; one that is low is raised, and comes into force when anybody says so. */
function moveLimit(world: World, vault: WorldVault): void {
  const { vaulting, chain, random } = world;
  if (vaulting === undefined) return;
  const agreed = random.pick(vault.policy.limits);
  const { token } = agreed;
  const found = windowOf(stateOf(vaulting, chain, { vault }), token, false);
  if (!found.written) return;
  const { config } = vault;
  const { bounds, signature } = signedByClient(vault);
  if (found.cap === agreed.cap) {
    const message = { side: 'client', token, cap: agreed.cap / 3n, unlisted: false, ...bounds } as const;
    callVault(world, vault, callData(fakeKeccak, vaultCalls.lowerLimit, { config, message, signature }));
    count(world, 'limit lowered');
    return;
  }
  const message = { token, cap: agreed.cap, unlisted: false, ...bounds };
  callVault(world, vault, callData(fakeKeccak, vaultCalls.queueLimitRaise, { config, message, signature }));
  chain.ground.mine();
  chain.ground.skipTime(config.changeDelay + 1n);
  callVault(world, vault, callData(fakeKeccak, vaultCalls.executeLimitRaise, { config, message }));
  chain.ground.mine();
  count(world, 'limit raised');
}

/**
 * One step on the way out of a vault: the client asks for the exit, anybody carries it out token by token when its time has come, and
 * the client takes it back, so that there is something to see later.
 */
export function exitStep(world: World): void {
  const { vaulting, chain, random } = world;
  if (vaulting === undefined) return;
  const leaving = vaulting.vaults.filter((vault) => stateOf(vaulting, chain, { vault }).gate.exitReadyAt !== 0n);
  if (leaving.length === 0 && random.percent(60)) return;
  const vault = leaving.length > 0 ? random.pick(leaving) : random.pick(vaulting.vaults);
  const { exitReadyAt } = stateOf(vaulting, chain, { vault }).gate;
  const { config } = vault;
  if (exitReadyAt === 0n) {
    const { bounds: message, signature } = signedByClient(vault);
    callVault(world, vault, callData(fakeKeccak, vaultCalls.requestExit, { config, message, signature }));
    count(world, 'exit requested');
  } else if (exitReadyAt > chain.ground.nextTimestamp && random.percent(80)) {
    world.clock.advance(Number(config.exitDelay) * 1000);
    keepTime(world);
  } else if (random.percent(45)) {
    const { bounds: message, signature } = signedByClient(vault);
    callVault(world, vault, callData(fakeKeccak, vaultCalls.cancelExit, { config, message, signature }));
    count(world, 'exit cancelled');
  } else {
    const { native, dollar, taxed } = world.assets;
    for (const asset of [native, dollar, taxed, vaulting.unfollowed].filter(() => random.percent(70))) {
      call(world, vault.address, callData(fakeKeccak, vaultCalls.exit, { config, token: vaultToken(asset) }));
    }
  }
}
