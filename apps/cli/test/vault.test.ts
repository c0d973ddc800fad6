import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Anvil, startAnvil } from '@bulkhead/chain-evm/anvil';
import { type DevelopmentNode, openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import { parseAddress } from '@bulkhead/domain';
import { main } from '../src/index.ts';
import { endAll, run, type Said, type Shell } from './shell.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-vault-'));
const members = ['0a', '0b', '0c'].map((byte) => `0x${byte.repeat(20)}`);
let anvil: Anvil;
let node: DevelopmentNode;
let shell: Shell;
/** A folder whose configuration has the contracts of vaults. */
let withVaults: Shell;

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
  withVaults = { ...shell, folder: elsewhere };
  const again = await run(withVaults, 'vault', 'deploy', '--help');
  assert.equal(again.code, 0);
  // The configuration is read before the chain is asked for: it takes what was printed.
  const read = await run(
    withVaults,
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

const custodian = `0x${'cc'.repeat(32)}`;
const words =
  `proof deploy --chain eip155:31337 --custodian ${custodian} --window 24 --draw-delay 8 --commit-within 3600 --cadence 7200 --prove-within 86400`.split(
    ' ',
  );

/** The command in this process: all of it is in its words, its folder and the chain. */
async function typed({ folder: place, environment = {} }: Shell, ...typing: readonly string[]): Promise<Said> {
  const out: string[] = [];
  const err: string[] = [];
  const say = (to: string[]) => (line: string) => void to.push(line);
  const terminal = { words: typing, folder: place, environment, out: say(out), err: say(err) };
  return { code: await main(terminal), out: out.join('\n'), err: err.join('\n') };
}

test('proof deploy prints what makes the registry, and then what configuration and signers have to know', async () => {
  const open = await typed(withVaults, ...words, '--out', 'registry.json');
  assert.equal(open.code, 1, open.err);
  const address = /it will be (0x[0-9a-fA-F]{40})/u.exec(open.out)?.[1] ?? '';
  const [transaction]: readonly { readonly to: string; readonly data: `0x${string}` }[] = JSON.parse(
    readFileSync(join(withVaults.folder, 'registry.json'), 'utf8'),
  );
  const [stranger] = await node.accounts();
  assert.ok(stranger !== undefined && transaction !== undefined);
  const sent = await node.send({
    from: stranger,
    to: parseAddress(transaction.to),
    data: transaction.data,
    gas: 16_000_000n,
  });
  assert.ok(sent.succeeded);
  assert.equal((await typed(withVaults, ...words)).code, 1, 'what is in a block that may vanish does not stand yet');
  await node.mine(3);
  const done = await typed(withVaults, ...words);
  assert.equal(done.code, 0, done.out + done.err);
  const section = jsonAfter(done.out, /^For \/chains of the configuration/mu);
  const item = jsonAfter(done.out, /^For the registry of the signers/mu);
  assert.deepEqual(
    [section['address'], section['custodian'], section['window']],
    [address.toLowerCase(), custodian, 24],
  );
  assert.deepEqual([item['item'], item['registry']], ['proof-registry', section['address']]);
  // The configuration takes what was printed.
  const file = join(withVaults.folder, 'bulkhead.config.json');
  const content: { readonly chains: readonly object[] } = JSON.parse(readFileSync(file, 'utf8'));
  const chains = content.chains.map((chain) => ({ ...chain, proofRegistry: section }));
  writeFileSync(file, JSON.stringify({ ...content, chains }));
  assert.equal((await typed(withVaults, ...words)).code, 0);
});

test('proof deploy says in one sentence what it cannot work with', async () => {
  const cases: readonly (readonly [RegExp, Shell, readonly string[]])[] = [
    [/proof knows: deploy, make, show, package, publish/u, withVaults, ['proof']],
    [/proof publish needs --asset/u, withVaults, ['proof', 'publish']],
    [/needs --chain/u, withVaults, words.toSpliced(2, 2)],
    [/--custodian needs 0x and 64/u, withVaults, words.with(5, '0xcc')],
    [/--window needs a whole number/u, withVaults, words.with(7, '0')],
    [/believes the signer set of its chain, and eip155:31337 has none/u, shell, words],
    [/eip155:1 is embedded/u, shell, words.with(3, 'eip155:1')],
  ];
  for (const [sentence, place, said] of cases) {
    const { code, err } = await typed(place, ...said);
    assert.equal(code, 2, err);
    assert.match(err, sentence);
    assert.equal(err.trim().split('\n').length, 1, err);
  }
});

test('vault deploy says in one sentence what it cannot work with', async () => {
  const said = async (...words: readonly string[]): Promise<readonly [number | null, string]> => {
    const { code, err } = await run(shell, 'vault', ...words);
    return [code, err.trim()];
  };
  const rest = ['--change-delay', '60', '--fee-receiver', members[0] ?? ''];
  const chain = ['--chain', 'eip155:31337'];
  const cases: readonly (readonly [RegExp, readonly string[]])[] = [
    [/vault takes deploy, heartbeat, verify, exit, change or signers/u, []],
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
