import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** What a page may cost that checks claims and certificates without range proofs. */
const compressedBytesMax = 40_000;

test('what checks a claim fits a page: small when compressed, and nothing of Node in it', async () => {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: "export { checkClaim, httpNode } from './index.ts';",
      resolveDir: fileURLToPath(new URL('../src', import.meta.url)),
      loader: 'ts',
    },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    metafile: true,
  });
  const [file] = outputFiles;
  assert.ok(file !== undefined);
  const inputs = Object.keys(metafile.inputs);
  assert.deepEqual(
    inputs.filter((path) => path.includes('node_modules') && !path.includes('@noble/')),
    [],
    'nothing from outside but @noble',
  );
  const size = gzipSync(file.contents, { level: 9 }).length;
  assert.ok(size < compressedBytesMax, `${size} bytes compressed`);
});
