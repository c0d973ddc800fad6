import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nativeAsset, parseAssetId, parseChainId } from './asset.ts';
import { type BlockRef, parseHash } from './chain.ts';
import { houseFees, houseGas, parseCompartment } from './compartment.ts';
import type { DispatchOutcome } from './dispatch.ts';
import { type Ending, endingTransfers, gasAccount, nonceHolds, openingHolds, type OwnMovement } from './settlement.ts';
import { Holds } from './testing/holds.ts';
import type { TransferRequest } from './transfer.ts';

const native = nativeAsset(parseChainId('eip155:1'));
const token = parseAssetId(`eip155:1/erc20:0x${'a1'.repeat(20)}`);
const block: BlockRef = { number: 9n, hash: parseHash(`0x${'9'.repeat(64)}`) };
const client = parseCompartment(100_000);
const pool = parseCompartment(10_000);

const sweep: OwnMovement = {
  id: 'dsp_1',
  kind: 'sweep',
  compartment: pool,
  wallet: 'wal_from',
  asset: token,
  amount: 70n,
  feeMax: 20n,
  toCompartment: pool,
  toWallet: 'wal_to',
  client: 'cl_1',
};
const grant: OwnMovement = { ...sweep, kind: 'gas-grant', compartment: houseGas, asset: native, toCompartment: client };
const payment: OwnMovement = { ...sweep, kind: 'fee-payment', compartment: client, toCompartment: houseFees };
const movements: readonly OwnMovement[] = [
  sweep,
  grant,
  payment,
  { ...payment, asset: native },
  { ...sweep, client: '' },
];

const outcomes: readonly DispatchOutcome[] = [
  'succeeded',
  'reverted',
  'cancelled',
  'superseded',
  'abandoned',
  'impossible',
];

function endingOf(outcome: DispatchOutcome, fee: bigint): Ending {
  const hadNonce = outcome !== 'abandoned' && outcome !== 'impossible';
  return { outcome, fee: hadNonce && outcome !== 'superseded' ? fee : 0n, hadNonce, ...(hadNonce ? { block } : {}) };
}

test('every hold ends once in every outcome, for what was really spent and never for more', () => {
  for (const movement of movements) {
    for (const outcome of outcomes) {
      for (const fee of [0n, 1n, 20n]) {
        const holds = new Holds();
        const ending = endingOf(outcome, fee);
        holds.apply([openingHolds(movement)]);
        if (ending.hadNonce) holds.apply([nonceHolds(movement)]);
        holds.apply([endingTransfers(movement, ending)]);
        assert.deepEqual(holds.open, [], `${movement.kind} ${outcome}`);
        const posted = holds.all.map((hold) => hold.posted);
        const feeHolds = movement.kind === 'gas-grant' || !ending.hadNonce ? [] : [ending.fee];
        const principal = movement.kind === 'fee-payment' ? [outcome === 'succeeded' ? 70n : 0n] : [];
        assert.deepEqual(posted, [...principal, ...feeHolds], `${movement.kind} ${outcome}`);
      }
    }
  }
});

type Line = readonly [
  code: string,
  compartment: number | undefined,
  debit: string,
  credit: string,
  amount: bigint,
  link: string | undefined,
];

function lines(transfers: readonly TransferRequest[]): readonly Line[] {
  return transfers.map((request) => {
    assert.equal(request.reference, 'dsp_1');
    const amount = request.type === 'void-hold' ? 0n : request.amount;
    assert.equal(
      request.block?.number,
      request.type === 'void-hold' ? undefined : 9n,
      'what moves coins names their block',
    );
    if (request.type !== 'post') return [request.code, undefined, '', '', amount, request.link];
    const { debit, credit } = request;
    return [
      request.code,
      request.compartment,
      `${debit.kind}:${debit.holder}`,
      `${credit.kind}:${credit.holder}`,
      amount,
      request.link,
    ];
  });
}

const succeeded = endingOf('succeeded', 11n);
const fee: Line = ['network-fee', undefined, '', '', 11n, undefined];

test('a sweep moves from wallet to wallet of one book, and the client of the address pays the gas', () => {
  assert.deepEqual(openingHolds(sweep), []);
  const [hold, ...more] = nonceHolds(sweep);
  assert.deepEqual(more, []);
  assert.ok(hold?.type === 'hold');
  assert.deepEqual(
    [hold.compartment, hold.asset, hold.debit, hold.credit.holder, hold.amount],
    [pool, native, gasAccount('cl_1'), 'wal_from', 20n],
  );
  assert.deepEqual(lines(endingTransfers(sweep, succeeded)), [
    fee,
    ['sweep', pool, 'wallet:wal_to', 'wallet:wal_from', 70n, undefined],
  ]);
});

test('a gas grant is spent by the house and held for the client, in two books that one link joins', () => {
  assert.deepEqual([openingHolds(grant), nonceHolds(grant)], [[], []], 'the house needs no hold for its own coins');
  const houseFee: Line = ['network-fee', houseGas, 'network-fee:', 'wallet:wal_from', 11n, undefined];
  assert.deepEqual(lines(endingTransfers(grant, succeeded)), [
    houseFee,
    ['gas-grant-paid', houseGas, 'network-fee:', 'wallet:wal_from', 70n, 'dsp_1'],
    ['gas-grant', client, 'wallet:wal_to', 'gas:cl_1', 70n, 'dsp_1'],
  ]);
  assert.deepEqual(lines(endingTransfers(grant, endingOf('reverted', 11n))), [houseFee]);
});

test('a fee payment holds the debt from the start, so that it is paid once, and arrives as income', () => {
  const [hold] = openingHolds(payment);
  assert.ok(hold?.type === 'hold');
  assert.deepEqual([hold.compartment, hold.asset, hold.debit.kind, hold.amount], [client, token, 'fee-payable', 70n]);
  assert.deepEqual(lines(endingTransfers(payment, succeeded)), [
    fee,
    ['fee-payment', undefined, '', '', 70n, 'dsp_1'],
    ['fee-income', houseFees, 'wallet:wal_to', 'fee-income:', 70n, 'dsp_1'],
  ]);
  assert.deepEqual(
    endingTransfers(payment, endingOf('impossible', 0n)).map(({ type, code }) => [type, code]),
    [['void-hold', 'fee-payment-void']],
  );
});

test('a movement that succeeded has a block; without one it is a bug', () => {
  for (const movement of movements) {
    assert.throws(() => endingTransfers(movement, { outcome: 'succeeded', fee: 0n, hadNonce: true }), {
      code: 'invariant/broken',
    });
  }
});
