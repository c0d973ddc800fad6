import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { pinFields, type PinName, pinNames, type Pins, type PinTexts } from './pin-field.ts';

function read(texts: PinTexts): Pins {
  return pinNames.reduce<Pins>((pins, name) => {
    const text = texts[name];
    return text === undefined ? pins : { ...pins, ...pinFields[name].read(text, texts) };
  }, {});
}

const address = '0x52908400098527886E0F7030069857D2E4169EE7';

test('what people type becomes what the check takes', () => {
  const pins = read({
    registry: `eip155:1:${address}`,
    codeHash: `0x${'Ab'.repeat(32)}`,
    client: 'cl_1',
    compartment: '100042',
    amount: '1.5',
    decimals: '6',
    nodes: ' https://one.example/key\nhttp://localhost:8545 ',
  });
  assert.deepEqual(pins, {
    registry: {
      chain: 1n,
      address: Uint8Array.from(Buffer.from(address.slice(2), 'hex')),
      codeHash: new Uint8Array(32).fill(0xab),
    },
    client: 'cl_1',
    compartment: 100_042,
    amount: 1_500_000n,
    nodes: ['https://one.example/key', 'http://localhost:8545'],
  });
  assert.deepEqual(Object.keys(read({ registry: `eip155:1:${address}` }).registry ?? {}), ['chain', 'address']);
});

test('what cannot be meant is refused with a sentence', () => {
  const wrong: readonly (readonly [PinName, PinTexts, RegExp])[] = [
    ['registry', { registry: address }, /no chain and address/u],
    ['registry', { registry: `eip155:01:${address}` }, /eip155/u],
    ['registry', { registry: `eip155:1:${address.replace('E', 'e')}` }, /checksum/u],
    ['registry', { registry: `eip155:1:${address}`, codeHash: '0x12' }, /64 hex digits/u],
    ['client', { client: 'x'.repeat(65) }, /1 to 64/u],
    ['compartment', { compartment: '1e5' }, /digits alone/u],
    ['compartment', { compartment: '3' }, /of the custodian itself/u],
    ['compartment', { compartment: '4294967296' }, /not a compartment/u],
    ['decimals', { decimals: '78' }, /from 0 to 77/u],
    ['decimals', { decimals: '-1' }, /from 0 to 77/u],
    ['amount', { amount: '1.0000001', decimals: '6' }, /digits after the point/u],
    ['amount', { amount: '1,5', decimals: '6' }, /not a decimal amount/u],
    ['nodes', { nodes: 'http://node.example' }, /https/u],
    ['nodes', { nodes: 'wss://node.example' }, /https/u],
    ['nodes', { nodes: 'node.example' }, /https/u],
    ['nodes', { nodes: 'https://a.example https://a.example' }, /twice/u],
    ['nodes', { nodes: 'https://a https://b https://c https://d https://e https://f' }, /At most 5/u],
  ];
  for (const [name, texts, sentence] of wrong) {
    assert.throws(
      () => pinFields[name].read(texts[name] ?? '', texts),
      (error) => error instanceof CustodyError && sentence.test(error.message),
      JSON.stringify(texts),
    );
  }
});
