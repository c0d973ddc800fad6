import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createApproverKey } from '@bulkhead/approve';
import { type Anvil, startAnvil } from '@bulkhead/chain-evm/anvil';
import { type DevelopmentNode, openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import type { Address } from '@bulkhead/domain';
import {
  answerOf,
  bytesOf,
  callData,
  factoryCalls,
  type Hex,
  hexOf,
  initialPolicyText,
  nativeToken,
  parsePasskeySignature,
  type QuestionForm,
  vaultAddress,
  type VaultConfig,
  vaultConfigText,
  vaultQuestions,
  type VaultTerms,
} from '@bulkhead/vaults';
import { accountKey, hashes, mint, passkey, startVaultChain, termsOf, type VaultChain } from '@bulkhead/vaults/testing';
import { hashTypedData } from 'viem';
import { main } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-exit-'));
let world: VaultChain;
/** A chain on which nothing of Bulkhead stands. */
let bare: Anvil;
let bareNode: DevelopmentNode;
const relayer = accountKey(0x7e);

before(async () => {
  world = await startVaultChain();
  bare = await startAnvil({ directory: join(folder, 'bare'), port: 0, chainNumber: 31_337 });
  bareNode = openDevelopmentNode(bare.url);
  for (const node of [world.node, bareNode]) await node.setBalance(relayer.address, 10n ** 20n);
  writePrivate('relayer.key', '7e'.padStart(64, '0'));
  writePrivate('exit.key', 'e0'.padStart(64, '0'));
});
after(async () => {
  await world[Symbol.asyncDispose]();
  await bare.stop();
  rmSync(folder, { recursive: true, force: true });
});

function writePrivate(name: string, text: string): void {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
}

function writeCertificate(name: string, { config, policy }: VaultTerms): void {
  const fields = { config: vaultConfigText(config), policy: initialPolicyText(policy), chain: 'eip155:31337' };
  writeFileSync(join(folder, name), `bulkhead-statement-v1\n${JSON.stringify(fields)}`);
}

type Said = { readonly code: number; readonly out: string; readonly err: string };

async function exit(...words: readonly string[]): Promise<Said> {
  return bulkhead('exit', ...words);
}

async function bulkhead(...words: readonly string[]): Promise<Said> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await main({
    words: ['vault', ...words],
    folder,
    environment: {},
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

function told({ code, out, err }: Said, wanted: RegExp, expected = 0): void {
  assert.equal(code, expected, out + err);
  assert.match(out + err, wanted);
}

async function balanceOf(node: DevelopmentNode, address: string): Promise<bigint> {
  return BigInt(String(await node.call('eth_getBalance', address, 'latest')));
}

test('a client leaves an undeployed vault with its certificate, its exit key and a stranger who pays the gas', async () => {
  const terms = termsOf(world, 'individual', 1);
  const { vault, config } = terms;
  writeCertificate('one.json', terms);
  await world.node.setBalance(vault, 1_000n);
  await mint(world, vault, 2_000n);
  const chain = ['--certificate', 'one.json', '--rpc', world.url];
  const paid = [...chain, '--relayer', 'relayer.key'];
  told(await exit('status', ...chain), /not deployed yet\.[\s\S]*No exit was asked for[\s\S]*native coin: 1000 in/u);
  told(await exit('pay', ...paid), /No exit was asked for/u, 1);
  told(
    await exit('request', ...paid, '--key', 'exit.key'),
    /Sent the vault itself and the request.*\nThe exit is open from/u,
  );
  told(await exit('request', ...paid, '--key', 'exit.key'), /The exit was asked for, and is open from/u);
  told(await exit('pay', ...paid), /is open from/u, 1);
  await world.node.call('evm_increaseTime', 31);
  await world.node.mine();
  told(await exit('status', ...chain), /deployed\.[\s\S]*has been open since/u);
  told(await exit('pay', ...paid), /1000 of native coin went to 0x[\s\S]*2000 of 0x[0-9a-fA-F]{40} went to 0x/u);
  assert.equal(await balanceOf(world.node, config.exitDestination), 1_000n);
  assert.equal(await balanceOf(world.node, vault), 0n);
  // What comes in later leaves, too: the exit never closes by itself.
  await world.node.setBalance(vault, 5n);
  told(await exit('pay', ...paid, '--token', 'native'), /5 of native coin went/u);
  told(await exit('pay', ...paid), /nothing is there/u);
});

test('on a chain where nothing stands the same certificate brings factory and vault with it', async () => {
  const terms = termsOf(world, 'individual', 2);
  writeCertificate('two.json', terms);
  await bareNode.setBalance(terms.vault, 77n);
  const paid = ['--certificate', 'two.json', '--rpc', bare.url, '--relayer', 'relayer.key'];
  told(
    await exit('request', ...paid, '--key', 'exit.key'),
    /Sent the factory of this release.*\nSent the vault itself/u,
  );
  await bareNode.call('evm_increaseTime', 31);
  await bareNode.mine();
  told(await exit('pay', ...paid, '--token', 'native'), /77 of native coin went/u);
});

test('the exit key signs elsewhere, as a wallet or as a passkey, over what was written down', async () => {
  const key = passkey();
  const wallet = accountKey(0xe5);
  for (const [number, id] of [
    [3, wallet.id],
    [4, key.id],
  ] as const) {
    const base = termsOf(world, 'individual', number);
    const config: VaultConfig = { ...base.config, exitKey: id };
    writeCertificate(`elsewhere-${number}.json`, { config, policy: base.policy });
    const vault = vaultAddress(hashes, world, config);
    // One is deployed already, by somebody.
    if (number === 3) await world.send(world.factory, callData(hashes, factoryCalls.create, { config }));
    await world.node.setBalance(vault, 9n);
    const paid = ['--certificate', `elsewhere-${number}.json`, '--rpc', world.url, '--relayer', 'relayer.key'];
    const message = `message-${number}.json`;
    told(await exit('request', ...paid, '--message', message), /Have the exit key .* sign it/u);
    const typed = JSON.parse(readFileSync(join(folder, message), 'utf8'));
    const digest = Buffer.from(hashTypedData(typed).slice(2), 'hex');
    const own = number === 3 ? wallet : key;
    const signature = await own.sign(digest);
    let given: string = signature;
    if (number === 4) {
      const { x, y, authenticatorData, clientDataJSON, r, s } = parsePasskeySignature(signature);
      const whole = (value: bigint): string => `0x${value.toString(16).padStart(64, '0')}`;
      const der = derOf(r, s);
      writeFileSync(
        join(folder, 'assertion.json'),
        JSON.stringify({ x: whole(x), y: whole(y), authenticatorData, clientDataJson: clientDataJSON, signature: der }),
      );
      given = 'assertion.json';
    }
    const other = await accountKey(0xbad).sign(digest);
    told(
      await exit('request', ...paid, '--message', message, '--signature', other),
      /The vault refuses: WrongKey \(side exit/u,
      1,
    );
    told(await exit('request', ...paid, '--message', message, '--signature', given), /The exit is open from/u);
  }
});

/** ASN.1 DER of two numbers. */
function derOf(r: bigint, s: bigint): string {
  const part = (value: bigint): string => {
    const digits = value.toString(16);
    const even = digits.length % 2 === 0 ? digits : `0${digits}`;
    const body = Number.parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even;
    return `02${(body.length / 2).toString(16).padStart(2, '0')}${body}`;
  };
  const body = part(r) + part(s);
  return `0x30${(body.length / 2).toString(16).padStart(2, '0')}${body}`;
}

test('after the custodian fell silent anybody opens the exit, with no key at all', async () => {
  const terms = termsOf(world, 'omnibus', 5);
  writeCertificate('silent.json', terms);
  await world.node.setBalance(terms.vault, 3n);
  const paid = ['--certificate', 'silent.json', '--rpc', world.url, '--relayer', 'relayer.key'];
  told(await exit('request', ...paid, '--silence'), /would not do this|CustodianAlive/u, 1);
  await world.node.call('evm_increaseTime', 10_001);
  await world.node.mine();
  told(await exit('status', ...paid), /silent for so long that anybody/u);
  told(await exit('request', ...paid, '--silence'), /The exit is open/u);
  told(await exit('pay', ...paid), /3 of native coin went/u);
});

test('keys may be encrypted files of approvers, and the wrong ones are named', async () => {
  const cost = { log2N: 10, r: 8, p: 1 };
  const asked = { passphrase: 'correct horse battery', person: 'someone', key: 'file', cost };
  const made = await createApproverKey({ ...asked, kind: 'eip712', path: join(folder, 'encrypted.json') });
  await createApproverKey({ ...asked, kind: 'ed25519', path: join(folder, 'edwards.json') });
  assert.ok(made.kind === 'eip712');
  writePrivate('passphrase', 'correct horse battery\n');
  const base = termsOf(world, 'individual', 6);
  const config: VaultConfig = { ...base.config, exitKey: `0x${made.address.slice(2).padStart(64, '0')}` };
  writeCertificate('six.json', { config, policy: base.policy });
  const paid = ['--certificate', 'six.json', '--rpc', world.url, '--relayer', 'relayer.key'];
  const withPassphrase = ['--passphrase-file', 'passphrase'];
  told(await exit('request', ...paid, '--key', 'edwards.json', ...withPassphrase), /a chain wants eip712/u, 3);
  told(await exit('request', ...paid, '--key', 'exit.key'), /The exit key of this vault is 0x/u, 2);
  told(await exit('request', ...paid, '--key', 'encrypted.json', ...withPassphrase), /The exit is open from/u);
});

test('the client lists a destination, raises a limit, replaces a key, moves its exit and vetoes, and asks nobody', async () => {
  const terms = termsOf(world, 'individual', 8);
  const wallet = accountKey(0xc8);
  const config: VaultConfig = { ...terms.config, clientKey: wallet.id };
  const vault = vaultAddress(hashes, world, config);
  writeCertificate('eight.json', { config, policy: terms.policy });
  writePrivate('client.key', 'c8'.padStart(64, '0'));
  const paid = ['--certificate', 'eight.json', '--rpc', world.url, '--relayer', 'relayer.key'];
  const byClient = [...paid, '--key', 'client.key'];
  const byExit = [...paid, '--key', 'exit.key', '--side', 'exit'];
  const changed = async (...words: readonly string[]): Promise<Said> => bulkhead('change', ...words);
  const changeIn = ({ out }: Said): string => /0x[0-9a-f]{64} waits/u.exec(out)?.[0].slice(0, 66) ?? '';
  const ask = async <Answer>(form: QuestionForm<{ readonly config: VaultConfig }, Answer>): Promise<Answer> =>
    answerOf(form, await callOf(vault, callData(hashes, form, { config })));

  const to = `0x${'d8'.repeat(20)}`;
  told(await changed('list', ...paid), /Nothing waits/u);
  told(
    await changed('add-destination', '--to', to, ...byClient),
    /vault itself and add-destination.*\n.*is paid from/u,
  );
  const raised = await changed('raise-limit', '--token', 'native', '--cap', '123456789', ...byClient);
  told(raised, /waits until .*: vault change execute, by anybody/u);
  // Signed elsewhere, by a wallet that shows what it signs.
  const rotation = ['rotate-key', '--new-key', accountKey(0xc9).address, ...paid, '--message', 'rotation.json'];
  told(await changed(...rotation), /Have the client key .* sign it/u);
  const typed = JSON.parse(readFileSync(join(folder, 'rotation.json'), 'utf8'));
  const signature = await wallet.sign(Buffer.from(hashTypedData(typed).slice(2), 'hex'));
  const rotated = await changed(...rotation, '--signature', signature);
  told(rotated, /waits until/u);
  const stolen = await changed('exit-destination', '--to', to, ...byClient);
  const listed = await changed('list', ...paid);
  told(
    listed,
    /the limit of native coin becomes 123456789[\s\S]*the client changes the client key: 0x[\s\S]*an exit pays 0x/u,
  );
  told(await changed('veto', '--change', changeIn(stolen), ...byExit), /Sent veto/u);
  told(await changed('execute', '--change', changeIn(stolen), ...paid), /does not wait in this vault/u, 2);
  told(await changed('execute', '--change', changeIn(rotated), ...paid), /NotReady/u, 1);
  await world.node.call('evm_increaseTime', 11);
  await world.node.mine();
  for (const one of [raised, rotated]) {
    told(await changed('execute', '--change', changeIn(one), ...paid), /Sent the execution/u);
  }
  told(await changed('list', ...paid), /Nothing waits/u);
  assert.equal((await ask(vaultQuestions.roles)).clientKey, accountKey(0xc9).id);
  told(await changed('pause', ...byClient), /The client key of this vault is 0x.*; the file has/u, 2);
  writePrivate('client.key.2', 'c9'.padStart(64, '0'));
  const byNew = [...paid, '--key', 'client.key.2'];
  told(await changed('lower-limit', '--token', 'native', '--cap', '5', ...byNew), /Sent lower-limit/u);
  told(await changed('remove-destination', '--to', to, ...byNew), /Sent remove-destination/u);
  told(await changed('pause', ...byNew), /Sent pause/u);
  const limit = answerOf(
    vaultQuestions.limits,
    await callOf(vault, callData(hashes, vaultQuestions.limits, { token: nativeToken })),
  );
  assert.equal(limit.cap, 5n);
  told(await exit('request', ...paid, '--key', 'exit.key'), /The exit is open from/u);
  told(await changed('cancel-exit', ...paid, '--key', 'exit.key'), /Sent cancel-exit/u);
  told(await exit('status', ...paid), /No exit was asked for/u);
  const cases: readonly (readonly [RegExp, readonly string[]])[] = [
    [/vault change takes list, execute, add-destination/u, ['spend', ...paid]],
    [/needs --to/u, ['add-destination', ...byNew]],
    [/--side is client or exit/u, ['veto', '--change', `0x${'0'.repeat(64)}`, '--side', 'quorum', ...byNew]],
    [/--change is 0x and 64/u, ['veto', '--change', '0x12', ...byNew]],
    [/needs --key, or message/u, ['pause', ...paid]],
  ];
  for (const [message, words] of cases) told(await changed(...words), message, 2);
});

async function callOf(to: Address, data: Hex): Promise<Hex> {
  const answer: unknown = await world.node.call('eth_call', { to, data }, 'latest');
  return hexOf(bytesOf(`0x${String(answer).slice(2)}`));
}

test('what exit cannot work with it says in one sentence', async () => {
  const terms = termsOf(world, 'individual', 7);
  writeCertificate('seven.json', terms);
  writeFileSync(
    join(folder, 'other-chain.json'),
    JSON.stringify({
      ...JSON.parse(readFileSync(join(folder, 'seven.json'), 'utf8').split('\n')[1] ?? ''),
      chain: 'eip155:1',
    }),
  );
  const chain = ['--certificate', 'seven.json', '--rpc', world.url];
  const cases: readonly (readonly [RegExp, number, readonly string[]])[] = [
    [/vault exit takes status, request or pay/u, 2, chain],
    [/needs --certificate/u, 2, ['status']],
    [/needs --rpc/u, 2, ['status', '--certificate', 'seven.json']],
    [
      /it is about eip155:1, and this node serves eip155:31337/u,
      1,
      ['status', '--certificate', 'other-chain.json', '--rpc', world.url],
    ],
    [/needs --key with the exit key, or --message/u, 2, ['request', ...chain]],
    [/needs --relayer/u, 2, ['request', ...chain, '--key', 'exit.key']],
    [/needs --message/u, 2, ['request', ...chain, '--signature', '0x00']],
  ];
  for (const [message, code, words] of cases) told(await exit(...words), message, code);
});
