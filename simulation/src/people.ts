import { createHash } from 'node:crypto';
import type { Actor, Custody } from '@bulkhead/custody';
import {
  allowAsset,
  approveRegistryChange,
  approveWithdrawal,
  cancelWithdrawal,
  chargeFee,
  createClient,
  issueClientWallet,
  issueCompartmentWallet,
  payFees,
  proposeRegistryChange,
  registryChangeText,
  rejectWithdrawal,
  releaseWithdrawal,
  requestSweep,
  requestWithdrawal,
  signWithdrawalRequest,
  withdrawalIntentText,
} from '@bulkhead/custody';
import { type Address, type Approval, type AssetId, invariant, parseCompartment } from '@bulkhead/domain';
import { fakeApproval, namedAddress } from '@bulkhead/fakes';
import { bigint, only, text } from '@bulkhead/postgres';
import { ask, olga, people } from './ask.ts';
import { destinationOfVault, foundVaults, vaultFor } from './vault-people.ts';
import { chainId, ether, house, pool, walletOf, type World, type WorldWallet } from './world.ts';

const agreement = {
  parties: 'Bulkhead and the client',
  service: 'custody',
  custodyPolicy: 'segregated by compartment',
  communication: 'by letter',
  security: 'keys in two places',
  fees: 'as listed',
  applicableLaw: 'Liechtenstein',
  signedAt: '2029-12-01T00:00:00.000Z',
};

/** Clients of both models with addresses, house wallets, allow-listed assets. */
export async function foundWorld(world: World): Promise<void> {
  const { native, dollar, taxed } = world.assets;
  const listed = [
    { id: native, symbol: 'ETH', decimals: 18, behaviour: 'native', dustMax: 1000n },
    { id: dollar, symbol: 'USD', decimals: 6, behaviour: 'standard', dustMax: 10n },
    { id: taxed, symbol: 'TAX', decimals: 18, behaviour: 'fee-on-transfer', dustMax: 10n },
  ] as const;
  for (const asset of listed) await ask(world, olga, (custody, call) => allowAsset(custody, call, asset));
  for (const [compartment, purpose] of [
    [house.gas, 'gas'],
    [house.fees, 'fees'],
    [pool, 'unassigned'],
  ] as const) {
    const view = await ask(world, olga, (custody, call) =>
      issueCompartmentWallet(custody, call, { compartment, chain: chainId, purpose }),
    );
    if (view !== undefined) world.wallets.push(walletOf(view));
  }
  for (const [index, segregation] of (['individual', 'omnibus', 'individual', 'omnibus'] as const).entries()) {
    const input = { reference: `client ${index}`, kind: 'legal', segregation, agreement } as const;
    const client = await ask(world, olga, (custody, call) => createClient(custody, call, input));
    if (client === undefined) throw new Error('A client of the world was refused.');
    world.clients.push({ id: client.id, segregation });
    // Where there are vaults, some clients have addresses of keys from the time before.
    const before = index < clientsBeforeVaults ? withoutVaults : as;
    if (world.vaulting === undefined || index < clientsBeforeVaults) {
      await issueWallet(world, client.id, before);
      await issueWallet(world, client.id, before);
    }
  }
  await foundVaults(world);
  if (world.vaulting === undefined) return;
  for (const { id } of world.clients) await issueWallet(world, id);
}

const clientsBeforeVaults = 2;

function as(custody: Custody): Custody {
  return custody;
}

function withoutVaults({ vaults: _none, ...custody }: Custody): Custody {
  return custody;
}

export async function issueWallet(
  world: World,
  clientId: string,
  through: (custody: Custody) => Custody = as,
): Promise<void> {
  const wallet = await ask(world, olga, (custody, call) =>
    issueClientWallet(through(custody), call, { clientId, chain: chainId }),
  );
  if (wallet === undefined) throw new Error('An address was refused to a client with an agreement.');
  remember(world, walletOf(wallet));
  const rows = await world.database.admin.query(
    `select id, address, compartment, purpose from custody.wallet where purpose = 'pool' and kind = 'key'`,
  );
  for (const row of rows) {
    const compartment = Number(bigint(row, 'compartment'));
    const place = { id: text(row, 'id'), address: text(row, 'address'), compartment };
    remember(world, walletOf({ ...place, kind: 'key', purpose: 'pool' }));
  }
}

/** A client of its own compartment has one vault, however often it asks for an address. */
function remember(world: World, wallet: WorldWallet): void {
  if (!world.wallets.some(({ id }) => id === wallet.id)) world.wallets.push(wallet);
}

export function anyAsset(world: World): AssetId {
  const { native, dollar, taxed } = world.assets;
  return world.random.pick([native, native, dollar, dollar, taxed]);
}

function anyAmount(world: World, asset: AssetId): bigint {
  return world.random.amount(asset === world.assets.native ? ether : 2000n * 10n ** 6n);
}

export async function askWithdrawal(world: World): Promise<void> {
  const client = world.random.pick(world.clients);
  const asset = anyAsset(world);
  const feePayer = world.random.percent(60) ? 'client' : 'house';
  const vault = await vaultFor(world, client);
  const wanted = vault === undefined ? { destination: anyDestination(world) } : destinationOfVault(world, vault);
  const request = { clientId: client.id, asset, amount: anyAmount(world, asset), feePayer, ...wanted } as const;
  const view = await ask(world, olga, (custody, call) => requestWithdrawal(custody, call, request));
  if (view === undefined) return;
  const { amount, destination } = request;
  world.withdrawals.push({ id: view.id, asset, amount, destination, byVault: view.vault !== null });
}

/** Mostly one of its own for each, so that what it received shows how often it was paid; sometimes an address of ours. */
function anyDestination(world: World): Address {
  if (world.random.percent(10)) return world.random.pick(world.wallets).address;
  const destination = namedAddress(`destination ${world.withdrawals.length} ${world.random.below(1_000_000)}`);
  if (world.random.percent(5)) world.chain.ground.switchRefusal(destination, true);
  return destination;
}

/** People work through what waits for them: they release, approve, now and then reject, and sometimes decide what they may not. */
export async function decideWithdrawal(world: World): Promise<void> {
  const { random } = world;
  const rows = await world.database.admin.query(
    `select id, step from custody.withdrawal where step not in ('settled', 'failed', 'rejected', 'cancelled', 'expired')
     order by created_at, destination, amount`,
  );
  const open = rows.map((row) => ({ id: text(row, 'id'), step: text(row, 'step') }));
  if (open.length === 0) return;
  const { id, step } = random.pick(open);
  const actor = random.pick(people);
  const late = step === 'signing' || step === 'broadcast';
  if (step === 'screened') {
    await ask(world, actor, (custody, call) => releaseWithdrawal(custody, call, id));
  } else if (random.percent(6)) {
    await ask(world, actor, (custody, call) => rejectWithdrawal(custody, call, { id, reason: 'unwanted' }));
  } else if (random.percent(late ? 40 : 6)) {
    await ask(world, actor, (custody, call) => cancelWithdrawal(custody, call, id));
  } else {
    await sign(world, id);
    for (const approver of [actor, random.pick(people)]) {
      const approval = await signature(world, approver, id);
      await ask(world, approver, (custody, call) => approveWithdrawal(custody, call, { id, approval }));
    }
  }
}

/** Everybody who is needed for one withdrawal does at once what is asked of them. */
export async function decideWhole(world: World): Promise<void> {
  const rows = await world.database.admin.query(
    `select id, step, requested_by from custody.withdrawal where step in ('screened', 'awaiting-approval')
     order by vault is null, created_at, destination, amount`,
  );
  const [row] = rows;
  if (row === undefined) return;
  const id = text(row, 'id');
  const others = people.filter(({ name }) => name !== text(row, 'requested_by'));
  const [first] = others;
  if (first !== undefined && text(row, 'step') === 'screened') {
    await ask(world, first, (custody, call) => releaseWithdrawal(custody, call, id));
  }
  await sign(world, id);
  for (const approver of others) {
    const approval = await signature(world, approver, id);
    await ask(world, approver, (custody, call) => approveWithdrawal(custody, call, { id, approval }));
  }
}

/** The one who asked signs; now and then somebody else tries to. */
async function sign(world: World, id: string): Promise<void> {
  const row = only(
    await world.database.admin.query(
      `select requested_by, (state ->> 'requestSigned')::boolean as signed from custody.withdrawal where id = $1`,
      [id],
    ),
  );
  if (row['signed'] === true && world.random.percent(90)) return;
  const asked = people.find(({ name }) => name === text(row, 'requested_by')) ?? olga;
  const actor = world.random.percent(85) ? asked : world.random.pick(people);
  const approval = await signature(world, actor, id);
  await ask(world, actor, (custody, call) => signWithdrawalRequest(custody, call, { id, approval }));
}

/** What a person signs: the text that the processes show, mostly; another person's signature is handed in now and then. */
async function signature(world: World, actor: Actor, id: string): Promise<Approval> {
  const signer = world.random.percent(95) ? actor : world.random.pick(people);
  const shown = await withdrawalIntentText({ ...world.processes[0].custody, signer: world.signer }, id);
  invariant(shown !== undefined, 'A withdrawal that people decide on is not there.', { id });
  return fakeApproval(signer.name, shown.intent);
}

/** Somebody proposes a change of the signer's registry, or approves one that is open. */
export async function changeRegistry(world: World): Promise<void> {
  const { random } = world;
  const { admin } = world.database;
  const open = await admin.query(
    `select id from custody.registry_change where state = 'open' order by created_at, list`,
  );
  if (open.length === 0 || random.percent(20)) {
    const list = `a list of round ${world.tally.get('registry') ?? 0}`;
    const listDigest = createHash('sha256').update(list).digest('hex');
    const kind = random.pick(['enrolment', 'policy-change'] as const);
    await ask(world, olga, (custody, call) =>
      proposeRegistryChange(custody, call, { kind, list, listDigest, items: 1 }),
    );
    return;
  }
  const id = text(random.pick(open), 'id');
  const shown = await registryChangeText(admin, id);
  invariant(shown !== undefined, 'A change that is open is not there.', { id });
  for (const actor of [random.pick(people), random.pick(people)]) {
    const approval = fakeApproval(actor.name, shown.intent);
    await ask(world, actor, (custody, call) => approveRegistryChange(custody, call, { id, approval }));
  }
}

export async function askSweep(world: World): Promise<void> {
  const compartments = world.wallets
    .filter(({ purpose }) => purpose === 'deposit')
    .map(({ compartment }) => compartment);
  if (compartments.length === 0) return;
  const compartment = world.random.pick([parseCompartment(pool), ...compartments]);
  const order = { compartment, chain: chainId };
  // Everything there is, or one asset; a token that keeps a part of every transfer must stay where it is.
  const asset = world.random.percent(50) ? {} : { asset: anyAsset(world) };
  await ask(world, olga, (custody, call) => requestSweep(custody, call, { ...order, ...asset }));
}

export async function askFee(world: World): Promise<void> {
  const clientId = world.random.pick(world.clients).id;
  const { native, dollar, taxed } = world.assets;
  const asset = world.random.pick([native, dollar, taxed]);
  const charge = {
    clientId,
    asset,
    amount: world.random.amount(asset === native ? ether / 100n : 10n ** 7n),
    description: 'custody',
  };
  await ask(world, olga, (custody, call) => chargeFee(custody, call, charge));
  if (world.random.percent(50)) await ask(world, olga, (custody, call) => payFees(custody, call, { clientId, asset }));
}
