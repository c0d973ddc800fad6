import {
  type AssetId,
  type BookId,
  type Compartment,
  CustodyError,
  invariant,
  parseBookId,
  type TransferOutcome,
  type TransferRefusal,
  transferRefusals,
  type TransferRequest,
} from '@bulkhead/domain';
import { integer, only, type Queries, sqlState, text } from '@bulkhead/postgres';
import { batchTransfersMax, batchValues, checkRequest } from './batch.ts';

/** Holds released by one call of {@link expireHolds}. */
export const expireHoldsMax = 1_000;

/** Both lists come as one text each: neither has a comma in an element, and a split is many times faster than reading arrays. */
const postStatement = `select array_to_string(outcomes, ',') as outcomes, array_to_string(positions, ',', '') as positions from ledger.post($1::timestamptz, $2::integer[], $3::text[], $4::integer[], $5::text[],
  $6::text[], $7::integer[], $8::ledger.transfer_type[], $9::uuid[], $10::integer[], $11::integer[], $12::numeric[], $13::text[], $14::text[],
  $15::text[], $16::uuid[], $17::timestamptz[], $18::bigint[], $19::bytea[], $20::bytea[])`;

const refusals: ReadonlySet<string> = new Set(transferRefusals);

function isRefusal(text: string): text is TransferRefusal {
  return refusals.has(text);
}

function outcome(status: string | undefined, position: string | undefined): TransferOutcome {
  invariant(status !== undefined && position !== undefined, 'The ledger answered no outcome for a transfer.');
  if (status === 'created' || status === 'exists') {
    invariant(position !== '', 'The ledger answered no position for a transfer it has.');
    return { status, position: BigInt(position) };
  }
  invariant(isRefusal(status), `The ledger answered the unknown outcome "${status}".`);
  return { status: 'refused', reason: status };
}

/**
 * Posts groups of transfers in order, in one call. A group succeeds or fails as a whole; a refused group does not disturb its
 * neighbours. Refusals are values and consume the key: asked again, the same transfer gets the same refusal.
 *
 * Accounts are opened at their first use where their kind is allowed in the compartment; books are opened by {@link openBook}.
 * Given a transaction, the transfers commit with it; given a database, they are their own transaction.
 *
 * @throws CustodyError `ledger/malformed-transfer` for any malformed transfer: nothing of the call is stored
 * @throws CustodyError `database/busy`, `database/unavailable` as {@link Queries}
 */
export async function postTransfers(
  db: Queries,
  groups: readonly (readonly TransferRequest[])[],
  options: { readonly now: Date },
): Promise<readonly (readonly TransferOutcome[])[]> {
  const count = groups.reduce((sum, group) => sum + group.length, 0);
  if (count > batchTransfersMax) {
    throw new CustodyError(
      'ledger/malformed-transfer',
      `${count} transfers in one call are too many: give at most ${batchTransfersMax}.`,
    );
  }
  for (const request of groups.flat()) checkRequest(request);
  return postChecked(db, groups, options.now);
}

/** {@link postTransfers} for requests that were checked already. */
export async function postChecked(
  db: Queries,
  groups: readonly (readonly TransferRequest[])[],
  now: Date,
): Promise<readonly (readonly TransferOutcome[])[]> {
  const row = only(await asLedger(() => db.query(postStatement, batchValues(groups, now), { name: 'ledger-post' })));
  const statuses = text(row, 'outcomes').split(',');
  const positions = text(row, 'positions').split(',');
  let index = 0;
  return groups.map((group) =>
    group.map(() => {
      const result = outcome(statuses[index], positions[index]);
      index += 1;
      return result;
    }),
  );
}

/** Gives the ledger's own error states their fault codes. */
async function asLedger<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const state = sqlState(error);
    const message = error instanceof Error ? error.message : '';
    if (state === 'BH001' || state === '23514' || state === '22P02') {
      throw new CustodyError(
        'ledger/malformed-transfer',
        `The ledger refuses the call: ${message}. Nothing was stored and no key consumed.`,
        {
          cause: error,
        },
      );
    }
    throw error;
  }
}

/** Opens the book of a compartment and an asset, or finds it. Safe to call at every start. */
export async function openBook(
  db: Queries,
  book: { readonly compartment: Compartment; readonly asset: AssetId },
): Promise<BookId> {
  const row = only(
    await asLedger(() =>
      db.query('select ledger.open_book($1::integer, $2::text) as book', [book.compartment, book.asset]),
    ),
  );
  return parseBookId(integer(row, 'book'));
}

/**
 * Releases holds whose time has passed by writing a time-out for each, at most {@link expireHoldsMax}, and answers how many.
 * Call it again until it answers zero. Until then an expired hold still lowers what is available, but can no longer be posted.
 */
export async function expireHolds(db: Queries, options: { readonly now: Date }): Promise<number> {
  const row = only(
    await db.query('select ledger.expire_holds($1::timestamptz, $2::integer) as released', [
      options.now,
      expireHoldsMax,
    ]),
  );
  return integer(row, 'released');
}
