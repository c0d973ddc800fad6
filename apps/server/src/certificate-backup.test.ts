import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { folderBackup } from './certificate-backup.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-backup-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const bytes = Buffer.from('what the signers said');

test('a certificate is in the backup, whole and for its owner alone, and once is enough', async () => {
  const directory = join(folder, 'elsewhere');
  const backup = folderBackup(directory);
  await backup.store('vault.json', bytes);
  await backup.store('vault.json', bytes);
  assert.deepEqual(readdirSync(directory), ['vault.json']);
  assert.deepEqual(readFileSync(join(directory, 'vault.json')), bytes);
  assert.equal(statSync(join(directory, 'vault.json')).mode & 0o777, 0o600);
});

test('a copy that says something else is not replaced, and nothing counts as backed up', async () => {
  const directory = join(folder, 'other');
  const backup = folderBackup(directory);
  await backup.store('vault.json', Buffer.from('of another installation'));
  await assert.rejects(backup.store('vault.json', bytes), { code: 'vault/backup-failed', message: /something else/u });
  assert.equal(readFileSync(join(directory, 'vault.json'), 'utf8'), 'of another installation');
});

test('a torn copy under another name is written again; a place that is no folder is a fault', async () => {
  const directory = join(folder, 'torn');
  const backup = folderBackup(directory);
  await backup.store('first.json', bytes);
  writeFileSync(join(directory, 'vault.json.part'), 'what');
  await backup.store('vault.json', bytes);
  assert.deepEqual(readdirSync(directory), ['first.json', 'vault.json']);
  const place = join(folder, 'file');
  writeFileSync(place, '');
  await assert.rejects(folderBackup(place).store('vault.json', bytes), { code: 'vault/backup-failed' });
});
