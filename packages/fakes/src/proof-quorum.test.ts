import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type LogCheckpointIntent,
  nativeAsset,
  parseChainId,
  parseCompartment,
  type ReserveIntent,
  type WalletControlIntent,
} from '@bulkhead/domain';
import { encodeHeader } from '@bulkhead/proofs/header';
import {
  consistencyProof,
  emptyFrontier,
  extend,
  formatNoteSignature,
  leafHash,
  rootOf,
  verifierKey,
} from '@bulkhead/tlog';
import { contextOfHeader, walletControlPreimage } from '@bulkhead/vaults';
import { ManualClock } from './clock.ts';
import { addressOfKey, signAs } from './key.ts';
import { fakeCustodian, fakeLogOrigin, FakeProofQuorum, fakeProofRegistry, fakeVerifyLogKey } from './proof-quorum.ts';
import { FakeSigner } from './signer.ts';
import { fakeDeployment } from './signer-log.ts';
import { fakeKeccak } from './vault-program.ts';
import { FakeQuorum } from './vault-quorum.ts';

const chain = parseChainId('eip155:31337');
const registry = fakeProofRegistry;

function world(): { signer: FakeSigner; quorum: FakeQuorum; proofs: FakeProofQuorum } {
  const signer = new FakeSigner(new ManualClock());
  const quorum = new FakeQuorum(signer);
  const proofs = new FakeProofQuorum(signer, quorum);
  proofs.listed.add(chain);
  return { signer, quorum, proofs };
}

function commitment(
  epoch: bigint,
  own: { reserves?: bigint; custodian?: string } = {},
): ReserveIntent & { header: string } {
  const header = encodeHeader({
    tier: 'plain',
    bits: 128,
    registryChain: 31_337n,
    registry: Buffer.from(registry.slice(2), 'hex'),
    custodian: Buffer.from(own.custodian ?? fakeCustodian, 'hex'),
    epoch,
    asset: nativeAsset(chain),
    unitExponent: 0,
    blockNumber: 100n * epoch,
    blockHash: new Uint8Array(32).fill(1),
    ledgerPosition: epoch,
    takenAt: 1_790_000_000n + epoch,
    previous: new Uint8Array(32),
  });
  return {
    kind: 'reserve-commitment',
    deployment: fakeDeployment,
    id: `rc_${epoch}`,
    chain,
    registry,
    header: Buffer.from(header).toString('hex'),
    record: '4e'.repeat(32),
    reserves: own.reserves ?? 5n,
  };
}

test('fake signers commit to an epoch once, and say the rest only of what they committed to', async () => {
  const { proofs, quorum } = world();
  const first = commitment(1n);
  const context = contextOfHeader(fakeKeccak, first.header);
  const about = { deployment: fakeDeployment, chain, registry, context };
  const statements = { ...about, kind: 'balance-statements', id: 'bs_1', root: 'ab'.repeat(32), count: 2n } as const;
  await assert.rejects(proofs.signReserves({ intent: statements }), { code: 'signer/unknown-context' });
  const granted = await proofs.signReserves({ intent: first });
  assert.equal(granted.signatures.length, 130);
  assert.deepEqual((await proofs.signReserves({ intent: first })).signatures, granted.signatures);
  const refusals: [ReserveIntent, string][] = [
    [commitment(1n, { reserves: 6n }), 'signer/epoch-taken'],
    [commitment(2n, { custodian: 'ff'.repeat(32) }), 'signer/header-mismatch'],
    [
      { ...commitment(2n), registry: addressOfKey({ compartment: parseCompartment(1), index: 0 }) },
      'signer/unknown-proof-registry',
    ],
    [{ ...commitment(2n), deployment: '00'.repeat(16) }, 'signer/wrong-deployment'],
  ];
  for (const [intent, code] of refusals) await assert.rejects(proofs.signReserves({ intent }), { code });
  await proofs.signReserves({ intent: commitment(3n) });
  await assert.rejects(proofs.signReserves({ intent: commitment(2n) }), { code: 'signer/epoch-out-of-order' });
  await proofs.signReserves({ intent: statements });
  await assert.rejects(proofs.signReserves({ intent: { ...statements, count: 3n } }), { code: 'signer/epoch-taken' });
  quorum.awake = [];
  await assert.rejects(proofs.signReserves({ intent: first }), { code: 'signer/unavailable' });
});

test('a fake wallet says that it is controlled, by its own key', async () => {
  const { proofs } = world();
  const first = commitment(1n);
  await proofs.signReserves({ intent: first });
  const compartment = parseCompartment(100_000);
  const key = { compartment, index: 3 };
  const intent: WalletControlIntent = {
    kind: 'wallet-control',
    deployment: fakeDeployment,
    id: 'wc_1',
    chain,
    compartment,
    wallet: addressOfKey(key),
    custodian: fakeCustodian,
    context: contextOfHeader(fakeKeccak, first.header),
  };
  const { signature } = await proofs.signControl({ intent, key });
  assert.deepEqual(signature, signAs(intent.wallet, walletControlPreimage(fakeKeccak, intent)));
  const other = { ...key, index: 4 };
  await assert.rejects(proofs.signControl({ intent, key: other }), { code: 'signer/unknown-wallet' });
  const stranger = { ...intent, custodian: 'ff'.repeat(32) };
  await assert.rejects(proofs.signControl({ intent: stranger, key }), { code: 'signer/header-mismatch' });
});

test('the key of a fake log signs a tree that grows, and no other', async () => {
  const { proofs, signer } = world();
  const certified = await proofs.logKey();
  fakeVerifyLogKey(certified);
  assert.throws(() => fakeVerifyLogKey({ ...certified, publicKey: 'ab'.repeat(32) }), {
    code: 'signer/certificate-invalid',
  });
  const nodes = new Map<string, Uint8Array>();
  const leaves = Array.from({ length: 7 }, (_, at) => leafHash(Uint8Array.of(at)));
  const heads = [3, 7].map((size) => {
    const tree = extend(emptyFrontier, leaves.slice(0, size), ({ level, index, hash }) =>
      nodes.set(`${level}/${index}`, hash),
    );
    return { size, root: rootOf(tree) };
  });
  const asked = ({ size, root }: { size: number; root: Uint8Array }): LogCheckpointIntent => ({
    kind: 'log-checkpoint',
    deployment: fakeDeployment,
    id: `lc_${size}`,
    origin: fakeLogOrigin,
    size: BigInt(size),
    root: Buffer.from(root).toString('hex'),
  });
  const [small, large] = heads;
  assert.ok(small !== undefined && large !== undefined);
  const first = { intent: asked(small), oldSize: 0n, proof: [] };
  const { signature, publicKey } = await proofs.signCheckpoint(first);
  assert.equal(publicKey, certified.publicKey);
  assert.equal(signature.length, 64);
  const key = verifierKey(fakeLogOrigin, 'ed25519', Buffer.from(publicKey, 'hex'));
  assert.match(formatNoteSignature({ name: key.name, keyId: key.id, bytes: signature }), /^— bulkhead\.invalid/u);
  assert.deepEqual((await proofs.signCheckpoint(first)).signature, signature);
  const path = await consistencyProof(async (level, index) => nodes.get(`${level}/${index}`) ?? new Uint8Array(), 3, 7);
  const proof = path.map((hash) => Buffer.from(hash).toString('hex'));
  const next = { intent: asked(large), oldSize: 3n, proof };
  await assert.rejects(proofs.signCheckpoint({ ...next, oldSize: 2n }), {
    code: 'signer/log-position',
    details: { size: '3' },
  });
  await assert.rejects(proofs.signCheckpoint({ ...next, intent: asked({ size: 7, root: small.root }) }), {
    code: 'signer/log-forked',
  });
  await assert.rejects(proofs.signCheckpoint({ ...next, intent: { ...next.intent, origin: 'other.example' } }), {
    code: 'signer/unknown-log',
  });
  await proofs.signCheckpoint(next);
  await assert.rejects(proofs.signCheckpoint(first), { code: 'signer/log-forked' });
  signer.down = true;
  await assert.rejects(proofs.logKey(), { code: 'signer/unavailable' });
});
