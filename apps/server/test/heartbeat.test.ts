import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nobleHashes } from '@bulkhead/authority';
import { answerOf, callData, signerSetQuestions } from '@bulkhead/vaults';
import { signHeartbeat } from '../src/heartbeat.ts';
import { parseAddress } from '@bulkhead/domain';
import { enqueue } from '@bulkhead/custody';
import { formatVerifierKey } from '@bulkhead/tlog';
import { chain, coin, firstOf, type House, logKeyOf, openHouse, type Seen, until } from './house.ts';
import { ownEnvironment } from './process.ts';

const program = fileURLToPath(new URL('../../cli/bin/bulkhead.ts', import.meta.url));
type Heart = { readonly lastAt: string; readonly dueAt: string };

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
    ...ownEnvironment,
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

test('the server has one made when it is time, relays it from the gas wallet of the house, and shows it', async () => {
  await using house = await openHouse({ vaultSigners: 2, vaults: { heartbeatHours: 1 } });
  const { desk, node, server, stranger } = house;
  const gas = await desk.post('/v1/compartments/1/wallets', { chain, purpose: 'gas' }, 'admin');
  await node.send({ from: stranger, to: parseAddress(gas.address), value: coin });
  const before = await lastBlock(house);
  const shown = async (): Promise<Heart> => {
    const view: { readonly quorums: readonly { readonly heartbeat: Heart }[] } = JSON.parse(
      JSON.stringify(await desk.get('/v1/signer')),
    );
    return firstOf(view.quorums).heartbeat;
  };
  const due = await until('the first look', shown);
  assert.equal(Date.parse(due.dueAt) - Date.parse(due.lastAt), 3_600_000);
  assert.deepEqual((await desk.get('/v1/heartbeats')).items, []);
  await node.call('evm_increaseTime', 3_600);
  await node.mine(3);
  const carried = await until('the heartbeat to be carried', async () => {
    await node.mine(1);
    await enqueue(server.custody.db, { task: 'keep-heartbeat', id: chain });
    const [one] = (await desk.get(`/v1/heartbeats?chain=${chain}`)).items;
    return one?.state === 'carried' && one;
  });
  assert.ok((await lastBlock(house)) > before, 'the contract has taken it');
  const list = await desk.get('/v1/dispatches');
  const relay = list.items.find(({ id }) => id === carried.dispatchId);
  assert.ok(relay !== undefined, 'the house has carried it');
  assert.ok((await shown()).lastAt > due.lastAt);
  const scraped = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(scraped, /^bulkhead_heartbeat_missed\{chain="eip155:31337"\} 0$/mu);
  assert.match(scraped, /^bulkhead_heartbeat_age_seconds\{chain="eip155:31337"\} \d+$/mu);
  await node.mine(3);
  await anchored(house, carried.anchor);
});

/** What the chain has of the audit log since the heartbeat: a log that goes on otherwise is found, by whoever asks the chain. */
async function anchored(house: House, anchor: Seen['anchor']): Promise<void> {
  const { server, database } = house;
  assert.ok(anchor !== null && anchor.leaves > 0, 'it stated a checkpoint');
  const folder = dirname(house.configuration.dataDirectory);
  writeFileSync(join(folder, 'bulkhead.config.json'), JSON.stringify({ chains: [{ id: chain, development: true }] }));
  const signerSet = server.reached.vaultSystems.get(chain)?.signerSet ?? '';
  const words = ['audit', 'verify', '--rpc', server.chains.get(chain)?.embeddedUrl ?? '', '--signer-set', signerSet];
  const sound = await typed(house, ...words);
  assert.equal(sound.code, 0, sound.said);
  assert.match(
    sound.said,
    new RegExp(`all of 1 anchors on the chain are of it, and cover ${anchor.leaves} leaves`, 'u'),
  );
  // Somebody with all rights throws away what was signed, and the first leaf: the chain has 32 bytes that nobody takes back.
  await database.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(`delete from log.checkpoint; delete from custody.heartbeat`);
    await tx.query(`update log.leaf set entry = set_byte(entry, 40, 1), hash = sha256('') where index = 0`);
  });
  const key = formatVerifierKey(await logKeyOf(server));
  const forked = await typed(house, ...words, '--key', key);
  assert.equal(forked.code, 1, forked.said);
  assert.match(
    forked.said,
    /^leaf 0: The checkpoint that was anchored in block \d+ \(transaction 0x[0-9a-f]{64}\) is none of this log/mu,
  );
}

test('a chain without vaults has no heartbeat', async () => {
  await using house = await openHouse();
  await assert.rejects(signHeartbeat(house.server.custody, chain), { code: 'config/invalid' });
});
