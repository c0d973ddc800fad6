import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { embeddedChainId } from './config.ts';
import { developmentTokens, openKeys, tokenPath } from './development-secrets.ts';

const dataDirectory = mkdtempSync(join(tmpdir(), 'bulkhead-secrets-'));
after(() => rmSync(dataDirectory, { recursive: true, force: true }));
const clock = { now: () => new Date(0) };

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

test('keys that two starts make at once are one key file, and the next start opens it', async () => {
  const keys = {
    kind: 'development',
    path: join(dataDirectory, 'keys', 'keys.json'),
    passphrasePath: join(dataDirectory, 'keys', 'passphrase'),
  } as const;
  const both = await Promise.all([openKeys(keys, [embeddedChainId], clock), openKeys(keys, [embeddedChainId], clock)]);
  assert.equal(both.filter(({ created }) => created).length, 1);
  assert.equal(new Set(both.map(({ signer }) => signer.fingerprint)).size, 1);
  const later = await openKeys(keys, [embeddedChainId], clock);
  assert.deepEqual([later.created, later.signer.fingerprint], [false, both[0]?.signer.fingerprint]);
  for (const name of readdirSync(join(dataDirectory, 'keys'))) {
    assert.equal(statSync(join(dataDirectory, 'keys', name)).mode & 0o777, 0o600, name);
  }
  const given = { kind: 'given', path: join(dataDirectory, 'none.json'), passphrase: 'of somebody else' } as const;
  await assert.rejects(openKeys(given, [embeddedChainId], clock), isFault('key/missing-file'));
});
