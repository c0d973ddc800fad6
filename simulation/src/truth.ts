import assert from 'node:assert/strict';
import { type Address, type AssetId, contractOf, type Movement, parseAddress, parseAssetId } from '@bulkhead/domain';
import { audit, walletPositionsAt } from '@bulkhead/ledger';
import { bigint, only, type Row, text, textOrNull } from '@bulkhead/postgres';
import { checkVaults } from './vault-truth.ts';
import { chainId, type World, type WorldWallet } from './world.ts';

/**
 * What must hold whenever the processes have done all they can do. The chain's own state is the truth; every sentence here
 * compares the books and the workflows with it.
 */
export async function checkWorld(world: World): Promise<void> {
  const cursor = only(await world.database.admin.query('select * from custody.chain_cursor'));
  assert.equal(textOrNull(cursor, 'stopped_reason'), null, 'The follower stands still.');
  const final = bigint(cursor, 'final_number');
  assert.equal(final, world.chain.ground.final.number, 'Not all final blocks are booked.');
  assert.deepEqual(await audit(world.database.app), [], 'The audit of the books finds something.');
  await checkCoverage(world, bigint(cursor, 'start_number'), bigint(cursor, 'tip_number'));
  await adoptHalves(world);
  await checkDeposits(world, { start: bigint(cursor, 'start_number'), final });
  await checkWithdrawals(world);
  await checkHolds(world);
  await checkBalances(world, final);
  await checkSigner(world);
  await checkVaults(world);
}

/** Every decision of the signer is stored as it made it, and every change of its registry that it made is known as made. */
async function checkSigner(world: World): Promise<void> {
  const { admin } = world.database;
  const log = only(await admin.query('select sequence, trouble from custody.signer_log'));
  assert.equal(textOrNull(log, 'trouble'), null, 'The records of the signer contradict each other.');
  const records = await world.signer.records(0n, Number(world.signer.log.sequence));
  assert.equal(bigint(log, 'sequence'), world.signer.log.sequence, 'Not all records of the signer are here.');
  const lines = await admin.query('select line from custody.signer_record order by sequence');
  assert.deepEqual(
    lines.map((row) => text(row, 'line')),
    records.map(({ line }) => line),
    'The records here are not those of the signer.',
  );
  const applied = await admin.query(
    `select version from custody.registry_change where state = 'applied' order by version`,
  );
  const made = records.filter(({ line }) => line.includes('"type":"changed"'));
  assert.deepEqual(
    applied.map((row) => bigint(row, 'version')),
    made.map((_, index) => BigInt(index) + 2n),
    'The versions of the registry are not those that were applied.',
  );
  const { registryVersion } = await world.signer.status();
  assert.equal(registryVersion, BigInt(made.length) + 1n);
}

/** One contiguous, hash-linked run of blocks, the same as the chain's own. */
async function checkCoverage(world: World, start: bigint, tip: bigint): Promise<void> {
  const rows = await world.database.admin.query(
    'select number, hash, parent_hash from custody.block where removed_at is null order by number',
  );
  assert.equal(BigInt(rows.length), tip - start + 1n, 'A block is missing between the start and the tip.');
  for (const [index, row] of rows.entries()) {
    const number = start + BigInt(index);
    assert.equal(bigint(row, 'number'), number);
    assert.equal(
      text(row, 'hash'),
      world.chain.ground.find(number)?.hash,
      `Block ${number} is not the one of the chain.`,
    );
    const before = rows[index - 1];
    if (before !== undefined) assert.equal(text(row, 'parent_hash'), text(before, 'hash'));
  }
  const markers = await world.database.admin.query('select block_number from ledger.markers order by block_number');
  for (const [index, row] of markers.entries()) {
    assert.equal(bigint(row, 'block_number'), start + BigInt(index), 'A block has no marker.');
  }
}

type Arrival = Movement & { readonly to: Address; readonly block: { readonly number: bigint; readonly hash: string } };

/** What the chain brought to our addresses, as far as the port shows it. */
function arrivals(world: World, bounds: { readonly start: bigint; readonly final: bigint }): readonly Arrival[] {
  const own = new Set<Address>(world.wallets.map(({ address }) => address));
  const followed = new Set<AssetId>(Object.values(world.assets));
  return world.chain.ground.movements(bounds.final).flatMap((movement) => {
    const { to, from, amount, kind, block, asset } = movement;
    const seen = (kind !== 'internal' || world.chain.traces) && followed.has(asset);
    const ours = to !== undefined && own.has(to) && from !== to;
    if (!ours || amount === 0n || !seen || block.number <= bounds.start) return [];
    return [{ ...movement, to }];
  });
}

/** Every arrival is booked once if it is final, by a deposit or by the dispatch that brought it, and not at all if it is not. */
async function checkDeposits(world: World, bounds: { readonly start: bigint; readonly final: bigint }): Promise<void> {
  const { admin } = world.database;
  const deposits = await admin.query(
    `select d.id, d.step, d.asset, d.wallet, d.amount, d.state ->> 'step' as state_step, m.kind, m.reference, m.block_hash, m.block_number,
       m.removed_at is not null as removed, m.in_explained,
       (select count(*)::integer from ledger.transfers t where t.reference = d.id and t.debit_kind = 'wallet') as bookings
     from custody.deposit d join custody.movement m on m.id = d.movement`,
  );
  const keyOf = (row: Row): string => `${text(row, 'block_hash')} ${text(row, 'kind')} ${text(row, 'reference')}`;
  const byMovement = new Map(deposits.map((row) => [keyOf(row), row]));
  assert.equal(byMovement.size, deposits.length, 'Two deposits were made from one movement.');
  const brought = await broughtByDispatch(world);
  const flushed = await forwarding(world);
  const expected = new Set<string>();
  for (const { block, kind, reference, transaction, from, to, asset } of arrivals(world, bounds)) {
    const key = `${block.hash} ${kind} ${reference}`;
    const byDispatch =
      (transaction !== undefined && brought.has(`${transaction} ${to} ${asset}`)) || flushed.has(`${from ?? ''} ${to}`);
    const row = byMovement.get(key);
    assert.equal(
      row === undefined,
      byDispatch,
      `${kind} ${reference} of block ${block.number}: ${byDispatch ? 'a deposit too many' : 'no deposit'}.`,
    );
    if (row === undefined) continue;
    expected.add(key);
    assert.ok(
      !['detected', 'removed'].includes(text(row, 'step')),
      `Deposit ${text(row, 'id')} is final on chain and ${text(row, 'step')} here.`,
    );
    assert.equal(row['bookings'], 1, `Deposit ${text(row, 'id')} is booked ${String(row['bookings'])} times.`);
    assert.equal(
      textOrNull(row, 'in_explained'),
      text(row, 'id'),
      'The movement does not say which deposit booked it.',
    );
  }
  for (const row of deposits) {
    if (expected.has(keyOf(row)) || text(row, 'kind') === 'balance-difference') continue;
    assert.equal(row['bookings'], 0, `Deposit ${text(row, 'id')} is booked, and the chain knows nothing of it.`);
    const wanted = row['removed'] === true ? 'removed' : 'detected';
    assert.equal(text(row, 'step'), wanted, `Deposit ${text(row, 'id')} is not final, and not ${wanted}.`);
  }
}

/** Forwarder and vault of each forwarder, and address and receiver of each delegate: what goes that way is the compartment's already. */
async function forwarding(world: World): Promise<ReadonlySet<string>> {
  const rows = await world.database.admin.query(
    `select f.address as forwarder, v.address as vault from custody.wallet f join custody.wallet v on v.id = f.vault
     union select f.address, t.address from custody.delegation d join custody.wallet f on f.id = d.wallet
       join custody.wallet t on t.id = d.to_wallet where d.outcome = 'in-force'`,
  );
  return new Set(rows.map((row) => `${text(row, 'forwarder')} ${text(row, 'vault')}`));
}

/** Transaction, receiver and asset of what our own dispatches moved between our wallets, and of fees of vaults, whoever relayed them. */
async function broughtByDispatch(world: World): Promise<ReadonlySet<string>> {
  const rows = await world.database.admin.query(
    `select a.hash, w.address, d.asset from custody.attempt a join custody.dispatch d on d.id = a.dispatch
     join custody.wallet w on w.id = d.to_wallet where a.hash is not null and a.role = 'effect'
     union select e.transaction_hash, d.to_address, d.asset from custody.vault_event e
       join custody.vault_dispatch d on d.id = e.explained where d.kind = 'vault-fee'`,
  );
  return new Set(rows.map((row) => `${text(row, 'hash')} ${text(row, 'address')} ${text(row, 'asset')}`));
}

/** The halves of moves are withdrawals that nobody asked for one by one: each goes to the address that its move names, once confirmed. */
async function adoptHalves(world: World): Promise<void> {
  const rows = await world.database.admin.query(
    `select w.id, w.asset, w.amount, w.destination, w.vault, r.address as receiver, m.step
     from custody.segregation_half h join custody.withdrawal w on w.id = h.withdrawal
     join custody.segregation_move m on m.id = h.move join custody.wallet r on r.id = m.to_wallet order by w.id`,
  );
  const known = new Set(world.withdrawals.map(({ id }) => id));
  for (const row of rows.filter((one) => !known.has(text(one, 'id')))) {
    const id = text(row, 'id');
    assert.ok(['moving', 'done'].includes(text(row, 'step')), `Half ${id} is of a move that nobody confirmed.`);
    assert.equal(text(row, 'destination'), text(row, 'receiver'), `Half ${id} goes elsewhere than its move.`);
    world.withdrawals.push({
      id,
      asset: parseAssetId(text(row, 'asset')),
      amount: bigint(row, 'amount'),
      destination: parseAddress(text(row, 'destination')),
      byVault: textOrNull(row, 'vault') !== null,
    });
  }
}

/** Paid once if settled, never if it ended otherwise: counted by what the transactions of its dispatches did on the chain. */
async function checkWithdrawals(world: World): Promise<void> {
  const { ground } = world.chain;
  const { admin } = world.database;
  const rows = await admin.query('select id, step from custody.withdrawal');
  const steps = new Map(rows.map((row) => [text(row, 'id'), text(row, 'step')]));
  assert.equal(steps.size, world.withdrawals.length, 'A withdrawal is stored that nobody was told of.');
  const attempts = await admin.query(
    'select d.subject, a.hash from custody.attempt a join custody.dispatch d on d.id = a.dispatch where a.hash is not null',
  );
  const subjects = new Map(attempts.map((row) => [text(row, 'hash'), text(row, 'subject')]));
  const own = new Set<Address>(world.wallets.map(({ address }) => address));
  const movements = ground.movements();
  const listed = new Set<Address>(world.vaulting?.vaults.flatMap(({ policy }) => policy.destinations));
  // What vaults pay is told from their events.
  const byKeys = world.withdrawals.filter(({ byVault }) => !byVault);
  for (const { id, asset, amount, destination } of byKeys) {
    const received = movements.filter((movement) => movement.to === destination && movement.asset === asset);
    const payments = received.filter(
      ({ transaction }) => transaction !== undefined && subjects.get(transaction) === id,
    );
    const foreign = own.has(destination) || listed.has(destination) ? payments : received;
    assert.equal(foreign.length, payments.length, `Somebody paid the destination of ${id} whom we do not know.`);
    const final = payments.filter(({ block }) => block.number <= ground.final.number);
    const step = steps.get(id) ?? 'unknown';
    assert.ok(payments.length <= 1, `Withdrawal ${id} was paid ${payments.length} times.`);
    assert.ok(
      payments.every((payment) => payment.amount === amount),
      `Withdrawal ${id} was paid with another amount.`,
    );
    assert.equal(
      final.length === 1,
      step === 'settled',
      `Withdrawal ${id} is ${step}, and was paid ${final.length} times in final blocks.`,
    );
    const over = ['failed', 'rejected', 'cancelled', 'expired'].includes(step);
    if (over) assert.equal(payments.length, 0, `Withdrawal ${id} is ${step}, and its payment is on the chain.`);
  }
}

/** What is held is what open workflows hold, neither more nor less. */
async function checkHolds(world: World): Promise<void> {
  const holds = await world.database.admin.query(
    'select reference, debit_kind, asset, sum(amount) as amount from ledger.open_holds group by 1, 2, 3',
  );
  const left = new Map(
    holds.map((row) => [
      `${text(row, 'reference')} ${text(row, 'debit_kind')} ${text(row, 'asset')}`,
      bigint(row, 'amount'),
    ]),
  );
  const take = (key: string, amount: bigint): void => {
    const held = left.get(key) ?? 0n;
    if (held === amount) left.delete(key);
    else left.set(key, held - amount);
  };
  const withdrawals = await world.database.admin.query(
    `select id, kind, asset, amount, fee_payer, fee_max, state ->> 'feeHeld' as fee_held from custody.withdrawal
     where step not in ('settled', 'failed', 'rejected', 'cancelled', 'expired')`,
  );
  for (const row of withdrawals) {
    const claim = text(row, 'kind') === 'withdrawal' ? 'available' : 'quarantine';
    const payer = text(row, 'fee_payer') === 'client' ? 'available' : 'gas';
    const fee = text(row, 'fee_held') === 'true' ? bigint(row, 'fee_max') : 0n;
    const same = text(row, 'asset') === world.assets.native && payer === claim;
    if (same) {
      take(`${text(row, 'id')} ${claim} ${world.assets.native}`, bigint(row, 'amount') + fee);
    } else {
      take(`${text(row, 'id')} ${claim} ${text(row, 'asset')}`, bigint(row, 'amount'));
      if (fee > 0n) take(`${text(row, 'id')} ${payer} ${world.assets.native}`, fee);
    }
  }
  await takeDispatchHolds(world, take);
  assert.deepEqual([...left], [], 'Holds and open workflows do not agree.');
}

async function takeDispatchHolds(world: World, take: (key: string, amount: bigint) => void): Promise<void> {
  const fees = await world.database.admin.query(
    `select id, asset, amount from custody.vault_dispatch where step <> 'done' and kind = 'vault-fee' and amount > 0`,
  );
  for (const row of fees) take(`${text(row, 'id')} fee-payable ${text(row, 'asset')}`, bigint(row, 'amount'));
  const dispatches = await world.database.admin.query(
    `select id, kind, asset, amount, fee_max, nonce from custody.dispatch where step <> 'done' and kind in ('sweep', 'fee-payment')`,
  );
  for (const row of dispatches) {
    if (text(row, 'kind') === 'fee-payment') {
      take(`${text(row, 'id')} fee-payable ${text(row, 'asset')}`, bigint(row, 'amount'));
    }
    if (row['nonce'] !== null) take(`${text(row, 'id')} gas ${world.assets.native}`, bigint(row, 'fee_max'));
  }
}

/** The books say of every wallet what the chain says, less what was stolen. */
async function checkBalances(world: World, final: bigint): Promise<void> {
  const positions = await walletPositionsAt(world.database.admin, chainId, final);
  const booked = new Map(positions.map(({ wallet, asset, balance }) => [`${wallet} ${asset}`, balance]));
  const wrong: string[] = [];
  for (const wallet of world.wallets) {
    for (const asset of Object.values(world.assets)) {
      const books = booked.get(`${wallet.id} ${asset}`) ?? 0n;
      booked.delete(`${wallet.id} ${asset}`);
      const truth = world.chain.ground.balance(asset, wallet.address, final);
      const stolen = stolenFrom(world, wallet, asset);
      if (books !== truth + stolen) {
        wrong.push(
          `${wallet.purpose} ${wallet.address} of ${wallet.compartment}, ${asset}: books ${books}, chain ${truth}, stolen ${stolen}, off by ${books - truth - stolen}`,
        );
      }
    }
  }
  assert.deepEqual(wrong, [], 'Books and chain disagree.');
  assert.deepEqual([...booked], [], 'The books know wallets that the world does not.');
}

/** What thefts in final blocks took from a wallet, the fees they burnt included, as far as nobody has booked it as lost. */
export function stolenFrom(world: World, wallet: WorldWallet, asset: AssetId): bigint {
  const { ground } = world.chain;
  let stolen = -(world.written.get(`${wallet.id} ${asset}`) ?? 0n);
  for (const theft of world.thefts) {
    if (theft.address !== wallet.address) continue;
    const found = ground.locate(theft.hash);
    if (found === undefined || found.block.number > ground.final.number) continue;
    if (contractOf(asset) === undefined) stolen += found.receipt.fee;
    for (const movement of found.receipt.movements) {
      if (movement.asset === asset && movement.from === wallet.address) stolen += movement.amount;
    }
  }
  return stolen;
}
