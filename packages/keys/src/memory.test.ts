import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { createSecret, secretBytesMax, secretOf } from './memory.ts';

const module = (name: string): string => JSON.stringify(new URL(`./${name}`, import.meta.url).href);

type Ended = { readonly status: number | null; readonly signal: string | null; readonly output: string };

/** Runs a script in a Node of its own: a touched secret ends its process. */
function run(script: string, flags: readonly string[] = []): Ended {
  const child = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', script], { encoding: 'utf8' });
  return { status: child.status, signal: child.signal, output: child.stdout + child.stderr };
}

test('a secret keeps what was moved into it, and the source is zeros', () => {
  const source = Uint8Array.of(1, 2, 3);
  using secret = secretOf(source);
  assert.deepEqual(source, new Uint8Array(3));
  assert.equal(secret.byteLength, 3);
  assert.deepEqual(
    secret.read((bytes) => [...bytes]),
    [1, 2, 3],
  );
  secret.write((bytes) => bytes.fill(9));
  assert.deepEqual(
    secret.read((bytes) => [...bytes]),
    [9, 9, 9],
  );
});

test('a new secret is zeros, and of a size that keys have', () => {
  using secret = createSecret(64);
  assert.ok(secret.read((bytes) => bytes.every((byte) => byte === 0)));
  for (const size of [0, -1, 1.5, secretBytesMax + 1]) {
    assert.throws(() => createSecret(size), { code: 'invariant/broken' });
  }
});

test('a wiped secret gives nothing, also to who kept a view of it', () => {
  const secret = secretOf(Uint8Array.of(7));
  const kept = secret.read((bytes) => bytes);
  secret.wipe();
  secret.wipe();
  assert.equal(kept.length, 0);
  assert.throws(() => secret.read(() => 0), { code: 'invariant/broken', message: /after it was wiped/u });
});

test('a use inside a use, a wipe inside a use and a use that goes on are refused', async () => {
  using secret = createSecret(1);
  assert.throws(() => secret.read(() => secret.read(() => 0)), { code: 'invariant/broken', message: /while in use/u });
  assert.throws(() => secret.read(() => secret.wipe()), { code: 'invariant/broken', message: /while it was in use/u });
  assert.throws(() => secret.read(async () => 0), { code: 'invariant/broken', message: /goes on/u });
  const lent = secret.lend(async (bytes) => {
    await Promise.resolve();
    bytes[0] = 5;
  });
  assert.throws(() => secret.read(() => 0), { code: 'invariant/broken' });
  await lent;
  assert.equal(
    secret.read((bytes) => bytes[0]),
    5,
  );
});

test('a secret closes after an action that throws, and shows nothing when it is printed', () => {
  using secret = secretOf(Uint8Array.of(1));
  assert.throws(() =>
    secret.read(() => {
      throw new RangeError('inside');
    }),
  );
  assert.equal(
    secret.read((bytes) => bytes[0]),
    1,
  );
  assert.doesNotMatch(inspect(secret, { depth: 10, showHidden: true }), /Uint8Array|Buffer|01/u);
});

test('touching a closed secret ends the process, and so does writing to one that is only read', () => {
  const touch = (line: string): string =>
    `const { secretOf } = await import(${module('memory.ts')}); const secret = secretOf(Uint8Array.of(1));${line}; console.log('survived');`;
  for (const line of [
    'const kept = secret.read((bytes) => bytes); console.log(kept[0])',
    'secret.read((bytes) => { bytes[0] = 2; })',
  ]) {
    const { status, signal, output } = run(touch(line));
    assert.ok(signal === 'SIGSEGV' || status === 139, `${status} ${signal} ${output}`);
    assert.doesNotMatch(output, /survived/u);
  }
});

test('secrets are locked into memory', () => {
  const locked = (): number => Number(/VmLck:\s+(\d+) kB/u.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  const before = locked();
  const secrets = Array.from({ length: 8 }, () => createSecret(32));
  assert.ok(locked() >= before + 8 * 4, `${before} kB before, ${locked()} kB with 8 secrets`);
  for (const secret of secrets) secret.wipe();
});

test('where memory cannot be locked no secret is made', () => {
  // Root may lock without limit; it gives that up first.
  const prefix =
    process.getuid?.() === 0 ? 'ulimit -l 0; exec setpriv --bounding-set=-ipc_lock --' : 'ulimit -l 0; exec';
  const script = `const { createSecret } = await import(${module('memory.ts')}); try { createSecret(32); console.log('made'); } catch (error) { console.log(error.code); }`;
  const child = spawnSync('sh', ['-c', `${prefix} "$NODE" --input-type=module -e "$SCRIPT"`], {
    encoding: 'utf8',
    env: { ...process.env, NODE: process.execPath, SCRIPT: script },
  });
  assert.equal(child.stdout.trim(), 'key/memory-lock', child.stderr);
});

test('without the native modules no key is touched, and public derivation goes on', () => {
  const script = `
    const { createSecret } = await import(${module('memory.ts')});
    const { deriveAddress } = await import(${module('derivation.ts')});
    const xpub = 'xpub6Ce9NcJvTk36xtLSrJLZqE7wtgA5deCeYs7rSQtreh4cj6ByPtrg9sD7V2FNFLPnf8heNP3FGkeV9qwfzvZNSd54JoNXVsXFYSYwHsnJxqP';
    try { createSecret(32); console.log('made'); } catch (error) { console.log(error.code); }
    console.log(deriveAddress({ compartment: 0, xpub }, 0));`;
  const { output } = run(script, ['--permission', '--allow-fs-read=*']);
  assert.match(output, /^key\/native-module-missing\n0xf39fd6e51aad88f6f4ce6ab8827279cffFb92266/imu);
});
