import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer, memoryApi, secrets } from '../../test/memory.ts';
import { formatCursor, parseCursor } from './page.ts';

test('parseCursor(formatCursor(keys)) ≡ keys', () => {
  for (const keys of [[], ['a'], ['2026-01-31T09:30:00.000Z', 'dep_1'], ['', 'é𝒳', '"\\']]) {
    assert.deepEqual(parseCursor(formatCursor(keys), keys.length), keys);
    assert.match(formatCursor(keys), /^[A-Za-z0-9_-]+$/u);
  }
});

test('what formatCursor did not write is no cursor', () => {
  const good = formatCursor(['a', 'b']);
  for (const bad of [
    '',
    '!',
    good.slice(0, -1),
    `${good}A`,
    formatCursor(['a']),
    'bnVsbA',
    'eyJhIjoxfQ',
    'WzEsMl0',
    'WyJhIiwgImIiXQ',
  ]) {
    assert.equal(parseCursor(bad, 2), undefined, bad);
  }
});

test('following nextCursor shows every client once, in pages of the size asked for', async () => {
  const { app } = await memoryApi();
  for (let n = 0; n < 57; n++) {
    const created = await app.inject({
      method: 'POST',
      url: '/v1/clients',
      headers: { ...bearer(secrets.operator), 'idempotency-key': `client-${n}` },
      payload: { reference: `C-${n}`, kind: 'natural', segregation: 'omnibus' },
    });
    assert.equal(created.statusCode, 201);
  }
  const seen: string[] = [];
  const sizes: number[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query = new URLSearchParams({ limit: '20', ...(cursor === '' ? {} : { cursor }) });
    const answer = await app.inject({ url: `/v1/clients?${query.toString()}`, headers: bearer(secrets.auditor) });
    const page: { items: { reference: string }[]; nextCursor: string | null } = answer.json();
    sizes.push(page.items.length);
    seen.push(...page.items.map(({ reference }) => reference));
    cursor = page.nextCursor;
  }
  assert.deepEqual(sizes, [20, 20, 17]);
  assert.deepEqual(
    seen,
    Array.from({ length: 57 }, (_, n) => `C-${n}`),
  );
  const first = await app.inject({ url: '/v1/clients', headers: bearer(secrets.auditor) });
  assert.equal(first.json().items.length, 50);
  await app.close();
});
