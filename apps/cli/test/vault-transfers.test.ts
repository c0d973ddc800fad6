import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Hex, hexOf, wordOf } from '@bulkhead/vaults';
import { addressOf, wordOfByte } from '@bulkhead/vaults/testing';
import type { PlacedLog } from '../src/vault/chain-questions.ts';
import type { Step } from '../src/vault/examination.ts';
import { examineTransfers, type Outflow, transferTopic } from '../src/vault/outflow-steps.ts';

const vault = addressOf(0x77);
const token = addressOf(0xc0);
const to = addressOf(0xd1);

function word(address: string): Hex {
  return hexOf(wordOf(BigInt(address)));
}

function transfer(amount: bigint, receiver = to, more: Partial<PlacedLog> = {}): PlacedLog {
  const topics = [transferTopic, word(vault), word(receiver)];
  const data = hexOf(wordOf(amount));
  return { address: token, topics, data, height: 1n, transaction: wordOfByte(1), index: 0n, ...more };
}

function outflow(amount: bigint, receiver = to, more: Partial<Outflow> = {}): Outflow {
  return { height: 1n, transaction: wordOfByte(1), token, to: receiver, amount, ...more };
}

function judged(transfers: readonly PlacedLog[], outflows: readonly Outflow[]): readonly [Step | undefined, number] {
  const examination: { readonly steps: Step[]; readonly unknowns: string[] } = { steps: [], unknowns: [] };
  examineTransfers(examination, { transfers, outflows, tokens: new Set([token]) });
  return [examination.steps[0], examination.unknowns.length];
}

function assertJudged(found: readonly [Step | undefined, number], wrong: RegExp | undefined, unknowns = 0): void {
  assert.equal(found[0]?.result, wrong === undefined ? 'ok' : 'wrong', found[0]?.reason);
  if (wrong !== undefined) assert.match(found[0]?.reason ?? '', wrong);
  assert.equal(found[1], unknowns);
}

test('each transfer has its own event: two transfers do not share one', () => {
  assertJudged(judged([transfer(5n), transfer(5n)], [outflow(5n), outflow(5n)]), undefined);
  assertJudged(
    judged([transfer(5n), transfer(5n)], [outflow(5n)]),
    /5 of 0xc0c0\S* to 0xd1d1\S* left without an event/u,
  );
  assertJudged(judged([transfer(5n)], [outflow(5n), outflow(5n)]), /the token does not say so/u);
});

test('another amount, receiver, token or transaction is another transfer', () => {
  const others: readonly PlacedLog[] = [
    transfer(6n),
    transfer(5n, addressOf(0xd2)),
    transfer(5n, to, { transaction: wordOfByte(2) }),
  ];
  for (const other of others) assertJudged(judged([other], [outflow(5n)]), /left without an event[\s\S]*1 more/u);
});

test('a token that keeps a part for itself tells two transfers of one payment, and the sum is what the vault said', () => {
  const fee = addressOf(0xf0);
  assertJudged(judged([transfer(99n), transfer(1n, fee)], [outflow(100n)]), undefined, 1);
  assertJudged(judged([transfer(99n), transfer(2n, fee)], [outflow(100n)]), /left without an event/u);
});

test('what strangers have tokens say is no transfer', () => {
  assertJudged(judged([transfer(0n)], []), undefined);
  assertJudged(judged([transfer(9n, to, { address: addressOf(0xbb) })], []), undefined, 1);
  assertJudged(judged([transfer(9n, to, { topics: [transferTopic, word(vault)] })], []), undefined);
});
