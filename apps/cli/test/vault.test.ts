import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Anvil, startAnvil } from '@bulkhead/chain-evm/anvil';
import { type DevelopmentNode, openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import { parseAddress } from '@bulkhead/domain';
import { endAll, run, type Said, type Shell } from './shell.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-vault-'));
const members = ['0a', '0b', '0c'].map((byte) => `0x${byte.repeat(20)}`);
let anvil: Anvil;
let node: DevelopmentNode;
let shell: Shell;

before(async () => {
  anvil = await startAnvil({ directory: join(folder, 'anvil'), port: 0, chainNumber: 31_337 });
  node = openDevelopmentNode(anvil.url);
  const chains = [
    { id: 'eip155:31337', development: true },
    { id: 'eip155:1', development: true },
  ];
  writeFileSync(join(folder, 'bulkhead.config.json'), JSON.stringify({ chains }));
  shell = { folder, environment: { CHAIN_EIP155_31337_RPC: anvil.url } };
});
after(async () => {
  endAll();
  await anvil.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function deploy(...more: readonly string[]): Promise<Said> {
  return await deployTo(shell, ...more);
}

async function deployTo(place: Shell, ...more: readonly string[]): Promise<Said> {
  const set = members.toReversed().flatMap((member) => ['--member', member]);
  const rest = ['--threshold', '2', '--change-delay', '604800', '--fee-receiver', `0x${'0f'.repeat(20)}`];
  return run(place, 'vault', 'deploy', '--chain', 'eip155:31337', ...set, ...rest, ...more);
}

function jsonAfter(text: string, heading: RegExp): Record<string, unknown> {
  const rest = text.slice(text.search(heading)).split('\n').slice(1);
  const end = rest.indexOf('}');
  const parsed: Record<string, unknown> = JSON.parse(rest.slice(0, end + 1).join('\n'));
  return parsed;
}

test('vault deploy prints what is missing, anybody sends it, and what stands is checked at a final block', async () => {
  const before = await deploy('--out', 'transactions.json');
  assert.equal(before.code, 1, before.err);
  assert.match(before.out, /^Passkeys are verified by the chain itself\.$/mu);
  assert.match(before.out, /^The factory is missing; it will be 0x/mu);
  assert.match(before.out, /^The signerSet is missing; it will be 0x/mu);
  assert.equal((await deploy('--out', 'transactions.json')).code, 1, 'an existing file is not replaced');
  const written: readonly { readonly to: string; readonly data: `0x${string}` }[] = JSON.parse(
    readFileSync(join(folder, 'transactions.json'), 'utf8'),
  );
  assert.equal(written.length, 2);
  const [stranger] = await node.accounts();
  assert.ok(stranger !== undefined);
  for (const { to, data } of written.toReversed()) {
    const { succeeded } = await node.send({ from: stranger, to: parseAddress(to), data, gas: 16_000_000n });
    assert.ok(succeeded);
  }
  const early = await deploy();
  assert.equal(early.code, 1, 'what is in a block that may vanish does not stand yet');
  await node.mine(3);
  const done = await deploy();
  assert.equal(done.code, 0, done.out + done.err);
  const section = jsonAfter(done.out, /^For \/chains of the configuration/mu);
  const item = jsonAfter(done.out, /^For the registry of the signers/mu);
  assert.deepEqual([section['members'], section['threshold']], [members, 2]);
  assert.deepEqual([item['item'], item['threshold'], item['feeReceiver']], ['vault-system', 2, `0x${'0f'.repeat(20)}`]);
  for (const name of ['factory', 'vaultImplementation', 'forwarderImplementation', 'signerSet']) {
    assert.equal(section[name], item[name]);
    assert.notEqual(await node.call('eth_getCode', section[name], 'latest'), '0x', name);
  }
  const signers = ['a', 'b', 'c'].map((name, at) => ({
    address: `unix:/run/${name}`,
    identities: [`0${at}`.repeat(32)],
  }));
  const [first, ...vaultSigners] = signers;
  const chains = [{ id: 'eip155:31337', development: true, vaults: section }];
  const content = { chains, signer: { ...first, deployment: '0d'.repeat(16) }, vaultSigners };
  const elsewhere = mkdtempSync(join(folder, 'elsewhere-'));
  writeFileSync(join(elsewhere, 'bulkhead.config.json'), JSON.stringify(content));
  const again = await run({ ...shell, folder: elsewhere }, 'vault', 'deploy', '--help');
  assert.equal(again.code, 0);
  // The configuration is read before the chain is asked for: it takes what was printed.
  const read = await run(
    { ...shell, folder: elsewhere },
    'vault',
    'deploy',
    ...'--chain eip155:5 --threshold 1'.split(' '),
    '--change-delay',
    '9',
    '--member',
    members[0] ?? '',
    '--fee-receiver',
    members[1] ?? '',
  );
  assert.equal(read.code, 2);
  assert.match(read.err, /eip155:5 is not configured; configured are: eip155:31337\./u);
});

test('vault deploy says in one sentence what it cannot work with', async () => {
  const said = async (...words: readonly string[]): Promise<readonly [number | null, string]> => {
    const { code, err } = await run(shell, 'vault', ...words);
    return [code, err.trim()];
  };
  const rest = ['--change-delay', '60', '--fee-receiver', members[0] ?? ''];
  const chain = ['--chain', 'eip155:31337'];
  const cases: readonly (readonly [RegExp, readonly string[]])[] = [
    [/vault takes deploy, heartbeat, verify or exit/u, []],
    [/needs --chain/u, ['deploy']],
    [/needs --member/u, ['deploy', ...chain, ...rest, '--threshold', '1']],
    [/--threshold is above/u, ['deploy', ...chain, ...rest, '--threshold', '2', '--member', members[0] ?? '']],
    [
      /--threshold needs a whole number/u,
      ['deploy', ...chain, ...rest, '--threshold', '0', '--member', members[0] ?? ''],
    ],
    [
      /stands twice/u,
      ['deploy', ...chain, ...rest, '--threshold', '1', '--member', members[0] ?? '', '--member', members[0] ?? ''],
    ],
    [
      /eip155:1 is embedded/u,
      ['deploy', '--chain', 'eip155:1', ...rest, '--threshold', '1', '--member', members[0] ?? ''],
    ],
  ];
  for (const [sentence, words] of cases) {
    const [code, err] = await said(...words);
    assert.equal(code, 2, err);
    assert.match(err, sentence);
    assert.equal(err.split('\n').length, 1, err);
  }
});

test('vault deploy says where passkeys are dearer, because the chain does not verify them itself', async () => {
  await using old = await startAnvil({
    directory: join(folder, 'old'),
    port: 0,
    chainNumber: 31_337,
    hardfork: 'prague',
  });
  const said = await deployTo({ ...shell, environment: { CHAIN_EIP155_31337_RPC: old.url } });
  assert.equal(said.code, 1, said.err);
  assert.match(said.out, /^Passkeys are verified by the vaults: .* takes about 240,000 gas more\.$/mu);
});
