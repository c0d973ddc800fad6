import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { encodeAbiParameters, encodePacked, hashTypedData, keccak256 } from 'viem';
import { addressOf, exampleTerms, wordOfByte } from './testing/example.ts';
import { decodeWhole } from './codec.ts';
import { initialPolicyText, parseInitialPolicy, policyHash } from './initial-policy.ts';
import { agreementData, agreementDigest, receiptData, receiptDigest } from './vault-agreement.ts';
import {
  assertVaultConfig,
  assertVaultTerms,
  configHash,
  parseVaultConfig,
  type VaultConfig,
  vaultConfigCodec,
  vaultConfigText,
} from './vault-config.ts';
import { bytesOf, hexOf } from './word.ts';

const hashes = { keccak256: keccak_256 };
const { config, policy } = exampleTerms(hashes);

test('hashes of configuration and policy are those of abi.encode, by another implementation', () => {
  const limit = {
    type: 'tuple[]',
    components: [
      { type: 'address', name: 'token' },
      { type: 'uint104', name: 'cap' },
    ],
  };
  const components = [
    { type: 'address[]', name: 'destinations' },
    { ...limit, name: 'limits' },
    { ...limit, name: 'unlisted' },
  ];
  assert.equal(policyHash(hashes, policy), keccak256(encodeAbiParameters([{ type: 'tuple', components }], [policy])));
  const numbers = [
    config.windowSeconds,
    config.changeDelay,
    config.recoveryDelay,
    config.exitDelay,
    config.exitChangeDelay,
    config.heartbeatPeriod,
    config.pauseSeconds,
  ].map(Number);
  const terms = encodePacked(
    ['bytes1', 'uint8', 'uint16', 'uint32', 'uint32', 'uint32', 'uint32', 'uint32', 'uint32', 'uint32'],
    ['0x00', 1, 50, ...numbers] as never,
  );
  const parts: [string, unknown][] = [
    ['bytes32', config.clientId],
    ['address', config.signerSet],
    ['address', config.feeReceiver],
    ['address', config.exitDestination],
    ['bytes32', config.clientKey],
    ['bytes32', config.exitKey],
    ['bytes32', config.policyHash],
    ['bytes32', terms],
  ];
  const encoded = encodeAbiParameters(
    parts.map(([type]) => ({ type })),
    parts.map(([, value]) => value),
  );
  assert.equal(encoded.length, 2 + 8 * 64);
  assert.equal(configHash(hashes, config), keccak256(encoded));
  assert.deepEqual(decodeWhole(vaultConfigCodec, bytesOf(encoded)), config);
});

test('what a client signs has the digest that another implementation gives it', () => {
  const vault = addressOf(0x77);
  const agreement = agreementData(vault, { config, policy });
  assert.equal(hexOf(agreementDigest(hashes, vault, { config, policy })), hashTypedData(agreement));
  const receipt = receiptData(vault, wordOfByte(0x0c));
  assert.equal(hexOf(receiptDigest(hashes, vault, wordOfByte(0x0c))), hashTypedData(receipt));
});

test('terms are read back from their text', () => {
  assert.deepEqual(parseVaultConfig(JSON.parse(JSON.stringify(vaultConfigText(config)))), config);
  assert.deepEqual(parseInitialPolicy(JSON.parse(JSON.stringify(initialPolicyText(policy)))), policy);
  const text = vaultConfigText(config);
  const wrong: [object, RegExp][] = [
    [{ ...text, kind: 'pool' }, /"pool" is no kind/u],
    [{ ...text, clientId: `0x${'A'.repeat(64)}` }, /"clientId" is not 0x/u],
    [{ ...text, owner: '1' }, /"owner" does not belong/u],
    [{ ...text, exitDelay: 1 }, /"exitDelay" is missing or no text/u],
    [[text], /is no object/u],
  ];
  for (const [value, message] of wrong) {
    assert.throws(() => parseVaultConfig(value), { code: 'vault/configuration', message });
  }
  assert.throws(() => parseVaultConfig({ ...text, exitDelay: String(2n ** 32n) }), { code: 'vault/malformed' });
  assert.throws(() => parseVaultConfig({ ...text, exitDelay: '007' }), { code: 'amount/malformed' });
  assert.throws(() => parseInitialPolicy({ destinations: [], limits: [] }), { code: 'vault/configuration' });
  assert.throws(() => parseInitialPolicy({ destinations: [1], limits: [], unlisted: [] }), { message: /is no text/u });
});

test('each rule of the factory is kept', () => {
  assertVaultConfig(config, 'contract');
  const broken: [Partial<VaultConfig>, RegExp][] = [
    [{ clientId: wordOfByte(0) }, /clientId is zero/u],
    [{ clientKey: wordOfByte(0) }, /clientKey is zero/u],
    [{ exitKey: wordOfByte(0) }, /exitKey is zero/u],
    [{ policyHash: wordOfByte(0) }, /policyHash is zero/u],
    [{ signerSet: addressOf(0) }, /signerSet is zero/u],
    [{ feeReceiver: addressOf(0) }, /feeReceiver is zero/u],
    [{ exitDestination: addressOf(0) }, /exitDestination is zero/u],
    [{ windowSeconds: 0n }, /windowSeconds is zero/u],
    [{ changeDelay: 0n }, /changeDelay is zero/u],
    [{ exitDelay: 0n }, /exitDelay is zero/u],
    [{ heartbeatPeriod: 0n }, /heartbeatPeriod is zero/u],
    [{ pauseSeconds: 0n }, /pauseSeconds is zero/u],
    [{ exitKey: config.clientKey }, /clientKey and exitKey are the same/u],
    [{ exitDestination: config.feeReceiver }, /exitDestination and feeReceiver are the same/u],
    [{ feeBpsYear: 1_001n }, /feeBpsYear is 1001, at most 1000/u],
    [{ recoveryDelay: config.changeDelay }, /recoveryDelay is not longer/u],
    [{ exitChangeDelay: config.exitDelay }, /exitChangeDelay is not longer/u],
    [{ pauseSeconds: config.exitDelay + 1n }, /pauseSeconds is longer/u],
  ];
  for (const [change, message] of broken) {
    assert.throws(() => assertVaultConfig({ ...config, ...change }, 'contract'), {
      code: 'vault/configuration',
      message,
    });
  }
  assertVaultConfig({ ...config, feeBpsYear: 0n, pauseSeconds: config.exitDelay }, 'contract');
  assert.throws(() => assertVaultConfig({ ...config, exitDelay: 2n ** 32n }, 'contract'), { code: 'vault/malformed' });
});

test('production asks for days, and for no more than a year', () => {
  assertVaultConfig(config, 'production');
  const quick = { ...config, changeDelay: 86_399n };
  assertVaultConfig(quick, 'contract');
  assert.throws(() => assertVaultConfig(quick, 'production'), { message: /changeDelay is 86399 seconds/u });
  const slow = { ...config, heartbeatPeriod: 367n * 86_400n };
  assertVaultConfig(slow, 'contract');
  assert.throws(() => assertVaultConfig(slow, 'production'), { message: /heartbeatPeriod is .* at most/u });
});

test('an initial policy has one form, and is the one that the configuration names', () => {
  const [first, second] = policy.destinations;
  assert.ok(first !== undefined && second !== undefined);
  const broken: [typeof policy, RegExp][] = [
    [{ ...policy, destinations: [second, first] }, /destinations do not ascend/u],
    [{ ...policy, destinations: [first, first] }, /destinations do not ascend/u],
    [{ ...policy, destinations: [addressOf(0)] }, /zero address is a destination/u],
    [{ ...policy, destinations: [config.feeReceiver] }, /receiver of the fee is a destination/u],
    [{ ...policy, limits: policy.limits.toReversed() }, /limits do not ascend/u],
    [{ ...policy, unlisted: policy.limits }, /only an omnibus/u],
    [{ ...policy, destinations: [first] }, /its policyHash is/u],
    [{ ...policy, destinations: Array.from({ length: 65 }, (_, index) => addressOf(index)) }, /65 destinations/u],
  ];
  for (const [changed, message] of broken) {
    assert.throws(() => assertVaultTerms(hashes, { config, policy: changed }, 'contract'), {
      code: 'vault/configuration',
      message,
    });
  }
  assertVaultTerms(hashes, { config, policy }, 'production');
  const omnibus = { ...policy, unlisted: policy.limits };
  const terms = {
    config: { ...config, kind: 'omnibus' as const, policyHash: policyHash(hashes, omnibus) },
    policy: omnibus,
  };
  assertVaultTerms(hashes, terms, 'production');
});
