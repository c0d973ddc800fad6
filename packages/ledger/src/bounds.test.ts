import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from './audit.ts';
import {
  answers,
  available,
  blockAt,
  compartment,
  ether,
  neighbour,
  now,
  openBooks,
  post,
  wallet,
} from './testing/books.ts';

/** Arguments of a raw call, as array literals. */
type Call = {
  readonly books?: string;
  readonly holders?: string;
  readonly kinds?: string;
  readonly amounts?: string;
  readonly numbers?: string | null;
  readonly hashes?: string | null;
};

const statement = `select * from ledger.post($1, $2::int[], $3::text[], $4::int[], $5::text[], $6::text[], '{0}', '{post}',
  array[gen_random_uuid()], '{1}', '{2}', $7::numeric[], '{x}', '{r}', null, null, null, $8::bigint[], $9::bytea[], null)`;

function values(call: Call): readonly (string | Date | null)[] {
  return [
    now,
    `{${compartment},${neighbour}}`,
    `{${ether},${ether}}`,
    call.books ?? '{1,1}',
    call.kinds ?? '{available,available}',
    call.holders ?? '{cli_1,cli_2}',
    call.amounts ?? '{1}',
    call.numbers ?? null,
    call.hashes ?? null,
  ];
}

// An element is found by its index in one place and by its order in another; they agree only where counting begins at 1.
for (const [what, call] of Object.entries<Call>({
  'books, which would join two compartments': {
    books: '[0:2]={1,2,2}',
    kinds: '{available,available,available}',
    holders: '{cli_1,cli_2,cli_2}',
  },
  'amounts, which would write another amount than the balances moved by': { amounts: '[0:1]={1000000,1}' },
  'blocks, which would move coins at no block': {
    kinds: '{wallet,available}',
    holders: '{wal_1,cli_1}',
    numbers: '[0:1]={NULL,7}',
    hashes: `[0:1]={NULL,"\\\\x${'00'.repeat(32)}"}`,
  },
})) {
  test(`a raw call that counts from elsewhere than 1 is malformed: ${what}`, async () => {
    await using db = await openBooks({ funds: 100n });
    await answers(db.app, [
      post({ compartment: neighbour, debit: wallet, credit: available, amount: 5n, block: blockAt(1n) }),
      post({ compartment: neighbour, credit: { kind: 'available', holder: 'cli_2' }, amount: 1n }),
    ]);
    const before = await db.owner.query(
      'select book, number, posted::text as posted from ledger.account order by number',
    );
    await assert.rejects(db.app.query(statement, values(call)), { code: 'BH001' });
    assert.deepEqual(
      await db.owner.query('select book, number, posted::text as posted from ledger.account order by number'),
      before,
    );
    assert.deepEqual(await audit(db.owner), []);
  });
}
