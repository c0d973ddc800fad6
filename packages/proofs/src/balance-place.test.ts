import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBalanceMapping, namespaceSlot, parseBalanceMapping } from './balance-place.ts';

test('a place of balances is read as people write it, and written as it is read', () => {
  for (const [word, form, slot, written] of [
    ['0', 'key-slot', 0n, '0'],
    ['9', 'key-slot', 9n, '9'],
    ['0x9:vyper', 'slot-key', 9n, '9:vyper'],
    [String(2n ** 256n - 1n), 'key-slot', 2n ** 256n - 1n, `0x${'f'.repeat(64)}`],
  ] as const) {
    const place = parseBalanceMapping(word);
    assert.deepEqual(place, { form, slot });
    assert.equal(formatBalanceMapping(place), written);
    assert.deepEqual(parseBalanceMapping(written), place);
  }
});

test('a namespace is the slot that ERC-7201 gives it', () => {
  // The example of the standard, and the location that OpenZeppelin writes into ERC20Upgradeable.
  assert.equal(namespaceSlot('example.main'), 0x183a6125c38840424c4a85fa12bab2ab606c4b6d0e7cc73c0c06ba5300eab500n);
  assert.deepEqual(parseBalanceMapping('erc7201:openzeppelin.storage.ERC20'), {
    form: 'key-slot',
    slot: 0x52c63247e1f47db19d5ce0460030c497f067ca4cebf71ba98eeadabe20bace00n,
  });
});

test('what is no place is refused in a sentence', () => {
  for (const word of [
    '',
    '-1',
    '01',
    '0x',
    '0xZZ',
    '9:solidity',
    'erc7201:',
    '9 ',
    String(2n ** 256n),
    '1'.repeat(79),
  ]) {
    assert.throws(() => parseBalanceMapping(word), { code: 'proof/malformed' }, word);
  }
});
