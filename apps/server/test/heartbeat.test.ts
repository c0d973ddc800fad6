import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nobleHashes } from '@bulkhead/authority';
import { answerOf, callData, signerSetQuestions } from '@bulkhead/vaults';
import { signHeartbeat } from '../src/heartbeat.ts';
import { chain, type House, openHouse } from './house.ts';

const program = fileURLToPath(new URL('../../cli/bin/bulkhead.ts', import.meta.url));
/** The first account of every node for development: everybody knows its key. */
const openAccount = 'ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80';

async function lastBlock({ node, server }: House): Promise<bigint> {
  const signerSet = server.reached.vaultSystems.get(chain)?.signerSet;
  const question = signerSetQuestions.lastHeartbeatBlock;
  const call = { to: signerSet, data: callData(nobleHashes, question, {}) };
  return answerOf(question, `0x${String(await node.call('eth_call', call, 'latest')).slice(2)}`);
}

async function typed(
  house: House,
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly said: string }> {
  const { urls } = house.database;
  const env = {
    PATH: process.env['PATH'] ?? '',
    DATABASE_URL: urls.app,
    DATABASE_OWNER_URL: urls.owner,
    BULKHEAD_LOG_LEVEL: 'silent',
  };
  const cwd = dirname(house.configuration.dataDirectory);
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...words], { cwd, env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), said: out + err });
    });
  });
}

test('a heartbeat is signed by a quorum for a final block, carried by a command beside the server, and once an hour', async () => {
  await using house = await openHouse({ vaultSigners: 2 });
  const folder = dirname(house.configuration.dataDirectory);
  const chains = [{ id: chain, development: true, pollMs: 50 }];
  writeFileSync(join(folder, 'bulkhead.config.json'), JSON.stringify({ chains, vaultSigners: 2 }));
  writeFileSync(join(folder, 'relayer'), openAccount, { mode: 0o600 });
  const before = await lastBlock(house);
  await house.node.mine(3);
  const carried = await typed(house, 'vault', 'heartbeat', '--chain', chain, '--relayer', join(folder, 'relayer'));
  assert.equal(carried.code, 0, carried.said);
  assert.match(carried.said, /^Signed by a quorum for block \d+ /mu);
  assert.match(carried.said, /^The signer set 0x\S+ has it, in transaction 0x/mu);
  assert.ok((await lastBlock(house)) > before, 'the contract has taken it');
  await house.node.mine(3);
  await assert.rejects(signHeartbeat(house.server.custody, chain), { code: 'signer/velocity-exceeded' });
  const again = await typed(house, 'vault', 'heartbeat', '--chain', chain);
  assert.equal(again.code, 3, again.said);
  assert.match(again.said, /0 of 3 signers have agreed, and 2 must/u);
});

test('a chain without vaults has no heartbeat', async () => {
  await using house = await openHouse();
  await assert.rejects(signHeartbeat(house.server.custody, chain), { code: 'config/invalid' });
});
