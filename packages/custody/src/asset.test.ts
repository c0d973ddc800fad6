import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAssetId } from '@bulkhead/domain';
import { allowAsset, findAsset } from './asset.ts';
import { openBench, viewOf } from './testing/bench.ts';

test('an asset may have as many decimals as the API admits, and its terms never change', async () => {
  await using bench = await openBench();
  const id = parseAssetId(`${bench.id}/erc20:0x${'ab'.repeat(20)}`);
  const asset = { id, symbol: 'DEEP', decimals: 77, behaviour: 'standard', dustMax: 0n } as const;
  assert.equal(viewOf(await allowAsset(bench.custody, bench.as('admin'), asset)).decimals, 77);
  viewOf(await allowAsset(bench.custody, bench.as('admin'), { ...asset, decimals: 6 }));
  assert.equal((await findAsset(bench.custody.db, id))?.decimals, 77);
});
