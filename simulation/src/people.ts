import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Actor, Answer, Custody, WriteCall } from '@bulkhead/custody';
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
import { Crash } from './interruption.ts';
import { chainId, count, ether, house, isExpected, pool, walletOf, type World } from './world.ts';

export const olga: Actor = { name: 'olga', role: 'operator' };
export const people: readonly Actor[] = ['ann', 'bob', 'cai', 'olga'].map((name) => ({ name, role: 'approver' }));
const askAttemptsMax = 30;

type Ask<View> = (custody: Custody, call: WriteCall) => Promise<Answer<View>>;

/**
 * Asks as a client of the API does: under one key until an answer comes, whatever ends in between, and now and then once more
 * or twice at once. All answers must be the same one.
 */
export async function ask<View>(world: World, actor: Actor, run: Ask<View>): Promise<View | undefined> {
  count(world, 'ask');
  const key = `ask-${world.tally.get('ask') ?? 0}`;
  const call: WriteCall = { actor, idempotency: { key, fingerprint: key.padStart(64, '0') } };
  if (world.random.percent(10)) {
    const results = await Promise.allSettled(world.processes.map(({ custody }) => run(custody, call)));
    for (const result of results) if (result.status === 'rejected' && !isExpected(result.reason)) throw result.reason;
    count(world, 'asked twice at once');
  }
  const first = await askUntilAnswered(world, () => run(world.random.pick(world.processes).custody, call));
  if (world.random.percent(20)) {
    const again = await run(world.processes[0].custody, call);
    assert.deepEqual(again, { hit: true, outcome: first.outcome });
  }
  const { outcome } = first;
  if (outcome.status === 'done') return outcome.view;
  invariant(outcome.status === 'refused', 'A key that was used once counts as used by others.', { key });
  count(world, `refused ${outcome.code}`);
  return undefined;
}

async function askUntilAnswered<View>(world: World, run: () => Promise<Answer<View>>): Promise<Answer<View>> {
  for (let attempt = 0; attempt < askAttemptsMax; attempt++) {
    const mortal = world.random.percent(25);
    if (mortal) for (const { mortality } of world.processes) mortality.endAfter(1 + world.random.below(30));
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof Crash) && !isExpected(error)) throw error;
      // Whoever asks comes back later, and by then somebody has started the signer again.
      if (world.random.percent(30)) world.signer.down = false;
      count(world, error instanceof Crash ? 'crash in a command' : 'fault in a command');
    } finally {
      for (const { mortality } of world.processes) mortality.revive();
    }
  }
  throw new Error(`A command got no answer in ${askAttemptsMax} attempts.`);
}

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
    await issueWallet(world, client.id);
    await issueWallet(world, client.id);
  }
}

export async function issueWallet(world: World, clientId: string): Promise<void> {
  const wallet = await ask(world, olga, (custody, call) =>
    issueClientWallet(custody, call, { clientId, chain: chainId }),
  );
  if (wallet === undefined) throw new Error('An address was refused to a client with an agreement.');
  world.wallets.push(walletOf(wallet));
  const rows = await world.database.admin.query(
    `select id, address, compartment, purpose from custody.wallet where purpose = 'pool'`,
  );
  for (const row of rows) {
    if (world.wallets.some(({ id }) => id === text(row, 'id'))) continue;
    const compartment = Number(bigint(row, 'compartment'));
    world.wallets.push(walletOf({ id: text(row, 'id'), address: text(row, 'address'), compartment, purpose: 'pool' }));
  }
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
  const request = {
    clientId: client.id,
    asset,
    amount: anyAmount(world, asset),
    destination: anyDestination(world),
    feePayer,
  } as const;
  const view = await ask(world, olga, (custody, call) => requestWithdrawal(custody, call, request));
  if (view === undefined) return;
  world.withdrawals.push({ id: view.id, asset, amount: request.amount, destination: request.destination });
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
