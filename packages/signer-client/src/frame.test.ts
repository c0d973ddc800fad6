import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFrameReader, frameOf } from './frame.ts';
import { frameBytesMax, frameBytesOrdinary, requestBytesAllowed } from './protocol.ts';

const protocolFault = { code: 'signer/protocol' };

test('frames come out whole and in order, wherever the pieces are cut', () => {
  const texts = ['a', 'zwölf', 'x'.repeat(70_000), '{}'];
  const stream = Buffer.concat(texts.map(frameOf));
  for (const size of [1, 3, 4, 5, 4_097, 65_536, stream.length]) {
    const reader = createFrameReader(requestBytesAllowed);
    const out: string[] = [];
    for (let at = 0; at < stream.length; at += size) out.push(...reader.read(stream.subarray(at, at + size)));
    assert.deepEqual(out, texts, `pieces of ${size}`);
    assert.equal(reader.heldBytes(), 0);
  }
});

test('memory follows what arrives, not what is announced', () => {
  const reader = createFrameReader(() => 1_000_000_000);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(900_000_000);
  reader.read(length);
  reader.read(Buffer.alloc(10_000, 0x20));
  assert.ok(reader.heldBytes() < 50_000, `${reader.heldBytes()} bytes are held for 10,000`);
});

test('a frame above the ordinary length must begin as a change, and is refused before it is read', () => {
  const announced = (bytes: number): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes);
    return length;
  };
  const sign = Buffer.from(`{"v":1,"id":"1","method":"sign",${' '.repeat(200)}`);
  const change = Buffer.from(`{"v":1,"id":"1","method":"change",${' '.repeat(200)}`);
  const read = (bytes: number, opening: Buffer): readonly string[] =>
    createFrameReader(requestBytesAllowed).read(Buffer.concat([announced(bytes), opening]));
  assert.deepEqual(read(frameBytesOrdinary, sign), []);
  assert.throws(() => read(frameBytesOrdinary + 1, sign), protocolFault);
  assert.deepEqual(read(frameBytesMax.change, change), []);
  assert.throws(() => read(frameBytesMax.change + 1, change), protocolFault);
  assert.throws(() => read(0xff_ff_ff_ff, Buffer.alloc(128)), protocolFault);
});

test('an empty frame and bytes that are not UTF-8 are refused', () => {
  assert.throws(() => createFrameReader(requestBytesAllowed).read(Buffer.alloc(4)), protocolFault);
  assert.throws(
    () => createFrameReader(requestBytesAllowed).read(Buffer.from([0, 0, 0, 2, 0xc3, 0x28])),
    protocolFault,
  );
});
