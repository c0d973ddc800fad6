import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Address, parseChainId } from '@bulkhead/domain';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { wordOfByte } from './testing/example.ts';
import type { StructCodec } from './codec.ts';
import { initialPolicyCodec } from './initial-policy.ts';
import {
  agreementData,
  agreementDigest,
  assertVaultTerms,
  callData,
  cloneCode,
  configHash,
  type ContractLog,
  type FactoryCall,
  factoryCalls,
  forwarderAddress,
  heartbeatDomain,
  heartbeatForm,
  type Hex,
  hexOf,
  parseFactoryCall,
  parseFactoryEvent,
  parseInitialPolicy,
  parseSignerSetCall,
  parseSignerSetEvent,
  parseVaultCall,
  parseVaultConfig,
  parseVaultEvent,
  policyHash,
  receiptData,
  receiptDigest,
  setChangeDomain,
  setChangeForm,
  signerSetCalls,
  type TypedData,
  typedData,
  typedDigest,
  type TypedDomain,
  vaultAddress,
  type VaultCall,
  vaultCalls,
  vaultDomain,
  vaultForms,
} from './index.ts';
import { factoryEvents, signerSetEvents, vaultEvents } from './vault-event.ts';
import { vaultConfigCodec } from './vault-config.ts';

type Contract = 'vault' | 'factory' | 'signer-set';
type Vectors = {
  readonly terms: { readonly config: unknown; readonly policy: unknown };
  readonly encodedConfig: Hex;
  readonly configHash: Hex;
  readonly encodedPolicy: Hex;
  readonly policyHash: Hex;
  readonly system: {
    readonly factory: Address;
    readonly vaultImplementation: Address;
    readonly forwarderImplementation: Address;
  };
  readonly vault: Address;
  readonly salt: Hex;
  readonly forwarder: Address;
  readonly cloneCode: Hex;
  readonly messages: readonly { readonly kind: string; readonly typed: TypedData; readonly digest: Hex }[];
  readonly calls: readonly { readonly contract: Contract; readonly call: string; readonly data: Hex }[];
  readonly events: readonly ({ readonly contract: Contract; readonly event: string } & ContractLog)[];
  readonly refused: readonly { readonly why: string; readonly data: Hex }[];
};

const vectors: Vectors = JSON.parse(readFileSync(new URL('../../../spec/vectors/vault.json', import.meta.url), 'utf8'));
const hashes = { keccak256: keccak_256 };
const chain = parseChainId('eip155:31337');
const terms = { config: parseVaultConfig(vectors.terms.config), policy: parseInitialPolicy(vectors.terms.policy) };
const { vault, system, salt } = vectors;

test('terms have the bytes, hashes and addresses of the vectors', () => {
  assertVaultTerms(hashes, terms, 'production');
  assert.equal(hexOf(vaultConfigCodec.encode(terms.config)), vectors.encodedConfig);
  assert.equal(configHash(hashes, terms.config), vectors.configHash);
  // A struct that has no fixed length stands behind the word that says where it begins.
  assert.equal(
    `0x${'20'.padStart(64, '0')}${hexOf(initialPolicyCodec.encode(terms.policy)).slice(2)}`,
    vectors.encodedPolicy,
  );
  assert.equal(policyHash(hashes, terms.policy), vectors.policyHash);
  assert.equal(vaultAddress(hashes, system, terms.config), vault);
  assert.equal(forwarderAddress(hashes, system, { vault, salt }), vectors.forwarder);
  assert.equal(hexOf(cloneCode(system.vaultImplementation)), vectors.cloneCode);
});

test('each message has the typed data and the digest that another implementation gives it', () => {
  const seen = new Set<string>();
  const assertMessage = <T>(kind: string, domain: TypedDomain, form: StructCodec<T>, message: T): void => {
    const vector = vectors.messages.find((each) => each.kind === kind);
    assert.ok(vector !== undefined);
    assert.deepEqual(typedData(domain, { form, message }), vector.typed);
    assert.equal(hexOf(typedDigest(hashes, domain, { form, message })), vector.digest);
    seen.add(kind);
  };
  const forms: Partial<Record<VaultCall['call'], keyof typeof vaultForms>> = {
    pay: 'withdrawal',
    payBatch: 'withdrawalBatch',
    payOnce: 'oneOff',
    collectFee: 'fee',
    invalidate: 'invalidation',
    addDestination: 'destinationAddition',
    removeDestination: 'destinationRemoval',
    queueLimitRaise: 'limitRaise',
    lowerLimit: 'limitLowering',
    queueExitDestination: 'exitDestinationChange',
    queueKeyRotation: 'keyRotation',
    veto: 'veto',
    pause: 'pause',
    requestExit: 'exitRequest',
    cancelExit: 'exitCancellation',
  };
  for (const { contract, data } of vectors.calls) {
    if (contract === 'factory') continue;
    if (contract === 'signer-set') {
      const call = parseSignerSetCall(hashes, data);
      const set = terms.config.signerSet;
      if (call.call === 'changeSet') {
        assertMessage('setChange', setChangeDomain(set), setChangeForm, call.arguments.change);
      } else assertMessage('heartbeat', heartbeatDomain(chain, set), heartbeatForm, call.arguments.beat);
      continue;
    }
    const call = parseVaultCall(hashes, data);
    const kind = forms[call.call];
    if (kind === undefined || !('message' in call.arguments)) continue;
    const form: StructCodec<unknown> = vaultForms[kind];
    assertMessage(kind, vaultDomain(chain, vault), form, call.arguments.message);
  }
  const [agreement, receipt] = ['agreement', 'receipt'].map((kind) =>
    vectors.messages.find((each) => each.kind === kind),
  );
  assert.deepEqual(agreementData(vault, terms), agreement?.typed);
  assert.equal(hexOf(agreementDigest(hashes, vault, terms)), agreement?.digest);
  assert.deepEqual(receiptData(vault, wordOfByte(0x0c)), receipt?.typed);
  assert.equal(hexOf(receiptDigest(hashes, vault, wordOfByte(0x0c))), receipt?.digest);
  assert.deepEqual([...seen, 'agreement', 'receipt'].toSorted(), vectors.messages.map(({ kind }) => kind).toSorted());
  assert.equal(new Set(vectors.messages.map(({ digest }) => digest)).size, vectors.messages.length);
});

test('each call is read, and written again as it was', () => {
  const written = (contract: Contract, data: Hex): Hex => {
    const parsed: VaultCall | FactoryCall | ReturnType<typeof parseSignerSetCall> =
      contract === 'vault'
        ? parseVaultCall(hashes, data)
        : contract === 'factory'
          ? parseFactoryCall(hashes, data)
          : parseSignerSetCall(hashes, data);
    const form: StructCodec<unknown> = { ...vaultCalls, ...factoryCalls, ...signerSetCalls }[parsed.call].form;
    return callData(hashes, { name: parsed.call, form }, parsed.arguments);
  };
  for (const { contract, data } of vectors.calls) assert.equal(written(contract, data), data);
  const known = [...Object.keys(vaultCalls), ...Object.keys(factoryCalls), ...Object.keys(signerSetCalls)];
  assert.deepEqual(vectors.calls.map(({ call }) => call).toSorted(), known.toSorted());
  for (const { why, data } of vectors.refused) {
    assert.throws(() => parseVaultCall(hashes, data), { code: 'vault/malformed' }, why);
  }
});

test('each event is read, of its own contract alone', () => {
  for (const { contract, event, topics, data } of vectors.events) {
    const readings = {
      vault: parseVaultEvent(hashes, { topics, data }),
      factory: parseFactoryEvent(hashes, { topics, data }),
      'signer-set': parseSignerSetEvent(hashes, { topics, data }),
    };
    const known = Object.entries(readings).flatMap(([name, reading]) =>
      reading === undefined ? [] : [[name, reading.event]],
    );
    assert.deepEqual(known, [[contract, event]]);
    const read = { topics: topics.slice(0, -1), data };
    if (topics.length > 1) {
      assert.throws(
        () => parseVaultEvent(hashes, read) ?? parseFactoryEvent(hashes, read) ?? parseSignerSetEvent(hashes, read),
        { code: 'vault/malformed' },
      );
    }
  }
  const known = [...Object.keys(vaultEvents), ...Object.keys(factoryEvents), ...Object.keys(signerSetEvents)];
  assert.deepEqual(vectors.events.map(({ event }) => event).toSorted(), known.toSorted());
  const queued = vectors.events.find(({ event }) => event === 'KeyRotationQueued');
  assert.ok(queued !== undefined);
  assert.deepEqual(parseVaultEvent(hashes, queued), {
    event: 'KeyRotationQueued',
    change: wordOfByte(0xcc),
    side: 'quorum',
    role: 'exit',
    newKey: wordOfByte(0xa7),
    readyAt: 1_700_000_000n,
  });
});
