import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from './address.ts';
import { chainNumber, chainOf, contractOf, nativeAsset, parseAssetId, parseChainId, tokenAsset } from './asset.ts';

const contract = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed';

test('a chain id is eip155 and a number that a program can hold exactly', () => {
  assert.equal(chainNumber(parseChainId('eip155:1')), 1);
  assert.equal(chainNumber(parseChainId('eip155:999999999999999')), 999_999_999_999_999);
  assert.ok(Number.isSafeInteger(chainNumber(parseChainId('eip155:999999999999999'))));
  const wrong = [
    '',
    '1',
    'eip155',
    'eip155:',
    'eip155:0',
    'eip155:01',
    'eip155:-1',
    'eip155:1e3',
    'eip155:0x1',
    'EIP155:1',
  ];
  const strange = [
    'eip155:1 ',
    'eip155:1\n',
    'eip155:１',
    'bip122:000000000019d6689c085ae165831e93',
    'eip155:9007199254740993',
  ];
  for (const text of [...wrong, ...strange]) {
    assert.throws(() => parseChainId(text), { code: 'chain/malformed' }, JSON.stringify(text));
  }
});

test('an asset is the native coin or a token contract, whose address is kept in lower case', () => {
  const chain = parseChainId('eip155:1');
  assert.equal(parseAssetId('eip155:1/slip44:60'), nativeAsset(chain));
  const token = parseAssetId(`eip155:1/erc20:${contract}`);
  assert.equal(token, `eip155:1/erc20:${contract.toLowerCase()}`);
  assert.equal(token, tokenAsset(chain, parseAddress(contract)));
});

test('an asset tells its chain and its contract', () => {
  const native = parseAssetId('eip155:31337/slip44:60');
  const token = parseAssetId(`eip155:31337/erc20:${contract}`);
  assert.equal(chainOf(native), 'eip155:31337');
  assert.equal(chainOf(token), 'eip155:31337');
  assert.equal(contractOf(native), undefined);
  assert.equal(contractOf(token), contract.toLowerCase());
});

test('other namespaces, coins and forms are no asset', () => {
  const wrong = [
    '',
    'eip155:1',
    'eip155:1/',
    'eip155:1/slip44:0',
    'eip155:1/slip44:060',
    'eip155:1/SLIP44:60',
    'eip155:1/slip44:60/1',
  ];
  for (const text of [...wrong, `eip155:1/erc721:${contract}`, `eip155:1/erc20:${contract}/7`]) {
    assert.throws(() => parseAssetId(text), { code: 'asset/malformed' }, JSON.stringify(text));
  }
  assert.throws(() => parseAssetId('eip155:0/slip44:60'), { code: 'chain/malformed' });
  assert.throws(() => parseAssetId(' eip155:1/slip44:60'), { code: 'chain/malformed' });
  assert.throws(() => parseAssetId('eip155:1/erc20:0x12'), { code: 'address/malformed' });
  assert.throws(() => parseAssetId(`eip155:1/erc20:${contract.replace('5aA', '5aa')}`), { code: 'address/checksum' });
});
