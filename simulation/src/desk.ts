import { assignDeposit, freezeDeposit, releaseDeposit, resolveBreak, returnDeposit } from '@bulkhead/custody';
import { namedAddress } from '@bulkhead/fakes';
import { parseAddress, parseAssetId } from '@bulkhead/domain';
import { bigint, text, textOrNull } from '@bulkhead/postgres';
import { ask, people } from './ask.ts';
import { count, type World } from './world.ts';

/** Somebody looks after a deposit that waits for people: in quarantine, frozen, or in suspense. */
export async function tendDeposit(world: World): Promise<void> {
  const { random } = world;
  const rows = await world.database.admin.query(
    `select d.id, d.state ->> 'disposition' as disposition from custody.deposit d join custody.movement m on m.id = d.movement
     where d.step in ('final', 'frozen') and d.state ->> 'disposition' <> 'house-funding'
     order by m.block_number, m.kind, m.reference`,
  );
  if (rows.length === 0) return;
  const row = random.pick(rows);
  const id = text(row, 'id');
  const actor = random.pick(people);
  if (textOrNull(row, 'disposition') !== 'client') {
    const clientId = random.pick(world.clients).id;
    await ask(world, actor, (custody, call) => assignDeposit(custody, call, { id, clientId }));
    return;
  }
  const roll = random.below(100);
  if (roll < 60) await ask(world, actor, (custody, call) => releaseDeposit(custody, call, id));
  else if (roll < 75) await ask(world, actor, (custody, call) => freezeDeposit(custody, call, id));
  else await sendBack(world, id);
}

async function sendBack(world: World, id: string): Promise<void> {
  const actor = world.random.pick(people);
  const destination = namedAddress(`return of ${id} ${world.random.below(1_000_000)}`);
  const feePayer = world.random.pick(['client', 'house'] as const);
  const view = await ask(world, actor, (custody, call) => returnDeposit(custody, call, { id, destination, feePayer }));
  if (view === undefined) return;
  const [row] = await world.database.admin.query(
    'select id, asset, amount, destination, vault from custody.withdrawal where deposit = $1 order by id desc limit 1',
    [id],
  );
  if (row === undefined) throw new Error(`The return of ${id} made no withdrawal.`);
  const facts = {
    asset: parseAssetId(text(row, 'asset')),
    amount: bigint(row, 'amount'),
    destination: parseAddress(text(row, 'destination')),
    byVault: textOrNull(row, 'vault') !== null,
  };
  world.withdrawals.push({ id: text(row, 'id'), ...facts });
}

/** Two people end a break: the books follow the chain, and the house owes what is missing. */
export async function resolveOneBreak(world: World): Promise<void> {
  const rows = await world.database.admin.query(
    `select b.id, b.wallet, b.asset, b.difference from custody.break b join custody.wallet w on w.id = b.wallet
     where b.resolved_at is null order by w.address, b.asset`,
  );
  if (rows.length === 0) return;
  const row = world.random.pick(rows);
  const input = { breakId: text(row, 'id'), action: 'book-loss', note: 'stolen' } as const;
  const [first, second] = people;
  if (first === undefined || second === undefined) throw new Error('There are too few people.');
  await ask(world, first, (custody, call) => resolveBreak(custody, call, input));
  const done = await ask(world, second, (custody, call) => resolveBreak(custody, call, input));
  if (done?.state !== 'resolved') return;
  const key = `${text(row, 'wallet')} ${text(row, 'asset')}`;
  world.written.set(key, (world.written.get(key) ?? 0n) - bigint(row, 'difference'));
  count(world, 'loss booked');
}
