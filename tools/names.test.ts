import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkNames } from './names.ts';

test('names that say nothing are found in folders and files', () => {
  const paths = ['packages/a/src/utils.ts', 'packages/common/src/b.ts', 'src/order-service.ts', 'types.ts'];
  const found = checkNames(new Map(paths.map((path) => [path, ''])));
  assert.deepEqual(
    found.map(({ path }) => path),
    paths,
  );
});

test('nouns pass, also where they contain such a word', () => {
  const paths = ['packages/domain/src/account.ts', 'src/utilisation.ts', 'docs/helpers.md'];
  assert.deepEqual(checkNames(new Map(paths.map((path) => [path, '']))), []);
});
