import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nobleHashes, parseRecordLine, parseStatement } from '@bulkhead/authority';
import { type Address, CustodyError, parseAddress, type ReserveIntent, type Signature } from '@bulkhead/domain';
import { addressOfPublicKey } from '@bulkhead/keys';
import { type Pinned, verifyCheckpoint, verifyControl, verifyLogKey, verifyRecord } from '@bulkhead/signer-client';
import { checkpointText, formatNoteSignature, formatSignedNote, openCheckpoint, verifierKey } from '@bulkhead/tlog';
import { reserveIntentDigest } from '@bulkhead/vaults';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { createPublicKey, verify } from 'node:crypto';
import {
  checkpoint,
  commitment,
  committed,
  contextOf,
  control,
  headerOf,
  headersUpTo,
  reserveProof,
  statements,
  testLog,
} from './testing/proof-intent.ts';
import * as registry from './testing/registry.ts';
import { memberAddress, signerSet } from './testing/vault.ts';
import { openWorld, request, withdrawal, type World } from './testing/world.ts';

const own = memberAddress(7);
const headers = headersUpTo(5);
const [first = '', second = '', third = '', fourth = '', fifth = ''] = headers;

function recover(digest: Uint8Array, { r, s, yParity }: Signature): Address {
  const point = new secp256k1.Signature(r, s).addRecoveryBit(yParity).recoverPublicKey(digest);
  return addressOfPublicKey(point.toBytes(false));
}

async function pinnedOf(world: World): Promise<Pinned> {
  return { identities: (await world.core().status()).identities, deployment: registry.deployment };
}

async function sequenceOf(world: World): Promise<bigint> {
  return (await world.core().status()).sequence;
}

test('what is said about reserves is signed by the member key, over what the registry checks, and once for ever', async () => {
  await using world = await openWorld();
  const context = contextOf(first);
  const intents: ReserveIntent[] = [commitment(first), reserveProof(context), statements(context)];
  const { identities } = await pinnedOf(world);
  const signatures = [];
  for (const intent of intents) {
    const { signature, member, record } = await world.core().signReserves({ intent });
    assert.equal(member, own);
    assert.equal(recover(reserveIntentDigest(nobleHashes, intent), signature), own, intent.kind);
    const { type, fields } = verifyRecord(record, identities);
    assert.equal(type, 'granted');
    assert.equal(fields['signed'], Buffer.from(reserveIntentDigest(nobleHashes, intent)).toString('hex'));
    signatures.push(signature);
  }
  await world.restart();
  const before = await sequenceOf(world);
  for (const [at, intent] of intents.entries()) {
    assert.deepEqual((await world.core().signReserves({ intent })).signature, signatures[at]);
  }
  assert.equal(await sequenceOf(world), before, 'a repetition is no new decision');
  assert.equal(world.driver.made(), intents.length);
});

test('a hundred requests for one commitment at once are one grant and one signature', async () => {
  await using world = await openWorld();
  const before = await sequenceOf(world);
  const asked = { intent: commitment(first) };
  const grants = await Promise.all(Array.from({ length: 100 }, async () => world.core().signReserves(asked)));
  assert.equal(new Set(grants.map(({ signature }) => signature.r)).size, 1);
  assert.equal(world.driver.made(), 1);
  assert.ok((await sequenceOf(world)) <= before + 2n);
});

test('of two contexts that are asked for at once one is signed', async () => {
  await using world = await openWorld();
  const other = commitment(headerOf(1n, undefined, { blockNumber: 1_011n }), { id: 'rc_other' });
  const asked = [commitment(first), other].map(async (intent) => world.core().signReserves({ intent }));
  const outcomes = await Promise.allSettled(asked);
  const [refused] = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome] : []));
  assert.ok(refused?.reason instanceof CustodyError && refused.reason.code === 'signer/epoch-taken');
  assert.equal(world.driver.made(), 1);
});

test('epochs that a signer was not there for are made up for from the newest backwards, and with one content only', async () => {
  await using world = await openWorld();
  await committed(world, first);
  await committed(world, fifth);
  await assert.rejects(committed(world, third), { code: 'signer/epoch-out-of-order' });
  for (const header of [fourth, third, second]) {
    await committed(world, header);
    await world.restart();
  }
  await world.core().signControl(control(world, { context: contextOf(third) }));
  // One that joins late begins where it is, and the very first of them all has nothing before it.
  await using late = await openWorld();
  await committed(late, fourth);
  await committed(late, fifth);
});

test('the registry that commitments are for may be replaced, and epochs begin anew there', async () => {
  await using world = await openWorld();
  await committed(world, first);
  await committed(world, second);
  const moved = parseAddress(`0x${'72'.repeat(20)}`);
  const items = [
    {
      item: 'proof-registry',
      chain: registry.mainChain,
      registry: moved,
      custodian: registry.custodian,
      signerSet: signerSet,
    },
  ] as const;
  const change = registry.listed('policy-change', items, {
    id: 'pc_moved',
    before: 2n,
    expiresAt: world.clock.seconds + 60n,
  });
  await world.core().change({ ...change, evidence: world.approved(change.intent) });
  await assert.rejects(committed(world, third), { code: 'signer/unknown-proof-registry' });
  const again = commitment(headerOf(1n, undefined, { registry: new Uint8Array(20).fill(0x72) }), { registry: moved });
  await world.core().signReserves({ intent: again });
});

test('a wallet says that it is controlled by its own key, for each epoch that was committed to', async () => {
  await using world = await openWorld();
  await committed(world, first);
  const asked = control(world);
  const granted = await world.core().signControl(asked);
  const by = { pinned: await pinnedOf(world), recover };
  verifyControl(granted, asked.intent, by);
  const others = [
    { ...asked.intent, context: contextOf(second) },
    { ...asked.intent, wallet: registry.thief },
    { ...asked.intent, id: 'wc_two' },
  ];
  for (const intent of others) {
    assert.throws(() => verifyControl(granted, intent, by), { code: 'signer/certificate-invalid' });
  }
  assert.throws(() => verifyControl({ ...granted, signature: { r: 0n, s: 0n, yParity: 0 } }, asked.intent, by), {
    code: 'signer/certificate-invalid',
  });
  await world.restart();
  assert.deepEqual((await world.core().signControl(asked)).signature, granted.signature);
  await committed(world, second);
  const next = control(world, { id: 'wc_two', context: contextOf(second) });
  assert.notDeepEqual((await world.core().signControl(next)).signature, granted.signature);
});

test('the key of the log is certified by the identity key, and signs what readers of logs verify', async () => {
  await using world = await openWorld();
  const pinned = await pinnedOf(world);
  const key = await world.core().logKey();
  verifyLogKey(key, pinned);
  assert.equal(parseStatement(key.certificate.statement).kind, 'log-key-certificate');
  for (const other of [
    { ...key, publicKey: 'ab'.repeat(32) },
    { ...key, origin: 'other.example/log' },
  ]) {
    assert.throws(() => verifyLogKey(other, pinned), { code: 'signer/certificate-invalid' });
  }
  const log = testLog(4);
  const asked = await checkpoint(log, { from: 0, to: 4 });
  const grant = await world.core().signCheckpoint(asked);
  verifyCheckpoint(grant, { intent: asked.intent, key, pinned });
  const vkey = verifierKey(key.origin, 'ed25519', Buffer.from(key.publicKey, 'hex'));
  const text = checkpointText({ origin: key.origin, size: 4, root: Buffer.from(asked.intent.root, 'hex') });
  const note = formatSignedNote({
    text,
    signatures: [{ name: vkey.name, keyId: vkey.id, bytes: grant.signature }],
  });
  assert.ok(note.endsWith(formatNoteSignature({ name: vkey.name, keyId: vkey.id, bytes: grant.signature })));
  assert.equal(openCheckpoint(note, { log: vkey, verify: verifyEdwards }).size, 4);
  const intent = { ...asked.intent, root: 'ab'.repeat(32) };
  assert.throws(() => verifyCheckpoint(grant, { intent, key, pinned }), { code: 'signer/certificate-invalid' });
  const stranger = { ...key, publicKey: 'ab'.repeat(32) };
  assert.throws(() => verifyCheckpoint(grant, { intent: asked.intent, key: stranger, pinned }), {
    code: 'signer/certificate-invalid',
  });
  const { record } = await world.core().signReserves({ intent: commitment(first) });
  assert.throws(() => verifyCheckpoint({ ...grant, record }, { intent: asked.intent, key, pinned }), {
    code: 'signer/certificate-invalid',
  });
});

test('a log goes on from what was signed last, whoever lost the answer, and the same tree is signed again', async () => {
  await using world = await openWorld();
  const log = testLog(12);
  const one = await checkpoint(log, { from: 0, to: 5 });
  const { signature, record } = await world.core().signCheckpoint(one);
  const before = await sequenceOf(world);
  const again = await world.core().signCheckpoint({ ...one, intent: { ...one.intent, id: 'lc_again' } });
  assert.deepEqual([again.signature, again.record.sequence], [signature, record.sequence]);
  assert.equal(await sequenceOf(world), before, 'no new record');
  // The answer to eight leaves was lost, and the server stands at five.
  await world.core().signCheckpoint(await checkpoint(log, { from: 5, to: 8 }));
  await world.restart();
  await assert.rejects(world.core().signCheckpoint(await checkpoint(log, { from: 5, to: 12 })), {
    code: 'signer/log-position',
    details: { size: '8' },
  });
  const last = await world.core().signCheckpoint(await checkpoint(log, { from: 8, to: 12 }));
  const { type, fields } = parseRecordLine(last.record.line);
  assert.equal(type, 'checkpointed');
  assert.equal(fields['publicKey'], last.publicKey);
});

test('a token of the log that is away holds up checkpoints, and nothing else', async () => {
  await using world = await openWorld();
  const away = new CustodyError('hsm/unavailable', 'The token of the log does not answer.');
  await world.restart({ logKey: { residency: 'hsm', open: async () => Promise.reject(away) } });
  const asked = await checkpoint(testLog(4), { from: 0, to: 4 });
  await assert.rejects(world.core().signCheckpoint(asked), { code: 'hsm/unavailable' });
  await world.core().sign(request(world, withdrawal(world)));
  await world.restart();
  await world.core().signCheckpoint(asked);
});

test('people are not asked about what is shown to others', async () => {
  await using world = await openWorld();
  const intent = commitment(first);
  await assert.rejects(world.core().outlook(intent, { approvals: [] }), { code: 'signer/protocol' });
});

function verifyEdwards(at: {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
}): boolean {
  const x = Buffer.from(at.publicKey).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, at.message, key, at.signature);
}
