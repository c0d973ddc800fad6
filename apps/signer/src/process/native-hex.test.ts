import './native-hex.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';

test('hex of packages that look for the native form is strict and copies', () => {
  assert.ok('fromHex' in Uint8Array && 'toHex' in Uint8Array.prototype);
  const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
  const text = Buffer.from(bytes).toString('hex');
  assert.equal(bytesToHex(bytes), text);
  assert.equal(bytesToHex(bytes.subarray(3, 5)), '0304');
  assert.deepEqual(hexToBytes(text), bytes);
  assert.deepEqual(hexToBytes(''), new Uint8Array());
  assert.equal(hexToBytes('0a0b').buffer.byteLength, 2);
  for (const wrong of ['0', 'zz', '00zz', '0 ', '000', 'ä0']) assert.throws(() => hexToBytes(wrong));
});
