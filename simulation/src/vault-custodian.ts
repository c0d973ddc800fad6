import {
  approveRestriction,
  cancelRestriction,
  chargeFee,
  confirmMove,
  listSegregation,
  payFees,
  proposeMove,
  requestRestriction,
  requestSweep,
  type Restriction,
  restrictionText,
  revokeDelegation,
  withdrawMove,
} from '@bulkhead/custody';
import { invariant, parseAssetId } from '@bulkhead/domain';
import { fakeApproval, fakeKeccak, fakeMembers } from '@bulkhead/fakes';
import { text } from '@bulkhead/postgres';
import { callData, vaultCalls, windowOf } from '@bulkhead/vaults';
import { ask, olga, people } from './ask.ts';
import { issueWallet } from './people.ts';
import { stateOf, type WorldVault } from './vaulting.ts';
import { foundVaultOf } from './vault-people.ts';
import { chainId, count, ether, keepTime, type World } from './world.ts';

/** What the custodian does with vaults beside payments that clients ask for. */

/** A restriction is asked for, and mostly approved at once: the reason for one does not wait. */
export async function restrictVault(world: World): Promise<void> {
  const { vaulting, random } = world;
  if (vaulting === undefined) return;
  const vault = random.pick(vaulting.vaults);
  const restriction = anyRestriction(world, vault);
  const view = await ask(world, olga, (custody, call) =>
    requestRestriction(custody, call, { vaultId: vault.id, restriction }),
  );
  if (view !== undefined && random.percent(60)) await approve(world, view.id);
}

function anyRestriction(world: World, vault: WorldVault): Restriction {
  const { vaulting, chain, random, assets } = world;
  invariant(vaulting !== undefined, 'Only a world with vaults restricts one.');
  const roll = random.below(100);
  if (roll < 45) return { kind: 'pause' };
  if (roll < 65) return { kind: 'destination-removal', destination: random.pick(vault.policy.destinations) };
  const asset = random.pick([assets.native, assets.dollar, assets.taxed]);
  const window = random.pick(['listed', 'unlisted'] as const);
  const agreed = random.pick(vault.policy.limits);
  const { cap } = windowOf(stateOf(vaulting, chain, { vault }), agreed.token, window === 'unlisted');
  // Sometimes the cap of another token, which may be no lower one.
  return { kind: 'limit-lowering', asset, cap: (cap * 3n) / 4n, window };
}

async function approve(world: World, id: string): Promise<void> {
  const { custody } = world.processes[0];
  const shown = await restrictionText({ ...custody, signer: world.signer }, id);
  invariant(shown !== undefined, 'A restriction that was asked for is not there.', { id });
  for (const person of [world.random.pick(people), world.random.pick(people), world.random.pick(people)]) {
    const approval = fakeApproval(person.name, shown.intent);
    await ask(world, person, (called, call) => approveRestriction(called, call, { id, approval }));
  }
}

/** People approve a restriction that waits, or give it up, in whatever state it is. */
export async function tendRestriction(world: World): Promise<void> {
  const { random } = world;
  const rows = await world.database.admin.query(
    `select subject from custody.vault_dispatch where step <> 'done'
       and kind in ('vault-pause', 'vault-limit-lowering', 'vault-destination-removal') order by created_at, nonce`,
  );
  if (rows.length === 0) return;
  const id = text(random.pick(rows), 'subject');
  if (random.percent(75)) await approve(world, id);
  else await ask(world, random.pick(people), (custody, call) => cancelRestriction(custody, call, id));
}

/** A client of a pool is to have a vault of its own, or is to come back: proposed by one, confirmed or taken back by another. */
export async function moveClient(world: World): Promise<void> {
  const { random, database } = world;
  const open = await database.admin.query(
    `select id, proposed_by from custody.segregation_move where step = 'proposed' order by created_at`,
  );
  const [row] = open;
  if (row !== undefined) {
    const id = text(row, 'id');
    const other = random.pick(people);
    if (random.percent(80)) await ask(world, other, (custody, call) => confirmMove(custody, call, id));
    else await ask(world, other, (custody, call) => withdrawMove(custody, call, id));
    return;
  }
  const clientId = random.pick(world.clients).id;
  const now = await modelOf(world, clientId);
  const model = now === 'omnibus' ? 'individual' : 'omnibus';
  const hasVault = world.vaulting?.vaults.some(({ client }) => client === clientId);
  if (model === 'individual' && hasVault === false) await foundVaultOf(world, { clientId });
  const view = await ask(world, olga, (custody, call) =>
    proposeMove(custody, call, { clientId, chain: chainId, model }),
  );
  if (view === undefined) return;
  count(world, `move to ${model}`);
  if (random.percent(70)) {
    await ask(world, random.pick(people), (custody, call) => confirmMove(custody, call, view.id));
  }
  // Addresses are given out while coins are on their way.
  if (random.percent(30)) await issueWallet(world, clientId);
}

async function modelOf(world: World, client: string): Promise<'individual' | 'omnibus' | undefined> {
  return (await listSegregation(world.database.admin, client)).at(-1)?.segregation;
}

/** The house charges somebody who has something, and asks for all that is owed: a vault may let out less at once. */
export async function payVaultFee(world: World): Promise<void> {
  const { random, assets } = world;
  const rows = await world.database.admin.query(
    `select a.holder, a.asset from ledger.accounts a join custody.client c on c.id = a.holder
     where a.kind = 'available' and a.posted > a.pending_out and a.asset <> $1 order by c.created_at, a.asset, a.compartment`,
    [assets.taxed],
  );
  if (rows.length === 0) return;
  const row = random.pick(rows);
  const clientId = text(row, 'holder');
  const asset = parseAssetId(text(row, 'asset'));
  const amount = random.amount(asset === assets.native ? ether / 1000n : 10n ** 6n);
  const charge = { clientId, asset, amount, description: 'custody of a vault' };
  await ask(world, olga, (custody, call) => chargeFee(custody, call, charge));
  await ask(world, olga, (custody, call) => payFees(custody, call, { clientId, asset }));
}

/** Tokens at addresses with keys go to the vault of their compartment, by the delegate that the address signs for. */
export async function sweepLegacy(world: World): Promise<void> {
  const { random, assets, wallets, chain } = world;
  const legacy = wallets.filter(({ kind, purpose }) => kind === 'key' && purpose === 'deposit');
  if (legacy.length === 0) return;
  const { id, address } = random.pick(legacy);
  // Some still pay to the address that they know; what arrives is swept by a later one.
  if (random.percent(70)) chain.outside.send({ to: address, amount: random.amount(10n ** 8n), asset: assets.dollar });
  if (random.percent(4)) {
    await ask(world, olga, (custody, call) => revokeDelegation(custody, call, id));
    return;
  }
  await ask(world, olga, (custody, call) => requestSweep(custody, call, { walletId: id, asset: assets.dollar }));
}

/** The signers fall silent for longer than their heartbeat may stay away, and somebody opens the exit of a vault for its client. */
export function fallSilent(world: World): void {
  const { vaulting, random, chain, clock } = world;
  if (vaulting === undefined) return;
  vaulting.quorum.awake = fakeMembers.slice(0, 1);
  const vault = random.pick(vaulting.vaults);
  clock.advance(Number(vault.config.heartbeatPeriod + 3_600n) * 1_000);
  keepTime(world);
  chain.outside.call({ to: vault.address, data: callData(fakeKeccak, vaultCalls.openExit, { config: vault.config }) });
  count(world, 'silence');
}
