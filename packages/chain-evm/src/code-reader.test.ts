import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { demoToken, feeToken } from '@bulkhead/contracts';
import { type Address, codeHashOfNothing } from '@bulkhead/domain';
import { isHex, keccak256 } from 'viem';
import { addressOf, type DevelopmentChain, startDevelopmentChain } from '../test/development-chain.ts';
import { startScriptedSource } from './testing/index.ts';

let world: DevelopmentChain;
let token: Address;

before(async () => {
  world = await startDevelopmentChain();
  token = await world.deploy(demoToken);
});

after(async () => {
  await world.stop();
});

async function hashNow(address: Address): Promise<string> {
  const code = await world.node.call('eth_getCode', address, 'latest');
  assert.ok(isHex(code));
  return keccak256(code).slice(2);
}

test('the hash is that of the code at the block that was named, also after somebody swapped it', async () => {
  const chain = await world.open();
  const { latest: before } = await chain.heads();
  const reviewed = await hashNow(token);
  assert.equal(await chain.codeHash(token, before), reviewed);
  const other = await world.node.call('eth_getCode', await world.deploy(feeToken), 'latest');
  await world.node.call('anvil_setCode', token, other);
  await world.node.mine();
  const { latest } = await chain.heads();
  const found = await chain.codeHash(token, latest);
  assert.notEqual(found, reviewed);
  assert.equal(found, await hashNow(token));
  assert.equal(await chain.codeHash(token, before), reviewed, 'it was another one then');
  assert.equal(await chain.codeHash(addressOf(7), latest), codeHashOfNothing);
});

test('one source cannot say what the code is', async () => {
  await using liar = await startScriptedSource(world.anvil.url, async (call, forward) =>
    call.method === 'eth_getCode' ? { type: 'result', result: '0x6001' } : forward(),
  );
  await using honest = await startScriptedSource(world.anvil.url);
  const chain = await world.open({
    sources: [world.anvil.url, liar.url, honest.url],
    agreement: { k: 2 },
  });
  const { latest } = await chain.heads();
  assert.equal(await chain.codeHash(token, latest), await hashNow(token));
  const strict = await world.open({ sources: [world.anvil.url, liar.url], agreement: { k: 2 } });
  await assert.rejects(strict.codeHash(token, latest), { code: 'chain/disagreement' });
});
