import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDevelopmentNode } from '@bulkhead/chain-evm/testing';
import { verifyEd25519 } from '@bulkhead/log';
import { openCheckpoint } from '@bulkhead/tlog';
import { developmentTokens } from '../src/development-secrets.ts';
import { openLog } from '../src/log.ts';
import { startServer } from '../src/wire.ts';
import {
  admit,
  chain,
  coin,
  Desk,
  enrol,
  ether,
  firstOf,
  logKeyOf,
  openHouse,
  peopleDirectory,
  textOf,
  until,
} from './house.ts';

const outside = '0x1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d';

test('without its signer a server starts with a warning: deposits are credited, withdrawals are taken and wait', async () => {
  await using house = await openHouse({ policy: { releaseUnscreenedDeposits: true } });
  const client = await admit(house.desk, 'C-alone');
  const { server, configuration } = house;
  const { deployment, identities } = server.reached.pinned;
  await enrol(house.desk, client);
  // While the signer is there, it vouches for the log.
  const log = await logKeyOf(server);
  await until('a checkpoint of the audit log', async () => (await fetch(`${server.url}/v1/log/checkpoint`)).ok);
  const note = await (await fetch(`${server.url}/v1/log/checkpoint`)).text();
  assert.ok(openCheckpoint(note, { log, verify: verifyEd25519 }).size > 0);
  await server.stop();
  const endpoint = `unix:${join(configuration.dataDirectory, 'nobody.sock')}`;
  const said: string[] = [];
  await using alone = await startServer(
    {
      ...configuration,
      signer: { kind: 'external', endpoint, tls: undefined, deployment, identities, vaultSigners: [] },
    },
    { log: openLog('error'), onPart: ({ what }) => said.push(what) },
  );
  assert.match(said.join('\n'), /WARNING: the signer does not answer/u);
  const tokens = new Map(developmentTokens(configuration).map(({ name, token }) => [name, token]));
  const desk = new Desk(alone.url, tokens, peopleDirectory(configuration.dataDirectory));
  const node = openDevelopmentNode(alone.chains.get(chain)?.embeddedUrl ?? '');
  await node.send({ from: house.stranger, to: client.address, value: 2n * coin });
  await until('the deposit to be released', async () => {
    await node.mine(1);
    return (await desk.get(`/v1/deposits?clientId=${client.id}`)).items.some(({ state }) => state === 'released');
  });
  // An address of a compartment whose key was certified before needs nobody.
  await desk.post(`/v1/clients/${client.id}/wallets`, { chain }, 'operator');
  const body = { clientId: client.id, asset: ether, amount: String(coin), destination: outside };
  const { id } = await desk.post('/v1/withdrawals', body, 'operator');
  const approval = await desk.signature('operator', await textOf(desk, id));
  const unheard = await desk.ask('POST', `/v1/withdrawals/${id}/signature`, {
    person: 'operator',
    body: { approval },
    key: randomUUID(),
  });
  assert.deepEqual([unheard.status, unheard.body.code], [503, 'signer/unavailable']);
  assert.equal(unheard.headers.get('retry-after'), '1');
  const { items } = await desk.get(`/v1/clients/${client.id}/balances`);
  assert.equal(firstOf(items).held.startsWith('1'), true, 'what was asked for is held');
  const ready = await fetch(`${alone.url}/readyz`);
  const readiness: { readonly ready: boolean; readonly reasons: readonly string[] } = JSON.parse(await ready.text());
  assert.deepEqual([ready.status, readiness.ready], [200, true]);
  assert.match(readiness.reasons.join(' '), /^Withdrawals wait: /u);
  assert.match(readiness.reasons.join(' '), /The audit log has no new checkpoint: /u);
  // What happened is in the log all the same; only nobody vouches for it yet.
  const metrics = await (await fetch(`${alone.url}/metrics`)).text();
  const [leaves = 0, signed = 0] = ['leaves', 'signed'].map((name) =>
    Number(new RegExp(`^bulkhead_log_${name} (\\d+)$`, 'mu').exec(metrics)?.[1] ?? Number.NaN),
  );
  assert.ok(signed < leaves, `${leaves} leaves, ${signed} of them signed`);
  assert.match(metrics, /^bulkhead_signer_reachable 0$/mu);
  const signer: Readonly<Record<string, unknown>> = { ...(await desk.get('/v1/signer')) };
  assert.deepEqual([signer['reachable'], signer['deployment']], [false, deployment]);
});
