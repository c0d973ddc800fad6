import { randomUUID } from 'node:crypto';
import {
  type AccountName,
  type AssetId,
  type BlockRef,
  type Compartment,
  type Hash,
  parseAssetId,
  parseCompartment,
  type TransferKey,
  transferKey,
  type TransferOutcome,
  type TransferRequest,
} from '@bulkhead/domain';
import type { Queries } from '@bulkhead/postgres';
import { testDatabase, type TestDatabase } from '@bulkhead/postgres/testing';
import { ledgerMigrations } from '../migrations.ts';
import { openBook, postTransfers } from '../posting.ts';

export const compartment: Compartment = parseCompartment(100_000);
export const neighbour: Compartment = parseCompartment(100_001);
export const house: Compartment = parseCompartment(1);
export const ether: AssetId = parseAssetId('eip155:31337/slip44:60');
export const token: AssetId = parseAssetId(`eip155:31337/erc20:0x${'ab'.repeat(20)}`);
export const now: Date = new Date('2026-01-02T03:04:05.678Z');

export const wallet: AccountName = { kind: 'wallet', holder: 'wal_1' };
export const available: AccountName = { kind: 'available', holder: 'cli_1' };
export const other: AccountName = { kind: 'available', holder: 'cli_2' };
export const quarantine: AccountName = { kind: 'quarantine', holder: 'cli_1' };

export function hashOf(height: bigint): Hash {
  return `0x${height.toString(16).padStart(64, '0')}` as Hash;
}

export function blockAt(height: bigint): BlockRef {
  return { number: height, hash: hashOf(height) };
}

export function key(name?: string): TransferKey {
  return name === undefined ? (randomUUID() as TransferKey) : transferKey('test', name);
}

type Fields = {
  readonly key?: TransferKey;
  readonly compartment?: Compartment;
  readonly asset?: AssetId;
  readonly debit?: AccountName;
  readonly credit?: AccountName;
  readonly amount?: bigint;
  readonly block?: BlockRef;
  readonly reference?: string;
  readonly link?: string;
  readonly expiresAt?: Date;
};

function facts(fields: Fields): Pick<TransferRequest, 'key' | 'code' | 'reference' | 'block' | 'link'> {
  return {
    key: fields.key ?? key(),
    code: 'test',
    reference: fields.reference ?? 'ref_1',
    ...(fields.block === undefined ? {} : { block: fields.block }),
    ...(fields.link === undefined ? {} : { link: fields.link }),
  };
}

function legs(fields: Fields): {
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly debit: AccountName;
  readonly credit: AccountName;
  readonly amount: bigint;
} {
  return {
    compartment: fields.compartment ?? compartment,
    asset: fields.asset ?? ether,
    debit: fields.debit ?? available,
    credit: fields.credit ?? other,
    amount: fields.amount ?? 1n,
  };
}

export function post(fields: Fields = {}): TransferRequest {
  return { type: 'post', ...facts(fields), ...legs(fields) };
}

export function hold(fields: Fields = {}): TransferRequest {
  return {
    type: 'hold',
    ...facts(fields),
    ...legs(fields),
    ...(fields.expiresAt === undefined ? {} : { expiresAt: fields.expiresAt }),
  };
}

export function postHold(of: TransferKey, amount: bigint, fields: Fields = {}): TransferRequest {
  return { type: 'post-hold', ...facts(fields), hold: of, amount };
}

export function voidHold(of: TransferKey, fields: Fields = {}): TransferRequest {
  return { type: 'void-hold', ...facts(fields), hold: of };
}

/** Books of two clients' compartments and of the house, for ether and the token, with the client's claims funded. */
export async function openBooks(
  options: { readonly funds?: bigint; readonly connections?: number } = {},
): Promise<TestDatabase> {
  const db = await testDatabase({ migrations: [ledgerMigrations], connections: options.connections ?? 10 });
  for (const number of [compartment, neighbour, house]) {
    for (const asset of [ether, token]) await openBook(db.app, { compartment: number, asset });
  }
  if (options.funds !== undefined) {
    const amount = options.funds;
    for (const asset of [ether, token]) {
      await postTransfers(db.app, [[post({ asset, debit: wallet, credit: available, amount, block: blockAt(1n) })]], {
        now,
      });
    }
  }
  return db;
}

/** Posts each transfer as a group of its own and answers `created`, `exists` or the reason of the refusal for each. */
export async function answers(
  db: Queries,
  requests: readonly TransferRequest[],
  at: Date = now,
): Promise<readonly string[]> {
  const outcomes = await postTransfers(
    db,
    requests.map((request) => [request]),
    { now: at },
  );
  return outcomes.flat().map(answer);
}

export async function groupAnswers(
  db: Queries,
  groups: readonly (readonly TransferRequest[])[],
): Promise<readonly (readonly string[])[]> {
  return (await postTransfers(db, groups, { now })).map((group) => group.map(answer));
}

export function answer(outcome: TransferOutcome): string {
  return outcome.status === 'refused' ? outcome.reason : outcome.status;
}
