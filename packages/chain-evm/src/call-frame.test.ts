import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isHash } from '@bulkhead/domain';
import type { Hash } from '@bulkhead/domain';
import { addressOf } from '../test/development-chain.ts';
import { readInnerPayments } from './call-frame.ts';

function hashOf(digit: string): Hash {
  const text = `0x${digit.repeat(64)}`;
  assert.ok(isHash(text));
  return text;
}

const header = { number: 7n, hash: hashOf('a'), parentHash: hashOf('b'), timestamp: 1n };
const hash = hashOf('c');
const transaction = { hash, from: addressOf(1), to: addressOf(2), value: 0n, nonce: 0n, gasPrice: 1n };
const body = { header, transactions: [transaction], withdrawals: [] };

const [sender, callee, other] = [addressOf(1), addressOf(2), addressOf(3)];
const frame = (traceAddress: readonly number[], fields: object): object => ({
  blockHash: header.hash,
  blockNumber: 7,
  transactionHash: hash,
  transactionPosition: 0,
  subtraces: 0,
  traceAddress,
  result: { gasUsed: '0x0', output: '0x' },
  ...fields,
});
const call = (value: string, callType = 'call'): object => ({
  type: 'call',
  action: { callType, from: callee, to: other, value, gas: '0x0', input: '0x' },
});
const top = frame([], { type: 'call', action: { callType: 'call', from: sender, to: callee, value: '0x5' } });

function paid(...frames: readonly object[]): readonly (readonly [string, bigint])[] {
  return readInnerPayments([top, ...frames], body).map(({ path, amount }) => [path, amount]);
}

test('the top frame is the transaction itself and is left out', () => {
  assert.deepEqual(paid(), []);
});

test('calls pay, other kinds of call carry a value that does not move', () => {
  const kinds = ['delegatecall', 'callcode', 'staticcall'].map((kind, index) => frame([index + 1], call('0x9', kind)));
  assert.deepEqual(paid(frame([0], call('0x1')), ...kinds), [['0', 1n]]);
  assert.deepEqual(paid(frame([0], call('0x0'))), []);
});

test('a failed frame takes everything below it back, however deep and in whatever order', () => {
  const failed = frame([0], { ...call('0x1'), error: 'Reverted' });
  const below = [frame([0, 0], call('0x2')), frame([0, 0, 4], call('0x3')), frame([0, 1], call('0x4'))];
  const beside = frame([1], call('0x5'));
  assert.deepEqual(paid(failed, ...below, beside), [['1', 5n]]);
  assert.deepEqual(paid(...below, beside, failed), [['1', 5n]]);
  const ten = frame([10], call('0x6'));
  assert.deepEqual(paid(frame([1], { ...call('0x1'), error: 'Reverted' }), ten), [['10', 6n]]);
});

test('a failed top frame takes everything back', () => {
  const reverted = frame([], { ...call('0x1'), error: 'Reverted' });
  assert.deepEqual(readInnerPayments([reverted, frame([0], call('0x2'))], body), []);
});

test('a creation pays the new contract, and one that failed has none', () => {
  const action = { from: callee, value: '0x8', init: '0x', gas: '0x0' };
  const made = frame([0], { type: 'create', action, result: { address: other, code: '0x', gasUsed: '0x0' } });
  assert.deepEqual(readInnerPayments([top, made], body), [
    { transaction: hash, path: '0', from: callee, to: other, amount: 8n },
  ]);
  assert.deepEqual(paid(frame([0], { type: 'create', action, result: null, error: 'Reverted' })), []);
});

test('a contract that ends pays its heir', () => {
  const action = { address: callee, refundAddress: other, balance: '0x9' };
  assert.deepEqual(paid(frame([0], { type: 'suicide', action, result: null })), [['0', 9n]]);
});

test('a reward belongs to no transaction and is passed over', () => {
  const reward = { blockHash: header.hash, type: 'reward', action: { author: other, value: '0x1' }, traceAddress: [] };
  assert.deepEqual(paid(reward), []);
});

test('a frame that cannot be true is nonsense', () => {
  const absurd: readonly (readonly [string, object])[] = [
    ['unknown type', frame([0], { type: 'gift', action: {} })],
    ['no place', { ...frame([0], call('0x1')), traceAddress: 'here' }],
    ['negative place', frame([-1], call('0x1'))],
    ['no value', frame([0], { type: 'call', action: { callType: 'call', from: callee, to: other } })],
    ['no action', frame([0], { type: 'call' })],
    ['another block', { ...frame([0], call('0x1')), blockHash: hashOf('d') }],
    ['another transaction', { ...frame([0], call('0x1')), transactionHash: hashOf('d') }],
  ];
  for (const [what, item] of absurd) {
    assert.throws(() => readInnerPayments([top, item], body), { code: 'chain/nonsense' }, what);
  }
  assert.throws(() => readInnerPayments([], body), { code: 'chain/nonsense' });
});
