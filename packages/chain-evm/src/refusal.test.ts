import assert from 'node:assert/strict';
import { test } from 'node:test';
import { broadcastOutcomeOf, reasonOf, saysItFails } from './refusal.ts';

const refusal = (message: string, data?: unknown) => ({ ok: false, code: -32_000, message, data }) as const;

/** As the nodes write them, collected from their sources and answers. */
const texts = {
  'already-known': [
    'transaction already imported',
    'already known',
    'ALREADY_EXISTS: already known',
    'AlreadyKnown',
    'Known transaction',
    'existing tx with same hash already in the pool',
    'TRANSACTION_ALREADY_KNOWN',
  ],
  'nonce-used': [
    'nonce too low',
    'nonce too low: next nonce 8, tx nonce 7',
    'nonce too low: address 0xab, tx: 7 state: 8',
    'OldNonce',
    'OldNonce, Current nonce: 8, nonce of rejected tx: 7',
    'Nonce too low',
    'NONCE_TOO_LOW',
    'Transaction nonce is below sender account nonce',
  ],
  underpriced: [
    'replacement transaction underpriced',
    'transaction underpriced: gas tip cap 1, minimum needed 2',
    'transaction underpriced',
    'max fee per gas less than block base fee',
    'max fee per gas less than block base fee: address 0xab, maxFeePerGas: 1, baseFee: 7',
    'FeeTooLow, MaxFeePerGas too low.',
    'FeeTooLow',
    'ReplacementNotAllowed',
    'fee too low',
    'Gas price below configured minimum gas price',
    'Transaction gas price is below current base fee',
    'TRANSACTION_REPLACEMENT_UNDERPRICED',
    'GAS_PRICE_TOO_LOW',
  ],
  'insufficient-coin': [
    'Insufficient funds for gas * price + value',
    'insufficient funds for gas * price + value: balance 1, tx cost 2, overshot 1',
    'InsufficientFunds, Account balance: 1, cumulative cost: 2',
    'Upfront cost exceeds account balance',
    'UPFRONT_COST_EXCEEDS_BALANCE',
    'INSUFFICIENT_FUNDS: insufficient funds',
  ],
  unclear: [
    'internal error',
    'the moon is in the seventh house',
    '',
    'txpool is full',
    'nonce too high',
    'unknown transaction type',
  ],
} as const;

test('what nodes write becomes the outcome it means', () => {
  for (const [outcome, messages] of Object.entries(texts)) {
    for (const message of messages) assert.equal(broadcastOutcomeOf(refusal(message)), outcome, message);
  }
});

test('a node that says the call fails is told from one that cannot tell', () => {
  for (const message of [
    'execution reverted',
    'VM execution error.',
    'gas required exceeds allowance (21000)',
    'insufficient funds for transfer',
    'Insufficient funds for gas * price + value',
    'out of gas',
  ]) {
    assert.equal(saysItFails(refusal(message)), true, message);
  }
  assert.equal(saysItFails({ ok: false, code: 3, message: 'whatever', data: undefined }), true);
  for (const message of ['header not found', 'missing trie node', 'internal error', 'method not found']) {
    assert.equal(saysItFails(refusal(message)), false, message);
  }
});

test('the reason of a revert is the words of the contract, without control characters', () => {
  const text = Buffer.from('no\u001b[2J way', 'utf8').toString('hex');
  const word = (value: number): string => value.toString(16).padStart(64, '0');
  const data = `0x08c379a0${word(32)}${word(text.length / 2)}${text.padEnd(64, '0')}`;
  assert.equal(reasonOf(refusal('execution reverted', data)), 'no?[2J way');
  assert.equal(reasonOf(refusal('execution reverted', `0x4e487b71${word(0x11)}`)), 'panic 0x11');
  assert.equal(reasonOf(refusal('execution reverted', '0xdeadbeef')), 'execution reverted (0xdeadbeef)');
  assert.equal(reasonOf(refusal('insufficient funds')), 'insufficient funds');
  const cut = `0x08c379a0${word(32)}${word(5_000)}${text}`;
  assert.match(reasonOf(refusal('execution reverted', cut)), /^execution reverted \(0x08c379a0/u);
});
