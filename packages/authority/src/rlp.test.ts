import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesOf, type Encodable, rlp } from '../test/encoding.ts';
import { parseRlp, rlpBytesMax, rlpInteger, rlpList, rlpString } from './rlp.ts';

const { item } = fc.letrec<{ item: Encodable }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'rlp' },
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('item'), { maxLength: 4, depthIdentifier: 'rlp' }),
  ),
}));

test('what the shortest encoding says is read back', () => {
  fc.assert(
    fc.property(item, (wanted) => {
      const bytes = rlp(wanted);
      fc.pre(bytes.length <= rlpBytesMax);
      assert.deepEqual(parseRlp(Uint8Array.from(bytes)), wanted);
    }),
  );
});

test('whatever is accepted has one encoding: writing it again gives the same bytes', () => {
  let accepted = 0;
  // Short runs of bytes near the borders of the format are accepted often enough to mean something.
  const byte = fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(0, 0x7f, 0x80, 0x81, 0xb7, 0xb8, 0xc0, 0xc1, 0xc2, 0xf7, 0xf8),
  );
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 6 }), (list) => {
      const bytes = Uint8Array.from(list);
      let parsed: Encodable;
      try {
        parsed = parseRlp(bytes);
      } catch {
        return;
      }
      accepted += 1;
      assert.deepEqual(Uint8Array.from(rlp(parsed)), bytes);
    }),
    { numRuns: 5_000 },
  );
  assert.ok(accepted > 50, `only ${accepted} of the examples were RLP at all`);
});

test('every other encoding is refused by name', () => {
  const wrong: [string, RegExp][] = [
    ['', /end too early/u],
    ['8100', /wrapped/u],
    ['817f', /wrapped/u],
    ['b801ff', /shortest form/u],
    [`b837${'ff'.repeat(55)}`, /shortest form/u],
    [`b90038${'ff'.repeat(56)}`, /shortest form/u],
    ['f800', /shortest form/u],
    [`f90037${'00'.repeat(55)}`, /shortest form/u],
    ['ba000100ff', /takes 3 bytes/u],
    ['ff0000000000000001', /takes 8 bytes/u],
    ['83ffff', /beyond the end/u],
    ['c3ff', /beyond the end/u],
    ['c281', /beyond the end/u],
    ['c282ff', /beyond the end/u],
    ['c383ffffc0', /beyond its list/u],
    ['c182ffff', /beyond its list/u],
    ['b8', /end too early/u],
    ['0000', /1 bytes follow/u],
    ['c000', /1 bytes follow/u],
    ['c0'.repeat(2), /follow/u],
    ['c4c3c2c1c0', /nested deeper/u],
  ];
  for (const [hex, message] of wrong) {
    assert.throws(() => parseRlp(bytesOf(hex)), { code: 'signer/malformed-transaction', message }, hex);
  }
  assert.throws(() => parseRlp(new Uint8Array(rlpBytesMax + 1)), { code: 'signer/malformed-transaction' });
});

test('an integer has no leading zero and fits its width', () => {
  assert.equal(rlpInteger(bytesOf(''), 'nonce', 8), 0n);
  assert.equal(rlpInteger(bytesOf('0100'), 'nonce', 8), 256n);
  assert.equal(rlpInteger(bytesOf('ff'.repeat(32)), 'value', 32), 2n ** 256n - 1n);
  assert.throws(() => rlpInteger(bytesOf('00'), 'nonce', 8), { message: /nonce has a leading zero/u });
  assert.throws(() => rlpInteger(bytesOf('0001'), 'nonce', 8), { message: /nonce has a leading zero/u });
  assert.throws(() => rlpInteger(bytesOf(`01${'00'.repeat(8)}`), 'nonce', 8), { message: /longer than 8 bytes/u });
});

test('a list is no string and a string no list', () => {
  assert.throws(() => rlpString([], 'data'), { message: /data is a list/u });
  assert.throws(() => rlpInteger([], 'nonce', 8), { message: /nonce is a list/u });
  assert.throws(() => rlpList(bytesOf('00'), 'accessList'), { message: /accessList is not a list/u });
});
