import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CustodyError, parseCompartment } from '@bulkhead/domain';
import { examine } from './doctor.ts';
import type { DoctorRow } from './doctor-row.ts';
import { openPkcs11Keys } from './pkcs11/key-driver.ts';
import { temporaryToken } from './pkcs11/testing/softhsm.ts';
import { openToken, type Token } from './pkcs11/token.ts';

const hsm = temporaryToken({ label: 'doctor' });
let token: Token;

before(async () => {
  token = await openToken(hsm.options());
});
after(async () => {
  await token[Symbol.asyncDispose]();
  hsm[Symbol.dispose]();
});

const objects = (): number =>
  readdirSync(join(hsm.folder, 'tokens'), { recursive: true }).filter((name) => String(name).endsWith('.object'))
    .length;
const verdict = (rows: readonly DoctorRow[], what: string): string | undefined =>
  rows.find((found) => found.what === what)?.verdict;

test('a healthy token has no bad row, and is left as it was', async () => {
  const before = objects();
  const rows = await examine({ token });
  assert.deepEqual(
    rows.filter((found) => found.verdict === 'bad'),
    [],
  );
  for (const what of [
    'CKM_ECDSA',
    'attributes',
    'key stays inside',
    'low s, recovery',
    'tampered envelope',
    'sessions',
    'clean-up',
  ]) {
    assert.equal(verdict(rows, what), 'good', what);
  }
  // SoftHSM does not pretend to be hardware, and nobody here knows about its backups.
  assert.equal(verdict(rows, 'hardware'), 'unknown');
  assert.equal(verdict(rows, 'backup'), 'unknown');
  assert.match(rows.find((found) => found.what === 'latency of ECDSA')?.detail ?? '', /p50 .* p99 .* over 100/u);
  assert.equal(objects(), before);
});

test('a token that gives keys out, signs wrongly or counts few sessions is told, and is left as it was', async () => {
  const before = objects();
  const rows = await examine({
    token: {
      ...token,
      revealsValue: () => Promise.resolve(true),
      signEcdsa: () => Promise.reject(new CustodyError('hsm/unavailable', 'away')),
      describe: async () => ({ ...(await token.describe()), sessionsMax: 2n, pin: 'last attempt', mechanisms: [] }),
    },
  });
  for (const what of ['key stays inside', 'signatures', 'sessions', 'PIN', 'mechanisms', 'CKM_ECDSA']) {
    assert.equal(verdict(rows, what), 'bad', what);
  }
  assert.equal(verdict(rows, 'clean-up'), 'good');
  assert.equal(objects(), before);
});

test('a driver is examined with a key that it has', async () => {
  const driver = openPkcs11Keys(token);
  const key = { compartment: parseCompartment(1), label: 'examined' };
  assert.equal(verdict(await examine({ driver, key }), 'public key'), 'bad');
  await driver.create(key);
  const rows = await examine({ driver, key });
  assert.equal(verdict(rows, 'low s, recovery'), 'good');
  assert.equal(verdict(rows, 'residency'), 'unknown');
});
