import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const server = fileURLToPath(new URL('index.ts', import.meta.url));

/**
 * What of the keys a server needs: addresses from public keys, and the native arithmetic for it. An address is the end of the Keccak-256
 * of a public key, so that hash belongs to it; it takes bytes that are public, and nothing here holds others.
 */
const publicDerivation: readonly string[] = [
  'address-index.ts',
  'derivation.ts',
  'extended-key.ts',
  'hmac.ts',
  'keccak.ts',
  'native.ts',
  'point.ts',
];

/** Tells every module that a process loads for the sake of one. */
const recorder = `
import { registerHooks } from 'node:module';
const seen = [];
registerHooks({ load(url, context, next) { seen.push(url); return next(url, context); } });
await import(process.argv[1]);
process.stdout.write(JSON.stringify(seen));
process.exit(0);
`;

function loadedFor(path: string): readonly string[] {
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', recorder, path], { encoding: 'utf8' });
  const urls: unknown = JSON.parse(said);
  assert.ok(Array.isArray(urls));
  return urls.map(String);
}

test('the server loads no driver, no key file and nothing else that computes with private keys', () => {
  const loaded = loadedFor(server);
  assert.ok(loaded.length > 200, `Only ${loaded.length} modules were seen.`);
  const ofKeys = loaded.flatMap((url) => /\/packages\/keys\/src\/(.+)$/u.exec(url)?.[1] ?? []);
  assert.deepEqual(ofKeys.toSorted(), publicDerivation);
  assert.deepEqual(
    loaded.filter((url) =>
      /\/(?:koffi|slip39|client-kms)\/|\/apps\/(?:signer\/src\/(?:core|process\/(?:main|service|keys))|approve\/src\/(?:key-file|software-approver)|server\/src\/demonstration\/(?:client-keys|insider-process))/u.test(
        url,
      ),
    ),
    [],
  );
});

test('no source of the server names the whole of the keys, but the set-up and the thief of the story, each a process of its own', () => {
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts'),
  );
  assert.ok(sources.length > 40);
  const text = (name: string): string => readFileSync(`${folder}/${name}`, 'utf8');
  const naming = sources.filter((name) => /['"]@bulkhead\/(?:keys|signer)['"]/u.test(text(name)));
  assert.deepEqual(naming.toSorted(), [
    'demonstration/insider-process.ts',
    'development/sealed-seed.ts',
    'development/set-up.ts',
  ]);
  const importing = sources.filter((name) =>
    /(?:from|import\() *['"]\.[^'"]*(?:insider-process|sealed-seed|set-up)\.ts['"]/u.test(text(name)),
  );
  assert.deepEqual(importing, ['development/set-up.ts'], 'nobody but the set-up imports them');
});
