import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { SignerClient, verifyAccount, verifyRecord } from '@bulkhead/signer-client';
import { checkConfiguration } from '../src/process/configuration.ts';
import { nodeOptions } from '../src/process/launch.ts';
import { beneficiary, deployment, entropy, gasGrant } from './process-stage.ts';
import { pin, prepareTokenStage } from './process-tokens.ts';

test('hardened and with two tokens it signs, remembers its head in both, and says nothing of its secrets', async (context) => {
  await using stage = await prepareTokenStage();
  const running = await stage.start();
  await using client = new SignerClient({ endpoint: running.endpoint });
  const status = await client.status();
  assert.equal(status.residency, 'hsm-sealed');
  assert.equal(status.identities.length, 2);
  const account = await client.account(beneficiary);
  assert.equal(account.residency, 'hsm-sealed');
  verifyAccount(account, { identities: status.identities, deployment });
  const granted = await client.sign(gasGrant(account.xpub, 0));
  verifyRecord(granted.record, status.identities);

  const began = performance.now();
  const count = 200;
  const requests = Array.from({ length: count }, (_, n) => client.sign(gasGrant(account.xpub, n + 1)));
  for (const { record } of await Promise.all(requests)) verifyRecord(record, status.identities);
  const seconds = (performance.now() - began) / 1_000;
  context.diagnostic(`${Math.round(count / seconds)} grants a second, 2 tokens, hardened, no approvals`);

  const maps = readFileSync(`/proc/${running.pid}/maps`, 'utf8').split('\n');
  assert.deepEqual(
    maps.filter((line) => /^\S+ .wx/u.test(line)),
    [],
  );
  await running.stop();
  assert.deepEqual(await running.exited, { code: 0, signal: null });
  const log = readFileSync(running.logFile, 'utf8');
  const bytes = Buffer.from(entropy);
  for (const secret of [pin, bytes.toString('hex'), bytes.toString('base64'), account.xpub]) {
    assert.ok(!log.includes(secret), 'a secret is in the log');
  }
});

test('a refused PIN ends it in a way that the unit does not answer with another try', async () => {
  await using stage = await prepareTokenStage();
  const { directory, configuration } = stage;
  const [first] = configuration.tokens ?? [];
  const pinFile = first?.pinFile ?? '';
  rmSync(pinFile);
  writeFileSync(pinFile, '00000000', { mode: 0o400 });
  await assert.rejects(stage.start(), { code: 'hsm/pin-refused' });
  const modules = resolve(import.meta.dirname, '../../..');
  const configurationFile = join(directory, 'signer.json');
  const program = join(directory, 'signer.mjs');
  const checked = checkConfiguration(configuration);
  const options = nodeOptions({ configuration: checked, program, configurationFile, modules });
  const ended = spawnSync(
    process.execPath,
    [...options, program, `--configuration=${configurationFile}`, `--modules=${modules}`],
    { env: {}, input: '', encoding: 'utf8', timeout: 20_000 },
  );
  assert.match(ended.stdout, /hsm\/pin-refused/u);
  const unit = readFileSync(join(modules, 'apps/signer/bulkhead-signer.service'), 'utf8');
  assert.equal(/^RestartPreventExitStatus=(\d+)$/mu.exec(unit)?.[1], String(ended.status));
});

test('an older copy of its folder is refused, because the tokens remember more', async () => {
  await using stage = await prepareTokenStage();
  const first = await stage.start();
  await using client = new SignerClient({ endpoint: first.endpoint });
  const { xpub } = await client.account(beneficiary);
  await client.sign(gasGrant(xpub, 1));
  await first.stop();
  const older = join(stage.directory, 'older');
  cpSync(stage.configuration.state, older, { recursive: true });
  const second = await stage.start();
  await using again = new SignerClient({ endpoint: second.endpoint });
  await again.sign(gasGrant(xpub, 2));
  await second.stop();
  renameSync(stage.configuration.state, join(stage.directory, 'newer'));
  renameSync(older, stage.configuration.state);
  const third = await stage.start();
  await using rewound = new SignerClient({ endpoint: third.endpoint });
  await assert.rejects(rewound.sign(gasGrant(xpub, 3)), { code: 'signer/state-rewound' });
  await assert.rejects(rewound.sign(gasGrant(xpub, 1)), { code: 'signer/state-rewound' });
  assert.equal((await rewound.status()).deployment, deployment);
});
