import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CustodyError, parseCompartment } from '@bulkhead/domain';
import { doctorSignatures, examine, throwAwayCompartmentMin } from './doctor.ts';
import type { DoctorRow } from './doctor-row.ts';
import type { KeyDriver } from './driver.ts';
import { secretOf } from './memory.ts';
import { openPkcs11Keys } from './pkcs11/key-driver.ts';
import { temporaryToken } from './pkcs11/testing/softhsm.ts';
import { openToken, type Token } from './pkcs11/token.ts';
import { pathOf } from './software-driver.ts';
import { openTree } from './tree.ts';

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

test('a driver without a tree is examined with a key for tests, once its label was typed', async () => {
  const keys = openPkcs11Keys(token);
  let signed = 0;
  const driver: KeyDriver = {
    ...keys,
    sign: (key, digest) => {
      signed += 1;
      return keys.sign(key, digest);
    },
  };
  const testKey = { compartment: parseCompartment(1), label: 'examined' };
  const typed = async (): Promise<string> => 'examined';
  assert.equal(verdict(await examine({ driver, testKey, typed }), 'public key'), 'bad');
  await keys.create(testKey);
  signed = 0;
  const refused = await examine({ driver, testKey, typed: async () => 'yes' });
  assert.deepEqual([refused.map((found) => found.verdict), signed], [['unknown'], 0]);
  const rows = await examine({ driver, testKey, typed });
  assert.equal(verdict(rows, 'low s, recovery'), 'good');
  assert.equal(verdict(rows, 'residency'), 'unknown');
  assert.equal(signed, doctorSignatures);
});

test('of a tree, a key is taken that no wallet has', async () => {
  using entropy = secretOf(Uint8Array.from({ length: 32 }, (_, at) => at));
  using tree = openTree(entropy);
  const asked = new Set<string>();
  const rows = await examine({
    tree: {
      name: 'software',
      residency: 'software',
      publicKey: async (key) => tree.publicKey(pathOf(key)),
      sign: async (key, digest) => {
        const { compartment, index } = pathOf(key);
        assert.ok(compartment >= throwAwayCompartmentMin, `compartment ${compartment} may be a client's`);
        asked.add(`${compartment}/${index}`);
        return tree.sign({ compartment, index }, digest);
      },
      health: async () => [],
      [Symbol.asyncDispose]: async () => undefined,
    },
  });
  assert.equal(verdict(rows, 'low s, recovery'), 'good');
  assert.equal(asked.size, 1);
  assert.match(
    rows.find((found) => found.what === 'public key')?.detail ?? '',
    /^throw-away, m\/44'\/60'\/\d{10}'\/0\//u,
  );
});
