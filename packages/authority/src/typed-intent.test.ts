import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { intentDigest, parseIntent } from '@bulkhead/domain';
import { nobleHashes } from './noble-hashes.ts';
import { digestOf, ed25519Message, eip712Digest, typedIntent, type TypedIntent } from './typed-intent.ts';

type Vector = { readonly canonical: string; readonly typed: TypedIntent; readonly digest: string };

const { vectors }: { readonly vectors: readonly Vector[] } = JSON.parse(
  readFileSync(new URL('../../../spec/vectors/typed-intent.json', import.meta.url), 'utf8'),
);
const intents = vectors.map((vector) => ({ ...vector, intent: parseIntent(Buffer.from(vector.canonical)) }));

test('each kind has its typed form, and another implementation gives it the same digest', () => {
  assert.equal(new Set(intents.map(({ intent }) => intent.kind)).size, 25);
  for (const { intent, typed, digest } of intents) {
    assert.equal(digestOf(nobleHashes, intent), intentDigest(intent));
    assert.deepEqual(typedIntent(intent), typed);
    assert.equal(Buffer.from(eip712Digest(nobleHashes, intent)).toString('hex'), digest);
  }
});

test('every field of an intent is in its typed form: no two intents share a digest', () => {
  for (const { intent } of intents) {
    const fields = Object.keys(typedIntent(intent).message);
    assert.deepEqual(new Set([...fields, 'kind', 'deployment']), new Set(Object.keys(intent)));
  }
  const [first] = intents;
  assert.ok(first !== undefined && first.intent.kind === 'withdrawal');
  const digest = Buffer.from(eip712Digest(nobleHashes, first.intent)).toString('hex');
  const others = [
    { ...first.intent, deployment: 'f'.repeat(32) },
    { ...first.intent, kind: 'deposit-return' as const },
    { ...first.intent, feePayer: 'house' as const },
    { ...first.intent, expiresAt: first.intent.expiresAt + 1n },
    { ...first.intent, amount: first.intent.amount + 1n },
  ];
  for (const other of others) {
    assert.notEqual(Buffer.from(eip712Digest(nobleHashes, other)).toString('hex'), digest);
  }
});

test('what is no intent has no typed form', () => {
  const [first] = intents;
  assert.ok(first !== undefined);
  assert.throws(() => typedIntent({ ...first.intent, id: 'nobody' }), { code: 'intent/malformed' });
});

test('a robot signs a header line and the digest', () => {
  const [first] = intents;
  assert.ok(first !== undefined);
  const digest = intentDigest(first.intent);
  assert.equal(Buffer.from(ed25519Message(digest)).toString(), `bulkhead-approval-v1\n${digest}`);
});
