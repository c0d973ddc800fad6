import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { memoryApi } from '../test/memory.ts';
import { tokenBook, tokenCharsMax, tokenCharsMin } from './token.ts';
import type { Token } from './token.ts';

const secret = 'a-long-enough-secret';
const digest = createHash('sha256').update(secret).digest('hex');
const other: Token = { name: 'olga', role: 'operator', token: 'another-long-secret' };

const invalid = (error: unknown) => error instanceof CustodyError && error.code === 'config/invalid';

test('a token is known by itself and by its digest, wherever it stands in the list', () => {
  for (const anna of [
    { name: 'anna', role: 'admin', token: secret },
    { name: 'anna', role: 'admin', tokenSha256: digest },
  ] satisfies Token[]) {
    for (const list of [[anna, other], [other, anna], [anna]]) {
      assert.deepEqual(tokenBook(list)(`Bearer ${secret}`), { name: 'anna', role: 'admin' });
    }
  }
});

test('whatever is not a known bearer token is nobody', () => {
  const actorOf = tokenBook([{ name: 'anna', role: 'admin', token: secret }, other]);
  const strangers = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    secret,
    `Basic ${secret}`,
    `Bearer ${secret} `,
    `Bearer  ${secret}`,
    `Bearer ${secret.slice(0, -1)}`,
    `Bearer ${secret}x`,
    `Bearer ${secret.toUpperCase()}`,
    `Bearer ${digest}`,
    `Bearer ${secret}, Bearer ${secret}`,
    `Bearer ${'x'.repeat(tokenCharsMax + 1)}`,
  ];
  for (const stranger of strangers) assert.equal(actorOf(stranger), undefined, stranger ?? 'none');
  assert.deepEqual(actorOf(`bearer ${secret}`), { name: 'anna', role: 'admin' });
});

test('a token that is longer than any may be is not even hashed', () => {
  const [fits, long] = ['x'.repeat(tokenCharsMax), 'x'.repeat(tokenCharsMax + 1)];
  const hashed = (text: string) => createHash('sha256').update(text).digest('hex');
  const actorOf = tokenBook([
    { name: 'fits', role: 'auditor', tokenSha256: hashed(fits) },
    { name: 'long', role: 'auditor', tokenSha256: hashed(long) },
  ]);
  assert.equal(actorOf(`Bearer ${fits}`)?.name, 'fits');
  assert.equal(actorOf(`Bearer ${long}`), undefined);
});

test('without tokens nobody is known', () => {
  assert.equal(tokenBook([])(`Bearer ${secret}`), undefined);
});

test('tokens that cannot be trusted stop the start', async () => {
  const bad: readonly (readonly Token[])[] = [
    [{ name: 'anna', role: 'admin', token: 'x'.repeat(tokenCharsMin - 1) }],
    [{ name: 'anna', role: 'admin', token: 'x'.repeat(tokenCharsMax + 1) }],
    [{ name: 'anna', role: 'admin', token: 'with a space in the middle' }],
    [{ name: '', role: 'admin', token: secret }],
    [{ name: 'anna', role: 'admin', tokenSha256: digest.toUpperCase() }],
    [{ name: 'anna', role: 'admin', tokenSha256: digest.slice(2) }],
    [
      { name: 'anna', role: 'admin', token: secret },
      { ...other, name: 'anna' },
    ],
    [
      { name: 'anna', role: 'admin', token: secret },
      { name: 'olga', role: 'operator', tokenSha256: digest },
    ],
  ];
  for (const tokens of bad) {
    assert.throws(() => tokenBook(tokens), invalid, JSON.stringify(tokens));
    await assert.rejects(memoryApi({ tokens }), invalid);
  }
});

test('the message of a bad token does not repeat it', () => {
  assert.throws(
    () => tokenBook([{ name: 'anna', role: 'admin', token: 'short' }]),
    (error: unknown) =>
      error instanceof CustodyError && !error.message.includes('short') && error.message.includes('anna'),
  );
});
