import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { artifactDirectory, compileContracts } from './compile.ts';
import * as contracts from './index.ts';

test('the committed artifacts are what the sources compile to, byte for byte', async () => {
  const compiled = await compileContracts();
  assert.deepEqual([...compiled.keys()].toSorted(), readdirSync(artifactDirectory).toSorted());
  for (const [file, text] of compiled) {
    assert.equal(
      readFileSync(join(artifactDirectory, file), 'utf8'),
      text,
      `${file} is stale: run "npm run compile -w @bulkhead/contracts"`,
    );
  }
});

test('the entry exports every artifact under its name', () => {
  const names = Object.values(contracts).map((artifact) => `${artifact.name}.json`);
  assert.deepEqual(names.toSorted(), readdirSync(artifactDirectory).toSorted());
});
