import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startAnvil } from '@bulkhead/chain-evm/anvil';
import { openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import { chainNumber, parseAddress } from '@bulkhead/domain';
import { databaseAccess } from '@bulkhead/postgres';
import { testDatabase } from '@bulkhead/postgres/testing';
import { examine } from '../src/examination.ts';
import {
  agreement,
  chain,
  coin,
  Desk,
  enrol,
  ether,
  firstOf,
  onChain,
  type Person,
  type Reply,
  type Signatory,
  textOf,
  until,
} from './house.ts';
import { spawnServer, type ServerProcess } from './process.ts';

/** Milliseconds from the last approval until the process is killed: before it is stored, between the steps, and after them. */
const killAfterMs = [0, 10, 25, 50, 90, 150, 300, 700];

test('kill -9 at any moment: after the restarts every withdrawal is settled once', async () => {
  await using parts = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-kill-'));
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  const database = parts.use(await testDatabase({ connections: 2 }));
  const anvil = parts.use(
    await startAnvil({ directory: join(folder, 'anvil'), port: 0, chainNumber: chainNumber(chain) }),
  );
  const node = openDevelopmentNode(anvil.url);
  const chains = [{ id: chain, development: true, pollMs: 50 }];
  writeFileSync(
    join(folder, 'bulkhead.config.json'),
    JSON.stringify({
      chains,
      vaultSigners: 0,
      policy: { releaseUnscreenedDeposits: true, releaseUnscreenedWithdrawals: true },
    }),
  );
  const environment = {
    DATABASE_URL: database.urls.app,
    DATABASE_OWNER_URL: database.urls.owner,
    CHAIN_EIP155_31337_RPC: anvil.url,
    BULKHEAD_LOG_LEVEL: 'silent',
  };
  let server: ServerProcess = await spawnServer(folder, environment);
  parts.defer(() => server.kill());
  const tokenFile: unknown = JSON.parse(readFileSync(join(folder, '.bulkhead', 'tokens.json'), 'utf8'));
  assert.ok(Array.isArray(tokenFile));
  const tokens = new Map(tokenFile.map((one) => [String(one.name), String(one.token)]));
  const restart = async (): Promise<void> => {
    await server.kill();
    server = await spawnServer(folder, environment);
  };
  /** Asks until it is answered: a write whose answer was lost is asked again with its key, after the next start. */
  const insist = async (path: string, body: object | undefined, by: { person: Person; key: string }): Promise<Reply> =>
    until(`an answer from ${path}`, async () => {
      try {
        return await desk().ask('POST', path, { ...by, body });
      } catch (error) {
        assert.ok(error instanceof TypeError, 'Only the connection may fail.');
        return undefined;
      }
    });
  const people = join(folder, '.bulkhead', 'people');
  const desk = (): Desk => new Desk(server.url, tokens, people);

  const client = await desk().post(
    '/v1/clients',
    { reference: 'C-kill', kind: 'legal', segregation: 'individual', agreement },
    'operator',
  );
  const wallet = await desk().post(`/v1/clients/${client.id}/wallets`, { chain }, 'operator');
  const address = parseAddress(wallet.address);
  const [stranger] = await node.accounts();
  assert.ok(stranger !== undefined);
  await node.send({ from: stranger, to: address, value: 10n * coin });
  // Killed with a deposit on the chain that nobody has looked at, and again while it is being booked.
  await restart();
  await node.mine(3);
  await sleep(60);
  await restart();
  await until(
    'the deposit to be released',
    async () => (await desk().get(`/v1/deposits?clientId=${client.id}`)).items[0]?.state === 'released',
  );

  const destinations = killAfterMs.map((_, n) => parseAddress(`0x${(0xd0 + n).toString(16).repeat(20)}`));
  await enrol(desk(), { id: client.id, address, compartment: wallet.compartment }, ...destinations);
  const ids: string[] = [];
  for (const [n, delayMs] of killAfterMs.entries()) {
    const body = { clientId: client.id, asset: ether, amount: String(coin / 10n), destination: destinations[n] };
    const made = await insist('/v1/withdrawals', body, { person: 'operator', key: `ask-${n}` });
    assert.equal(made.status, 201);
    const { id } = made.body;
    ids.push(id);
    await until('screening', async () => (await desk().get(`/v1/withdrawals/${id}`)).state === 'awaiting-approval');
    const text = await textOf(desk(), id);
    const signed = async (person: Signatory): Promise<object> => ({ approval: await desk().signature(person, text) });
    const at = `/v1/withdrawals/${id}`;
    await insist(`${at}/signature`, await signed('operator'), { person: 'operator', key: `sign-${n}` });
    await insist(`${at}/approvals`, await signed('approver-1'), { person: 'approver-1', key: `first-${n}` });
    const last = { person: 'approver-2', key: `second-${n}` } as const;
    const second = insist(`${at}/approvals`, await signed('approver-2'), last);
    await sleep(delayMs);
    await restart();
    assert.equal((await second).status, 201);
  }
  for (const id of ids) {
    await until(`${id} to be settled`, async () => {
      await node.mine(1);
      return (await desk().get(`/v1/withdrawals/${id}`)).state === 'settled';
    });
  }
  for (const destination of destinations) assert.equal(await onChain(node, destination), coin / 10n);
  assert.equal(
    BigInt(String(await node.call('eth_getTransactionCount', address, 'latest'))),
    BigInt(ids.length),
    'Each took one nonce.',
  );
  assert.equal((await desk().get('/v1/withdrawals')).items.length, ids.length);
  const { items } = await desk().get(`/v1/clients/${client.id}/balances`);
  assert.deepEqual([firstOf(items).held, firstOf(items).available], ['0', String(await onChain(node, address))]);
  const reconciled = await desk().post('/v1/reconciliations', { chain }, 'operator');
  assert.equal(reconciled.breaksCount, 0);
  assert.deepEqual(await examine(databaseAccess({ url: database.urls.app, ownerUrl: database.urls.owner })), []);
});
