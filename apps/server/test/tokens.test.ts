import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Artifact, demoToken, feeToken, silentToken } from '@bulkhead/contracts';
import { type Address, type AssetId, parseAddress, tokenAsset } from '@bulkhead/domain';
import { encodeFunctionData, isHex, keccak256 } from 'viem';
import { policyOf, rulesFor } from '../src/development/first-list.ts';
import {
  admit,
  type Admitted,
  approve,
  chain,
  changeRegistry,
  coin,
  deposit,
  enrol,
  ether,
  firstOf,
  type House,
  openHouse,
  type Seen,
  settled,
  until,
} from './house.ts';

const outside = parseAddress(`0x${'0c'.repeat(20)}`);

type Token = { readonly address: Address; readonly asset: AssetId; readonly artifact: Artifact };

let house: House;
let client: Admitted;
let plain: Token;
let silent: Token;
let taking: Token;

before(async () => {
  house = await openHouse();
  plain = await deployed(demoToken);
  silent = await deployed(silentToken);
  taking = await deployed(feeToken);
  await allow(plain, 'standard');
  await allow(silent, 'standard');
  await allow(taking, 'fee-on-transfer');
  await listed();
  client = await admit(house.desk, 'C-tokens');
  await enrol(house.desk, client, outside);
  await deposit(house, client, 2n * coin);
});
after(async () => {
  await house[Symbol.asyncDispose]();
});

async function deployed(artifact: Artifact): Promise<Token> {
  const { node, stranger } = house;
  const address = await node.deploy(stranger, artifact.bytecode);
  const token = { address, artifact, asset: tokenAsset(chain, address) };
  await call(token, 'mint', stranger, 1_000_000n);
  return token;
}

/** A transaction of the stranger to the contract. */
async function call({ address, artifact }: Token, name: string, to: Address, amount: bigint): Promise<string> {
  const data = encodeFunctionData({ abi: artifact.abi, functionName: name, args: [to, amount] });
  const { hash, succeeded } = await house.node.send({ from: house.stranger, to: address, data });
  assert.ok(succeeded);
  return hash;
}

async function allow({ asset }: Token, behaviour: string): Promise<void> {
  const terms = { asset, symbol: 'TOK', decimals: 0, behaviour, dustMax: '0' };
  await house.desk.post('/v1/assets', terms, 'admin');
}

async function codeOf({ address }: Token): Promise<`0x${string}`> {
  const code = await house.node.call('eth_getCode', address, 'latest');
  assert.ok(isHex(code) && code.length > 2);
  return code;
}

/** The root quorum lists every token with the code that it has now, and what may be done with it. */
async function listed(): Promise<void> {
  const tokens = [plain, silent, taking];
  const items = tokens.map(async (token) => {
    const codeHash = keccak256(await codeOf(token)).slice(2);
    return { item: 'asset', asset: token.asset, symbol: 'TOK', decimals: 0, codeHash };
  });
  const assets = [{ id: ether, decimals: 18 }, ...tokens.map(({ asset: id }) => ({ id, decimals: 0 }))];
  const policy = policyOf(assets.flatMap((asset) => rulesFor(asset, 2)));
  const text = JSON.stringify(policy, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  const wired: object = JSON.parse(text);
  await changeRegistry(house.desk, 'policy-change', [...(await Promise.all(items)), { item: 'policy', ...wired }]);
}

/** Tokens come from the stranger, are final, and two people release them. */
async function receive(token: Token, amount: bigint): Promise<Seen> {
  const { desk } = house;
  const hash = await call(token, 'transfer', client.address, amount);
  const found = await until('the tokens to be final', async () => {
    await house.node.mine(1);
    const { items } = await desk.get(`/v1/deposits?clientId=${client.id}&state=final`);
    return items.find((one) => one.transactionHash === hash && one.verdict !== null);
  });
  await desk.post(`/v1/deposits/${found.id}/release`, undefined, 'approver-1');
  return desk.post(`/v1/deposits/${found.id}/release`, undefined, 'approver-2');
}

async function available({ asset }: Token): Promise<string> {
  const { items } = await house.desk.get(`/v1/clients/${client.id}/balances`);
  return items.find((one) => one.asset === asset)?.available ?? '0';
}

async function held({ address, artifact }: Token, holder: Address): Promise<bigint> {
  const data = encodeFunctionData({ abi: artifact.abi, functionName: 'balanceOf', args: [holder] });
  return BigInt(String(await house.node.call('eth_call', { to: address, data }, 'latest')));
}

async function withdraw({ asset }: Token, amount: bigint): Promise<string> {
  const body = { clientId: client.id, asset, amount: String(amount), destination: outside };
  const { id } = await house.desk.post('/v1/withdrawals', body, 'operator');
  await approve(house.desk, id);
  return id;
}

test('a token that returns nothing is credited and paid out; of one that takes a fee what arrived is credited', async () => {
  assert.equal((await receive(silent, 700n)).state, 'released');
  await settled(house.desk, await withdraw(silent, 200n));
  assert.deepEqual([await available(silent), await held(silent, outside)], ['500', 200n]);
  const credited = await receive(taking, 1_000n);
  assert.deepEqual([credited.state, await available(taking)], ['released', '990']);
});

test('a token whose code is swapped is neither paid nor credited, and goes on when the code is the reviewed one', async () => {
  const { desk, node } = house;
  await receive(plain, 5_000n);
  const reviewed = await codeOf(plain);
  await node.call('anvil_setCode', plain.address, await codeOf(taking));
  await node.mine(1);
  await desk.post('/v1/reconciliations', { chain }, 'operator');
  const { id, type } = firstOf((await desk.get('/v1/breaks?state=open')).items);
  assert.equal(type, 'token-code');

  const waiting = await withdraw(plain, 1_000n);
  const reason = await until('the withdrawal to say why it waits', async () => {
    const view = await desk.get(`/v1/withdrawals/${waiting}`);
    return view.state === 'signing' && view.reason !== null && view.reason;
  });
  assert.ok(reason.includes('has code with the Keccak-256') && reason.includes(id), reason);
  // Only the coin moves on: one asset stands still, and no compartment.
  const body = { clientId: client.id, asset: ether, amount: '1000', destination: outside };
  const other = await desk.post('/v1/withdrawals', body, 'operator');
  await approve(desk, other.id);
  await settled(desk, other.id);
  await call(plain, 'transfer', client.address, 300n);
  const arrived = await until('the tokens of other code to be final', async () => {
    await node.mine(1);
    const { items } = await desk.get(`/v1/deposits?clientId=${client.id}&state=final`);
    return items.find(({ asset }) => asset === plain.asset);
  });
  const released = await desk.ask('POST', `/v1/deposits/${arrived.id}/release`, { person: 'approver-1', key: 'early' });
  assert.deepEqual([released.status, released.body.code], [409, 'asset/code-changed']);
  assert.deepEqual([await available(plain), await held(plain, outside)], ['4000', 0n]);

  await node.call('anvil_setCode', plain.address, reviewed);
  await node.mine(1);
  await desk.post('/v1/reconciliations', { chain }, 'operator');
  await settled(desk, waiting);
  assert.equal(await held(plain, outside), 1_000n);
  assert.deepEqual((await desk.get('/v1/breaks?state=open')).items, []);
});
