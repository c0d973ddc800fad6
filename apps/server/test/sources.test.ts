import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAnvil } from '@bulkhead/chain-evm/anvil';
import {
  altering,
  babbling,
  dead,
  type DevelopmentNode,
  honest,
  lagging,
  openDevelopmentNode,
  type Script,
  type ScriptedSource,
  silent,
  slow,
  startScriptedSource,
} from '@bulkhead/chain-evm/testing';
import { type Address, chainNumber } from '@bulkhead/domain';
import { databaseAccess, startEmbedded } from '@bulkhead/postgres';
import { testDatabase } from '@bulkhead/postgres/testing';
import { examine } from '../src/examination.ts';
import { admit, type Admitted, chain, coin, Desk, firstOf, type Seen, until } from './house.ts';
import { spawnServer } from './process.ts';

type Deposit = Seen & { readonly credited: string; readonly finality: { readonly required: number } };

type Sourced = AsyncDisposable & {
  readonly desk: Desk;
  readonly url: string;
  readonly auditor: string;
  readonly node: DevelopmentNode;
  readonly stranger: Address;
  readonly sources: readonly ScriptedSource[];
};

/** A server in a process of its own, which knows of database and chain what the environment says and nothing else. */
async function openSourced(count: number, database: Readonly<Record<string, string>>): Promise<Sourced> {
  await using parts = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-sources-'));
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  const anvil = parts.use(
    await startAnvil({ directory: join(folder, 'anvil'), port: 0, chainNumber: chainNumber(chain) }),
  );
  const sources: ScriptedSource[] = [];
  for (let n = 0; n < count; n++) sources.push(parts.use(await startScriptedSource(anvil.url)));
  const content = {
    vaultSigners: 0,
    chains: [{ id: chain, development: true, pollMs: 50 }],
    policy: { releaseUnscreenedDeposits: true },
  };
  writeFileSync(join(folder, 'bulkhead.config.json'), JSON.stringify(content));
  const server = await spawnServer(folder, {
    ...database,
    CHAIN_EIP155_31337_RPC: sources.map(({ url }) => url).join(','),
    BULKHEAD_LOG_LEVEL: 'silent',
  });
  parts.defer(() => server.kill());
  const file: unknown = JSON.parse(readFileSync(join(folder, '.bulkhead', 'tokens.json'), 'utf8'));
  assert.ok(Array.isArray(file));
  const tokens = new Map(file.map((one) => [String(one.name), String(one.token)]));
  const desk = new Desk(server.url, tokens, join(folder, '.bulkhead', 'people'));
  const auditor = tokens.get('auditor') ?? '';
  const node = openDevelopmentNode(anvil.url);
  const [stranger] = await node.accounts();
  assert.ok(stranger !== undefined);
  const owned = parts.move();
  return { desk, url: server.url, auditor, node, stranger, sources, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Pays a client from outside and makes the payment final. */
async function pay({ node, stranger }: Sourced, client: Admitted, wei: bigint): Promise<string> {
  const { hash } = await node.send({ from: stranger, to: client.address, value: wei });
  await node.mine(3);
  return hash;
}

async function depositsOf({ url, auditor }: Sourced, client: Admitted): Promise<readonly Deposit[]> {
  const response = await fetch(`${url}/v1/deposits?clientId=${client.id}`, {
    headers: { authorization: `Bearer ${auditor}` },
  });
  const page: { readonly items: readonly Deposit[] } = JSON.parse(await response.text());
  return page.items;
}

async function credited(world: Sourced, client: Admitted, hash: string): Promise<Deposit> {
  return until(`${hash} to be credited`, async () =>
    (await depositsOf(world, client)).find((one) => one.transactionHash === hash && one.state === 'released'),
  );
}

const thousandfold = (transaction: unknown): unknown =>
  typeof transaction === 'object' && transaction !== null && 'value' in transaction
    ? { ...transaction, value: `0x${(BigInt(String(transaction.value)) * 1_000n).toString(16)}` }
    : transaction;

/** Says that every payment is a thousand times what it is, under the right hash of the block. */
const boasting: Script = altering('eth_getBlockByNumber', (block) =>
  typeof block === 'object' && block !== null && 'transactions' in block && Array.isArray(block.transactions)
    ? { ...block, transactions: block.transactions.map(thousandfold) }
    : block,
);
/** Says that nothing was ever paid. */
const concealing: Script = altering('eth_getBlockByNumber', (block) =>
  typeof block === 'object' && block !== null && 'transactions' in block ? { ...block, transactions: [] } : block,
);
/** Calls whatever is newest final. */
const hasty: Script = async (call, forward) =>
  call.params[0] === 'finalized' ? forward({ ...call, params: ['latest', ...call.params.slice(1)] }) : forward();

const wrongs: Readonly<Record<string, Script>> = {
  boasts: boasting,
  conceals: concealing,
  'calls what is newest final': hasty,
  lags: lagging(3n),
  'is slow': slow(400),
  'never answers': silent,
  'answers nonsense': babbling('<html>Bad gateway</html>'),
  'is away': dead,
};

test('beside two good sources a third one changes nothing, whatever it says: each deposit is credited once', async () => {
  await using parts = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-postgres-'));
  // As root the database runs as another account, which has to reach its folder.
  chmodSync(directory, 0o755);
  parts.defer(() => rmSync(directory, { recursive: true, force: true }));
  const postgres = parts.use(await startEmbedded({ directory: join(directory, 'second'), unsynced: true }));
  const { url } = postgres.access.owner;
  const world = parts.use(await openSourced(3, { DATABASE_URL: url }));
  const [, , third] = world.sources;
  assert.ok(third !== undefined);
  const client = await admit(world.desk, 'C-sources');
  const paid: string[] = [];
  let sum = 0n;
  for (const [n, [what, script]] of Object.entries(wrongs).entries()) {
    third.play(script);
    third.forget();
    const amount = coin + BigInt(n);
    const hash = await pay(world, client, amount);
    const deposit = await credited(world, client, hash);
    assert.deepEqual([what, deposit.credited, deposit.finality.required], [what, String(amount), 2]);
    assert.ok(third.callCount > 0, `${what}: it was asked`);
    paid.push(hash);
    sum += amount;
  }
  third.play(honest);
  const deposits = await depositsOf(world, client);
  assert.deepEqual(
    deposits.map(({ transactionHash }) => transactionHash),
    paid,
  );
  const { items } = await world.desk.get(`/v1/clients/${client.id}/balances`);
  assert.equal(firstOf(items).available, String(sum));
  assert.equal((await world.desk.post('/v1/reconciliations', { chain }, 'operator')).breaksCount, 0);
  assert.deepEqual(await examine(databaseAccess({ url })), []);
});

test('of two sources one lies: nothing is credited, until both say the same', async () => {
  await using parts = new AsyncDisposableStack();
  const database = parts.use(await testDatabase({ connections: 2 }));
  const urls = { url: database.urls.app, ownerUrl: database.urls.owner };
  const world = parts.use(await openSourced(2, { DATABASE_URL: urls.url, DATABASE_OWNER_URL: urls.ownerUrl }));
  const [, liar] = world.sources;
  assert.ok(liar !== undefined);
  const client = await admit(world.desk, 'C-liar');
  const faults = async (): Promise<number> => {
    const metrics = await (await fetch(`${world.url}/metrics`)).text();
    const counted = /^bulkhead_follower_faults_total\{[^}]*code="chain\/disagreement"\} (\d+)$/mu.exec(metrics);
    return Number(counted?.[1] ?? 0);
  };
  for (const [n, script] of [boasting, concealing].entries()) {
    liar.play(script);
    const before = await faults();
    const hash = await pay(world, client, coin);
    await until('the sources to be caught disagreeing, twice', async () => (await faults()) >= before + 2);
    assert.equal((await depositsOf(world, client)).length, n, 'neither version of the payment is believed');
    liar.play(honest);
    assert.equal((await credited(world, client, hash)).credited, String(coin));
  }
  assert.equal((await depositsOf(world, client)).length, 2);
  const { items } = await world.desk.get(`/v1/clients/${client.id}/balances`);
  assert.equal(firstOf(items).available, String(2n * coin));
  assert.equal((await world.desk.post('/v1/reconciliations', { chain }, 'operator')).breaksCount, 0);
  assert.deepEqual(await examine(databaseAccess(urls)), []);
});

test('a deposit that a reorg of the node takes away is removed, and the payment that comes instead is credited once', async () => {
  await using parts = new AsyncDisposableStack();
  const database = parts.use(await testDatabase({ connections: 2 }));
  const urls = { url: database.urls.app, ownerUrl: database.urls.owner };
  const world = parts.use(await openSourced(1, { DATABASE_URL: urls.url, DATABASE_OWNER_URL: urls.ownerUrl }));
  const { node, stranger, desk } = world;
  await node.mine(5);
  const client = await admit(desk, 'C-reorganised');
  const inState = async (hash: string, state: string): Promise<Deposit> =>
    until(`${hash} to be ${state}`, async () =>
      (await depositsOf(world, client)).find((one) => one.transactionHash === hash && one.state === state),
    );
  const lost = await node.send({ from: stranger, to: client.address, value: coin });
  await inState(lost.hash, 'detected');
  await node.reorganise(1);
  await node.mine(1);
  await inState(lost.hash, 'removed');
  const kept = await pay(world, client, 2n * coin);
  await credited(world, client, kept);
  const { items } = await desk.get(`/v1/clients/${client.id}/balances`);
  assert.equal(firstOf(items).available, String(2n * coin));
  assert.equal((await inState(lost.hash, 'removed')).credited, null);
  assert.equal((await desk.post('/v1/reconciliations', { chain }, 'operator')).breaksCount, 0);
  assert.deepEqual(await examine(databaseAccess(urls)), []);
});
