import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { amountMax, checksumAddress, parseAddress } from '@bulkhead/domain';
import { text } from '@bulkhead/postgres';
import { developmentTokens } from '../src/development-secrets.ts';
import {
  type Admitted,
  admit,
  chain,
  coin,
  deposit,
  ether,
  firstOf,
  type House,
  openHouse,
  type Seen,
  until,
} from './house.ts';

const outside = parseAddress(`0x${'0e'.repeat(20)}`);
/** A body that no caller needs to send. */
const tenMegabytes = 10 * 1_024 * 1_024;
let house: House;
let client: Admitted;
let operator: string;
let good: Readonly<Record<string, unknown>>;

before(async () => {
  // What the server does by itself, on a schedule, would change the tables too.
  house = await openHouse({ schedule: { reconcileMinutes: 1_440 } });
  operator = developmentTokens(house.configuration).find(({ name }) => name === 'operator')?.token ?? '';
  client = await admit(house.desk, 'C-bad-input');
  await deposit(house, client, 3n * coin);
  good = { clientId: client.id, asset: ether, amount: String(coin), destination: outside };
});
after(async () => {
  await house[Symbol.asyncDispose]();
});

/** Blocks that become final and records that the signer made while a test runs are no effect of what it sends. */
const follower: ReadonlySet<string> = new Set([
  'custody.block',
  'custody.chain_cursor',
  'custody.signer_log',
  'custody.signer_record',
  'ledger.marker',
]);

/** Everything else that custody and ledger store, table by table, as its number of rows and a digest of them. */
async function stored(): Promise<ReadonlyMap<string, string>> {
  const { admin } = house.database;
  const tables = await admin.query(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('custody', 'ledger') order by 1`,
  );
  const found = new Map<string, string>();
  for (const table of tables) {
    const name = text(table, 'name');
    if (follower.has(name)) continue;
    const [row] = await admin.query(
      `select count(*)::text || ' ' || md5(coalesce(string_agg(t::text, '|' order by t::text), '')) as content from ${name} t`,
    );
    found.set(name, row === undefined ? '' : text(row, 'content'));
  }
  assert.ok(found.size > 18, `Only ${[...found.keys()].join(', ')} were looked at.`);
  return found;
}

/** Tables whose content differs from what it was. */
async function changedSince(before: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const now = await stored();
  return [...now.keys()].filter((name) => now.get(name) !== before.get(name));
}

type Problem = Seen & { readonly errors?: readonly { readonly code?: string }[] };
type Raw = { readonly status: number; readonly type: string; readonly hit: string | null; readonly body: Problem };

/** Bytes as they are, with a key of their own or a given one. */
async function send(body: string, more: { path?: string; key?: string } = {}): Promise<Raw> {
  const response = await fetch(house.server.url + (more.path ?? '/v1/withdrawals'), {
    method: 'POST',
    headers: {
      authorization: `Bearer ${operator}`,
      'idempotency-key': more.key ?? randomUUID(),
      'content-type': 'application/json',
    },
    body,
  });
  const { status, headers } = response;
  const answer: Problem = JSON.parse(await response.text());
  return {
    status,
    type: (headers.get('content-type') ?? '').split(';')[0] ?? '',
    hit: headers.get('idempotency-hit'),
    body: answer,
  };
}

const sql = "'; drop table custody.withdrawal; --";

/** Bodies of a withdrawal request that cannot be read, each with the code that its one objection must have. */
function unreadable(): readonly (readonly [what: string, body: string, code: string | undefined])[] {
  const withValue = (field: string, value: unknown): string => JSON.stringify({ ...good, [field]: value });
  return [
    ['negative', withValue('amount', '-1'), 'amount/malformed'],
    ['zero', withValue('amount', '0'), 'amount/out-of-range'],
    ['too many digits', withValue('amount', '1.0000000000000000001'), 'amount/malformed'],
    ['a digit too long', withValue('amount', `1${'0'.repeat(78)}`), 'amount/malformed'],
    ['one above 2^256 - 1', withValue('amount', String(amountMax + 1n)), 'amount/out-of-range'],
    ['a number that JSON rounds', withValue('amount', 1e18), undefined],
    ['wrong checksum', withValue('destination', wrongChecksum(client.address)), 'address/checksum'],
    ['unknown kind of asset', withValue('asset', 'ETH'), 'asset/malformed'],
    ['unknown kind of chain', withValue('asset', 'solana:1/slip44:501'), 'chain/malformed'],
    ['SQL in an address', withValue('destination', sql), 'address/malformed'],
    ['SQL in an id', withValue('clientId', `cl_${sql}`), undefined],
    ['SQL in an asset', withValue('asset', `${ether}${sql}`), 'asset/malformed'],
    ['a field that nobody knows', withValue('approved', true), undefined],
  ];
}

/** The address with the case of one letter changed. */
function wrongChecksum(address: Admitted['address']): string {
  const right = checksumAddress(address);
  const at = right.search(/[a-f]/u);
  assert.ok(at > 1);
  return right.slice(0, at) + right.charAt(at).toUpperCase() + right.slice(at + 1);
}

test('what cannot be read is a problem document, stores nothing and leaves its key free', async () => {
  const before = await stored();
  const key = 'bad-input-1';
  for (const [what, body, code] of unreadable()) {
    const answer = await send(body, { key });
    assert.deepEqual(
      [what, answer.status, answer.type, answer.body.code],
      [what, 400, 'application/problem+json', 'request/malformed'],
    );
    assert.deepEqual([what, firstOf(answer.body.errors ?? []).code], [what, code]);
  }
  for (const body of ['', '{', '{"amount":', 'null', '[]', '"text"', `${JSON.stringify(good)}x`, '\u0000']) {
    const answer = await send(body, { key });
    assert.deepEqual([body, answer.status, answer.type], [body, 400, 'application/problem+json']);
  }
  const big = await send(JSON.stringify({ ...good, destination: 'x'.repeat(tenMegabytes) }), { key });
  assert.deepEqual([big.status, big.type, big.body.code], [413, 'application/problem+json', 'request/too-large']);
  for (const path of [
    `/v1/clients/${encodeURIComponent(`cl_${sql}`)}/wallets`,
    `/v1/withdrawals?state=${encodeURIComponent(sql)}`,
  ]) {
    assert.equal((await send(JSON.stringify({ chain }), { path, key })).status, 400, path);
  }
  assert.deepEqual(await changedSince(before), [], 'nothing was stored');

  const done = await send(JSON.stringify(good), { key });
  assert.deepEqual([done.status, done.hit], [201, null], 'the key was not used up by any of them');
  assert.ok((await changedSince(before)).includes('custody.withdrawal'), 'what is stored would have been seen');
  // Its screening runs by itself, and is over before the next test looks at the tables.
  await until('screening', async () => (await house.desk.get(`/v1/withdrawals/${done.body.id}`)).state === 'screened');
});

test('what business refuses stores its answer alone, and its key is used up', async () => {
  const { desk } = house;
  const second = await desk.post(`/v1/clients/${client.id}/wallets`, { chain }, 'operator');
  const refused: readonly (readonly [what: string, change: object, status: number, code: string])[] = [
    ['unknown asset', { asset: `${chain}/erc20:0x${'99'.repeat(20)}` }, 422, 'asset/not-allowed'],
    ['wrong chain', { asset: ether.replace(chain, 'eip155:1') }, 422, 'asset/not-allowed'],
    ['own address', { destination: client.address }, 422, 'destination/own-compartment'],
    ["own compartment's other address", { destination: second.address }, 422, 'destination/own-compartment'],
    ['zero address', { destination: `0x${'0'.repeat(40)}` }, 422, 'destination/zero-address'],
    ['all that numbers can say', { amount: String(amountMax) }, 422, 'withdrawal/insufficient-funds'],
    ['a client that is not there', { clientId: 'cl_01931d5c-6f3a-7cc3-98c4-dc0c0c07398f' }, 404, 'resource/not-found'],
  ];
  for (const [what, change, status, code] of refused) {
    const before = await stored();
    const key = `refused ${what}`.replaceAll(/[^a-z0-9]/giu, '-');
    const body = JSON.stringify({ ...good, ...change });
    const answer = await send(body, { key });
    assert.deepEqual(
      [what, answer.status, answer.type, answer.body.code],
      [what, status, 'application/problem+json', code],
    );
    assert.deepEqual([what, await changedSince(before)], [what, ['custody.command']]);
    const again = await send(body, { key });
    assert.deepEqual([what, again.status, again.body.code, again.hit], [what, status, code, 'true']);
    const other = await send(JSON.stringify(good), { key });
    assert.deepEqual([what, other.status, other.body.code], [what, 409, 'request/idempotency-key-reused']);
  }
  assert.equal((await desk.get(`/v1/withdrawals?clientId=${client.id}`)).items.length, 1, 'the one of the test before');
});

test('SQL in a text that may hold anything is text', async () => {
  const { desk } = house;
  const made = await desk.post('/v1/clients', { reference: sql, kind: 'legal', segregation: 'individual' }, 'operator');
  assert.equal((await desk.get(`/v1/clients/${made.id}`)).reference, sql);
  const found = await desk.get(`/v1/clients?reference=${encodeURIComponent(sql)}`);
  assert.deepEqual(
    found.items.map(({ id }) => id),
    [made.id],
  );
});
