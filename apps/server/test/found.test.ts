import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checksumAddress, parseAddress } from '@bulkhead/domain';
import {
  admit,
  type Admitted,
  chain,
  coin,
  deposit,
  ether,
  firstOf,
  type House,
  openHouse,
  type Seen,
  until,
} from './house.ts';
import { ownEnvironment } from './process.ts';

const program = fileURLToPath(new URL('../../cli/bin/bulkhead.ts', import.meta.url));
const outside = parseAddress(`0x${'0f'.repeat(20)}`);

type Said = { readonly code: number; readonly out: string };

/** A command that somebody types beside the running server. */
async function typed(house: House, ...words: readonly string[]): Promise<Said> {
  const { urls } = house.database;
  const env = {
    ...ownEnvironment,
    DATABASE_URL: urls.app,
    DATABASE_OWNER_URL: urls.owner,
    BULKHEAD_LOG_LEVEL: 'silent',
  };
  const cwd = dirname(house.configuration.dataDirectory);
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, ...words], { cwd, env }, (error, out, err) => {
      if (err !== '') reject(new Error(err));
      else resolve({ code: error === null ? 0 : Number(error.code), out });
    });
  });
}

/** Moves coins with a key that the custodian did not use, as a thief who has it would. */
async function steal({ node, desk }: House, from: Admitted, wei: bigint): Promise<void> {
  await node.call('anvil_impersonateAccount', from.address);
  const { height } = await node.send({ from: from.address, to: outside, value: wei });
  await node.call('anvil_stopImpersonatingAccount', from.address);
  await until('the theft to be final', async () => {
    await node.mine(1);
    const view: Seen & { readonly booked?: string } = await desk.get(`/v1/chains/${chain}`);
    return BigInt(view.booked ?? 0) >= height;
  });
}

test('a theft is found as a typed break, told by the command, and stops withdrawals of that compartment alone', async () => {
  await using house = await openHouse();
  const { desk } = house;
  writeFileSync(
    join(dirname(house.configuration.dataDirectory), 'bulkhead.config.json'),
    JSON.stringify({ chains: [{ id: chain, development: true, pollMs: 50 }] }),
  );
  const robbed = await admit(desk, 'C-robbed');
  const spared = await admit(desk, 'C-spared');
  for (const client of [robbed, spared]) await deposit(house, client, 2n * coin);
  const ask = async (client: Admitted): Promise<readonly [number, string | undefined]> => {
    const body = { clientId: client.id, asset: ether, amount: String(coin / 2n), destination: outside };
    const key = `after-${client.id}`;
    const reply = await desk.ask('POST', '/v1/withdrawals', { person: 'operator', body, key });
    return [reply.status, reply.body.code];
  };
  const before = await typed(house, 'reconcile', '--chain', chain);
  assert.equal(before.code, 0, before.out);
  assert.match(before.out, /Books and chain agree/u);

  await steal(house, robbed, coin / 4n);
  const found = await typed(house, 'reconcile', '--chain', chain);
  assert.equal(found.code, 1);
  const line = new RegExp(
    `^missing-movement: compartment ${robbed.compartment}, ${checksumAddress(robbed.address)}, .* difference -2500\\d+ `,
    'mu',
  );
  assert.match(found.out, line);
  assert.match(found.out, /^1 differences/mu);
  const breaks = await desk.get('/v1/breaks?state=open');
  assert.deepEqual(
    breaks.items.map(({ type, compartment }) => [type, compartment]),
    [['missing-movement', robbed.compartment]],
  );
  assert.deepEqual(await ask(robbed), [409, 'compartment/frozen']);
  assert.deepEqual(await ask(spared), [201, undefined]);
  const { items } = await desk.get(`/v1/clients/${robbed.id}/balances`);
  assert.equal(firstOf(items).available, String(2n * coin), 'the claim of the client is whole');

  assert.equal((await typed(house, 'check')).code, 0, 'a hole on the chain is no hole in the books');
  await house.database.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(`update ledger.account set posted = posted + 1 where kind = 'available' and holder = $1`, [
      spared.id,
    ]);
    await tx.query(
      `delete from custody.block where chain = $1 and number = (select max(number) - 2 from custody.block where chain = $1)`,
      [chain],
    );
  });
  const broken = await typed(house, 'check');
  assert.equal(broken.code, 1);
  assert.match(broken.out, /^book-unbalanced: /mu);
  assert.match(broken.out, /^coverage-hole: Block \d+ of eip155:31337 is missing/mu);
  assert.match(broken.out, /invariants are broken\. Stop withdrawals/u);
});
