import {
  agreeVault,
  certifyVault,
  draftVault,
  flushVault,
  listSegregation,
  receiptVault,
  signOneOff,
  type VaultDraft,
  withdrawalViews,
} from '@bulkhead/custody';
import { type Address, type AssetId, invariant } from '@bulkhead/domain';
import { namedAddress } from '@bulkhead/fakes';
import { only, text } from '@bulkhead/postgres';
import { type Hex, vaultToken } from '@bulkhead/vaults';
import { ask, olga } from './ask.ts';
import { keysOf, type Vaulting, type WorldVault, worldVault } from './vaulting.ts';
import { chainId, ether, pool, walletOf, type World, type WorldClient } from './world.ts';

type Holder = { readonly clientId: string } | { readonly compartment: typeof pool };

const dollars = 10n ** 6n;

/** A vault for each individual client and one for the pool, every step as people take it. */
export async function foundVaults(world: World): Promise<void> {
  const { vaulting } = world;
  if (vaulting === undefined) return;
  const own = world.clients
    .filter(({ segregation }) => segregation === 'individual')
    .map(({ id }) => ({ clientId: id }));
  for (const holder of [...own, { compartment: pool }]) await foundVaultOf(world, holder);
}

/** A vault more, whose wallet is known from here on. */
export async function foundVaultOf(world: World, holder: Holder): Promise<void> {
  const { vaulting } = world;
  if (vaulting === undefined) return;
  const vault = await foundVault(world, vaulting, holder);
  vaulting.vaults.push(vault);
  const { address, compartment } = vault;
  const row = only(
    await world.database.admin.query(
      `select id, purpose from custody.wallet where kind = 'vault' and chain = $1 and address = $2`,
      [chainId, address],
    ),
  );
  world.wallets.push(
    walletOf({ id: text(row, 'id'), address, compartment, kind: 'vault', purpose: text(row, 'purpose') }),
  );
}

async function foundVault(world: World, vaulting: Vaulting, holder: Holder): Promise<WorldVault> {
  const number = vaulting.vaults.length;
  const { clientKey, exitKey } = keysOf(number);
  const draft: VaultDraft = {
    ...holder,
    chain: chainId,
    clientKey: clientKey.key,
    exitKey: exitKey.key,
    exitDestination: namedAddress(`exit of vault ${number}`),
    destinations: destinationsOf(vaulting, number),
    limits: caps(world, 3n),
    unlisted: 'compartment' in holder ? caps(world, 1n) : [],
  };
  const drafted = await done(ask(world, olga, (custody, call) => draftVault(custody, call, draft)));
  const vault = worldVault(drafted, clientKey);
  const { id } = drafted;
  const agreed = clientKey.sign(digestBytes(drafted.agreement?.digest));
  await done(ask(world, olga, (custody, call) => agreeVault(custody, call, { vaultId: id, signature: agreed })));
  const client = vault.client ?? `pool_${vault.compartment}`;
  vaulting.quorum.listed.set(vault.address, { client, terms: { config: vault.config, policy: vault.policy } });
  const certified = await done(ask(world, olga, (custody, call) => certifyVault(custody, call, id)));
  const receipt = clientKey.sign(digestBytes(certified.receipt?.digest));
  await done(ask(world, olga, (custody, call) => receiptVault(custody, call, { vaultId: id, signature: receipt })));
  return vault;
}

async function done<View>(asked: Promise<View | undefined>): Promise<View> {
  const view = await asked;
  if (view === undefined) throw new Error('A step on the way to a vault was refused.');
  return view;
}

function digestBytes(digest: string | undefined): Uint8Array {
  return Uint8Array.from(Buffer.from((digest ?? '').slice(2), 'hex'));
}

/** Two strangers, and the vault that was founded before: what one client pays another is a deposit there. */
function destinationsOf({ vaults }: Vaulting, number: number): readonly Address[] {
  const strangers = ['first', 'second'].map((name) => namedAddress(`${name} destination of vault ${number}`));
  return [...strangers, ...vaults.slice(-1).map(({ address }) => address)];
}

function caps(world: World, times: bigint): readonly { readonly token: Address; readonly cap: bigint }[] {
  const { native, dollar, taxed } = world.assets;
  return [native, dollar, taxed].map((asset) => ({
    token: vaultToken(asset),
    cap: times * (asset === native ? ether : 2000n * dollars),
  }));
}

/** The vault that pays for a client, by the model that counts now, or undefined. */
export async function vaultFor(world: World, client: WorldClient): Promise<WorldVault | undefined> {
  const { vaulting, database } = world;
  if (vaulting === undefined) return undefined;
  const model = (await listSegregation(database.admin, client.id)).at(-1)?.segregation ?? client.segregation;
  return vaulting.vaults.find((vault) => vault.client === (model === 'individual' ? client.id : undefined));
}

export type Wanted = { readonly destination: Address; readonly oneOff: boolean };

/** Where a client with a vault has it pay: to what it listed, or anywhere with its own signature, or what will be refused. */
export function destinationOfVault(world: World, vault: WorldVault): Wanted {
  const { random } = world;
  const roll = random.below(100);
  if (roll < 50) return { destination: random.pick(vault.policy.destinations), oneOff: random.percent(5) };
  const fresh = namedAddress(`destination ${world.withdrawals.length} ${random.below(1_000_000)}`);
  if (roll < 90) return { destination: fresh, oneOff: roll < 70 };
  return { destination: random.pick(world.wallets).address, oneOff: random.percent(50) };
}

/** A client signs a one-off payment of its own that waits for that; now and then with a key that is not in force. */
export async function signOneOffs(world: World): Promise<void> {
  const { vaulting, random } = world;
  const rows = await world.database.admin.query(
    `select id, vault from custody.withdrawal
     where authorisation = 'one-off' and client_signature is null and step not in ('settled', 'failed', 'rejected', 'cancelled', 'expired')
     order by created_at, destination, amount`,
  );
  for (const row of rows.filter(() => random.percent(60))) {
    const id = text(row, 'id');
    const vault = vaulting?.vaults.find((one) => one.id === text(row, 'vault'));
    const [view] = await withdrawalViews(world.database.admin, { id, after: null, limit: 1 });
    invariant(vault !== undefined && view !== undefined, 'A one-off payment is of no vault of the world.', { id });
    const key = random.percent(90) ? vault.clientKey : keysOf(100).clientKey;
    const signature: Hex = key.sign(digestBytes(view.vault?.clientMustSign?.digest));
    await ask(world, olga, (custody, call) => signOneOff(custody, call, { id, signature }));
  }
}

/** The house sends what lies at forwarders of the pool to its vault. */
export async function askFlush(world: World): Promise<void> {
  const vault = world.vaulting?.vaults.find(({ client }) => client === undefined);
  if (vault === undefined) return;
  const { native, dollar, taxed } = world.assets;
  const asset: AssetId = world.random.pick([native, native, dollar, taxed]);
  await ask(world, olga, (custody, call) => flushVault(custody, call, { vaultId: vault.id, asset }));
}
