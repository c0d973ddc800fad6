import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { houseGas } from '@bulkhead/domain';
import { SignerClient, verifyAccount, verifyRecord } from '@bulkhead/signer-client';
import { beneficiary, deployment, gasGrant, prepareStage } from './process-stage.ts';

test('a started signer answers, signs, refuses and ends', async () => {
  await using stage = await prepareStage();
  const running = await stage.start();
  await using client = new SignerClient({ endpoint: running.endpoint });
  const status = await client.status();
  assert.equal(status.deployment, deployment);
  assert.equal(status.slots.at(-1)?.name, 'process');
  const account = await client.account(beneficiary);
  verifyAccount(account, { identities: status.identities, deployment });

  const request = gasGrant(account.xpub, 1);
  const granted = await client.sign(request);
  verifyRecord(granted.record, status.identities);
  assert.deepEqual((await client.sign(request)).signature, granted.signature);
  await assert.rejects(client.sign(gasGrant(account.xpub, 1, 9)), { code: 'signer/intent-spent' });
  const records = await client.records(0n, 100);
  for (const record of records) verifyRecord(record, status.identities);

  await running.stop();
  assert.deepEqual(await running.exited, { code: 0, signal: null });
  await assert.rejects(client.status(), { code: 'signer/unavailable' });
  const again = await stage.start();
  await using later = new SignerClient({ endpoint: again.endpoint });
  assert.deepEqual((await later.sign(request)).signature, granted.signature);
  assert.equal((await later.account(houseGas)).residency, 'software');
  const log = readFileSync(running.logFile, 'utf8').trim().split('\n');
  for (const line of log) assert.equal(typeof JSON.parse(line), 'object');
});

test('how much nobody needs to approve in a minute is said by the configuration', async () => {
  await using stage = await prepareStage();
  await assert.rejects(stage.start({ limits: { unattendedPerMinuteMax: 12_001 } }), {
    code: 'config/invalid',
    message: /limits\.unattendedPerMinuteMax/u,
  });
  const running = await stage.start({ limits: { unattendedPerMinuteMax: 1, certificatesPerMinuteMax: 1 } });
  await using client = new SignerClient({ endpoint: running.endpoint });
  const { xpub } = await client.account(beneficiary);
  // Three, because a new minute may begin among them.
  const answers = await Promise.allSettled([1, 2, 3].map(async (number) => client.sign(gasGrant(xpub, number))));
  const refused = answers.find(({ status }) => status === 'rejected');
  await assert.rejects(Promise.reject(refused?.status === 'rejected' ? refused.reason : undefined), {
    code: 'signer/velocity-exceeded',
    details: { limit: 'unattended', perMinuteMax: 1, compartment: houseGas },
  });
});

test('what cannot start says why, with every mistake of its configuration at once', async () => {
  await using stage = await prepareStage();
  await assert.rejects(stage.start({ state: 'relative', identities: [] }), {
    code: 'config/invalid',
    message: /state: .*identities: /u,
  });
  await assert.rejects(stage.start({ tree: { driver: 'luna-bip32', token: 'absent', seedLabel: 'seed' } }), {
    code: 'config/invalid',
    message: /identities: .*there is none with the name "absent"/u,
  });
  await assert.rejects(stage.start({ development: false }), { code: 'config/invalid', message: /for development/u });
  await assert.rejects(stage.start({ state: `${stage.directory}/empty` }), { code: 'signer/not-ready' });
  const one = await stage.start();
  const other = { socket: { path: `${stage.directory}/run2/signer.sock` } };
  await assert.rejects(stage.start(other), { code: 'signer/other-signer-active' });
  await one.stop();
});
