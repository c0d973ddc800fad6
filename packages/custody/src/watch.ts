import { type Address, AddressSet, type ChainId, parseAddress, type WatchSet } from '@bulkhead/domain';
import { type Queries, text, textOrNull } from '@bulkhead/postgres';

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
  readonly #addresses: AddressSet = new AddressSet();
  /** Transactions below this number had ended when the set was last read. */
  #readUpTo: string | undefined;

  /** Contracts that hold nothing of ours and whose events are followed. */
  readonly contracts: ReadonlySet<Address>;

  constructor(chain: ChainId, contracts: ReadonlySet<Address> = new Set()) {
    this.#chain = chain;
    this.contracts = contracts;
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
    const since = this.#readUpTo;
    let open: string | undefined;
    for (let after = ''; ;) {
      // Rows and the oldest open transaction come from one snapshot: what it does not show is not below that transaction.
      const rows = await db.query(
        `select pg_snapshot_xmin(pg_current_snapshot())::text as xid, w.address from (values (1)) as one (row)
         left join lateral (
           select address from custody.wallet where chain = $1 and address > $2${since === undefined ? '' : ' and issued_in >= $4::xid8'}
           order by address limit $3
         ) w on true`,
        [this.#chain, after, watchPageAddresses, ...(since === undefined ? [] : [since])],
      );
      const page = rows.map((row) => textOrNull(row, 'address')).filter((address) => address !== null);
      for (const address of page) this.#addresses.add(parseAddress(address));
      // That of the first page: what was committed while later pages were read is read again next time.
      const [first] = rows;
      open ??= first === undefined ? undefined : text(first, 'xid');
      const last = page.at(-1);
      if (last === undefined || page.length < watchPageAddresses) break;
      after = last;
    }
    this.#readUpTo = open;
    return this.#addresses.size > before;
  }
}

/** A watch set with every address of the chain that is issued now. */
export async function watchSet(db: Queries, chain: ChainId): Promise<AddressWatch> {
  const watch = new AddressWatch(chain);
  await watch.refresh(db);
  return watch;
}
