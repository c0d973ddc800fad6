import { randomUUID } from 'node:crypto';
import {
  type AccountName,
  type AssetId,
  type BlockRef,
  type Compartment,
  houseFees,
  invariant,
  parseCompartment,
  transferKey,
} from '@bulkhead/domain';
import { FakeChain, namedAddress } from '@bulkhead/fakes';
import { lastMarker, ledgerMigrations, mark, openBook, postTransfers } from '@bulkhead/ledger';
import { testDatabase, type TestDatabase } from '@bulkhead/postgres/testing';
import { reservesMigrations } from '../migrations.ts';
import type { ReserveWallet, WalletSource } from '../position.ts';

export const pool: Compartment = parseCompartment(10_000);
export const ada: Compartment = parseCompartment(100_000);
export const bob: Compartment = parseCompartment(100_001);
export const now: Date = new Date('2030-01-02T03:04:05Z');

/** A custodian in as few words as a proof needs: books, a chain, and who has which wallet. */
export type World = AsyncDisposable & {
  readonly database: TestDatabase;
  readonly chain: FakeChain;
  readonly asset: AssetId;
  readonly wallets: WalletSource;
  /** Coins arrive at the wallet of a compartment, on the chain alone. */
  readonly arrive: (compartment: Compartment, amount: bigint) => BlockRef;
  /** Books them at a block: to a client's claim, or to another account. */
  readonly book: (compartment: Compartment, to: AccountName, of: { amount: bigint; block?: BlockRef }) => Promise<void>;
  /** Both, and the markers up to the final block. */
  readonly deposit: (compartment: Compartment, to: AccountName, amount: bigint) => Promise<void>;
  /** Moves inside a compartment; what touches a wallet names a block. */
  readonly move: (
    compartment: Compartment,
    between: readonly [AccountName, AccountName],
    of: bigint | { amount: bigint; block: BlockRef },
  ) => Promise<void>;
  /** Mines until all is final, and marks every block. */
  readonly settle: () => Promise<void>;
};

export const client = (holder: string): AccountName => ({ kind: 'available', holder });

const walletOf = (compartment: Compartment): ReserveWallet => ({
  id: `wal_${compartment}`,
  compartment,
  address: namedAddress(`wallet ${compartment}`),
  sort: 'key',
});

export async function openWorld(compartments: readonly Compartment[] = [houseFees, pool, ada, bob]): Promise<World> {
  const database = await testDatabase({ migrations: [ledgerMigrations, reservesMigrations] });
  const chain = new FakeChain();
  const asset = chain.native;
  for (const compartment of compartments) await openBook(database.app, { compartment, asset });
  const settle = async (): Promise<void> => {
    chain.mine();
    chain.settle();
    const { final } = await chain.heads();
    const newest = await lastMarker(database.app, chain.id);
    for (let number = (newest?.block.number ?? 0n) + 1n; number <= final.number; number += 1n) {
      const hash = await chain.hashAt(number);
      invariant(hash !== undefined, 'The chain has every block up to the final one.');
      await mark(database.app, { chain: chain.id, block: { number, hash } });
    }
  };
  const arrive: World['arrive'] = (compartment, amount) => {
    chain.outside.send({ to: walletOf(compartment).address, amount });
    return chain.mine();
  };
  const post = async (
    compartment: Compartment,
    [debit, credit]: readonly [AccountName, AccountName],
    of: { amount: bigint; block?: BlockRef },
  ): Promise<void> => {
    const id = randomUUID();
    const transfer = {
      type: 'post',
      key: transferKey(id),
      code: 'test',
      reference: id,
      compartment,
      asset,
      debit,
      credit,
      ...of,
    } as const;
    const [[outcome] = []] = await postTransfers(database.app, [[transfer]], { now });
    invariant(outcome?.status === 'created', 'The books took a transfer.');
  };
  const book: World['book'] = (compartment, to, of) =>
    post(compartment, [{ kind: 'wallet', holder: walletOf(compartment).id }, to], of);
  return {
    database,
    chain,
    asset,
    settle,
    arrive,
    book,
    wallets: async function* wallets() {
      for (const compartment of compartments) yield walletOf(compartment);
    },
    deposit: async (compartment, to, amount) => {
      const block = arrive(compartment, amount);
      await book(compartment, to, { amount, block });
      await settle();
    },
    move: (compartment, between, of) => post(compartment, between, typeof of === 'bigint' ? { amount: of } : of),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

/** All of an iteration, as a list. */
export async function listOf<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}
