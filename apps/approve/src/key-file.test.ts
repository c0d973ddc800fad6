import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { eip712Digest, ed25519Message, nobleHashes } from '@bulkhead/authority';
import { intentDigest } from '@bulkhead/domain';
import { withdrawal } from '../test/installation.ts';
import { closeApproverKey, createApproverKey, openApproverKey, signApproval } from './index.ts';
import { readWalletAnswer } from './wallet-signature.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-approver-key-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const passphrase = 'five random words of mine';
const cost = { log2N: 4, r: 8, p: 1 };
const pins = { deployment: '01'.repeat(16), identities: ['ab'.repeat(32)] };
const asked = { passphrase, person: 'robot-1', key: 'file', cost, pins };

test('a key is made, opened and signs: Ed25519', async () => {
  const path = join(folder, 'edwards.json');
  const entry = await createApproverKey({ ...asked, path, kind: 'ed25519' });
  assert.ok(entry.kind === 'ed25519');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const approver = await openApproverKey(path, passphrase);
  assert.deepEqual([approver.entry, approver.pins, approver.person], [entry, pins, 'robot-1']);
  const intent = withdrawal();
  const approval = signApproval(approver, intent);
  assert.deepEqual([approval.person, approval.key, approval.kind], ['robot-1', 'file', 'ed25519']);
  const x = Buffer.from(entry.publicKey, 'hex').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  assert.ok(verify(null, ed25519Message(intentDigest(intent)), key, Buffer.from(approval.signature, 'hex')));
  const text = readFileSync(path, 'utf8');
  assert.ok(!text.includes(Buffer.from(approver.secret).toString('hex')));
  closeApproverKey(approver);
  assert.ok(approver.secret.every((byte) => byte === 0));
});

test('a key is made, opened and signs: EIP-712', async () => {
  const path = join(folder, 'typed.json');
  const entry = await createApproverKey({ ...asked, path, kind: 'eip712' });
  const approver = await openApproverKey(path, passphrase);
  const intent = withdrawal();
  const approval = signApproval(approver, intent);
  const answer = readWalletAnswer(`0x${approval.signature}`, eip712Digest(nobleHashes, intent));
  assert.ok(entry.kind === 'eip712');
  assert.deepEqual(answer, { address: entry.address, signature: approval.signature });
});

test('a wrong passphrase, a changed file, other readers and a taken name are refused', async () => {
  const path = join(folder, 'guarded.json');
  await createApproverKey({ ...asked, path, kind: 'ed25519' });
  await assert.rejects(openApproverKey(path, 'another passphrase'), { code: 'key/wrong-passphrase' });
  await assert.rejects(createApproverKey({ ...asked, path, kind: 'ed25519' }), { code: 'key/file-exists' });
  const weak = join(folder, 'weak.json');
  await assert.rejects(createApproverKey({ ...asked, path: weak, kind: 'ed25519', passphrase: 'short' }), {
    code: 'key/weak-passphrase',
  });
  await assert.rejects(openApproverKey(join(folder, 'none.json'), passphrase), { code: 'key/missing-file' });
  const text = readFileSync(path, 'utf8');
  const changed = join(folder, 'changed.json');
  // Whose key it is and for which installation is sealed with the key.
  for (const [from, to, code] of [
    ['"robot-1"', '"robot-2"', 'key/wrong-passphrase'],
    ['01'.repeat(16), '02'.repeat(16), 'key/wrong-passphrase'],
    ['"log2N": 4', '"log2N": 40', 'key/damaged-file'],
    ['"version": 1', '"version": 2', 'key/damaged-file'],
    ['"ed25519"', '"none"', 'key/damaged-file'],
    ['{', '{ ', 'key/damaged-file'],
  ] as const) {
    writeFileSync(changed, text.replace(from, to), { mode: 0o600 });
    await assert.rejects(openApproverKey(changed, passphrase), { code }, from);
  }
  chmodSync(path, 0o640);
  await assert.rejects(openApproverKey(path, passphrase), { code: 'key/file-access' });
});
