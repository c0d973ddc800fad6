import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { RpcCall } from '@bulkhead/chain-evm';
import { type ScriptedSource, startScriptedSource } from '@bulkhead/chain-evm/testing';
import { demoToken, forgedToken } from '@bulkhead/contracts';
import type { Address } from '@bulkhead/domain';
import {
  agreementDigest,
  callData,
  factoryCalls,
  type Hex,
  nativeToken,
  newVaultState,
  policyHash,
  quorumSignatures,
  setChangeDomain,
  setChangeForm,
  signerSetCalls,
  typedDigest,
  vaultAddress,
  vaultCalls,
  vaultForms,
  type VaultTerms,
} from '@bulkhead/vaults';
import {
  accountKey,
  addressOf,
  client,
  deadline,
  digestOf,
  exitKey,
  hashes,
  passkey,
  startVaultChain,
  termsOf,
  type VaultChain,
  wordOfByte,
} from '@bulkhead/vaults/testing';
import { encodeFunctionData } from 'viem';
import { openQuestions } from '../src/vault/chain-questions.ts';
import { readCertificate } from '../src/vault/vault-certificate.ts';
import { type VerificationOrder, verifyVault } from '../src/vault/verification.ts';
import { main } from '../src/index.ts';
import { certificateText, liveALittle } from './lived-vault.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-verify-'));
let world: VaultChain;
let liar: ScriptedSource;
let terms: VaultTerms & { readonly vault: Address };
/** The client's signature over the terms of the first vault. */
let agreement: Hex = '0x00';

before(async () => {
  world = await startVaultChain();
  liar = await startScriptedSource(world.url);
  terms = termsOf(world, 'individual', 1);
  agreement = await client.sign(agreementDigest(hashes, terms.vault, terms));
  writeCertificate('certificate.json', terms);
  await liveALittle(world, terms);
});
after(async () => {
  await liar.stop();
  await world[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function run(
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await main({
    words,
    folder,
    environment: {},
    out: (line) => out.push(line),
    err: (line) => err.push(line),
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

function writeCertificate(name: string, of: VaultTerms): void {
  writeFileSync(join(folder, name), certificateText(of, agreement));
}

/** What an examination of a vault finds wrong, by the name of the step, with its reason. */
async function wrongIn(order: Partial<VerificationOrder> = {}): Promise<ReadonlyMap<string, string>> {
  const verification = await verifyVault({
    questions: openQuestions(world.url),
    vault: terms.vault,
    certificate: readCertificate(join(folder, 'certificate.json')),
    from: 0n,
    blockHash: undefined,
    ...order,
  });
  const { steps } = verification;
  return new Map(steps.filter(({ result }) => result === 'wrong').map(({ name, reason }) => [name, reason]));
}

/** As above, of a node that lies about some calls. */
async function liesFound(lie: (call: RpcCall, result: unknown) => unknown): Promise<ReadonlyMap<string, string>> {
  liar.play(async (call, forward) => {
    const answer = await forward();
    return answer.type === 'result' ? { ...answer, result: lie(call, answer.result) } : answer;
  });
  return await wrongIn({ questions: openQuestions(liar.url) });
}

/** Does something to the chain, looks at it, and takes it back. */
async function afterwards(change: () => Promise<void>, look: () => Promise<void>): Promise<void> {
  const snapshot = await world.node.call('evm_snapshot');
  await change();
  await world.node.mine(4);
  try {
    await look();
  } finally {
    await world.node.call('evm_revert', snapshot);
  }
}

function assertWrong(found: ReadonlyMap<string, string>, wanted: Readonly<Record<string, RegExp>>): void {
  assert.deepEqual([...found.keys()], Object.keys(wanted));
  for (const [name, reason] of Object.entries(wanted)) assert.match(found.get(name) ?? '', reason);
}

type Log = { readonly address: string; readonly topics: readonly string[]; readonly blockNumber: string };
const logsOf = (result: unknown): readonly Log[] => result as readonly Log[];

test('a vault that did what was agreed is right, by its certificate or by its creation, in words and in JSON', async () => {
  const said = await run('vault', 'verify', terms.vault, '--rpc', world.url, '--certificate', 'certificate.json');
  assert.equal(said.code, 0, said.out + said.err);
  assert.equal(said.out.match(/^ok {6}/gmu)?.length, 20, said.out);
  assert.match(said.out, /nothing wrong was found\.$/mu);
  assert.match(said.out, /Who holds the keys/u);
  const { hash } = (await world.node.call('eth_getBlockByNumber', 'latest', false)) as { hash: string };
  const json = await run('vault', 'verify', terms.vault, '--rpc', world.url, '--block-hash', hash, '--json');
  assert.equal(json.code, 0, json.out + json.err);
  const read = JSON.parse(json.out) as { wrong: boolean; block: { hash: string }; unknowns: readonly string[] };
  assert.deepEqual([read.wrong, read.block.hash], [false, hash]);
  assert.ok(read.unknowns.some((text) => text.includes('the certificate was not given')));
  assert.ok(!read.unknowns.some((text) => text.includes('is of the real chain')));
});

test('a vault that was left, under a signer set that changed, is right', async () => {
  const { vault, config } = terms;
  await afterwards(
    async () => {
      const wish = { nonce: 0n, deadline };
      const signature = await exitKey.sign(digestOf(vault, vaultForms.exitRequest, wish));
      const asked = callData(hashes, vaultCalls.requestExit, { config, message: wish, signature });
      assert.ok((await world.send(vault, asked)).succeeded);
      await changeMembers();
      await world.node.call('evm_increaseTime', 100);
      for (const token of [nativeToken, world.token]) {
        assert.ok((await world.send(vault, callData(hashes, vaultCalls.exit, { config, token }))).succeeded);
      }
    },
    async () => assertWrong(await wrongIn(), {}),
  );
});

/** Two of the three members go on with a third one. */
async function changeMembers(): Promise<void> {
  const [, second, third] = world.members;
  assert.ok(second !== undefined && third !== undefined);
  const next = [second, third, accountKey(0xa9)].toSorted((a, b) => (a.address < b.address ? -1 : 1));
  const change = { number: 2n, members: next.map(({ address }) => address), threshold: 2n };
  const digest = typedDigest(hashes, setChangeDomain(world.signerSet), { form: setChangeForm, message: change });
  const signed = await Promise.all(next.slice(0, 2).map(async (key) => [key.address, await key.sign(digest)] as const));
  const data = callData(hashes, signerSetCalls.changeSet, {
    change,
    quorumSignatures: await world.quorum(digest),
    memberSignatures: quorumSignatures(new Map(signed)),
  });
  assert.ok((await world.send(world.signerSet, data)).succeeded);
}

test('a vault that is not deployed yet is told by its certificate alone', async () => {
  const later = termsOf(world, 'individual', 2);
  writeCertificate('later.json', later);
  const certificate = { ...readCertificate(join(folder, 'later.json')), agreement: undefined };
  assertWrong(await wrongIn({ vault: later.vault, certificate }), {});
  assertWrong(await wrongIn({ vault: later.vault, certificate: undefined }), {
    configuration: /not created in these blocks/u,
  });
});

test('a node that hides, changes or invents a log is found out', async () => {
  const hidesOne = (call: RpcCall, result: unknown): unknown =>
    call.method === 'eth_getLogs'
      ? logsOf(result).filter(({ address }, place) => address !== terms.vault || place !== 2)
      : result;
  assertWrong(await liesFound(hidesOne), { logs: /hides or changes a log of block/u });
  const hidesAll = (call: RpcCall, result: unknown): unknown => {
    if (call.method === 'eth_getLogs') return [];
    if (call.method !== 'eth_getBlockReceipts') return result;
    return (result as readonly { logs: readonly Log[] }[]).map((receipt) => ({
      ...receipt,
      logs: receipt.logs.filter(({ address }) => address !== terms.vault),
    }));
  };
  const hidden = await liesFound(hidesAll);
  assert.match(hidden.get('logs') ?? '', /the receipts of block \d+ are not those of its header/u);
  const invents = (call: RpcCall, result: unknown): unknown =>
    call.method === 'eth_getLogs' ? [...logsOf(result), ...logsOf(result).slice(-1)] : result;
  assertWrong(await liesFound(invents), { logs: /invents a log/u });
});

test('a node that lies about a header, a state or a code is found out', async () => {
  const stateRoot = `0x${'ab'.repeat(32)}`;
  const header = (call: RpcCall, result: unknown): unknown =>
    call.method === 'eth_getBlockByNumber' && call.params[0] === 'finalized'
      ? { ...(result as object), stateRoot }
      : result;
  const untrue = await liesFound(header);
  assert.match(untrue.get('block') ?? '', /has the hash/u);
  assert.match(untrue.get('code of the vault') ?? '', /does not lead to the state/u);
  const proofs = (call: RpcCall, result: unknown): unknown =>
    call.method === 'eth_getProof' && call.params[0] === terms.vault
      ? {
          ...(result as object),
          accountProof: (result as { accountProof: readonly string[] }).accountProof.slice(0, -1),
        }
      : result;
  assertWrong(await liesFound(proofs), {
    'code of the vault': /does not lead to the state/u,
    state: /does not lead to the state/u,
  });
  const code = (call: RpcCall, result: unknown): unknown =>
    call.method === 'eth_getCode' && call.params[0] === world.vaultImplementation ? `${String(result)}00` : result;
  assertWrong(await liesFound(code), { 'vault implementation': /and the state says/u });
  const broken = (call: RpcCall, result: unknown): unknown =>
    call.method === 'eth_getBlockByNumber' && call.params[0] === '0x5'
      ? { ...(result as object), gasUsed: '0x1' }
      : result;
  const gap = await liesFound(broken);
  assert.match(gap.get('logs') ?? '', /block 5 is not the parent of block 6/u);
});

test('another block than the one that is trusted is refused', async () => {
  const wanted = `0x${'12'.repeat(32)}` as const;
  liar.play(async (call, forward) =>
    call.method === 'eth_getBlockByHash'
      ? await forward({ method: 'eth_getBlockByNumber', params: ['latest', false] })
      : await forward(),
  );
  const found = await wrongIn({ questions: openQuestions(liar.url), blockHash: wanted });
  assertWrong(found, { block: /has the hash 0x[0-9a-f]{64}, not 0x1212/u });
});

test('a certificate of other terms leads to another address', async () => {
  const other = { ...terms, config: { ...terms.config, exitDestination: addressOf(0x66) } };
  writeCertificate('other.json', other);
  const found = await wrongIn({ certificate: readCertificate(join(folder, 'other.json')) });
  assertWrong(found, {
    configuration: /the configuration leads to 0x/u,
  });
  const policy = { ...terms.policy, destinations: [addressOf(0xd2)] };
  const shown = readCertificate(join(folder, 'certificate.json'));
  const opened = await wrongIn({ certificate: { ...shown, policy, agreement: undefined } });
  assertWrong(opened, { destinations: /opened 0xd1d1.*which the initial policy does not name/u });
});

test('terms that the client did not sign are no agreement', async () => {
  const shown = readCertificate(join(folder, 'certificate.json'));
  const stranger = await accountKey(0xbad).sign(agreementDigest(hashes, terms.vault, terms));
  const others: readonly (readonly [Hex, RegExp])[] = [
    [stranger, /end too early/u],
    [await passkey().sign(agreementDigest(hashes, terms.vault, terms)), /of another passkey/u],
    [await client.sign(new Uint8Array(32)), /not about/u],
  ];
  for (const [signature, message] of others) {
    assertWrong(await wrongIn({ certificate: { ...shown, agreement: signature } }), { agreement: message });
  }
  // A client whose key is an account.
  const account = accountKey(0xacc);
  const config = { ...termsOf(world, 'individual', 8).config, clientKey: account.id };
  const vault = vaultAddress(hashes, world, config);
  const signed = { ...shown, config, address: vault };
  const right = await account.sign(agreementDigest(hashes, vault, { config, policy: terms.policy }));
  assertWrong(await wrongIn({ vault, certificate: { ...signed, agreement: right } }), {});
  const wrong = await accountKey(0xbad).sign(agreementDigest(hashes, vault, { config, policy: terms.policy }));
  assertWrong(await wrongIn({ vault, certificate: { ...signed, agreement: wrong } }), {
    agreement: /not that of the client key/u,
  });
});

test('a history is read from its beginning, or not at all', async () => {
  assertWrong(await wrongIn({ from: 8n }), { 'first block': /the vault was there before block 8/u });
});

test('statements of signers that contradict each other are no certificate', () => {
  const other = { ...terms, config: { ...terms.config, exitDestination: addressOf(0x66) } };
  writeCertificate('one.json', terms);
  writeCertificate('two.json', other);
  const both = ['one.json', 'two.json'].map((name) => readFileSync(join(folder, name), 'utf8'));
  writeFileSync(join(folder, 'both.json'), `[${both.join(',')}]`);
  assert.throws(() => readCertificate(join(folder, 'both.json')), {
    code: 'vault/certificate',
    message: /contradict/u,
  });
});

test('a contract that only looks like a vault is none', async () => {
  const imitation = addressOf(0xfa);
  await afterwards(
    async () => {
      await world.node.call('anvil_setCode', imitation, await world.node.call('eth_getCode', terms.vault, 'latest'));
    },
    async () => {
      assertWrong(await wrongIn({ vault: imitation }), { configuration: /leads to/u });
      assertWrong(await wrongIn({ vault: imitation, certificate: undefined }), { configuration: /not created/u });
    },
  );
});

test('other code at the address of a vault, or of what vaults run, is seen', async () => {
  await afterwards(
    async () => {
      await world.node.call('anvil_setCode', terms.vault, '0x6001600255');
      await world.node.call('anvil_setCode', world.vaultImplementation, '0x6001600255');
    },
    async () =>
      assertWrong(await wrongIn(), {
        'vault implementation': /is not that of this release/u,
        'code of the vault': /its code is 0x6001600255/u,
      }),
  );
});

test('a vault whose signer set is a contract of somebody is wrong, and one whose set began with others too', async () => {
  const yes = addressOf(0x5e);
  const config = { ...terms.config, signerSet: yes };
  const vault = vaultAddress(hashes, world, config);
  await afterwards(
    async () => {
      // Says yes to whatever it is asked.
      await world.node.call('anvil_setCode', yes, '0x600160005260206000f3');
      assert.ok((await world.send(world.factory, callData(hashes, factoryCalls.create, { config }))).succeeded);
    },
    async () => {
      assertWrong(await wrongIn({ vault, certificate: undefined }), {
        'signer set': /is not that of this release's signer set/u,
      });
    },
  );
  const code = String(await world.node.call('eth_getCode', world.signerSet, 'latest'));
  await afterwards(
    async () => {
      // The real code with members of somebody else.
      await world.node.call('anvil_setCode', yes, code);
      await world.node.call(
        'anvil_setStorageAt',
        yes,
        `0x${'0'.repeat(64)}`,
        await world.node.call('eth_getStorageAt', world.signerSet, '0x0', 'latest'),
      );
      assert.ok((await world.send(world.factory, callData(hashes, factoryCalls.create, { config }))).succeeded);
    },
    async () => {
      assertWrong(await wrongIn({ vault, certificate: undefined }), { 'signer set': /its first members lead to/u });
    },
  );
});

test('what leaves without an event of the vault is seen: tokens by their own event, coin by the balance', async () => {
  const { vault } = terms;
  await afterwards(
    async () => {
      await world.node.setBalance(vault, 10n ** 18n);
      await world.node.mine();
      await world.node.call('anvil_impersonateAccount', vault);
      const transfer = { abi: demoToken.abi, functionName: 'transfer', args: [addressOf(0x77), 3n] };
      const { succeeded } = await world.node.send({
        from: vault,
        to: world.token,
        data: encodeFunctionData(transfer),
        gas: 200_000n,
      });
      assert.ok(succeeded);
      await world.node.call('anvil_stopImpersonatingAccount', vault);
      await world.node.setBalance(vault, 900_000n);
    },
    async () =>
      assertWrong(await wrongIn(), {
        'token transfers': /3 of 0x[0-9a-f]{40} to 0x7777\S* left without an event/u,
        'native coin': /the balance fell by/u,
      }),
  );
});

test('a token that a stranger made says what it likes, and nothing is made of it', async () => {
  await afterwards(
    async () => {
      const token = await world.node.deploy(world.bank, forgedToken.bytecode);
      const forge = encodeFunctionData({
        abi: forgedToken.abi,
        functionName: 'forge',
        args: [terms.vault, addressOf(0x77), 5n],
      });
      assert.ok((await world.send(token, forge)).succeeded);
    },
    async () => {
      const certificate = readCertificate(join(folder, 'certificate.json'));
      const order = {
        questions: openQuestions(world.url),
        vault: terms.vault,
        certificate,
        from: 0n,
        blockHash: undefined,
      };
      const { steps, unknowns } = await verifyVault(order);
      assert.ok(steps.every(({ result }) => result === 'ok'));
      assert.ok(unknowns.some((text) => text.startsWith('1 transfers out of tokens')));
    },
  );
});

test('a state that no event explains is seen', async () => {
  const { expectedStorage } = await import('@bulkhead/vaults');
  const state = { ...newVaultState, destinations: new Map([[addressOf(0xd9), 1n]]) };
  const slot = expectedStorage(hashes, state, []).find(({ name }) => name.startsWith('destination'))?.slot;
  await afterwards(
    async () => {
      await world.node.call('anvil_setStorageAt', terms.vault, slot, `0x${'0'.repeat(63)}1`);
    },
    async () => assertWrong(await wrongIn(), { state: /the destination 0xd9d9.* is 1, and the events lead to/u }),
  );
});

test('a way from one vault to another is seen, also where the other was deployed later', async () => {
  const sibling = termsOf(world, 'individual', 3);
  const policy = { ...terms.policy, destinations: [sibling.vault] };
  const config = { ...terms.config, clientId: wordOfByte(0x44), policyHash: policyHash(hashes, policy) };
  const vault = vaultAddress(hashes, world, config);
  await afterwards(
    async () => {
      await world.node.setBalance(vault, 1_000n);
      const message = { token: nativeToken, to: sibling.vault, amount: 9n, nonce: 0n, deadline };
      const signatures = await world.quorum(digestOf(vault, vaultForms.withdrawal, message));
      const calls = [
        callData(hashes, vaultCalls.openPolicy, { config, policy }),
        callData(hashes, vaultCalls.pay, { config, message, signatures }),
      ];
      assert.ok(
        (await world.send(world.factory, callData(hashes, factoryCalls.createAndCall, { config, calls }))).succeeded,
      );
      assert.ok(
        (await world.send(world.factory, callData(hashes, factoryCalls.create, { config: sibling.config }))).succeeded,
      );
    },
    async () => {
      writeCertificate('pair.json', { config, policy });
      const found = await wrongIn({
        vault,
        certificate: { ...readCertificate(join(folder, 'pair.json')), agreement: undefined },
      });
      assertWrong(found, { vaults: /a vault or forwarder, by the quorum alone/u });
    },
  );
});

test('what verify cannot work with it says in one sentence', async () => {
  writeFileSync(join(folder, 'empty.json'), '{}');
  const cases: readonly (readonly [RegExp, number, readonly string[]])[] = [
    [/needs the address of a vault first/u, 2, []],
    [/needs --rpc/u, 2, [terms.vault]],
    [/is not an EVM address/u, 1, ['0x12', '--rpc', world.url]],
    [
      /is no certificate of a vault: it has no configuration/u,
      1,
      [terms.vault, '--rpc', world.url, '--certificate', 'empty.json'],
    ],
    [
      /is no certificate of a vault: it cannot be read/u,
      1,
      [terms.vault, '--rpc', world.url, '--certificate', 'none.json'],
    ],
    [/--from needs the number/u, 2, [terms.vault, '--rpc', world.url, '--from', 'x']],
    [/--block-hash needs/u, 2, [terms.vault, '--rpc', world.url, '--block-hash', 'x']],
  ];
  for (const [message, code, words] of cases) {
    const said = await run('vault', 'verify', ...words);
    assert.match(said.err, message);
    assert.equal(said.code, code, said.err);
  }
});
