import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { CanonicalObject } from './canonical-json.ts';
import { zeroHash } from './hashes.ts';
import { nobleHashes } from './noble-hashes.ts';
import { parseRecordLine, recordHash, recordLine } from './record.ts';
import { parseStatement, statementCharactersMax, type StatementKind, statementText } from './statement.ts';

type Vectors = {
  readonly identity: string;
  readonly vectors: readonly {
    readonly kind: StatementKind;
    readonly fields: CanonicalObject;
    readonly text: string;
    readonly signature: string;
  }[];
  readonly refused: readonly { readonly why: string; readonly text: string }[];
};
type Records = { readonly lines: readonly { readonly line: string; readonly digest: string; readonly hash: string }[] };

const read = (name: string): string =>
  readFileSync(new URL(`../../../spec/vectors/${name}.json`, import.meta.url), 'utf8');
const statements: Vectors = JSON.parse(read('statement'));
const records: Records = JSON.parse(read('record'));

test('statements of every kind are written, read and signed as the specification says', () => {
  assert.equal(new Set(statements.vectors.map(({ kind }) => kind)).size, 7);
  const x = Buffer.from(statements.identity, 'hex').toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  for (const { kind, fields, text, signature } of statements.vectors) {
    assert.equal(statementText(kind, fields), text);
    assert.deepEqual(parseStatement(text), { kind, fields });
    assert.ok(verify(null, Buffer.from(text), publicKey, Buffer.from(signature, 'hex')));
  }
});

test('every other text is no statement', () => {
  assert.ok(statements.refused.length >= 12);
  for (const { why, text } of statements.refused) {
    assert.throws(() => parseStatement(text), { code: 'signer/certificate-invalid' }, why);
  }
  assert.throws(() => parseStatement('x'.repeat(statementCharactersMax + 1)), { message: /more than 32768/u });
});

test('a statement that could not be read back is not written', () => {
  const head = { deployment: '0'.repeat(32), sequence: '1', hash: 'a'.repeat(64), at: '5' };
  assert.throws(() => statementText('head', { ...head, more: 'x' }), { message: /no use for "more"/u });
  assert.throws(() => statementText('head', { ...head, at: ['5'] }), { message: /"at" is no text/u });
  assert.throws(() => statementText('head', { ...head, kind: 'brief' }), { message: /no use for "kind"/u });
  const { at: _, ...less } = head;
  assert.throws(() => statementText('head', less), { message: /no field "at"/u });
  assert.throws(() => statementText('head', { ...head, at: 'x'.repeat(statementCharactersMax) }), {
    message: /more than/u,
  });
});

test('records are chained as the specification says', () => {
  let hash = zeroHash;
  for (const { line, digest, hash: wanted } of records.lines) {
    assert.equal(recordLine(parseRecordLine(line)), line);
    assert.equal(createHash('sha256').update(line).digest('hex'), digest);
    hash = recordHash(nobleHashes, hash, line);
    assert.equal(hash, wanted);
  }
  assert.ok(records.lines.length >= 3);
});

test('a record has its position, time and type once, and no line of another form is read', () => {
  const record = { sequence: 1n, at: 5n, type: 'granted', fields: { digest: 'd' } } as const;
  assert.equal(recordLine(record), '{"at":"5","digest":"d","sequence":"1","type":"granted"}');
  for (const name of ['sequence', 'at', 'type']) {
    assert.throws(() => recordLine({ ...record, fields: { [name]: 'x' } }), { code: 'invariant/broken' });
  }
  const damaged = [
    '["granted"]',
    '{"at":"5","sequence":"1","type":"given"}',
    '{"at":"5","sequence":"-1","type":"granted"}',
    '{"at":"05","sequence":"1","type":"granted"}',
    '{"sequence":"1","type":"granted"}',
  ];
  for (const line of damaged) assert.throws(() => parseRecordLine(line), { code: 'signer/state-damaged' }, line);
  assert.throws(() => parseRecordLine('{"type":"granted","sequence":"1","at":"5"}'), { code: 'signer/state-damaged' });
});
