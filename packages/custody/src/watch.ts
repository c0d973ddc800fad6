import { type Address, type ChainId, parseAddress, type WatchSet } from '@bulkhead/domain';
import { only, type Queries, text } from '@bulkhead/postgres';

/** Addresses that are read from the database at a time. */
export const watchPageAddresses = 10_000;

/**
 * The addresses of a chain that are ours, in memory. It only grows: an address that was issued once is watched for ever.
 *
 * It reads on from the oldest transaction that was still open at its last reading, because transactions commit in another
 * order than they begin: an address whose row got its number early and was committed late is not passed over.
 */
export class AddressWatch implements WatchSet {
  readonly #chain: ChainId;
  readonly #addresses: Set<Address> = new Set();
  /** Transactions below this number had ended when the set was last read. */
  #readUpTo: string | undefined;

  constructor(chain: ChainId) {
    this.#chain = chain;
  }

  has(address: Address): boolean {
    return this.#addresses.has(address);
  }

  get size(): number {
    return this.#addresses.size;
  }

  /**
   * Takes in every address whose issue is committed by now, and says whether one was new. Asked inside the transaction that
   * stores a block, a `false` proves that the block was fetched with every address somebody could have paid to: an address is
   * shown after its commit, so the commit of one that is paid in the block came before the block was fetched.
   */
  async refresh(db: Queries): Promise<boolean> {
    const before = this.#addresses.size;
    const open = only(await db.query('select pg_snapshot_xmin(pg_current_snapshot())::text as xid'));
    for (let after = ''; ; ) {
      const rows = await db.query(
        this.#readUpTo === undefined
          ? `select address from custody.wallet where chain = $1 and address > $2 order by address limit $3`
          : `select address from custody.wallet where chain = $1 and address > $2 and issued_in >= $4::xid8 order by address limit $3`,
        [this.#chain, after, watchPageAddresses, ...(this.#readUpTo === undefined ? [] : [this.#readUpTo])],
      );
      for (const row of rows) this.#addresses.add(parseAddress(text(row, 'address')));
      const last = rows.at(-1);
      if (last === undefined || rows.length < watchPageAddresses) break;
      after = text(last, 'address');
    }
    this.#readUpTo = text(open, 'xid');
    return this.#addresses.size > before;
  }
}

/** A watch set with every address of the chain that is issued now. */
export async function watchSet(db: Queries, chain: ChainId): Promise<AddressWatch> {
  const watch = new AddressWatch(chain);
  await watch.refresh(db);
  return watch;
}
