import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { deployment, enrolment, now, opening } from '../test/opening.ts';
import { nobleHashes } from './noble-hashes.ts';
import { applyList, emptyRegistry, type ListAuthority } from './registry-change.ts';
import { listBytesMax, listDigest, listItemsMax, listText, parseList } from './registry-list.ts';

type Vectors = {
  readonly deployment: string;
  readonly identities: readonly string[];
  readonly lists: readonly {
    readonly authority: ListAuthority;
    readonly text: string;
    readonly items: string;
    readonly digest: string;
    readonly version: string;
    readonly hash: string;
  }[];
  readonly refused: readonly { readonly why: string; readonly line: number; readonly text: string }[];
};

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../spec/vectors/registry.json', import.meta.url), 'utf8'),
);

test('lists are written, read, digested and chained as the specification says', () => {
  let registry = emptyRegistry(vectors.deployment, vectors.identities);
  for (const { authority, text, items, digest, version, hash } of vectors.lists) {
    const list = parseList(text);
    assert.equal(String(list.length), items);
    assert.equal(listText(list), text);
    assert.equal(listDigest(nobleHashes, text), digest);
    registry = applyList(nobleHashes, registry, { list: text, authority, now });
    assert.equal(String(registry.version), version);
    assert.equal(registry.hash, hash);
  }
  assert.deepEqual(parseList(listText(opening)), opening);
  assert.deepEqual(parseList(listText(enrolment)), enrolment);
  assert.equal(vectors.deployment, deployment);
});

test('every other text is refused, and the line that is wrong is named', () => {
  assert.ok(vectors.refused.length >= 60);
  for (const { why, line, text } of vectors.refused) {
    assert.throws(
      () => parseList(text),
      (error: unknown) => {
        assert.ok(error instanceof Error && 'code' in error && 'details' in error, why);
        assert.equal(error.code, 'signer/registry-list', why);
        assert.match(error.message, new RegExp(`^Line ${line} `, 'u'), why);
        return true;
      },
    );
  }
});

test('a list has limits, in items and in bytes', () => {
  const [client] = enrolment;
  assert.ok(client !== undefined);
  const [header, line] = listText([client]).split('\n');
  assert.throws(() => parseList(`${header}\n${`${line}\n`.repeat(listItemsMax + 1)}`), {
    code: 'signer/registry-list',
    message: /20001 items/u,
  });
  assert.equal(parseList(`${header}\n${`${line}\n`.repeat(100)}`).length, 100);
  // Three bytes for each character: the text is shorter than the limit, its bytes are not.
  const wide = `${header}\n{"label":"${'€'.repeat(Math.floor(listBytesMax / 3))}"}\n`;
  assert.ok(wide.length < listBytesMax);
  assert.throws(() => parseList(wide), { code: 'signer/registry-list', message: /at most 8388608/u });
});

test('items that are none at run time are not written', () => {
  const [client] = enrolment;
  assert.ok(client?.item === 'client');
  assert.throws(() => listText([{ ...client, client: 'nobody' }]), {
    code: 'signer/registry-list',
    message: /^Line 2 /,
  });
  assert.throws(() => listText([]), { message: /no items/u });
});
