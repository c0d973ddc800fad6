import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { parseAssetId } from '@bulkhead/domain';
import { publicPath, publicReservesIn } from './public-reserves.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-reserves-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const shown = join(folder, 'public', 'eip155-1-slip44-60', '12');
const kept = join(folder, 'private', 'eip155-1-slip44-60', '12-abcdef01');
for (const place of [shown, kept]) {
  mkdirSync(place, { recursive: true });
  for (const name of ['manifest.txt', 'wallets.bin', 'certificates.bin', 'packages.bin', 'notes.txt']) {
    writeFileSync(join(place, name), `${name} of ${place}`);
  }
}
mkdirSync(join(shown, 'leaves.bin'));
symlinkSync(join(kept, 'wallets.bin'), join(shown, 'publication.bin'));

const place = { asset: 'eip155-1-slip44-60', epoch: '12', name: 'wallets.bin' };

test('what a manifest lists is given to everybody, but for what names clients', async () => {
  const { file } = publicReservesIn(folder);
  for (const name of ['manifest.txt', 'wallets.bin']) {
    const found = await file({ ...place, name });
    assert.ok(found !== undefined);
    const content = await text(found.content);
    assert.deepEqual([content, found.bytes], [`${name} of ${shown}`, content.length]);
  }
  for (const name of [
    'certificates.bin',
    'packages.bin',
    'notes.txt',
    'leaves.bin',
    'publication.bin',
    'summary.bin',
    '',
  ]) {
    assert.equal(await file({ ...place, name }), undefined, name);
  }
  const asset = parseAssetId('eip155:1/slip44:60');
  assert.equal(publicPath(asset, 12n, 'wallets.bin'), '/v1/reserves/eip155-1-slip44-60/12/wallets.bin');
  assert.equal(publicPath(asset, 12n, 'certificates.bin'), null);
});

test('no part of a place leads out of its folder', async () => {
  const { file } = publicReservesIn(folder);
  for (const part of [
    '..',
    '.',
    '../public/eip155-1-slip44-60',
    'eip155-1-slip44-60/12',
    '/etc',
    'eip155-01-slip44-60',
    '',
  ]) {
    assert.equal(await file({ ...place, asset: part }), undefined, part);
  }
  for (const epoch of [
    '..',
    '0',
    '012',
    '12/',
    '12/../../../private',
    '1e1',
    ' 12',
    '../../private/eip155-1-slip44-60/12-abcdef01',
  ]) {
    assert.equal(await file({ ...place, epoch }), undefined, epoch);
  }
  assert.equal(await file({ ...place, name: '../12/wallets.bin' }), undefined);
  assert.equal(await publicReservesIn(join(folder, 'nowhere')).file(place), undefined);
});
