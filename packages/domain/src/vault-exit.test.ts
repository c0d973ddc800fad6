import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCompartment } from './compartment.ts';
import { block, native } from './testing/example-withdrawal.ts';
import type { TransferRequest } from './transfer.ts';
import { administratorTransfers, type BookClaim, outflowTransfers, type VaultOutflow } from './vault-exit.ts';

const outflow: VaultOutflow = {
  id: 'vev_1',
  code: 'vault-exit',
  compartment: parseCompartment(100_000),
  asset: native,
  wallet: 'wal_1',
  amount: 70n,
  block,
};

const claims: readonly BookClaim[] = [
  { account: { kind: 'suspense', holder: '' }, free: 5n },
  { account: { kind: 'fee-payable', holder: 'cl_1' }, free: 10n },
  { account: { kind: 'quarantine', holder: 'cl_1' }, free: 20n },
  { account: { kind: 'available', holder: 'cl_1' }, free: 50n },
];

function told(transfers: readonly TransferRequest[]): readonly string[] {
  return transfers.map((one) => {
    assert.ok(one.type === 'post');
    return `${one.debit.kind} ${one.debit.holder} -> ${one.credit.kind} ${one.credit.holder} ${one.amount}`;
  });
}

test('an exit takes from what is available, then from quarantine, then from the rest in the written order', () => {
  assert.deepEqual(told(outflowTransfers(outflow, claims)), [
    'available cl_1 -> wallet wal_1 50',
    'quarantine cl_1 -> wallet wal_1 20',
  ]);
  assert.deepEqual(told(outflowTransfers({ ...outflow, amount: 84n }, claims)), [
    'available cl_1 -> wallet wal_1 50',
    'quarantine cl_1 -> wallet wal_1 20',
    'fee-payable cl_1 -> wallet wal_1 10',
    'suspense  -> wallet wal_1 4',
  ]);
  const posted = outflowTransfers(outflow, claims);
  assert.ok(posted.every((one) => one.type === 'post' && one.block === block));
  assert.equal(new Set(posted.map(({ key }) => key)).size, posted.length);
});

test('more than is free in the claims of a book is never taken from them', () => {
  const total = (transfers: readonly TransferRequest[]): bigint =>
    transfers.reduce((sum, one) => sum + (one.type === 'post' && one.credit.kind === 'wallet' ? one.amount : 0n), 0n);
  const large = { ...outflow, amount: 86n };
  assert.equal(total(outflowTransfers(large, claims)), 85n);
  assert.equal(total(administratorTransfers(large, { administrator: 'adm_1', claims })), 85n);
  assert.deepEqual(outflowTransfers(outflow, []), []);
  assert.deepEqual(administratorTransfers(outflow, { administrator: 'adm_1', claims: [] }), []);
});

test('the exit of a pool moves every claim to the administrator, once, and debits what left there', () => {
  const administrator = 'adm_1';
  assert.deepEqual(told(administratorTransfers(outflow, { administrator, claims })), [
    'available cl_1 -> available adm_1 50',
    'quarantine cl_1 -> available adm_1 20',
    'fee-payable cl_1 -> available adm_1 10',
    'suspense  -> available adm_1 5',
    'available adm_1 -> wallet wal_1 70',
  ]);
  const after: readonly BookClaim[] = [{ account: { kind: 'available', holder: administrator }, free: 15n }];
  assert.deepEqual(
    told(administratorTransfers({ ...outflow, id: 'vev_2', amount: 15n }, { administrator, claims: after })),
    ['available adm_1 -> wallet wal_1 15'],
  );
});
