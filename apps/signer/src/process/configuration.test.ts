import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfiguration, coreLimitsOf, listenLimitsOf, type SignerConfigurationFile } from './configuration.ts';

const file: SignerConfigurationFile = {
  format: 'bulkhead-signer-configuration-v1',
  development: true,
  state: '/state',
  socket: { path: '/run/signer.sock' },
  tree: { driver: 'software', file: '/keys', passphraseFile: '/passphrase' },
  identities: [{ driver: 'software' }],
};

test('limits go to the core or to the listener, and those that are not told to neither', () => {
  const none = checkConfiguration(file);
  assert.deepEqual([coreLimitsOf(none), listenLimitsOf(none)], [{}, {}]);
  const core = { headsRequired: 1, unattendedPerMinuteMax: 1_200, certificatesPerMinuteMax: 3_000 };
  const all = checkConfiguration({ ...file, limits: { ...core, idleMsMax: 1_000 } });
  assert.deepEqual([coreLimitsOf(all), listenLimitsOf(all)], [core, { idleMsMax: 1_000 }]);
});

test('no configuration lets more than a highest number pass without approval', () => {
  for (const name of ['unattendedPerMinuteMax', 'certificatesPerMinuteMax']) {
    assert.throws(() => checkConfiguration({ ...file, limits: { [name]: 12_001 } }), {
      code: 'config/invalid',
      message: new RegExp(name, 'u'),
    });
  }
});
