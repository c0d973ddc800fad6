import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checksumAddress, parseAddress } from '@bulkhead/domain';
import { hexOf } from '@bulkhead/vaults';
import {
  compartment,
  gil,
  identity,
  makeWholeProof,
  openReserveWorld,
  type ReserveWorld,
} from '@bulkhead/verifier/testing';
import { main } from '../src/index.ts';
import { endAll, run, type Said, type Shell } from './shell.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-verify-'));
const shell: Shell = { folder };
let world: ReserveWorld;
let registry: string;

before(async () => {
  world = await openReserveWorld();
  registry = `eip155:31337:${checksumAddress(parseAddress(hexOf(world.registry.address)))}`;
  const epoch = await world.commit(1n, 150n);
  await world.prove(epoch);
  const whole = await makeWholeProof(world, { epoch: 2n, tier: 'confidential' });
  await world.heartbeat();
  await world.settle();
  writeFileSync(join(folder, 'ada.bin'), epoch.packages.get('ada') ?? assert.fail());
  mkdirSync(join(folder, 'proof'));
  for (const [name, bytes] of [...whole.files, ['manifest.txt', whole.manifest] as const]) {
    writeFileSync(join(folder, 'proof', name), bytes);
  }
  mkdirSync(join(folder, 'gil'));
  writeFileSync(join(folder, 'gil', 'package'), whole.packages.get('gil') ?? assert.fail());
  writeFileSync(join(folder, 'gil', 'statement'), whole.statements.get('gil') ?? assert.fail());
  writeFileSync(join(folder, 'gil', 'segregation'), whole.segregation);
});
after(async () => {
  endAll();
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function wordsOf(change: Readonly<Record<string, string>> = {}): readonly string[] {
  const options = {
    registry,
    client: 'ada',
    compartment: String(compartment),
    amount: '70',
    rpc: world.chain.url,
    'code-hash': hexOf(world.registry.codeHash),
    ...change,
  };
  return Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
}

/** The command in this process: what is wrong with its words needs no other. */
async function typed(...words: readonly string[]): Promise<Said> {
  const out: string[] = [];
  const err: string[] = [];
  const say = (to: string[]) => (line: string) => void to.push(line);
  const code = await main({ words: ['verify', ...words], folder, environment: {}, out: say(out), err: say(err) });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

test('a client checks a claim with a file and two nodes, and is told each step', async () => {
  const said = await run(shell, 'verify', 'ada.bin', ...wordsOf(), '--rpc', world.chain.url);
  assert.deepEqual([said.code, said.err], [0, ''], said.out);
  assert.match(said.out, /^holds {3}pinned: The registry has epoch 1 of eip155:31337\/slip44:60/mu);
  assert.match(said.out, /^holds {3}balance: You are counted with your whole amount\.$/mu);
  assert.match(said.out, /^unknown reserves: /mu);
  assert.match(said.out, /^Everything that was checked holds\. 2 of 13 things could not be known from here\.$/mu);
  const report: { readonly holds: boolean; readonly steps: readonly unknown[] } = JSON.parse(
    (await typed('ada.bin', ...wordsOf(), '--json')).out,
  );
  assert.equal(report.holds, true);
  assert.equal(report.steps.length, 13);
});

test('a whole proof is checked from a folder and from an address, and what a client has of it together', async () => {
  const options = Object.entries({ registry, rpc: world.chain.url, identity }).flatMap(([name, value]) => [
    `--${name}`,
    value,
  ]);
  const said = await typed('proof', 'proof', ...options);
  assert.equal(said.code, 0, said.out + said.err);
  assert.match(said.out, /^holds {3}leaves: No leaf is negative/mu);
  assert.match(said.out, /^holds {3}reserves: 3 wallets of 2 compartments had at least what the proof says/mu);
  assert.match(said.out, /^What no proof of this kind shows:\n- Whether the coins are pledged/mu);
  const server = createServer(({ url = '' }, answer) => {
    try {
      answer.end(readFileSync(join(folder, url)));
    } catch {
      answer.writeHead(404).end();
    }
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  try {
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    rmSync(join(folder, 'proof', 'certificates.bin'));
    const fetched = await typed('proof', `http://127.0.0.1:${port}/proof`, ...options);
    assert.equal(fetched.code, 0, fetched.out + fetched.err);
    assert.match(fetched.out, /^unknown files: Not given, though the manifest lists them: certificates\.bin\.$/mu);
    const nothing = await typed('proof', `http://127.0.0.1:${port}/gil`, ...options);
    assert.deepEqual([nothing.code, /There is no manifest\.txt/u.test(nothing.err)], [2, true], nothing.err);
  } finally {
    server.close();
  }
  const own = await typed('gil', ...options, '--client', 'gil', '--compartment', String(gil), '--amount', '40');
  assert.equal(own.code, 0, own.out + own.err);
  assert.match(own.out, /^segregation\nholds {3}segregation: Compartment 100000 has your claim of 40 units/mu);
  assert.match(own.out, /^holds {3}amounts: They agree\./mu);
});

test('a claim that is counted with less is told, and exits 1', async () => {
  const said = await typed('ada.bin', ...wordsOf({ amount: '71' }));
  assert.equal(said.code, 1);
  assert.match(said.out, /^FAILS {3}balance: .*your books say 71 .*ground for a dispute\.$/mu);
  assert.match(said.out, /^This does not hold\./mu);
});

test('words that cannot be used are told in one sentence, and exit 2', async () => {
  const wrong: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
    [{ registry: '0x00' }, /--registry needs chain and address/u],
    [{ registry: `${registry.slice(0, -1)}z` }, /--registry needs chain and address/u],
    [{ amount: '1.5' }, /--amount needs your claim as whole digits/u],
    [{ compartment: '1.5' }, /--compartment needs/u],
    [{ rpc: 'ftp://node' }, /--rpc needs the address of a node/u],
    [{ 'code-hash': '0x12' }, /--code-hash needs/u],
    [{ identity: 'ab' }, /--identity needs the 64 hex digits/u],
    [{ expect: 'colour=red' }, /--expect needs a field/u],
    [{ witness: 'w+00000000+AA' }, /--witness needs --log-key/u],
    [{ token: '0x00' }, /--token needs address and slot/u],
    [{ 'stale-after': 'soon' }, /--stale-after needs a whole number/u],
  ];
  for (const [change, words] of wrong) {
    const said = await typed('ada.bin', ...wordsOf(change));
    assert.equal(said.code, 2, said.err);
    assert.match(said.err, words);
  }
  const missing = await typed('none.bin', ...wordsOf());
  assert.equal(missing.code, 2);
  assert.match(missing.err, /none\.bin cannot be read/u);
  assert.match((await typed()).err, /verify needs files, a folder, or the address of a proof/u);
});
