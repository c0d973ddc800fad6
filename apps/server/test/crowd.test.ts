import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { parseAddress } from '@bulkhead/domain';
import { examine } from '../src/examination.ts';
import { admit, chain, coin, deposit, ether, openHouse, type Reply, firstOf } from './house.ts';

const outside = parseAddress(`0x${'0c'.repeat(20)}`);
const callers = 100;
const callsEach = 8;

test('a hundred callers at once, reading and writing: no lost or double effect, nobody hears of a deadlock', async () => {
  await using house = await openHouse();
  const { desk, server } = house;
  const clients = [
    await admit(desk, 'crowd-1'),
    await admit(desk, 'crowd-2', 'omnibus'),
    await admit(desk, 'crowd-3', 'omnibus'),
  ];
  for (const client of clients) await deposit(house, client, 5n * coin);
  // The pool of the omnibus pays its withdrawals; asking needs the claim alone.
  const asked: Reply[] = [];
  const addresses: string[] = [];
  const replies: Reply[] = [];
  const call = async (caller: number, n: number): Promise<void> => {
    const client = clients[(caller + n) % clients.length];
    assert.ok(client !== undefined);
    const key = randomUUID();
    switch ((caller + n) % 6) {
      case 0: {
        const body = {
          clientId: client.id,
          asset: ether,
          amount: String(coin / 20n),
          destination: outside,
          feePayer: 'house',
        };
        const reply = await desk.ask('POST', '/v1/withdrawals', { person: 'operator', body, key });
        asked.push(reply);
        replies.push(reply);
        // Half of them are asked again with their key, and half are called off.
        if (n % 2 === 0) replies.push(await desk.ask('POST', '/v1/withdrawals', { person: 'operator', body, key }));
        else if (reply.status === 201) {
          const path = `/v1/withdrawals/${reply.body.id}/cancellation`;
          replies.push(await desk.ask('POST', path, { person: 'operator', key: randomUUID() }));
        }
        break;
      }
      case 1: {
        const reply = await desk.ask('POST', `/v1/clients/${client.id}/wallets`, {
          person: 'operator',
          body: { chain },
          key,
        });
        assert.equal(reply.status, 201);
        addresses.push(reply.body.address);
        replies.push(reply);
        break;
      }
      case 2: {
        const body = { clientId: client.id, asset: ether, amount: '7', description: 'crowd' };
        replies.push(await desk.ask('POST', '/v1/fees', { person: 'operator', body, key }));
        break;
      }
      case 3:
        replies.push(await desk.ask('GET', `/v1/clients/${client.id}/balances`, { person: 'auditor' }));
        break;
      case 4:
        replies.push(await desk.ask('GET', '/v1/withdrawals?limit=200', { person: 'auditor' }));
        break;
      default:
        replies.push(await desk.ask('POST', '/v1/reconciliations', { person: 'operator', body: { chain }, key }));
    }
  };
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let n = 0; n < callsEach; n++) await call(caller, n);
    }),
  );
  const broken = replies.filter((reply) => reply.status >= 500);
  assert.deepEqual(
    broken.map((reply) => reply.body),
    [],
  );
  assert.equal(new Set(addresses).size, addresses.length, 'No address was issued twice.');

  // What the books hold is what the living withdrawals hold: nothing was lost and nothing doubled.
  const done = asked.filter((reply) => reply.status === 201).map((reply) => reply.body.id);
  assert.ok(done.length > 100);
  assert.equal(new Set(done).size, done.length);
  for (const client of clients) {
    const { items } = await desk.get(`/v1/withdrawals?clientId=${client.id}&limit=200`);
    const living = items.filter(
      (one) => !['cancelled', 'rejected', 'expired', 'failed', 'settled'].includes(one.state),
    );
    const held = living.reduce((sum, one) => sum + BigInt(one.amount), 0n);
    const balances = await desk.get(`/v1/clients/${client.id}/balances`);
    assert.equal(firstOf(balances.items).held, String(held));
    const { available, feePayable } = firstOf(balances.items);
    assert.equal(BigInt(available) + BigInt(feePayable) + held, 5n * coin);
  }
  assert.deepEqual(await examine(server.access), []);
});
