import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLockfile, fillGaps, findGaps } from './lockfile.ts';

const lockfile = JSON.stringify({
  name: 'x',
  packages: {
    'node_modules/linter': {
      version: '1.0.0',
      dev: true,
      optionalDependencies: { '@l/linux-x64-musl': '1.0.0', '@l/darwin-amd64': '1.0.0', '@l/linux-x64-gnu': '1.0.0' },
    },
    'node_modules/@l/linux-x64-gnu': { version: '1.0.0', integrity: 'sha512-x', dev: true, optional: true },
    'node_modules/server/node_modules/deep': {
      version: '2.0.0',
      optionalDependencies: { near: '1.0.0', far: '1.0.0' },
    },
    'node_modules/server/node_modules/near': { version: '1.0.0' },
  },
});

test('an optional dependency without an entry is found, one installed beside or above its owner is not', () => {
  assert.deepEqual(
    findGaps(lockfile).map(({ name }) => name),
    ['@l/linux-x64-musl', '@l/darwin-amd64', 'far'],
  );
  assert.match(
    checkLockfile(new Map([['package-lock.json', lockfile]]))[0]?.message ?? '',
    /@l\/linux-x64-musl 1\.0\.0/u,
  );
});

test('a filled lockfile has no gap, keeps what was there and names the platform of what was added', () => {
  const filled = fillGaps(lockfile);
  assert.deepEqual(findGaps(filled), []);
  assert.equal(fillGaps(filled), filled);
  const { name, packages } = JSON.parse(filled);
  assert.equal(name, 'x');
  assert.deepEqual(
    Object.keys(packages),
    Object.keys(packages).toSorted((a, b) => a.localeCompare(b, 'en')),
  );
  assert.equal(packages['node_modules/@l/linux-x64-gnu'].integrity, 'sha512-x');
  assert.deepEqual(packages['node_modules/@l/linux-x64-musl'], {
    version: '1.0.0',
    cpu: ['x64'],
    dev: true,
    libc: ['musl'],
    optional: true,
    os: ['linux'],
  });
  assert.deepEqual(packages['node_modules/@l/darwin-amd64'], {
    version: '1.0.0',
    cpu: ['x64'],
    dev: true,
    optional: true,
    os: ['darwin'],
  });
});
