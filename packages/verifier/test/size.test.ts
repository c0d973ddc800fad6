import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Compressed bytes that a page may cost: of what checks claims and certificates, and of what checks everything. */
const entrances = [
  { contents: "export { examine, httpNode, recognise } from './index.ts';", bytesMax: 40_000 },
  {
    contents: "export { httpNode } from './index.ts'; export { examine, recogniseAll } from './whole.ts';",
    bytesMax: 80_000,
  },
];

for (const { contents, bytesMax } of entrances) {
  test(`what a page loads is less than ${bytesMax} bytes compressed, with nothing of Node in it`, async (context) => {
    const { outputFiles, metafile } = await build({
      stdin: { contents, resolveDir: fileURLToPath(new URL('../src', import.meta.url)), loader: 'ts' },
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      // A module of Node is not there for a browser: the bundler ends with an error.
      platform: 'browser',
      target: 'es2022',
      metafile: true,
    });
    const [file] = outputFiles;
    assert.ok(file !== undefined);
    const outside = Object.keys(metafile.inputs).filter((path) => path.includes('node_modules/'));
    assert.deepEqual(
      outside.filter((path) => !path.includes('@noble/curves/') && !path.includes('@noble/hashes/')),
      [],
      'nothing from outside but @noble/curves and @noble/hashes',
    );
    const size = gzipSync(file.contents, { level: 9 }).length;
    context.diagnostic(`${size} bytes compressed`);
    assert.ok(size < bytesMax, `${size} bytes compressed`);
  });
}

test('two packages from outside are all that a reader of this code has to trust besides it', () => {
  const outside = new Set<string>();
  for (const workspace of ['verifier', 'proofs', 'authority', 'vaults', 'tlog', 'domain']) {
    const text = readFileSync(new URL(`../../${workspace}/package.json`, import.meta.url), 'utf8');
    const { dependencies }: { readonly dependencies: Readonly<Record<string, string>> } = JSON.parse(text);
    for (const name of Object.keys(dependencies)) if (!name.startsWith('@bulkhead/')) outside.add(name);
  }
  assert.deepEqual([...outside].toSorted(), ['@noble/curves', '@noble/hashes']);
});
