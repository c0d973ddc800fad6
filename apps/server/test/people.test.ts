import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Address, checksumAddress, parseAddress } from '@bulkhead/domain';
import { examine } from '../src/examination.ts';
import {
  admit,
  approve,
  chain,
  coin,
  deposit,
  enrol,
  ether,
  firstOf,
  type House,
  onChain,
  openHouse,
  type Reply,
  type Seen,
  settled,
  until,
} from './house.ts';

const thief = parseAddress(`0x${'0d'.repeat(20)}`);
const finalBlocks = 3;
let house: House;

before(async () => {
  house = await openHouse();
  const { desk, node, stranger } = house;
  const gas = await desk.post('/v1/compartments/1/wallets', { chain, purpose: 'gas' }, 'admin');
  await desk.post('/v1/compartments/2/wallets', { chain, purpose: 'fees' }, 'admin');
  await node.send({ from: stranger, to: parseAddress(gas.address), value: 5n * coin });
});
after(async () => {
  assert.deepEqual(await examine(house.server.access), []);
  await house[Symbol.asyncDispose]();
});

/** Pays an address and waits until the deposit is final. */
async function arrived(to: Address, wei: bigint): Promise<Seen> {
  const { desk, node, stranger } = house;
  const { hash } = await node.send({ from: stranger, to, value: wei });
  await node.mine(finalBlocks);
  return until('the deposit to be final', async () => {
    const { items } = await desk.get('/v1/deposits?state=final&limit=200');
    return items.find((one) => one.transactionHash === hash);
  });
}

async function free(clientId: string): Promise<string> {
  const { items } = await house.desk.get(`/v1/clients/${clientId}/balances`);
  return items[0]?.available ?? '0';
}

async function asked(path: string, body: object | undefined, person: 'operator' | 'approver-1'): Promise<Reply> {
  return house.desk.ask('POST', path, { person, body, key: randomUUID() });
}

test('what nobody was known to own is assigned by two people, inside its ring-fence alone', async () => {
  const { desk } = house;
  const member = await admit(desk, 'C-member', 'omnibus');
  const outsider = await admit(desk, 'C-outsider');
  const spare = await desk.post('/v1/compartments/10000/wallets', { chain, purpose: 'unassigned' }, 'admin');
  const { id } = await arrived(parseAddress(spare.address), coin);
  const path = `/v1/deposits/${id}/assignment`;
  const wrong = await asked(path, { clientId: outsider.id }, 'approver-1');
  assert.deepEqual([wrong.status, wrong.body.code], [422, 'compartment/wrong-kind']);
  await desk.post(path, { clientId: member.id }, 'approver-1');
  const alone = await asked(path, { clientId: member.id }, 'approver-1');
  assert.deepEqual([alone.status, alone.body.code], [422, 'four-eyes/second-person-needed']);
  await desk.post(path, { clientId: member.id }, 'approver-2');
  assert.equal(await free(member.id), '0', 'assigned is not released');
  await desk.post(`/v1/deposits/${id}/release`, undefined, 'approver-1');
  await desk.post(`/v1/deposits/${id}/release`, undefined, 'approver-2');
  assert.equal(await free(member.id), String(coin));
});

test('a deposit that must not stay is frozen and goes back to where it came from', async () => {
  const { desk, node, stranger } = house;
  const client = await admit(desk, 'C-return');
  await enrol(desk, client);
  const { id } = await arrived(client.address, coin);
  assert.equal((await desk.post(`/v1/deposits/${id}/freeze`, undefined, 'operator')).state, 'frozen');
  const before = await onChain(node, stranger);
  const returning: Seen & { readonly returnWithdrawalId?: string } = await desk.post(
    `/v1/deposits/${id}/return`,
    { feePayer: 'house' },
    'operator',
  );
  const withdrawal = returning.returnWithdrawalId ?? '';
  await approve(desk, withdrawal);
  const done: Seen & { readonly destination?: string } = await settled(desk, withdrawal);
  assert.equal(done.destination, checksumAddress(stranger));
  assert.equal((await desk.get(`/v1/deposits/${id}`)).state, 'returned');
  assert.equal(await onChain(node, stranger), before + coin);
  assert.equal(await free(client.id), '0');
});

test('a client changes its model before there is an address, and not behind one', async () => {
  const { desk } = house;
  const body = { chain, segregation: 'omnibus' };
  const put = async (id: string): Promise<Reply> =>
    desk.ask('PUT', `/v1/clients/${id}/segregation`, { person: 'operator', body, key: randomUUID() });
  const fresh = await desk.post(
    '/v1/clients',
    { reference: 'C-fresh', kind: 'natural', segregation: 'individual' },
    'operator',
  );
  assert.equal((await put(fresh.id)).status, 201);
  assert.equal(firstOf((await desk.get(`/v1/clients/${fresh.id}/segregation`)).items).compartment, 10_000);
  const settledIn = await admit(desk, 'C-settled-in');
  const late = await put(settledIn.id);
  assert.deepEqual([late.status, late.body.code], [409, 'client/segregation-fixed']);
});

test('a charge is paid to the house on the chain and arrives as its income', async () => {
  const { desk, node } = house;
  const client = await admit(desk, 'C-charged');
  await enrol(desk, client);
  await deposit(house, client, coin);
  const charge = { clientId: client.id, asset: ether, amount: String(coin / 10n), description: 'Custody' };
  await desk.post('/v1/fees', charge, 'operator');
  const payment = await desk.post('/v1/fee-payments', { clientId: client.id, asset: ether }, 'operator');
  await until('the fee to be paid', async () => {
    await node.mine(1);
    return (await desk.get(`/v1/fee-payments/${payment.id}`)).state === 'settled';
  });
  const income: readonly (Seen & { readonly posted?: string })[] = (
    await desk.get('/v1/ledger/accounts?kind=fee-income')
  ).items;
  assert.deepEqual(
    income.map(({ compartment, posted }) => [compartment, posted]),
    [[2, String(coin / 10n)]],
  );
});

test('a loss is booked by two people: the claim stays whole, the house owes it, the freeze lifts', async () => {
  const { desk, node } = house;
  const client = await admit(desk, 'C-loss');
  await deposit(house, client, coin);
  await node.call('anvil_impersonateAccount', client.address);
  const { height } = await node.send({ from: client.address, to: thief, value: coin / 2n });
  await until('the theft to be booked over', async () => {
    await node.mine(1);
    const view: Seen & { readonly booked?: string } = await desk.get(`/v1/chains/${chain}`);
    return BigInt(view.booked ?? 0) >= height;
  });
  await desk.post('/v1/reconciliations', { chain }, 'operator');
  const { id } = firstOf((await desk.get(`/v1/breaks?state=open&compartment=${client.compartment}`)).items);
  await desk.post(`/v1/breaks/${id}/owner`, { owner: 'Ruth' }, 'operator');
  const loss = { action: 'book-loss', note: 'The key was stolen.' };
  assert.equal((await desk.post(`/v1/breaks/${id}/resolution`, loss, 'approver-1')).state, 'open');
  const alone = await asked(`/v1/breaks/${id}/resolution`, loss, 'approver-1');
  assert.deepEqual([alone.status, alone.body.code], [422, 'four-eyes/second-person-needed']);
  assert.equal((await desk.post(`/v1/breaks/${id}/resolution`, loss, 'approver-2')).state, 'resolved');
  assert.equal(await free(client.id), String(coin));
  const posted = async (kind: string): Promise<readonly string[]> => {
    const { items } = await desk.get(`/v1/ledger/accounts?kind=${kind}`);
    return items.map((one: Seen & { readonly posted?: string }) => one.posted ?? '');
  };
  const [lost, ...others] = await posted('loss');
  assert.ok(others.length === 0 && BigInt(lost ?? 0) > coin / 2n, 'what was taken, and the fee that the thief burnt');
  assert.deepEqual(await posted('obligation'), [lost]);
  assert.equal((await desk.post('/v1/reconciliations', { chain }, 'operator')).breaksCount, 0);
  assert.deepEqual((await desk.get('/v1/compartments?frozen=true')).items, []);
});
