import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  evidenceApprovalsMax,
  type Granted,
  intentBytes,
  type MovementIntent,
  parseAddress,
  parseAssetId,
  parseCompartment,
} from '@bulkhead/domain';
import { z } from 'zod';
import { readGranted, readSignRequest, writeGranted, writeSignRequest } from './wire-sign.ts';
import { signAnswer, signParams } from './wire.ts';

const intent: MovementIntent = {
  deployment: '00112233445566778899aabbccddeeff',
  kind: 'sweep',
  id: 'sw_01985f3c-7a10-7cc3-98c4-dc0c0c07398f',
  compartment: parseCompartment(100_000),
  asset: parseAssetId('eip155:31337/slip44:60'),
  to: parseAddress('0x70997970c51812dc3a010c7d01b50e0d17dc79c8'),
  amount: 10n ** 18n,
  feeMax: 42_000_000_000_000n,
};
const passkey = {
  kind: 'webauthn',
  person: 'anna',
  key: 'k1',
  authenticatorData: 'aa'.repeat(37),
  clientDataJson: '7b7d',
  signature: '3044',
};
const params = {
  intent: Buffer.from(intentBytes(intent)).toString('utf8'),
  evidence: {
    request: { kind: 'ed25519', person: 'berta', key: 'k2', signature: 'ab'.repeat(64) },
    approvals: [passkey, { kind: 'eip712', person: 'carla', key: 'k3', signature: 'cd'.repeat(65) }],
  },
  key: { compartment: 100_000, label: 'treasury' },
  unsigned: '02ff00',
};

/** Values that stand where others belong, the edges of what is allowed among them. */
const odd: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 31 - 1,
  '',
  'a',
  'AB',
  'ab',
  'zz',
  'ab'.repeat(4_096),
  'ab'.repeat(4_097),
  'ab'.repeat(16_385),
  'x'.repeat(1_024),
  'x'.repeat(1_025),
  'webauthn',
  'eip712',
  [],
  {},
  { compartment: 7, index: 0 },
  { compartment: 7, index: 0, label: 'both' },
  { approvals: [] },
  { approvals: [], request: undefined },
  Array.from({ length: evidenceApprovalsMax }, () => passkey),
  Array.from({ length: evidenceApprovalsMax + 1 }, () => passkey),
  `${params.intent} `,
  params.intent.replace('"kind":"sweep"', '"kind":"swoop"'),
];

/** Every value that differs from this one in one place: something odd there, nothing there, or a member too many. */
function* variants(value: unknown): Generator<unknown> {
  yield* odd;
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value;
    for (const [at, entry] of list.entries()) for (const other of variants(entry)) yield list.with(at, other);
    return;
  }
  yield { ...value, extra: 'x' };
  for (const [name, entry] of Object.entries(value)) {
    yield Object.fromEntries(Object.entries(value).filter(([other]) => other !== name));
    for (const other of variants(entry)) yield { ...value, [name]: other };
  }
}

test('a request read by hand is what the schema reads, and nothing that the schema refuses', () => {
  assert.deepEqual(readSignRequest(params), signParams.parse(params));
  let accepted = 0;
  let left = 0;
  for (const variant of variants(params)) {
    const read = readSignRequest(variant);
    if (read === undefined) left += 1;
    else {
      assert.deepEqual(read, signParams.parse(variant));
      accepted += 1;
    }
  }
  assert.ok(accepted > 20 && left > 500, `${accepted} were accepted and ${left} left`);
  // Half a byte here and half a byte there are no whole one.
  const halves = { ...passkey, authenticatorData: 'aaa', signature: '304' };
  assert.equal(readSignRequest({ ...params, evidence: { approvals: [halves] } }), undefined);
});

test('a request written by hand is what the schema writes, and nothing that the schema refuses', () => {
  const request = signParams.parse(params);
  assert.deepEqual(writeSignRequest(request), z.encode(signParams, request));
  assert.deepEqual(writeSignRequest({ ...request, intent }), z.encode(signParams, request));
  let accepted = 0;
  let left = 0;
  for (const evidence of variants(params.evidence)) {
    const odd = { ...request, evidence } as typeof request;
    const written = writeSignRequest(odd);
    if (written === undefined) left += 1;
    else {
      assert.deepEqual(written, z.encode(signParams, odd));
      accepted += 1;
    }
  }
  assert.ok(accepted > 20 && left > 500, `${accepted} were accepted and ${left} left`);
  const wrong: readonly object[] = [
    { extra: '' },
    { intent: { ...intent, amount: 0n } },
    { intent: { ...intent, kind: 'enrolment' } },
    { key: { compartment: -1, label: 'treasury' } },
    { key: { ...params.key, extra: '' } },
    { unsigned: params.unsigned },
    { unsigned: new Uint8Array(20_481) },
  ];
  for (const other of wrong) assert.equal(writeSignRequest({ ...request, ...other }), undefined);
});

const granted: Granted = {
  signature: { r: 2n ** 255n, s: 1n, yParity: 1 },
  record: {
    sequence: 5n,
    line: '{}',
    previous: '0'.repeat(64),
    following: ['3'.repeat(64)],
    head: { statement: 'text', identity: '1'.repeat(64), signature: '2'.repeat(128) },
  },
};

test('an answer written by hand is what the schema writes', () => {
  assert.deepEqual(writeGranted(granted), z.encode(signAnswer, granted));
  const { signature, record } = granted;
  const wrong: readonly Granted[] = [
    { signature: { ...signature, r: 2n ** 256n }, record },
    { signature: { ...signature, s: -1n }, record },
    { signature, record: { ...record, previous: '0'.repeat(63) } },
    { signature, record: { ...record, following: ['A'.repeat(64)] } },
    { signature, record: { ...record, previous: '0'.repeat(62), following: ['3'.repeat(66)] } },
    { signature, record: { ...record, head: { ...record.head, identity: '' } } },
    { signature, record: { ...record, head: { ...record.head, signature: '2'.repeat(126) } } },
    { signature, record: { ...record, head: { ...record.head, statement: 'x'.repeat(65_537) } } },
  ];
  for (const answer of wrong) assert.equal(writeGranted(answer), undefined);
});

test('an answer read by hand is what the schema reads, and nothing that the schema refuses', () => {
  const answer = z.encode(signAnswer, granted);
  assert.deepEqual(readGranted(answer), granted);
  let accepted = 0;
  let left = 0;
  for (const variant of variants(answer)) {
    const read = readGranted(variant);
    if (read === undefined) left += 1;
    else {
      assert.deepEqual(read, signAnswer.parse(variant));
      accepted += 1;
    }
  }
  assert.ok(accepted > 5 && left > 200, `${accepted} were accepted and ${left} left`);
});
