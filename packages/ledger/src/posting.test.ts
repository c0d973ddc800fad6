import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountRules, amountMax, parseAssetId, transferKey } from '@bulkhead/domain';
import { boolean, bytes, only, text } from '@bulkhead/postgres';
import { transferDigest } from './batch.ts';
import { audit } from './audit.ts';
import { accountEntries, openHolds, positions, transfers } from './reading.ts';
import { expireHolds, postTransfers } from './posting.ts';
import {
  answers,
  available,
  blockAt,
  compartment,
  ether,
  groupAnswers,
  hold,
  house,
  key,
  now,
  openBooks,
  other,
  post,
  postHold,
  quarantine,
  token,
  voidHold,
  wallet,
} from './testing/books.ts';

const later = new Date(now.getTime() + 60_000);

test('the kinds of account in the database are those of the domain', async () => {
  await using db = await openBooks();
  const rows = await db.owner.query('select * from ledger.account_kind');
  const stored = Object.fromEntries(
    rows.map((row) => [
      text(row, 'kind'),
      {
        side: boolean(row, 'debit_normal') ? 'debit' : 'credit',
        neverNegative: boolean(row, 'never_negative'),
        holder: text(row, 'holder'),
        houseOnly: boolean(row, 'house_only'),
      },
    ]),
  );
  assert.deepEqual(stored, accountRules);
});

test('digests and time-out keys are the same in the database and here', async () => {
  await using db = await openBooks({ funds: 100n });
  const requests = [
    hold({ key: key('h'), amount: 5n, expiresAt: later, link: 'lnk_1' }),
    hold({ key: key('i'), amount: 5n, expiresAt: new Date(now.getTime() + 7) }),
    post({ amount: 3n, debit: available, credit: wallet, block: blockAt(12n) }),
    postHold(key('h'), 2n),
    voidHold(key('i')),
  ];
  assert.deepEqual(
    await answers(db.app, requests),
    Array.from(requests, () => 'created'),
  );
  for (const request of requests) {
    const row = only(
      await db.app.query('select digest, digest_again from ledger.transfers where key = $1', [request.key]),
    );
    assert.equal(Buffer.from(bytes(row, 'digest')).toString('hex'), transferDigest(request));
    assert.deepEqual(bytes(row, 'digest_again'), bytes(row, 'digest'));
  }
  const row = only(await db.owner.query('select ledger.expiry_key($1::uuid) as key', [key('h')]));
  assert.equal(text(row, 'key'), transferKey('hold-expired', key('h')));
});

test('a posted transfer moves both balances and leaves an entry with the balance behind it on each side', async () => {
  await using db = await openBooks({ funds: 100n });
  assert.deepEqual(await answers(db.app, [post({ amount: 30n }), post({ amount: 12n })]), ['created', 'created']);
  const [mine] = await positions(db.app, { compartment, asset: ether, kind: 'available', holder: 'cli_1' });
  assert.ok(mine);
  assert.equal(mine.posted, 58n);
  const entries = await accountEntries(db.app, mine);
  assert.deepEqual(
    entries.map((entry) => [entry.amount, entry.balanceAfter]),
    [
      [-12n, 58n],
      [-30n, 70n],
      [100n, 100n],
    ],
  );
  const [newest] = await accountEntries(db.app, mine, { limit: 1 });
  assert.ok(newest);
  const rest = await accountEntries(db.app, mine, { before: newest.position });
  assert.deepEqual(
    rest.map((entry) => entry.amount),
    [-30n, 100n],
  );
  const [first] = await transfers(db.app, { compartment, asset: ether }, { limit: 1 });
  assert.equal(first?.debitAfter, 58n);
  assert.equal(first?.creditAfter, 42n);
});

test('a retry answers exists with the same position, other content under the key is refused', async () => {
  await using db = await openBooks({ funds: 100n });
  const request = post({ key: key('k'), amount: 10n });
  const first = (await postTransfers(db.app, [[request]], { now }))[0]?.[0];
  const again = (await postTransfers(db.app, [[request]], { now: later }))[0]?.[0];
  assert.equal(first?.status, 'created');
  assert.deepEqual(again, { status: 'exists', position: first.position });
  const changes = [
    { amount: 11n },
    { credit: quarantine },
    { reference: 'ref_2' },
    { asset: token },
    { link: 'lnk_1' },
  ];
  for (const change of changes) {
    assert.deepEqual(await answers(db.app, [post({ key: key('k'), amount: 10n, ...change })]), [
      'key-used-with-other-content',
    ]);
  }
  const twins = [
    post({ key: key('t'), amount: 1n }),
    post({ key: key('t'), amount: 1n }),
    post({ key: key('t'), amount: 2n }),
  ];
  assert.deepEqual(await answers(db.app, twins), ['created', 'exists', 'key-used-with-other-content']);
  assert.equal((await positions(db.app, { compartment, asset: ether, holder: 'cli_2' }))[0]?.posted, 11n);
});

test('a business refusal consumes its key for ever, a malformed request does not', async () => {
  await using db = await openBooks({ funds: 100n });
  const poor = post({ key: key('poor'), amount: 101n });
  assert.deepEqual(await answers(db.app, [poor]), ['insufficient-funds']);
  assert.deepEqual(
    await answers(db.app, [post({ debit: wallet, credit: available, amount: 50n, block: blockAt(2n) }), poor]),
    ['created', 'insufficient-funds'],
  );
  assert.deepEqual(await answers(db.app, [post({ key: key('poor'), amount: 1n })]), ['key-used-with-other-content']);
  for (const amount of [0n, -1n, amountMax + 1n]) {
    await assert.rejects(answers(db.app, [post(), post({ key: key('bad'), amount })]), {
      code: 'ledger/malformed-transfer',
    });
  }
  await assert.rejects(answers(db.app, [post({ key: key('bad'), reference: "'; drop table x; --|" })]), {
    code: 'ledger/malformed-transfer',
  });
  await assert.rejects(answers(db.app, [post({ key: key('bad'), debit: { kind: 'available', holder: '' } })]), {
    code: 'ledger/malformed-transfer',
  });
  assert.deepEqual(await answers(db.app, [post({ key: key('bad'), amount: 1n })]), ['created']);
});

test('refusals come in their order', async () => {
  await using db = await openBooks({ funds: 100n });
  const unknown = parseAssetId('eip155:5/slip44:60');
  const equity = { kind: 'equity', holder: '' } as const;
  const cases: [string, Parameters<typeof post>[0]][] = [
    ['book-unknown', { asset: unknown, debit: equity, credit: equity, amount: 999n }],
    ['debit-account-unknown', { debit: equity, credit: equity, amount: 999n }],
    ['credit-account-unknown', { credit: equity, amount: 999n }],
    ['accounts-equal', { credit: available, amount: 999n, block: blockAt(1n) }],
    ['block-required', { credit: wallet, amount: 999n }],
    ['block-not-allowed', { amount: 999n, block: blockAt(1n) }],
    ['insufficient-funds', { amount: 999n }],
    ['balance-overflow', { debit: wallet, credit: other, amount: amountMax, block: blockAt(1n) }],
  ];
  await answers(db.app, [post({ amount: 1n })]);
  for (const [reason, fields] of cases) assert.deepEqual(await answers(db.app, [post(fields)]), [reason]);
  assert.deepEqual(await answers(db.app, [hold({ credit: wallet, amount: 1n, block: blockAt(1n) })]), [
    'block-not-allowed',
  ]);
  assert.deepEqual(await audit(db.app), []);
});

test('house accounts open in house compartments and nowhere else', async () => {
  await using db = await openBooks();
  const equity = { kind: 'equity', holder: '' } as const;
  const fields = { debit: wallet, credit: equity, amount: 5n, block: blockAt(1n) };
  assert.deepEqual(await answers(db.app, [post({ ...fields, compartment: house }), post(fields)]), [
    'created',
    'credit-account-unknown',
  ]);
});

test('amounts go to 2^256 - 1 and not one unit further', async () => {
  await using db = await openBooks();
  const deposit = { debit: wallet, credit: available, block: blockAt(1n) };
  assert.deepEqual(await answers(db.app, [post({ ...deposit, amount: amountMax }), post({ ...deposit, amount: 1n })]), [
    'created',
    'balance-overflow',
  ]);
  assert.deepEqual(
    await answers(db.app, [post({ amount: amountMax }), hold({ debit: other, credit: wallet, amount: amountMax })]),
    ['created', 'created'],
  );
  assert.equal((await positions(db.app, { kind: 'available', holder: 'cli_2' }))[0]?.pendingOut, amountMax);
  assert.deepEqual(await audit(db.app), []);
});

test('a hold lowers what is available at once, and is posted in part, voided or timed out once', async () => {
  await using db = await openBooks({ funds: 100n });
  const fields = { debit: available, credit: wallet };
  assert.deepEqual(
    await answers(db.app, [
      hold({ ...fields, key: key('a'), amount: 60n }),
      hold({ ...fields, amount: 41n }),
      post({ amount: 41n }),
    ]),
    ['created', 'insufficient-funds', 'insufficient-funds'],
  );
  assert.deepEqual(
    (await openHolds(db.app, { reference: 'ref_1' })).map((open) => [open.key, open.amount, open.debit.kind]),
    [[key('a'), 60n, 'available']],
  );
  assert.deepEqual(await answers(db.app, [postHold(key('a'), 61n, { block: blockAt(2n) })]), ['exceeds-hold']);
  assert.deepEqual(await answers(db.app, [postHold(key('a'), 25n)]), ['block-required']);
  assert.deepEqual(await answers(db.app, [postHold(key('a'), 25n, { block: blockAt(2n) })]), ['created']);
  const [mine] = await positions(db.app, { compartment, asset: ether, kind: 'available', holder: 'cli_1' });
  assert.deepEqual([mine?.posted, mine?.pendingOut], [75n, 0n]);
  assert.deepEqual(await answers(db.app, [voidHold(key('a')), postHold(key('a'), 1n, { block: blockAt(2n) })]), [
    'hold-already-posted',
    'hold-already-posted',
  ]);
  assert.deepEqual(
    await answers(db.app, [hold({ ...fields, key: key('b'), amount: 75n }), voidHold(key('b')), voidHold(key('b'))]),
    ['created', 'created', 'hold-already-voided'],
  );
  assert.deepEqual(await answers(db.app, [voidHold(key('nothing')), voidHold(key('b'))]), [
    'hold-unknown',
    'hold-already-voided',
  ]);
  assert.deepEqual(await openHolds(db.app), []);
  assert.deepEqual(await audit(db.app), []);
});

test('an expired hold cannot be posted, and expiring releases it once', async () => {
  await using db = await openBooks({ funds: 100n });
  const fields = { debit: available, credit: wallet, amount: 100n };
  await answers(db.app, [hold({ ...fields, key: key('a'), expiresAt: later })]);
  assert.equal(await expireHolds(db.app, { now }), 0);
  assert.deepEqual(await answers(db.app, [postHold(key('a'), 1n, { block: blockAt(2n) })], later), ['hold-expired']);
  assert.equal(await expireHolds(db.app, { now: later }), 1);
  assert.equal(await expireHolds(db.app, { now: later }), 0);
  assert.deepEqual(await answers(db.app, [postHold(key('a'), 1n, { block: blockAt(2n) }), voidHold(key('a'))]), [
    'hold-expired',
    'hold-expired',
  ]);
  assert.deepEqual(await answers(db.app, [post({ amount: 100n })]), ['created']);
  assert.equal((await transfers(db.app, { key: transferKey('hold-expired', key('a')) }))[0]?.type, 'expire-hold');
  assert.deepEqual(await audit(db.app), []);
});

test('a group succeeds or fails as a whole and does not disturb its neighbours', async () => {
  await using db = await openBooks({ funds: 100n });
  const result = await groupAnswers(db.app, [
    [post({ amount: 10n })],
    [
      post({ key: key('g1'), amount: 50n }),
      hold({ key: key('g2'), debit: other, credit: wallet, amount: 60n }),
      post({ key: key('g3'), amount: 51n }),
    ],
    [post({ amount: 90n })],
    [post({ debit: other, credit: available, amount: 100n }), hold({ amount: 100n })],
  ]);
  assert.deepEqual(result, [
    ['created'],
    ['linked-transfer-refused', 'linked-transfer-refused', 'insufficient-funds'],
    ['created'],
    ['created', 'created'],
  ]);
  assert.deepEqual(await answers(db.app, [post({ key: key('g1'), amount: 50n })]), ['linked-transfer-refused']);
  const twice = await groupAnswers(db.app, [
    [post({ key: key('h1'), amount: 1n, debit: quarantine }), post({ key: key('h1'), amount: 1n, debit: quarantine })],
  ]);
  assert.deepEqual(twice, [['insufficient-funds', 'insufficient-funds']]);
  assert.deepEqual(await audit(db.app), []);
});

test('a group that is taken back leaves holds and in-batch settlements as they were', async () => {
  await using db = await openBooks({ funds: 100n });
  await answers(db.app, [hold({ key: key('a'), amount: 40n })]);
  const result = await groupAnswers(db.app, [
    [postHold(key('a'), 40n), post({ amount: 61n })],
    [postHold(key('a'), 30n)],
    [hold({ key: key('b'), amount: 70n }), voidHold(key('b'), { key: key('vb') }), post({ amount: 71n })],
    [voidHold(key('b'))],
  ]);
  assert.deepEqual(result, [
    ['linked-transfer-refused', 'insufficient-funds'],
    ['created'],
    ['linked-transfer-refused', 'linked-transfer-refused', 'insufficient-funds'],
    ['hold-unknown'],
  ]);
  assert.deepEqual(await audit(db.app), []);
});
