import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { nobleHashes } from '@bulkhead/authority';
import { openEvmChain } from '@bulkhead/chain-evm';
import { type Address, CustodyError, houseGas, type VaultIntent } from '@bulkhead/domain';
import { answerOf, callData, nativeToken, signerSetQuestions } from '@bulkhead/vaults';
import { verifyRecord } from '@bulkhead/signer-client';
import { checkConfiguration, type Configuration } from '../src/config.ts';
import { beginAnew } from '../src/folder.ts';
import { startNodes } from '../src/chains.ts';
import type { Tell } from '../src/part.ts';
import type { ReachedSigners } from '../src/reached-signer.ts';
import { reachSigners } from '../src/signer.ts';
import { chain, openHouse, until } from './house.ts';
import { changesOfCustodian, changesSigners, recoversKey, settleIn, sweepsByDelegate } from './vault-town.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-house-'));
const data = join(folder, '.bulkhead');
const note = join(data, 'signer', 'development.json');
after(() => rmSync(folder, { recursive: true, force: true }));

function configured(vaultSigners: number): Configuration {
  const content = { chains: [{ id: chain, development: true }], vaultSigners };
  const { configuration } = checkConfiguration({ folder, environment: {}, content });
  assert.ok(configuration !== undefined);
  return configuration;
}

type Running = AsyncDisposable & {
  readonly reached: ReachedSigners;
  readonly said: readonly string[];
  /** Of the embedded node. */
  readonly url: string;
};

async function started(vaultSigners = 2): Promise<Running> {
  await using parts = new AsyncDisposableStack();
  const said: string[] = [];
  const configuration = configured(vaultSigners);
  const tell: Tell = ({ what }) => said.push(what);
  const nodes = await startNodes(configuration, { parts, tell });
  const reached = await reachSigners(configuration, { parts, nodes, tell });
  const owned = parts.move();
  return { reached, said, url: nodes.get(chain) ?? '', [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** A heartbeat needs nobody's approval, and shows which key of the set a signer has. */
function heartbeat({ reached }: Running, signerSet: Address): VaultIntent {
  const { deployment } = reached.pinned;
  const hash = (byte: string): string => byte.repeat(32);
  const block = { blockNumber: 1n, blockHash: hash('0b'), statement: hash('0c') };
  return { deployment, kind: 'signer-set-heartbeat', id: 'vhb_1', chain, signerSet, ...block };
}

test('the contracts of vaults stand on the embedded chain, all signers know them, and each has a member key of the set', async () => {
  await using running = await started();
  const system = running.reached.vaultSystems.get(chain);
  assert.ok(system !== undefined);
  assert.deepEqual([system.members.length, system.threshold], [3, 2n]);
  const intent = heartbeat(running, system.signerSet);
  const all = [running.reached, ...running.reached.vaultSigners];
  const grants = await Promise.all(all.map(({ signer }) => signer.signVault({ intent, evidence: { approvals: [] } })));
  assert.deepEqual(grants.map(({ member }) => member).toSorted(), system.members);
  const port = await openEvmChain({ chain, sources: [running.url], agreement: { k: 1 }, assets: [] });
  const { latest } = await port.heads();
  for (const name of ['factory', 'vaultImplementation', 'forwarderImplementation', 'signerSet'] as const) {
    assert.equal(`0x${await port.codeHash(system[name], latest)}`, system.codeHashes[name], name);
  }
  const data = callData(nobleHashes, signerSetQuestions.current, {});
  const current = answerOf(signerSetQuestions.current, await port.read(system.signerSet, data, latest));
  assert.deepEqual([current.members, current.threshold], [system.members, 2n]);
});

test('a chain that began anew gets its contracts again, at the same addresses', async () => {
  const stands = async ({ url, reached }: Running): Promise<readonly [Address | undefined, string]> => {
    const port = await openEvmChain({ chain, sources: [url], agreement: { k: 1 }, assets: [] });
    const signerSet = reached.vaultSystems.get(chain)?.signerSet;
    return [signerSet, await port.codeHash(signerSet ?? nativeToken, (await port.heads()).latest)];
  };
  const once = await started();
  const before = await stands(once);
  await once[Symbol.asyncDispose]();
  rmSync(join(data, 'chain-eip155-31337'), { recursive: true });
  await using again = await started();
  assert.deepEqual(await stands(again), before);
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('three signers begin with one list, each with keys, tokens and a log of its own, and end with the server', async () => {
  const running = await started();
  const all = [running.reached, ...running.reached.vaultSigners];
  assert.equal(all.length, 3);
  const status = await Promise.all(all.map(({ signer }) => signer.status()));
  const distinct = (values: readonly unknown[]): number => new Set(values).size;
  assert.deepEqual(
    [status.map(({ deployment }) => deployment), status.map(({ registryHash }) => registryHash)].map(distinct),
    [1, 1],
  );
  const identities = all.flatMap(({ pinned }) => pinned.identities);
  assert.equal(distinct(identities), identities.length);
  assert.deepEqual(
    status.map((one) => one.identities),
    all.map(({ pinned }) => pinned.identities),
  );
  const accounts = await Promise.all(all.map(({ signer }) => signer.account(houseGas)));
  assert.equal(distinct(accounts.map(({ xpub }) => xpub)), 3, 'each has a seed of its own');
  for (const { signer, pinned } of all) {
    const [opened] = await signer.records(0n, 1);
    assert.ok(opened !== undefined);
    verifyRecord(opened, pinned.identities);
  }
  const pids = all.map(({ pid }) => pid?.() ?? 0);
  assert.equal(distinct(pids), 3);
  for (const name of ['signer', 'vault-signer-2', 'vault-signer-3']) {
    assert.ok(existsSync(join(data, name, 'state', 'state.log')) && existsSync(join(data, name, 'signer.log')), name);
    assert.equal(existsSync(join(data, name, 'hsm')), existsSync('/usr/lib/softhsm/libsofthsm2.so'), name);
  }
  assert.equal(running.said.filter((one) => /^(?:Signer|Vault signer [23]), for development: /u.test(one)).length, 3);

  const [, second] = all;
  assert.ok(second?.pid !== undefined);
  const { pid } = second;
  process.kill(pids[1] ?? 0, 'SIGKILL');
  await until('the second signer to run again', async () => pid() !== pids[1] && (await second.signer.status()));
  assert.match(running.said.at(-1) ?? '', /^WARNING: vault signer 2 ended \(SIGKILL\) and is started again$/u);
  const last = all.map((one) => one.pid?.() ?? 0);
  await running[Symbol.asyncDispose]();
  assert.deepEqual(last.map(alive), [false, false, false]);
});

test('the folder stays what it is: found again, of another number, of before there were vaults, and with one gone', async () => {
  const written = readFileSync(note, 'utf8');
  {
    await using again = await started();
    assert.equal(again.reached.vaultSigners.length, 2);
    assert.equal(readFileSync(note, 'utf8'), written);
  }
  {
    await using fewer = await started(0);
    assert.equal(fewer.reached.vaultSigners.length, 2);
    assert.match(fewer.said.join('\n'), /This data folder has 2 vault signers and goes on as it is/u);
  }
  renameSync(join(data, 'vault-signer-3'), join(data, 'elsewhere'));
  await assert.rejects(
    started(),
    (error) =>
      error instanceof CustodyError &&
      error.code === 'platform/damaged-state' &&
      /vault-signer-3 is gone/u.test(error.message),
  );
  renameSync(join(data, 'elsewhere'), join(data, 'vault-signer-3'));
  const old: Record<string, unknown> = JSON.parse(written);
  delete old['vaultSigners'];
  writeFileSync(note, JSON.stringify(old));
  {
    await using before = await started();
    assert.deepEqual(before.reached.vaultSigners, []);
    assert.match(
      before.said.join('\n'),
      /This data folder was made before there were vaults and goes on as it is; --fresh begins anew with 2 vault signers/u,
    );
  }
  writeFileSync(note, written);
});

test('what custodian and client change of a vault and of its signers, with real signers, contracts and node', async () => {
  await using house = await openHouse(
    { chains: [{ id: chain, development: true, pollMs: 50, sweepDelegates: true }], vaultSigners: 2 },
    folder,
  );
  const town = await settleIn(house, data);
  await changesOfCustodian(town);
  await recoversKey(town);
  await sweepsByDelegate(town);
  await changesSigners(town, note);
});

test('a set-up that was interrupted is made again with all its signers, and --fresh takes all of them away', async () => {
  const before: { readonly deployment: string } = JSON.parse(readFileSync(note, 'utf8'));
  rmSync(note);
  writeFileSync(join(data, 'signer', 'unfinished'), '');
  {
    await using again = await started(1);
    assert.notEqual(again.reached.pinned.deployment, before.deployment);
    assert.equal(again.reached.vaultSigners.length, 1);
  }
  await beginAnew(configured(1));
  assert.deepEqual(
    ['signer', 'vault-signer-2', 'people'].map((name) => existsSync(join(data, name))),
    [false, false, false],
  );
});
