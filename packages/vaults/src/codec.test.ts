import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressOf, exampleTerms, wordOfByte } from './testing/example.ts';
import { hashes } from './testing/vault-chain.ts';
import { booleanCodec, bytesCodec, decodeWhole, listOf, named, struct, textCodec, unsigned } from './codec.ts';
import {
  bytesOf,
  callData,
  factoryCalls,
  type Hex,
  hexOf,
  parseFactoryCall,
  parseVaultCall,
  vaultCalls,
} from './index.ts';

const { config, policy } = exampleTerms(hashes);

/** A word of hex digits. */
function word(value: bigint): string {
  return value.toString(16).padStart(64, '0');
}

test('a value is refused when it does not fill its place exactly', () => {
  const wrong: [() => unknown, RegExp][] = [
    [() => unsigned(8).encode(256n), /does not fit into 8 bits/u],
    [() => unsigned(256).encode(-1n), /does not fit/u],
    [() => decodeWhole(unsigned(8), bytesOf(`0x${word(256n)}`)), /does not fit into 8 bits/u],
    [() => decodeWhole(booleanCodec, bytesOf(`0x${word(2n)}`)), /neither true nor false/u],
    [() => decodeWhole(named({ a: 1n }), bytesOf(`0x${word(0n)}`)), /none of a/u],
    [() => decodeWhole(unsigned(8), bytesOf(`0x${word(1n)}00`)), /1 bytes follow/u],
    [() => decodeWhole(unsigned(8), bytesOf('0x00')), /end too early/u],
    [() => decodeWhole(bytesCodec, bytesOf(`0x${word(1n)}ff${'0'.repeat(61)}1`)), /filled up/u],
    [() => decodeWhole(bytesCodec, bytesOf(`0x${word(2n ** 200n)}`)), /a length is/u],
    [() => decodeWhole(listOf(unsigned(8)), bytesOf(`0x${word(4_097n)}`)), /a length is 4097, at most 4096/u],
    [() => decodeWhole(listOf(unsigned(8)), bytesOf(`0x${word(4_000n)}`)), /end too early/u],
    [() => decodeWhole(textCodec, bytesOf(`0x${word(1n)}ff${'0'.repeat(62)}`)), /not UTF-8/u],
    [() => bytesOf('0xAB'), /lower-case hex/u],
    [() => bytesOf('0xa'), /lower-case hex/u],
  ];
  for (const [make, message] of wrong) assert.throws(make, { code: 'vault/malformed', message });
});

test('text has one form, its mark of byte order included', () => {
  for (const text of ['', 'eip155:1/slip44:60', '\uFEFFx', 'ä€']) {
    assert.equal(decodeWhole(textCodec, textCodec.encode(text)), text);
  }
});

test('contents stand one after the other, without gaps, overlaps or another order', () => {
  const form = struct('', { first: bytesCodec, second: bytesCodec });
  const right = hexOf(form.encode({ first: '0x01', second: '0x02' }));
  assert.deepEqual(decodeWhole(form, bytesOf(right)), { first: '0x01', second: '0x02' });
  const tails = right.slice(2 + 128);
  const [one, two] = [tails.slice(0, 128), tails.slice(128)];
  const others = [
    // Both at the same place; in the other order; with a gap.
    word(64n) + word(64n) + one,
    word(128n) + word(64n) + two + one,
    word(96n) + word(160n) + word(0n) + one + two,
  ];
  for (const other of others) {
    assert.throws(() => decodeWhole(form, bytesOf(`0x${other}`)), {
      code: 'vault/malformed',
      message: /does not stand/u,
    });
  }
});

test('a call has one form: whatever is changed in its bytes is another call, or none', () => {
  const message = { payments: [{ token: addressOf(1), to: addressOf(2), amount: 3n }], nonce: 4n, deadline: 5n };
  const inner = callData(hashes, vaultCalls.payBatch, { config, message, signatures: '0xabcd' });
  const opened = callData(hashes, vaultCalls.openPolicy, { config, policy });
  const outer = callData(hashes, factoryCalls.createAndCall, { config, calls: [opened, inner] });
  const read = parseFactoryCall(hashes, outer);
  assert.deepEqual(read, { call: 'createAndCall', arguments: { config, calls: [opened, inner] } });
  assert.deepEqual(parseVaultCall(hashes, inner), {
    call: 'payBatch',
    arguments: { config, message, signatures: '0xabcd' },
  });
  let accepted = 0;
  const bytes = bytesOf(inner);
  fc.assert(
    fc.property(fc.nat({ max: bytes.length - 1 }), fc.integer({ min: 1, max: 255 }), (place, change) => {
      const changed = Uint8Array.from(bytes);
      changed[place] = (changed[place] ?? 0) ^ change;
      let call: ReturnType<typeof parseVaultCall>;
      try {
        call = parseVaultCall(hashes, hexOf(changed));
      } catch {
        return;
      }
      accepted += 1;
      assert.ok(call.call === 'payBatch');
      assert.equal(callData(hashes, vaultCalls.payBatch, call.arguments), hexOf(changed));
    }),
    { numRuns: 3_000 },
  );
  assert.ok(accepted > 300, `only ${accepted} were read at all`);
  const refused: [Hex, RegExp][] = [
    [`${inner}00`, /follow what was read/u],
    [`${inner}${'0'.repeat(64)}`, /follow what was read/u],
    [`0x${inner.slice(2, -2)}`, /end too early/u],
    ['0x', /no such function/u],
    ['0x12345678', /no such function/u],
  ];
  for (const [data, text] of refused) {
    assert.throws(() => parseVaultCall(hashes, data), { code: 'vault/malformed', message: text });
  }
});

test('a list of bytes cannot make much out of little', () => {
  const calls = listOf(bytesCodec);
  // Four thousand entries that all point at the same content would be read four thousand times.
  const heads = Array.from({ length: 4_000 }, () => word(4_000n * 32n)).join('');
  const content = word(32n) + wordOfByte(0xee).slice(2);
  assert.throws(() => decodeWhole(calls, bytesOf(`0x${word(4_000n)}${heads}${content}`)), {
    message: /does not stand/u,
  });
});
