import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  houseFees,
  houseGas,
  isMovement,
  type MovementIntent,
  parseAddress,
  parseCompartment,
  parseIntent,
} from '@bulkhead/domain';
import { bytesOf, type Fields, transactionBytes, transferData } from '../test/encoding.ts';
import { client, deployment, enrolled, ether, payee, token, vault } from '../test/opening.ts';
import { assertConforms } from './conformity.ts';
import type { IsOwn } from './judgement.ts';
import { nobleHashes } from './noble-hashes.ts';
import { parseUnsignedTransaction } from './transaction.ts';

const own = parseAddress(`0x${'0a'.repeat(20)}`);
const ours = parseAddress(`0x${'0b'.repeat(20)}`);
const evil = parseAddress(`0x${'66'.repeat(20)}`);
const contract = `0x${'a1'.repeat(20)}`;
const fees = { maxPriorityFeePerGas: 2n, maxFeePerGas: 10n, gasLimit: 60_000n };
const base = {
  deployment,
  id: 'wd_1',
  compartment: vault,
  asset: ether,
  to: payee,
  amount: 70n,
  feeMax: 600_000n,
} as const;
const withdrawal = { ...base, kind: 'withdrawal', client, feePayer: 'client', expiresAt: 9n } as const;
const paid: Fields = { chainId: 1n, nonce: 7n, ...fees, to: payee, value: 70n, data: '', accessList: [] };
const tokens: Fields = { ...paid, to: contract, value: 0n, data: transferData(payee, 70n) };

type Case = {
  readonly intent?: MovementIntent;
  readonly fields?: Partial<Fields>;
  readonly isOwn?: IsOwn;
  readonly compartment?: number;
};

function check({ intent = withdrawal, fields = {}, isOwn = () => false, compartment = vault }: Case): void {
  const start = intent.asset === token ? tokens : paid;
  const transaction = parseUnsignedTransaction(transactionBytes({ ...start, ...fields }));
  const proposal = { intent, own, compartment: parseCompartment(compartment), transaction, isOwn, registry };
  assertConforms(nobleHashes, proposal);
}

function refused(why: string, message: RegExp, attack: Case): void {
  assert.throws(() => check(attack), { code: 'signer/malformed-transaction', message }, why);
}

const registry = enrolled();
const inTokens: MovementIntent = { ...withdrawal, asset: token };

test('the transaction of the intent conforms, in the native coin and in a token', () => {
  check({});
  check({ intent: inTokens });
  check({ intent: { ...withdrawal, kind: 'deposit-return' } });
});

test('transactions of the vectors are what their intents say', () => {
  const { vectors }: { vectors: { intent: string; unsigned: string; compartment: number; from: string }[] } =
    JSON.parse(readFileSync(new URL('../../../spec/vectors/signing.json', import.meta.url), 'utf8'));
  for (const vector of vectors) {
    const intent = parseIntent(Buffer.from(vector.intent));
    assert.ok(isMovement(intent));
    const transaction = parseUnsignedTransaction(bytesOf(vector.unsigned));
    const compartment = parseCompartment(vector.compartment);
    const own = parseAddress(vector.from);
    assertConforms(nobleHashes, { intent, compartment, own, transaction, isOwn: () => false, registry });
  }
});

test('a payment that is another one does not conform', () => {
  refused('another compartment', /compartment of the key/u, { compartment: vault + 1 });
  refused('another chain', /chain: wanted eip155:1, found eip155:5/u, { fields: { chainId: 5n } });
  refused('another recipient', /recipient: wanted/u, { fields: { to: evil } });
  refused('more', /value in wei/u, { fields: { value: 71n } });
  refused('less', /value in wei/u, { fields: { value: 69n } });
  refused('data beside the coin', /data/u, { fields: { data: '00' } });
  refused('a contract', /recipient/u, { fields: { to: '', data: '6000' } });
  refused('an access list', /access list/u, { fields: { accessList: [[bytesOf(evil), []]] } });
  refused('fee above the cap', /highest network fee in wei: wanted at most 600000, found 600010/u, {
    fields: { gasLimit: 60_001n },
  });
  refused('price of gas above the cap', /highest network fee/u, { fields: { maxFeePerGas: 11n } });
  refused('unlimited price of gas', /highest network fee/u, { fields: { maxFeePerGas: 2n ** 255n } });
  refused('priority above the most', /priority fee/u, { fields: { maxPriorityFeePerGas: 11n } });
});

test('a call to a token is one transfer of that amount to that recipient', () => {
  const transfer = transferData(payee, 70n);
  const word = (hex: string): string => hex.padStart(64, '0');
  const attacks: [string, RegExp, Partial<Fields>][] = [
    ['coins beside the call', /value in wei/u, { value: 1n }],
    ['another contract', /contract called/u, { to: evil }],
    ['no contract', /contract called: wanted .* found none/u, { to: '' }],
    ['the recipient itself', /contract called/u, { to: payee }],
    ['another recipient', /recipient in the call data/u, { data: transferData(evil, 70n) }],
    ['more', /amount in the call data/u, { data: transferData(payee, 71n) }],
    ['everything', /amount in the call data/u, { data: transferData(payee, 2n ** 256n - 1n) }],
    ['a second call behind it', /length of the call data/u, { data: transfer + transferData(evil, 70n) }],
    ['a byte behind it', /length of the call data/u, { data: `${transfer}00` }],
    ['a byte too few', /length of the call data/u, { data: transfer.slice(0, -2) }],
    ['approve', /selector/u, { data: transfer.replace('a9059cbb', '095ea7b3') }],
    ['increaseAllowance', /selector/u, { data: transfer.replace('a9059cbb', '39509351') }],
    [
      'transferFrom',
      /length of the call data/u,
      { data: `23b872dd${word(own.slice(2))}${word(payee.slice(2))}${word('46')}` },
    ],
    ['transferFrom in the length of a transfer', /selector/u, { data: transfer.replace('a9059cbb', '23b872dd') }],
    ['digits above the address', /recipient in the call data/u, { data: `a9059cbb01${transfer.slice(10)}` }],
    ['nothing', /length of the call data/u, { data: '' }],
    ['an access list', /access list/u, { accessList: [[bytesOf(contract), []]] }],
  ];
  for (const [why, message, fields] of attacks) refused(why, message, { intent: inTokens, fields });
  refused('a token where coins were meant', /recipient/u, { fields: tokens });
  refused('coins where a token was meant', /contract called/u, { intent: inTokens, fields: paid });
});

test('what nobody approves goes to own addresses only, each kind to its own', () => {
  const toOurs = { ...base, to: ours };
  const kinds: [MovementIntent, string][] = [
    [{ ...toOurs, kind: 'sweep' }, `${vault} listed`],
    [{ ...toOurs, kind: 'fee-payment', client }, `${houseFees} listed`],
    [{ ...toOurs, kind: 'gas-grant', compartment: houseGas, beneficiary: vault }, `${vault} derived`],
  ];
  for (const [intent, wanted] of kinds) {
    const fields = { to: ours };
    const compartment = intent.compartment;
    const isOwn: IsOwn = (held, address, among) => address === ours && `${held} ${among}` === wanted;
    check({ intent, fields, compartment, isOwn });
    refused(intent.kind, /recipient of the intent/u, { intent, fields, compartment });
    const elsewhere: IsOwn = (held, address, among) => !isOwn(held, address, among);
    refused(`${intent.kind} elsewhere`, /recipient of the intent/u, { intent, fields, compartment, isOwn: elsewhere });
    // The intent is right and the transaction is not: being ours does not make up for that.
    refused(`${intent.kind} to another`, /recipient: wanted/u, {
      intent,
      fields: { to: own },
      compartment,
      isOwn: () => true,
    });
  }
});

test('a cancellation moves nothing, from and to the same address, with the nonce it takes', () => {
  const intent: MovementIntent = { ...base, kind: 'cancel', to: own, amount: 0n, cancels: 'wd_0', nonce: 7n };
  const fields = { to: own, value: 0n };
  check({ intent, fields });
  refused('another nonce', /nonce: wanted 7, found 8/u, { intent, fields: { ...fields, nonce: 8n } });
  refused('to another', /recipient: wanted/u, { intent, fields: { ...fields, to: evil } });
  refused('an intent to another', /recipient of the intent/u, {
    intent: { ...intent, to: evil },
    fields: { ...fields, to: evil },
  });
  refused('coins', /value in wei/u, { intent, fields: { ...fields, value: 1n } });
  refused('data', /data/u, { intent, fields: { ...fields, data: transferData(evil, 1n) } });
  const inToken: MovementIntent = { ...intent, asset: token };
  refused('a call', /recipient: wanted/u, { intent: inToken });
});

test('bytes that are no unsigned EIP-1559 transaction are refused', () => {
  const bytes = transactionBytes(paid);
  const wrong: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['a legacy transaction', bytes.slice(1)],
    ['EIP-2930', Uint8Array.from([1, ...bytes.slice(1)])],
    ['EIP-7702', Uint8Array.from([4, ...bytes.slice(1)])],
    ['a byte behind it', Uint8Array.from([...bytes, 0])],
    ['cut', bytes.slice(0, -1)],
    ['chain 0', transactionBytes({ ...paid, chainId: 0n })],
    ['a chain of 16 digits', transactionBytes({ ...paid, chainId: 10n ** 15n })],
    ['a nonce of 65 bits', transactionBytes({ ...paid, nonce: 2n ** 64n })],
    ['gas of 65 bits', transactionBytes({ ...paid, gasLimit: 2n ** 64n })],
    ['a recipient of 19 bytes', transactionBytes({ ...paid, to: payee.slice(0, -2) })],
    ['a value of 257 bits', transactionBytes({ ...paid, value: 2n ** 256n })],
    ['an access list that is none', transactionBytes({ ...paid, accessList: bytesOf('01') })],
  ];
  for (const [why, some] of wrong) {
    assert.throws(() => parseUnsignedTransaction(some), { code: 'signer/malformed-transaction' }, why);
  }
});
