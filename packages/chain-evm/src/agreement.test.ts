import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { payer } from '@bulkhead/contracts';
import { AddressSet, CustodyError, nativeAsset, parseChainId } from '@bulkhead/domain';
import type { Address, Chain, FaultCode, ObservedBlock } from '@bulkhead/domain';
import { addressOf, chainId, type DevelopmentChain, startDevelopmentChain } from '../test/development-chain.ts';
import type { EvmChain, EvmChainOptions } from './evm-chain.ts';
import {
  altering,
  babbling,
  dead,
  honest,
  lagging,
  type Script,
  type ScriptedSource,
  silent,
  slow,
  startScriptedSource,
  without,
} from './testing/index.ts';

const coin = nativeAsset(chainId);
const limits = { callTimeoutMs: 400, readRetries: 1, retryPauseMs: 10 };
const depositor = addressOf(1);
const watch = new AddressSet([depositor]);

let world: DevelopmentChain;
let proxies: readonly ScriptedSource[];
let height: bigint;
let honestBlock: ObservedBlock;
let purse: Address;

before(async () => {
  world = await startDevelopmentChain();
  proxies = await Promise.all([1, 2, 3].map(async () => await startScriptedSource(world.anvil.url)));
  purse = await world.deploy(payer);
  ({ height } = await world.call({ to: purse, artifact: payer, name: 'pay', args: [[depositor], [9n]], value: 9n }));
  await world.node.mine(5);
  const block = await (await world.open()).block(height, watch);
  assert.ok(block !== undefined);
  assert.equal(block.movements.length, 1);
  honestBlock = block;
});

after(async () => {
  await Promise.all(proxies.map(async (proxy) => await proxy.stop()));
  await world.stop();
});

/** Opens `k` of as many sources as there are scripts. Every source is honest while the chain is opened. */
async function openWith(k: number, ...scripts: readonly Script[]): Promise<EvmChain> {
  const used = proxies.slice(0, scripts.length);
  for (const proxy of used) proxy.play(honest);
  const chain = await open(k, used);
  for (const [index, script] of scripts.entries()) used[index]?.play(script);
  return chain;
}

async function open(
  k: number,
  used: readonly ScriptedSource[],
  options: Partial<EvmChainOptions> = {},
): Promise<EvmChain> {
  return await world.open({ sources: used.map(({ url }) => url), agreement: { k }, limits, ...options });
}

async function codeOf(work: Promise<unknown>): Promise<FaultCode> {
  const error: unknown = await work.then(
    () => assert.fail('it was answered'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CustodyError, String(error));
  return error.code;
}

/** Everything that a reader of the chain asks, as one comparable value. */
async function readAll(chain: Chain): Promise<readonly unknown[]> {
  const at = { number: honestBlock.number, hash: honestBlock.hash };
  return [
    await chain.heads(),
    await chain.block(height, watch),
    await chain.hashAt(height),
    await chain.balances([{ asset: coin, address: depositor }], at),
    await chain.nonce(world.bank, at),
    await chain.nonce(world.bank, 'latest'),
  ];
}

const hash = `0x${'ab'.repeat(32)}`;
const setField = (name: string, value: unknown) => (item: unknown) =>
  typeof item === 'object' && item !== null ? { ...item, [name]: value } : item;
const inEach = (alter: (item: unknown) => unknown) => (list: unknown) => (Array.isArray(list) ? list.map(alter) : list);
const raised = (result: unknown): unknown =>
  typeof result === 'object' && result !== null && 'number' in result
    ? { ...result, number: `0x${(BigInt(String(result.number)) + 1_000_000n).toString(16)}` }
    : result;

/** One source that is wrong in some way beside two good ones. */
const faults: Readonly<Record<string, Script>> = {
  'is dead': dead,
  'never answers': silent,
  'answers too late': slow(300),
  'answers with a page': babbling('<html>Bad gateway</html>'),
  'answers with HTTP 502': babbling('<html>Bad gateway</html>', 502),
  'answers with an empty object': babbling('{}'),
  'answers with a number': babbling('17'),
  'answers with null for everything': babbling('{"jsonrpc":"2.0","id":1,"result":null}'),
  'refuses everything': async () => ({ type: 'error', code: -32_000, message: 'header not found' }),
  'limits its rate': async () => ({ type: 'error', code: -32_005, message: 'limit exceeded' }),
  'gives text for everything': async () => ({ type: 'result', result: 'surprise' }),
  'lags by three blocks': lagging(3n),
  'lags by everything': lagging(1_000_000n),
  'lies about the hash': altering('eth_getBlockByNumber', setField('hash', hash)),
  'boasts of heights': altering('eth_getBlockByNumber', raised),
  'lies about balances': altering('eth_call', () => `0x0101${'f'.repeat(64)}`),
  'lies about nonces': altering('eth_getTransactionCount', () => '0xffffff'),
  'lies about a payment': altering('eth_getBlockReceipts', inEach(setField('gasUsed', '0x1'))),
  'lies about inner calls': altering('trace_block', () => []),
};

for (const [fault, script] of Object.entries(faults)) {
  test(`two of three agree without the one that ${fault}`, async () => {
    const expected = await readAll(await world.open());
    for (const place of [0, 2]) {
      const scripts = [honest, honest, honest].with(place, script);
      assert.deepEqual(await readAll(await openWith(2, ...scripts)), expected, `as source ${place + 1}`);
    }
  });
}

test('a slow source delays nothing while the others agree', async () => {
  const chain = await openWith(2, slow(350), honest, honest);
  const started = performance.now();
  assert.deepEqual(await chain.block(height, watch), honestBlock);
  assert.ok(performance.now() - started < 250);
});

test('a silent source delays nothing at the head either: those that answer cannot be made up for', async () => {
  const chain = await openWith(2, slow(350), honest, honest);
  const { latest } = await (await world.open()).heads();
  const started = performance.now();
  assert.equal(await chain.hashAt(latest.number + 1n), undefined);
  assert.equal(await chain.block(latest.number + 1n, watch), undefined);
  assert.ok(performance.now() - started < 300);
});

test('a lie that the block hash does not show is a disagreement', async () => {
  const lies: readonly (readonly [string, Script])[] = [
    ['fee', altering('eth_getBlockReceipts', inEach(setField('effectiveGasPrice', '0x1')))],
    ['amount', altering('trace_block', tracesWithValue)],
    ['missing movement', altering('trace_block', onlyTop)],
    ['parent', altering('eth_getBlockByNumber', setField('parentHash', hash))],
  ];
  for (const [what, script] of lies) {
    const chain = await openWith(2, honest, script);
    const watching = new AddressSet([depositor, world.bank]);
    assert.equal(await codeOf(chain.block(height, watching)), 'chain/disagreement', what);
  }
});

function tracesWithValue(traces: unknown): unknown {
  return inEach((trace) => {
    if (typeof trace !== 'object' || trace === null || !('action' in trace)) return trace;
    return { ...trace, action: setField('value', '0xffff')(trace.action) };
  })(traces);
}

function onlyTop(traces: unknown): unknown {
  return Array.isArray(traces) ? traces.slice(0, 1) : traces;
}

test('an answer that cannot be true is nonsense', async () => {
  const absurd: readonly (readonly [string, Script])[] = [
    ['another height', altering('eth_getBlockByNumber', raised)],
    ['short hash', altering('eth_getBlockByNumber', setField('hash', '0x12'))],
    ['no transactions', altering('eth_getBlockByNumber', setField('transactions', null))],
    ['a number where hex belongs', altering('eth_getBlockByNumber', setField('timestamp', 17))],
    ['a block that is its own parent', altering('eth_getBlockByNumber', setField('parentHash', honestBlock.hash))],
    ['a receipt too few', altering('eth_getBlockReceipts', () => [])],
    ['a foreign receipt', altering('eth_getBlockReceipts', inEach(setField('transactionHash', hash)))],
    ['a receipt of another block', altering('eth_getBlockReceipts', inEach(setField('blockHash', hash)))],
    ['a status of two', altering('eth_getBlockReceipts', inEach(setField('status', '0x2')))],
    ['negative gas', altering('eth_getBlockReceipts', inEach(setField('gasUsed', '-0x1')))],
    ['a trace of another block', altering('trace_block', inEach(setField('blockHash', hash)))],
    ['a foreign trace', altering('trace_block', inEach(setField('transactionHash', hash)))],
    ['no traces', altering('trace_block', () => [])],
    ['a trace twice', altering('trace_block', (list) => (Array.isArray(list) ? [...list, ...list] : list))],
    ['a log of another block', altering('eth_getBlockReceipts', inEach(setField('logs', [{ blockHash: hash }])))],
    ['an object', babbling('{"jsonrpc":"2.0"}')],
    ['no JSON', babbling('not json')],
  ];
  for (const [what, script] of absurd) {
    const chain = await openWith(1, script);
    assert.equal(await codeOf(chain.block(height, watch)), 'chain/nonsense', what);
  }
});

test('too few answers are no answer', async () => {
  assert.equal(await codeOf((await openWith(2, honest, dead)).block(height, watch)), 'chain/unavailable');
  assert.equal(await codeOf((await openWith(2, honest, dead, silent)).heads()), 'chain/unavailable');
  assert.equal(await codeOf((await openWith(1, silent)).hashAt(height)), 'chain/unavailable');
  const babbler = await openWith(2, honest, babbling('{"jsonrpc":"2.0"}'));
  assert.equal(await codeOf(babbler.block(height, watch)), 'chain/nonsense');
});

test('the newest block is the one that k sources have reached, and a block k do not have does not exist yet', async () => {
  const { latest } = await (await world.open()).heads();
  const lagged = await openWith(2, honest, lagging(3n));
  assert.equal((await lagged.heads()).latest.number, latest.number - 3n);
  assert.equal((await lagged.heads()).final.number, latest.number - 5n);
  assert.equal(await lagged.block(latest.number, watch), undefined);
  assert.equal(await lagged.hashAt(latest.number), undefined);
  const majority = await openWith(2, honest, lagging(3n), lagging(1n));
  assert.equal((await majority.heads()).latest.number, latest.number - 1n);
});

test('sources on different forks at the head agree on the block below', async () => {
  const { latest, final } = await (await world.open()).heads();
  const forked: Script = altering('eth_getBlockByNumber', (block) => {
    const isHead = typeof block === 'object' && block !== null && 'hash' in block && block.hash === latest.hash;
    return isHead ? setField('hash', hash)(block) : block;
  });
  const heads = await (await openWith(2, honest, forked)).heads();
  assert.equal(heads.latest.number, latest.number - 1n);
  assert.deepEqual(heads.final, final);
});

test('sources that name different final blocks give no final block', async () => {
  const liar = altering('eth_getBlockByNumber', setField('hash', hash));
  assert.equal(await codeOf((await openWith(2, honest, liar)).heads()), 'chain/disagreement');
});

test('two that contradict each other disagree, whether or not a third has the block yet', async () => {
  const liar = altering('eth_getBlockByNumber', setField('hash', hash));
  const chain = await openWith(2, honest, liar, lagging(1_000_000n));
  assert.equal(await codeOf(chain.hashAt(height)), 'chain/disagreement');
});

test('inner calls count only when k sources trace them', async () => {
  for (const proxy of proxies) proxy.play(honest);
  proxies[1]?.play(without('trace_block'));
  proxies[2]?.play(without('trace_block'));
  const one = await open(2, proxies);
  assert.equal(one.innerCalls(), 'none');
  assert.deepEqual((await one.block(height, watch))?.movements, []);
  proxies[2]?.play(honest);
  const two = await open(2, proxies);
  assert.equal(two.innerCalls(), 'agreed');
  assert.deepEqual(await two.block(height, watch), honestBlock);
  proxies[2]?.play(altering('trace_block', onlyTop));
  assert.equal(await codeOf(two.block(height, watch)), 'chain/disagreement');
});

test('a source of another chain is reported by name when the chain is opened', async () => {
  for (const proxy of proxies) proxy.play(honest);
  const other = parseChainId('eip155:1');
  await assert.rejects(open(1, proxies.slice(0, 1), { chain: other }), {
    code: 'chain/nonsense',
    message: /eip155:31337/u,
  });
  proxies[2]?.play(altering('eth_chainId', () => '0x1'));
  await assert.rejects(open(2, proxies), { code: 'chain/nonsense', message: /serves eip155:1,/u });
});

test('a source that is away when the chain is opened joins when it comes back', async () => {
  for (const proxy of proxies) proxy.play(honest);
  proxies[0]?.play(dead);
  const chain = await open(2, proxies);
  proxies[0]?.play(honest);
  proxies[1]?.play(dead);
  assert.deepEqual(await chain.block(height, watch), honestBlock);
  proxies[0]?.play(dead);
  await assert.rejects(open(2, proxies), { code: 'chain/unavailable' });
});

test('an answer that is too long is not read to its end', async () => {
  const [proxy] = proxies;
  assert.ok(proxy !== undefined);
  proxy.play(honest);
  const tight = { limits: { ...limits, answerBytesMax: 500 } };
  await assert.rejects(open(1, [proxy], tight), { code: 'chain/nonsense', message: /longer than 500 bytes/u });
});

test('no message repeats the path or the password of a source', async () => {
  const secret = 'a-very-secret-key';
  for (const url of [
    `http://user:${secret}@127.0.0.1:1/`,
    `http://127.0.0.1:1/v2/${secret}?key=${secret}`,
    `ftp://${secret}`,
    secret,
  ]) {
    const error: unknown = await world.open({ sources: [url], limits }).catch((reason: unknown) => reason);
    assert.ok(error instanceof CustodyError);
    const { message, stack, details, cause } = error;
    const shown = [message, stack, JSON.stringify(details), cause instanceof Error ? cause.stack : ''].join('\n');
    assert.ok(!shown.includes(secret), shown);
  }
});

test('a number of sources that cannot agree is refused', async () => {
  const url = world.anvil.url;
  const refused = async (sources: readonly string[], k: number): Promise<void> => {
    await assert.rejects(world.open({ sources, agreement: { k } }), { code: 'config/invalid' });
  };
  await refused([], 1);
  await refused([url], 2);
  await refused([url], 0);
  await refused([url], 0.5);
  await refused([url, url], 2);
});
