import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { developmentTokens, tokenPath } from './development-secrets.ts';

const dataDirectory = mkdtempSync(join(tmpdir(), 'bulkhead-secrets-'));
after(() => rmSync(dataDirectory, { recursive: true, force: true }));

function isFault(code: string): (error: unknown) => boolean {
  return (error) => error instanceof CustodyError && error.code === code;
}

test('tokens are made once, for two who can approve beside the requester, and are readable by their owner alone', () => {
  const made = developmentTokens({ dataDirectory });
  assert.deepEqual(
    made.map(({ name, role }) => `${name} ${role}`),
    ['admin admin', 'operator operator', 'approver-1 approver', 'approver-2 approver', 'auditor auditor'],
  );
  assert.equal(new Set(made.map(({ token }) => token)).size, made.length);
  assert.ok(made.every(({ token }) => token.length >= 43));
  assert.deepEqual(developmentTokens({ dataDirectory }), made);
  const path = tokenPath({ dataDirectory });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  chmodSync(path, 0o640);
  assert.throws(() => developmentTokens({ dataDirectory }), isFault('key/file-access'));
  chmodSync(path, 0o600);
  writeFileSync(path, '[{"name":"admin"}]');
  assert.throws(() => developmentTokens({ dataDirectory }), isFault('config/invalid'));
});
