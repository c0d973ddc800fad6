import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checksumAddress, parseAddress } from './address.ts';

/** The examples of EIP-55: four mixed, two all upper case, two all lower case. */
const vectors = [
  '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
  '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359',
  '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB',
  '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb',
  '0x52908400098527886E0F7030069857D2E4169EE7',
  '0x8617E340B3D01FA5F11F306F4090FD50E238070D',
  '0xde709f2102306220921060314715629080e2fb77',
  '0x27b1fdb04752bbc536007a920d24acb045561c26',
];

test('the examples of EIP-55 are parsed to lower case and written back with their checksum', () => {
  for (const text of vectors) {
    const address = parseAddress(text);
    assert.equal(address, text.toLowerCase());
    assert.equal(checksumAddress(address), text);
  }
});

test('addresses without mixed case carry no checksum and are taken as they are', () => {
  const [first = ''] = vectors;
  assert.equal(parseAddress(first.toLowerCase()), first.toLowerCase());
  assert.equal(parseAddress(`0x${first.slice(2).toUpperCase()}`), first.toLowerCase());
});

test('one changed case or one changed digit breaks the checksum', () => {
  for (const text of vectors.slice(0, 4)) {
    for (let i = 2; i < text.length; i++) {
      const letter = text.charAt(i);
      const swapped = letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase();
      if (swapped === letter) continue;
      const changed = text.slice(0, i) + swapped + text.slice(i + 1);
      assert.throws(() => parseAddress(changed), { code: 'address/checksum' }, changed);
    }
  }
  assert.throws(() => parseAddress('0x6aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'), { code: 'address/checksum' });
});

test('what is not 0x and forty hex digits is no address', () => {
  const digits = '5aaeb6053f3e94c9b9a09f33669435e7ef1beaed';
  const wrong = [
    '',
    '0x',
    digits,
    `0X${digits}`,
    `0x${digits.slice(1)}`,
    `0x${digits}0`,
    `0x${digits}\n`,
    ` 0x${digits}`,
  ];
  for (const text of [...wrong, `0x${digits.slice(0, 39)}g`, `0x${digits.slice(0, 39)}１`, 'vitalik.eth']) {
    assert.throws(() => parseAddress(text), { code: 'address/malformed' }, JSON.stringify(text));
  }
});
