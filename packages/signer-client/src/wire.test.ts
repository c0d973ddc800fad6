import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  evidenceApprovalsMax,
  type LogCheckpointIntent,
  type MovementIntent,
  parseAddress,
  parseAssetId,
  parseChainId,
  parseCompartment,
  type ReserveIntent,
  type VaultIntent,
  type WalletControlIntent,
} from '@bulkhead/domain';
import type { Calls } from './protocol.ts';
import {
  answerText,
  decodeAnswer,
  decodeParams,
  encodeAnswer,
  encodeParams,
  readRequest,
  requestText,
} from './wire.ts';

const protocolFault = { code: 'signer/protocol' };

const intent: MovementIntent = {
  deployment: '00112233445566778899aabbccddeeff',
  kind: 'withdrawal',
  id: 'wd_01985f3c-7a10-7cc3-98c4-dc0c0c07398f',
  compartment: parseCompartment(100_000),
  asset: parseAssetId('eip155:31337/slip44:60'),
  to: parseAddress('0x70997970c51812dc3a010c7d01b50e0d17dc79c8'),
  amount: 10n ** 18n,
  feeMax: 42_000_000_000_000n,
  client: 'cl_01985f3c-7a10-7cc3-98c4-dc0c0c07398f',
  feePayer: 'client',
  expiresAt: 1_799_999_999n,
};

const approval = { kind: 'ed25519', person: 'approver-1', key: 'k1', signature: 'ab'.repeat(64) } as const;

const request: Calls['sign']['params'] = {
  intent,
  evidence: { request: approval, approvals: [approval] },
  key: { compartment: parseCompartment(100_000), index: 7 },
  unsigned: new Uint8Array([2, 255, 0]),
};

const statement = { statement: 'text', identity: '1'.repeat(64), signature: '2'.repeat(128) };
const record = { sequence: 5n, line: '{}', previous: '0'.repeat(64), following: ['3'.repeat(64)], head: statement };

/** What went through JSON, as it does on a socket. */
function sent(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function changed(value: unknown, name: string, to: unknown): unknown {
  assert.ok(typeof value === 'object' && value !== null);
  return { ...value, [name]: to };
}

test('params and answers come back as they were', () => {
  assert.deepEqual(decodeParams('sign', sent(encodeParams('sign', request))), request);
  const bare = { ...request, evidence: { approvals: [] }, key: { compartment: parseCompartment(1), label: 'hot' } };
  assert.deepEqual(decodeParams('sign', sent(encodeParams('sign', bare))), bare);
  const granted = { signature: { r: 2n ** 255n, s: 1n, yParity: 1 as const }, record };
  assert.deepEqual(decodeAnswer('sign', sent(encodeAnswer('sign', granted))), granted);
  const outlook = {
    refusal: { code: 'signer/approvals-missing', message: 'Two are missing.' },
    approvalsNeeded: 2,
    requestNeeded: true,
    approvedBy: [],
    brief: statement,
  };
  assert.deepEqual(decodeAnswer('outlook', sent(encodeAnswer('outlook', outlook))), outlook);
  assert.deepEqual(decodeAnswer('records', sent(encodeAnswer('records', [record]))), [record]);
});

test('requests for what is shown to others come back as they were, each with intents of its own', () => {
  const asked = { deployment: '00112233445566778899aabbccddeeff', chain: parseChainId('eip155:1') };
  const proof: ReserveIntent = {
    ...asked,
    kind: 'reserve-proof',
    id: 'rp_1',
    registry: parseAddress(`0x${'71'.repeat(20)}`),
    context: 'c0'.repeat(32),
    proof: '9a'.repeat(32),
  };
  const wallet: WalletControlIntent = {
    ...asked,
    kind: 'wallet-control',
    id: 'wc_1',
    compartment: parseCompartment(100_000),
    wallet: parseAddress(`0x${'5a'.repeat(20)}`),
    custodian: 'c5'.repeat(32),
    context: 'c0'.repeat(32),
  };
  const { deployment } = asked;
  const root = 'ab'.repeat(32);
  const head: LogCheckpointIntent = {
    deployment,
    kind: 'log-checkpoint',
    id: 'lc_1',
    origin: 'log.example',
    size: 7n,
    root,
  };
  const key = { compartment: parseCompartment(100_000), index: 7 };
  const reserves = { intent: proof };
  assert.deepEqual(decodeParams('signReserves', sent(encodeParams('signReserves', reserves))), reserves);
  const control = { intent: wallet, key };
  assert.deepEqual(decodeParams('signControl', sent(encodeParams('signControl', control))), control);
  const checkpoint = { intent: head, oldSize: 5n, proof: [root] };
  assert.deepEqual(decodeParams('signCheckpoint', sent(encodeParams('signCheckpoint', checkpoint))), checkpoint);
  const grant = { signature: new Uint8Array(64).fill(9), publicKey: root, record };
  assert.deepEqual(decodeAnswer('signCheckpoint', sent(encodeAnswer('signCheckpoint', grant))), grant);
  const certified = { origin: 'log.example', publicKey: root, certificate: statement };
  assert.deepEqual(decodeAnswer('logKey', sent(encodeAnswer('logKey', certified))), certified);
  const wire = sent(encodeParams('signCheckpoint', checkpoint));
  assert.throws(() => decodeParams('signReserves', wire), protocolFault);
  assert.throws(() => decodeParams('signControl', changed(wire, 'key', key)), protocolFault);
  assert.throws(() => decodeParams('signCheckpoint', changed(wire, 'proof', Array(64).fill(root))), protocolFault);
  assert.throws(() => decodeParams('signCheckpoint', changed(wire, 'proof', ['AB'.repeat(32)])), protocolFault);
  const strange = sent(encodeAnswer('signCheckpoint', grant));
  assert.throws(() => decodeAnswer('signCheckpoint', changed(strange, 'signature', 'ab'.repeat(65))), protocolFault);
  const other = sent(encodeParams('signReserves', reserves));
  assert.throws(
    () => decodeParams('signCheckpoint', changed(wire, 'intent', Reflect.get(Object(other), 'intent'))),
    protocolFault,
  );
  assert.throws(
    () =>
      decodeParams(
        'signControl',
        changed(sent(encodeParams('signControl', control)), 'intent', Reflect.get(Object(other), 'intent')),
      ),
    protocolFault,
  );
});

test('requests of vaults come back as they were, and an intent of another kind is none of theirs', () => {
  const claim = { client: 'cl_1', chain: parseChainId('eip155:1'), vault: parseAddress(`0x${'5a'.repeat(20)}`) };
  const payment: VaultIntent = {
    deployment: intent.deployment,
    kind: 'vault-withdrawal',
    id: intent.id,
    compartment: intent.compartment,
    asset: intent.asset,
    to: intent.to,
    amount: intent.amount,
    feeMax: intent.feeMax,
    client: 'cl_1',
    vault: claim.vault,
    vaultNonce: 2n ** 200n,
    deadline: 5n,
    authorisation: 'listed',
    expiresAt: 6n,
  };
  const asked = { intent: payment, evidence: request.evidence };
  const wire = sent(encodeParams('signVault', asked));
  assert.deepEqual(decodeParams('signVault', wire), asked);
  assert.throws(() => decodeParams('signVault', changed(wire, 'digest', 'ab'.repeat(32))), protocolFault);
  const movement: unknown = Reflect.get(Object(sent(encodeParams('sign', request))), 'intent');
  assert.throws(() => decodeParams('signVault', changed(wire, 'intent', movement)), protocolFault);
  const ofVault: unknown = Reflect.get(Object(wire), 'intent');
  assert.throws(
    () => decodeParams('sign', changed(sent(encodeParams('sign', request)), 'intent', ofVault)),
    protocolFault,
  );
  const granted = { signature: { r: 1n, s: 2n, yParity: 0 as const }, member: claim.vault, record };
  assert.deepEqual(decodeAnswer('signVault', sent(encodeAnswer('signVault', granted))), granted);
  assert.deepEqual(decodeParams('certifyVault', sent(encodeParams('certifyVault', { claim }))), { claim });
  const forwarder = { claim: { ...claim, salt: '0'.repeat(64) } };
  assert.deepEqual(decodeParams('certifyForwarder', sent(encodeParams('certifyForwarder', forwarder))), forwarder);
  const short = { claim: { ...claim, salt: '0' } };
  assert.throws(() => encodeParams('certifyForwarder', short), protocolFault);
});

test('a field that the type does not name is refused, at every depth, coming and going', () => {
  const wire = sent(encodeParams('sign', request));
  assert.throws(() => decodeParams('sign', changed(wire, 'digest', 'aa')), protocolFault);
  assert.throws(
    () => decodeParams('sign', changed(wire, 'key', { compartment: 1, index: 0, digest: 'aa' })),
    protocolFault,
  );
  assert.throws(
    () => decodeParams('sign', changed(wire, 'evidence', { approvals: [{ ...approval, weight: 2 }] })),
    protocolFault,
  );
  assert.throws(() => decodeParams('status', { verbose: true }), protocolFault);
  const leaking = { ...request, key: { compartment: parseCompartment(1), index: 0, secret: 'x' } };
  assert.throws(() => encodeParams('sign', leaking), protocolFault);
});

test('evidence has as many approvals as the signer looks at, and the specification says how many', () => {
  const many = (length: number): typeof request => ({
    ...request,
    evidence: { request: approval, approvals: Array.from({ length }, () => approval) },
  });
  const most = sent(encodeParams('sign', many(evidenceApprovalsMax)));
  assert.equal(decodeParams('sign', most).evidence.approvals.length, evidenceApprovalsMax);
  assert.throws(() => encodeParams('sign', many(evidenceApprovalsMax + 1)), protocolFault);
  const text = readFileSync(new URL('../../../spec/signer-protocol.md', import.meta.url), 'utf8');
  assert.match(text, new RegExp(`^\\| approvals in one piece of evidence.*\\| ${evidenceApprovalsMax} \\|$`, 'mu'));
});

test('an intent is taken in its canonical form only, and a wallet signs movements only', () => {
  const wire = sent(encodeParams('sign', request));
  assert.ok(typeof wire === 'object' && wire !== null && 'intent' in wire && typeof wire.intent === 'string');
  assert.throws(() => decodeParams('sign', changed(wire, 'intent', [wire.intent, ' '].join(''))), protocolFault);
  assert.throws(() => decodeParams('sign', changed(wire, 'intent', { ...intent, amount: '1' })), protocolFault);
  const enrolment = {
    kind: 'enrolment',
    deployment: intent.deployment,
    id: 'rc_1',
    before: 1n,
    items: 1n,
    digest: '0'.repeat(64),
    expiresAt: 1n,
  } as const;
  const change = sent(encodeParams('change', { intent: enrolment, evidence: { approvals: [] }, list: '[]' }));
  assert.deepEqual(decodeParams('change', change).intent, enrolment);
  assert.ok(typeof change === 'object' && change !== null && 'intent' in change);
  assert.throws(() => decodeParams('sign', changed(wire, 'intent', change.intent)), protocolFault);
  assert.throws(() => decodeParams('change', changed(change, 'intent', wire.intent)), protocolFault);
});

test('numbers and bytes have one spelling', () => {
  const wire = sent(encodeAnswer('sign', { signature: { r: 1n, s: 1n, yParity: 0 }, record }));
  for (const r of ['01', '0x1', '-1', '1.0', 1, (2n ** 256n).toString()]) {
    assert.throws(
      () => decodeAnswer('sign', changed(wire, 'signature', { r, s: '1', yParity: 0 })),
      protocolFault,
      String(r),
    );
  }
  const params = sent(encodeParams('sign', request));
  for (const unsigned of ['0', 'AA', '0xaa', 'zz']) {
    assert.throws(() => decodeParams('sign', changed(params, 'unsigned', unsigned)), protocolFault, unsigned);
  }
});

test('a frame of another version, with another field or without an id is none', () => {
  const frame = { id: '1', method: 'status', params: {} } as const;
  assert.deepEqual(readRequest(requestText(frame)), frame);
  assert.deepEqual(readRequest('{"v":1,"id":"1","method":"signDigest","params":{}}'), {
    id: '1',
    unknownMethod: 'signDigest',
  });
  for (const text of [
    '{"v":2,"id":"1","method":"status","params":{}}',
    '{"v":1,"id":"","method":"status","params":{}}',
    '{"v":1,"id":"A","method":"status","params":{}}',
    '{"v":1,"id":"1","method":"status","params":{},"trace":1}',
    '{"v":1,"id":"1","method":"status","params":{},"__proto__":{}}',
    '[]',
    'null',
    '{',
  ]) {
    assert.throws(() => readRequest(text), protocolFault, text);
  }
  assert.equal(answerText({ id: '7', ok: {} }), '{"v":1,"id":"7","ok":{}}');
});
