import assert from 'node:assert/strict';
import { vaultViews } from '@bulkhead/custody';
import { type Address, type AssetId, type BlockRef, nativeAsset, parseAddress, tokenAsset } from '@bulkhead/domain';
import { fakeKeccak } from '@bulkhead/fakes';
import { bigint, integer, only, type Row, text, textOrNull } from '@bulkhead/postgres';
import { nativeToken, parseVaultEvent, removedDestination, type VaultEvent } from '@bulkhead/vaults';
import { stateOf, type Vaulting, vaultThief } from './vaulting.ts';
import { chainId, type World } from './world.ts';

type Told = { readonly vault: string; readonly address: Address; readonly block: BlockRef; readonly event: VaultEvent };

/** What must hold of vaults whenever all is quiet: what their events say happened, is what workflows and books say, and nothing else. */
export async function checkVaults(world: World): Promise<void> {
  const { vaulting } = world;
  if (vaulting === undefined) return;
  const told = eventsOfVaults(world, vaulting);
  await checkPayments(world, told);
  await checkFees(world, told);
  await checkRestrictions(world);
  await checkExits(world, told);
  await checkCompartments(world, vaulting);
  await checkViews(world, vaulting);
  for (const asset of [...Object.values(world.assets), vaulting.unfollowed]) {
    assert.equal(world.chain.ground.balance(asset, vaultThief), 0n, 'Somebody stole from a vault with too few keys.');
  }
}

/** The events of all blocks of the canonical chain, the newest too. */
function eventsOfVaults(world: World, { vaults }: Vaulting): readonly Told[] {
  const { ground } = world.chain;
  const ids = new Map<string, string>(vaults.map(({ id, address }) => [address, id]));
  const told: Told[] = [];
  for (let height = 0n; height <= ground.height; height += 1n) {
    const { number, hash, receipts } = ground.at(height);
    for (const { address, topics, data } of receipts.flatMap(({ logs }) => logs)) {
      const vault = ids.get(address);
      const event = vault === undefined ? undefined : parseVaultEvent(fakeKeccak, { topics: topics.map(hexOf), data });
      if (vault === undefined || event === undefined) continue;
      told.push({ vault, address, block: { number, hash }, event });
    }
  }
  return told;
}

function hexOf(topic: string): `0x${string}` {
  return `0x${topic.slice(2)}`;
}

function assetOf(token: Address): AssetId {
  return token === nativeToken ? nativeAsset(chainId) : tokenAsset(chainId, token);
}

/** How payments of vaults ended, and how often others had a hand in it. */
export async function tallyVaults(world: World): Promise<void> {
  if (world.vaulting === undefined) return;
  const rows = await world.database.admin.query(
    `select kind || ' ' || coalesce(outcome, step) as what, count(*)::integer as times from custody.vault_dispatch group by 1
     union all select 'relayed by a stranger', count(*)::integer from custody.vault_event e join custody.vault_dispatch d on d.id = e.explained
       where e.removed_at is null and not exists (select from custody.attempt a where a.hash = e.transaction_hash)
     union all select code || ' booked', count(distinct reference)::integer from ledger.transfers
       where code in ('vault-exit', 'vault-exit-claim', 'vault-late-payment', 'flush', 'flush-toll') group by code
     union all select 'move ' || step, count(*)::integer from custody.segregation_move group by 1
     union all select 'delegated sweep ' || coalesce(outcome, step), count(*)::integer from custody.delegated_sweep group by 1
     union all select 'delegation ' || coalesce(outcome, step), count(*)::integer from custody.delegation group by 1
     union all select 'heartbeat ' || step, count(*)::integer from custody.heartbeat group by 1
     union all select 'waits: ' || left(waiting_reason, 60), count(*)::integer from custody.vault_dispatch where waiting_reason is not null group by 1
     order by 1`,
  );
  for (const row of rows) world.tally.set(text(row, 'what'), integer(row, 'times'));
  const waiting = await world.database.admin.query(
    `select id, state::text as state, waiting_reason from custody.vault_dispatch where step <> 'done'`,
  );
  assert.deepEqual(waiting, [], 'Every deadline is over, and something still waits to be paid by a vault.');
}

/** Each withdrawal of a vault is paid once if it is settled, and never otherwise; a vault pays nothing that is no withdrawal. */
async function checkPayments(world: World, told: readonly Told[]): Promise<void> {
  const { ground } = world.chain;
  const rows = await world.database.admin.query(
    `select w.id, w.step, w.asset, w.amount, w.destination, w.vault, w.vault_nonce, d.outcome
     from custody.withdrawal w left join custody.vault_dispatch d on d.subject = w.id where w.vault is not null`,
  );
  const known = new Map(rows.map((row) => [`${text(row, 'vault')} ${bigint(row, 'vault_nonce')}`, row]));
  assert.equal(known.size, rows.length, 'Two withdrawals of a vault have one nonce.');
  const paid = new Map<string, Told>();
  for (const one of told) {
    if (one.event.event !== 'Withdrawn') continue;
    const { token, to, amount, nonce } = one.event;
    const name = `${one.vault} ${nonce}`;
    const row = known.get(name);
    assert.ok(row !== undefined, `Vault ${one.address} paid ${amount} to ${to}, and nobody asked for it.`);
    assert.ok(!paid.has(name), `Withdrawal ${text(row, 'id')} was paid twice.`);
    paid.set(name, one);
    const wanted = [text(row, 'asset'), text(row, 'destination'), bigint(row, 'amount')];
    assert.deepEqual(
      [assetOf(token), to, amount],
      wanted,
      `Withdrawal ${text(row, 'id')} was paid otherwise than asked.`,
    );
  }
  for (const [name, row] of known) {
    const step = text(row, 'step');
    const payment = paid.get(name);
    const isFinal = payment !== undefined && payment.block.number <= ground.final.number;
    // Signed, given up because the exit took the coins, and carried to the chain by somebody after the exit was taken back.
    if (step === 'failed' && textOrNull(row, 'outcome') === 'exited' && isFinal) {
      continue;
    }
    assert.equal(isFinal, step === 'settled', `Withdrawal ${text(row, 'id')} of a vault is ${step}; paid: ${isFinal}.`);
  }
}

/**
 * Each fee that a vault paid was asked for, once; and one that is settled was paid, or started the clock of its coin. One that was given up
 * because of an exit may still be carried by somebody after the exit was taken back.
 */
async function checkFees(world: World, told: readonly Told[]): Promise<void> {
  const { ground } = world.chain;
  const final = told.filter(
    ({ event, block }) => event.event === 'FeeCollected' && block.number <= ground.final.number,
  );
  const row = only(
    await world.database.admin.query(
      `select count(*) filter (where outcome = 'paid' or outcome = 'exited' and exists (
         select from custody.vault_event e where e.explained = d.id and e.removed_at is null)) as paid
       from custody.vault_dispatch d where kind = 'vault-fee'`,
    ),
  );
  assert.equal(bigint(row, 'paid'), BigInt(final.length), 'Fees that vaults paid are not those that are settled.');
}

/** A restriction is applied exactly if the vault says so under its nonce, and taken back exactly if the vault says that. */
async function checkRestrictions(world: World): Promise<void> {
  const rows = await world.database.admin.query(
    `select d.subject, d.outcome, e.topics, e.data from custody.vault_dispatch d
     left join custody.vault_event e on e.explained = d.id and e.removed_at is null
     where d.kind in ('vault-pause', 'vault-limit-lowering', 'vault-destination-removal')`,
  );
  const subjects = new Set(rows.map((row) => text(row, 'subject')));
  assert.equal(subjects.size, rows.length, 'The events of a restriction are more than one.');
  for (const row of rows) {
    const outcome = textOrNull(row, 'outcome');
    const said = textOrNull(row, 'data') === null ? undefined : eventOf(row);
    const wanted = said === undefined ? false : said === 'NonceInvalidated' ? 'invalidated' : 'applied';
    const ended = outcome === 'applied' || outcome === 'invalidated' ? outcome : false;
    assert.equal(
      ended,
      wanted,
      `Restriction ${text(row, 'subject')} is ${outcome ?? 'open'}; event: ${said ?? 'none'}.`,
    );
  }
}

function eventOf(row: Row): VaultEvent['event'] | undefined {
  const topics = row['topics'];
  assert.ok(Array.isArray(topics));
  return parseVaultEvent(fakeKeccak, {
    topics: topics.map((topic) => hexOf(String(topic))),
    data: hexOf(text(row, 'data')),
  })?.event;
}

/** Each exit is in the books with what it took of the claims. */
async function checkExits(world: World, told: readonly Told[]): Promise<void> {
  const { ground } = world.chain;
  const { admin } = world.database;
  const followed = new Set<string>(Object.values(world.assets));
  const exits = told.flatMap(({ event, ...rest }) => (event.event === 'Exited' ? [{ ...rest, event }] : []));
  for (const { address, block, event } of exits) {
    if (block.number > ground.final.number || !followed.has(assetOf(event.token))) continue;
    const rows = await admin.query(
      `select e.id, e.topics ->> 1 as token, (select coalesce(sum(t.amount), 0) from ledger.transfers t
         where t.reference = e.id and t.code = 'vault-exit' and t.credit_kind = 'wallet') as booked
       from custody.vault_event e where e.address = $1 and e.block_hash = $2 and e.removed_at is null and e.explained = e.id`,
      [address, block.hash],
    );
    const row = only(rows.filter((one) => parseAddress(`0x${text(one, 'token').slice(-40)}`) === event.token));
    const booked = bigint(row, 'booked');
    assert.ok(booked > 0n && booked <= event.amount, `An exit of ${event.amount} is in the books with ${booked}.`);
  }
}

/** What left a vault or a forwarder was ordered in its own compartment, or was the exit of that very vault. */
async function checkCompartments(world: World, vaulting: Vaulting): Promise<void> {
  const { ground } = world.chain;
  const { admin } = world.database;
  const wrong = await admin.query(
    `select w.address, m.to_address, m.asset, m.amount, m.out_explained
     from custody.movement m join custody.wallet w on w.chain = m.chain and w.address = m.from_address and w.kind <> 'key'
     left join custody.vault_dispatch v on v.id = m.out_explained
     left join custody.vault_event e on e.id = m.out_explained
     left join custody.wallet r on r.chain = m.chain and r.address = m.to_address
     where m.removed_at is null and m.amount > 0 and m.block_number <= $1
       and not coalesce(v.compartment = w.compartment and v.wallet = w.id, false)
       and not coalesce(e.address = w.address, false)
       and not coalesce(m.out_explained = m.id and w.kind = 'forwarder' and r.id = w.vault, false)`,
    [ground.final.number],
  );
  assert.deepEqual(wrong, [], 'Something left a vault or a forwarder, and its compartment did not order it.');
  const own = new Set<string>(world.wallets.filter(({ kind }) => kind !== 'key').map(({ address }) => address));
  const left = ground
    .movements(ground.final.number)
    .filter(({ from, amount, asset }) => own.has(from ?? '') && amount > 0n && asset !== vaulting.unfollowed);
  const row = only(
    await admin.query(
      `select count(*) as known from custody.movement m join custody.wallet w on w.chain = m.chain and w.address = m.from_address and w.kind <> 'key'
       where m.removed_at is null and m.amount > 0 and m.block_number <= $1`,
      [ground.final.number],
    ),
  );
  assert.equal(bigint(row, 'known'), BigInt(left.length), 'Not everything that left a vault or a forwarder is known.');
}

/** What is shown of a vault is what the contract remembers at the final block. */
async function checkViews(world: World, vaulting: Vaulting): Promise<void> {
  const { custody } = world.processes[0];
  const height = world.chain.ground.final.number;
  for (const vault of vaulting.vaults) {
    const [view] = await vaultViews(custody, world.database.admin, { id: vault.id, after: null, limit: 1 });
    const { gate, destinations } = stateOf(vaulting, world.chain, { vault, height });
    // One that silence opened is open since its event, which names no time.
    const shownAt = view?.onChain.exit === 'open' ? String(gate.exitReadyAt) : (view?.onChain.exitReadyAt ?? '0');
    assert.equal(shownAt, String(gate.exitReadyAt), `The exit of ${vault.address}.`);
    assert.equal(view?.onChain.exit !== 'none', gate.exitReadyAt !== 0n, `The exit of ${vault.address}.`);
    for (const { address, activeFrom } of view?.onChain.destinations ?? []) {
      const from = destinations.get(parseAddress(address)) ?? 0n;
      const shown = activeFrom === null ? removedDestination : BigInt(activeFrom);
      assert.equal(shown, from, `Destination ${address} of ${vault.address}.`);
    }
  }
}
