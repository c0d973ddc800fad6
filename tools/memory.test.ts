import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folderInMemory } from './memory.ts';

const freeBytes = 4n * 2n ** 30n;
const mounts = (options: string, kind = 'tmpfs'): string =>
  `/dev/vda / ext4 rw,relatime 0 0\n${kind} /dev/shm ${kind} ${options} 0 0\n`;

test('tests work in memory where there is room for them and files may run, and elsewhere on the disk', () => {
  assert.equal(folderInMemory({ mounts: mounts('rw,nosuid,nodev'), freeBytes }), '/dev/shm');
  assert.equal(folderInMemory({ mounts: mounts('rw'), freeBytes: 64n * 2n ** 20n }), undefined);
  assert.equal(folderInMemory({ mounts: mounts('rw,nosuid,nodev,noexec'), freeBytes }), undefined);
  assert.equal(folderInMemory({ mounts: mounts('ro,relatime'), freeBytes }), undefined);
  assert.equal(folderInMemory({ mounts: mounts('rw', 'ext4'), freeBytes }), undefined);
  assert.equal(
    folderInMemory({ mounts: mounts('rw') + mounts('rw,noexec'), freeBytes }),
    undefined,
    'the last one counts',
  );
  assert.equal(folderInMemory({ mounts: '', freeBytes }), undefined);
});
