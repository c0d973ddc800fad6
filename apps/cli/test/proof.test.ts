import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { migrationSources } from '@bulkhead/custody';
import { parseCompartment, transferKey } from '@bulkhead/domain';
import { FakeChain, ManualClock, namedAddress } from '@bulkhead/fakes';
import { mark, openBook, postTransfers } from '@bulkhead/ledger';
import { testDatabase, type TestDatabase } from '@bulkhead/postgres/testing';
import { readPackage } from '@bulkhead/proofs';
import { makeEpoch } from '@bulkhead/reserves';
import { main } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-proof-'));
const pool = parseCompartment(10_000);
let db: TestDatabase;

before(async () => {
  db = await testDatabase({ migrations: migrationSources });
  await makeOne();
});
after(async () => {
  await db[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const chain = new FakeChain();
const asset = chain.native;
const token = `${chain.id}/erc20:0x${'4d'.repeat(20)}`;

/** An epoch of one client, in the folder that the configuration has where it says nothing. */
async function makeOne(): Promise<void> {
  const now = new Date('2030-01-02T03:04:05Z');
  const address = namedAddress('the pool');
  chain.outside.send({ to: address, amount: 5n });
  const block = chain.mine();
  chain.settle();
  await openBook(db.app, { compartment: pool, asset });
  const transfer = {
    type: 'post',
    key: transferKey('one'),
    code: 'test',
    reference: 'one',
    compartment: pool,
    asset,
    debit: { kind: 'wallet', holder: 'wal_1' },
    credit: { kind: 'available', holder: 'cl_a' },
    amount: 5n,
    block,
  } as const;
  await postTransfers(db.app, [[transfer]], { now });
  await mark(db.app, { chain: chain.id, block });
  const maker = {
    db: db.app,
    chain,
    async *wallets() {
      yield { id: 'wal_1', compartment: pool, address, sort: 'key' } as const;
    },
    master: new Uint8Array(32).fill(3),
    folder: join(folder, '.bulkhead', 'proofs'),
    clock: new ManualClock(),
  };
  await makeEpoch(maker, {
    stream: { asset, registryChain: 31_337n, registry: new Uint8Array(20).fill(1) },
    custodian: new Uint8Array(32).fill(9),
    tier: 'plain',
    bits: 128,
    unitExponent: 0,
  });
}

async function typed(...words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const environment = { DATABASE_URL: db.urls.app, DATABASE_OWNER_URL: db.urls.owner };
  const code = await main({ words, folder, environment, out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

test('epochs are shown with where they stand', async () => {
  const all = await typed('proof', 'show');
  assert.equal(all.code, 0);
  assert.match(all.out, /^epoch 1 of eip155:\d+\/slip44:60: made, plain, at block \d+$/mu);
  assert.match(all.out, /^ {2}reserves 5 units of 10\^0$/mu);
  assert.deepEqual(await typed('proof', 'show', '--asset', asset, '--epoch', '1'), all);
  assert.equal((await typed('proof', 'show', '--epoch', '2')).code, 1);
});

test('a client is given its package, in files for itself alone', async () => {
  const of = ['--asset', asset, '--epoch', '1', '--out', 'given'];
  const given = await typed('proof', 'package', '--client', 'cl_a', ...of);
  assert.equal(given.code, 0, given.err);
  assert.deepEqual(readdirSync(join(folder, 'given')), ['package-10000-client.bin']);
  const path = join(folder, 'given', 'package-10000-client.bin');
  assert.equal(statSync(path).mode & 0o077, 0);
  assert.equal(readPackage(Uint8Array.from(readFileSync(path)))?.units, 5n);
  assert.equal((await typed('proof', 'package', '--client', 'cl_b', ...of)).code, 1);
  const other = await typed('proof', 'package', '--client', 'cl_a', '--asset', asset, '--epoch', '2');
  assert.equal(other.code, 1);
  assert.match(other.err, /No epoch 2 of/u);
});

test('a node that is not there is said when the place of balances is looked for', async () => {
  const said = await typed('proof', 'layout', '--asset', token, '--rpc', 'http://127.0.0.1:1');
  assert.notEqual(said.code, 0);
  assert.match(said.err, /^bulkhead: 127\.0\.0\.1:1 does not answer eth_blockNumber: /u);
});

test('a command line of proof that cannot be used exits 2', async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /proof knows: deploy, make, show, package/u],
    [['forge'], /proof knows/u],
    [['make'], /needs --asset/u],
    [['make', '--asset', 'gold'], /CAIP/u],
    [['make', '--asset', asset, '--block', 'newest'], /--block needs a whole number/u],
    [['make', '--asset', 'eip155:31337/slip44:60'], /is not proven by this configuration/u],
    [['show', '--epoch', 'last'], /--epoch needs a whole number/u],
    [['package', '--client', 'cl_a'], /needs --asset/u],
    [['layout', '--asset', asset, '--rpc', 'http://127.0.0.1:1'], /whose balances stand in accounts/u],
    [['layout', '--asset', token], /needs --rpc/u],
    [['layout', '--asset', token, '--rpc', 'node'], /--rpc needs the URL/u],
  ];
  for (const [words, sentence] of wrong) {
    const said = await typed('proof', ...words);
    assert.equal(said.code, 2, words.join(' '));
    assert.match(said.err, sentence);
  }
});
