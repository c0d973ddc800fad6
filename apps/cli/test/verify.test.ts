import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { checksumAddress, parseAddress } from '@bulkhead/domain';
import { hexOf } from '@bulkhead/vaults';
import { compartment, openReserveWorld, type ReserveWorld } from '@bulkhead/verifier/testing';
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
  await world.settle();
  writeFileSync(join(folder, 'ada.bin'), epoch.packages.get('ada') ?? assert.fail());
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
  assert.match(said.out, /^Everything that was checked holds\. 1 of 13 things could not be known from here\.$/mu);
  const report: { readonly holds: boolean; readonly steps: readonly unknown[] } = JSON.parse(
    (await typed('ada.bin', ...wordsOf(), '--json')).out,
  );
  assert.equal(report.holds, true);
  assert.equal(report.steps.length, 13);
});

test('a claim that is counted with less is told, and exits 1', async () => {
  const said = await typed('ada.bin', ...wordsOf({ amount: '71' }));
  assert.equal(said.code, 1);
  assert.match(said.out, /^FAILS {3}balance: .*ground for a dispute\.$/mu);
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
  ];
  for (const [change, words] of wrong) {
    const said = await typed('ada.bin', ...wordsOf(change));
    assert.equal(said.code, 2, said.err);
    assert.match(said.err, words);
  }
  const missing = await typed('none.bin', ...wordsOf());
  assert.equal(missing.code, 2);
  assert.match(missing.err, /none\.bin cannot be read/u);
  assert.match((await typed()).err, /verify needs the file of a package first/u);
});
