import assert from 'node:assert/strict';
import { test } from 'node:test';
import { houseGas } from '@bulkhead/domain';
import { bigint, type Queries, sqlState, text } from '@bulkhead/postgres';
import { addressCertificate } from './address-certificate.ts';
import { chargeFee } from './fee.ts';
import { proposeRegistryChange } from './registry-change.ts';
import { pullSignerRecords } from './signer-record.ts';
import { type Bench, viewOf } from './testing/bench.ts';
import { breaks, reconciled, resolves } from './testing/desk.ts';
import { type Account, approve, ask, ether, funded, openWithdrawing, settle, workers } from './testing/withdrawing.ts';
import { issueCompartmentWallet } from './wallet-issue.ts';

/** Every table, and the columns of it that may ever change. */
const changeable: Readonly<Record<string, readonly string[]>> = {
  account_key: [],
  address_certificate: [],
  address_counter: ['next_index'],
  agreement: [],
  approval: [],
  asset: [],
  attempt: ['ask_again_at', 'broadcast_at', 'hash', 'last_broadcast', 'raw', 'refusal', 'refusals', 'signed_at'],
  block: ['removed_at'],
  break: [
    'books',
    'chain_balance',
    'difference',
    'evidence',
    'last_reconciliation',
    'owner',
    'proposal',
    'resolution',
    'resolved_at',
  ],
  chain_cursor: [
    'final_hash',
    'final_number',
    'stopped_reason',
    'swept_number',
    'tip_hash',
    'tip_number',
    'updated_at',
  ],
  client: [],
  command: [],
  compartment: [],
  delegated_sweep: [
    'block_hash',
    'block_number',
    'outcome',
    'retried_at',
    'step',
    'transaction_hash',
    'updated_at',
    'waiting_reason',
  ],
  delegation: ['outcome', 'retried_at', 'signature', 'step', 'updated_at', 'waiting_reason'],
  deposit: ['client', 'finality', 'state', 'step', 'updated_at'],
  dispatch: ['nonce', 'outcome', 'state', 'step', 'updated_at', 'waiting_reason'],
  fee: [],
  freeze: ['lifted_at'],
  heartbeat: ['carried_at', 'grants', 'signatures', 'step', 'updated_at', 'waiting_reason'],
  heartbeat_clock: ['last', 'looked_at', 'signer_set'],
  journal: [],
  key_recovery: ['block_hash', 'block_number', 'step', 'transaction_hash', 'updated_at', 'waiting_reason'],
  movement: ['in_explained', 'out_explained', 'removed_at'],
  personal: [],
  proof_act: ['block_number', 'grants', 'signatures', 'step', 'transaction_hash', 'updated_at', 'waiting_reason'],
  proof_clock: ['chain', 'committed_at', 'epoch', 'fresh', 'looked_at', 'registry', 'trouble', 'window_ended_at'],
  proof_maker: ['held_until', 'maker'],
  reconciliation: [],
  registry_change: ['reason', 'state', 'updated_at', 'version'],
  segregation: [],
  segregation_half: ['deposit'],
  segregation_move: ['certificate', 'certificate_digest', 'confirmed_by', 'step', 'updated_at', 'waiting_reason'],
  sent: ['explained', 'removed_at'],
  signer_log: ['doubt', 'hash', 'sequence', 'trouble', 'updated_at'],
  signer_record: [],
  signer_record_lost: [],
  signer_set_change: ['grants', 'member_signatures', 'quorum_signatures', 'step', 'updated_at', 'waiting_reason'],
  signer_set_standing: ['current_number', 'looked_at', 'newest_from', 'newest_number', 'signer_set', 'waiting_reason'],
  vault: [
    'agreement',
    'backed_up_at',
    'certificate_digest',
    'certificates',
    'next_nonce',
    'receipt',
    'step',
    'updated_at',
    'wallet',
  ],
  vault_dispatch: ['grants', 'invalidation', 'outcome', 'signatures', 'state', 'step', 'updated_at', 'waiting_reason'],
  vault_event: ['explained', 'removed_at'],
  wallet: ['next_nonce'],
  wallet_key: [],
  withdrawal: ['client_signature', 'fee_paid', 'reserved', 'state', 'step', 'updated_at', 'wallet'],
};
const tables = Object.keys(changeable);

/** A custody in which every table has rows: a settled and an open withdrawal, a fee, and a theft that was found and booked. */
async function lived(): Promise<Bench> {
  const bench = await openWithdrawing({ workers });
  const account = await funded(bench, 5n * ether);
  const { id } = await ask(bench, { client: account.client, amount: ether });
  await approve(bench, id);
  await settle(bench);
  await ask(bench, { client: account.client, amount: ether });
  viewOf(
    await chargeFee(bench.custody, bench.as('ann'), {
      clientId: account.client,
      asset: bench.native,
      amount: 5n,
      description: 'custody',
    }),
  );
  bench.chain.outside.steal({ from: account.wallet.address, to: account.wallet.address, amount: 0n });
  await settle(bench);
  await reconciled(bench);
  const house = { compartment: houseGas, chain: bench.id, purpose: 'gas', keyLabel: 'gas-1' } as const;
  viewOf(await issueCompartmentWallet(bench.custody, bench.as('ann'), house));
  viewOf(await addressCertificate(bench.custody, bench.as('ann'), account.wallet.id));
  const list = { kind: 'enrolment', list: 'a list', listDigest: '0'.repeat(64), items: 1 } as const;
  viewOf(await proposeRegistryChange(bench.custody, bench.as('ann'), list));
  await pullSignerRecords(bench.custody);
  await losesNewestRecord(bench);
  await plantsVault(bench, account);
  for (const found of await breaks(bench)) await resolves(bench, found.id, 'book-loss');
  return bench;
}

/** Rows of a vault as a payment of one leaves them; how they come about has tests of its own. */
async function plantsVault(bench: Bench, { client, wallet }: Account): Promise<void> {
  const { id: chain } = bench;
  const { owner } = bench.database;
  const other = await bench.wallet(client);
  await owner.query(
    `insert into custody.vault (id, chain, compartment, client, address, config_hash, config, policy, step, requested_by, created_at, updated_at)
     values ('vlt_1', $1, $2, $3, $4, $5, '{}', '{}', 'drafted', 'ann', now(), now())`,
    [chain, wallet.compartment, client, `0x${'fa'.repeat(20)}`, `0x${'fa'.repeat(32)}`],
  );
  await owner.query(
    `insert into custody.vault_dispatch (id, subject, chain, compartment, vault, wallet, nonce, asset, to_address, amount, deadline, intent,
       intent_digest, kind, requested_by, step, state, created_at, updated_at)
     values ('vdp_1', 'wd_1', $1, $2, 'vlt_1', $3, 0, 'asset', 'to', 1, 1, 'intent', 'digest', 'vault-withdrawal', 'ann', 'queued', '{}', now(), now())`,
    [chain, wallet.compartment, wallet.id],
  );
  await owner.query(
    `insert into custody.delegation (id, chain, compartment, wallet, to_wallet, delegate, nonce, intent, intent_digest, requested_by, step, created_at, updated_at)
     values ('dlg_1', $1, $2, $3, $4, $5, 0, 'intent', 'digest', 'ann', 'queued', now(), now())`,
    [chain, wallet.compartment, wallet.id, other.id, `0x${'fa'.repeat(20)}`],
  );
  await owner.query(
    `insert into custody.delegated_sweep (id, chain, compartment, wallet, to_wallet, asset, amount, fee_max, requested_by, step, created_at, updated_at)
     values ('swp_1', $1, $2, $3, $4, 'asset', 1, 1, 'ann', 'queued', now(), now())`,
    [chain, wallet.compartment, wallet.id, other.id],
  );
  await owner.query(
    `insert into custody.segregation_move (id, client, chain, model, from_compartment, to_compartment, to_wallet, step, proposed_by, created_at, updated_at)
     values ('sgm_1', $1, $2, 'omnibus', $3, 1, $4, 'proposed', 'ann', now(), now())`,
    [client, chain, wallet.compartment, wallet.id],
  );
  await owner.query(
    `insert into custody.segregation_half (withdrawal, move) select id, 'sgm_1' from custody.withdrawal limit 1`,
  );
  await owner.query(
    `insert into custody.heartbeat (id, chain, signer_set, block_number, block_hash, before, intent, intent_digest, statement, step, signatures, carried_at,
       created_at, updated_at)
     values ('vhb_1', $1, $2, 1, 'hash', 1, 'intent', 'digest', repeat('0', 64), 'carried', '0x00', 2, now(), now())`,
    [chain, `0x${'5e'.repeat(20)}`],
  );
  await owner.query(
    `insert into custody.heartbeat_clock (chain, signer_set, last, looked_at) values ($1, 'set', 1, now())`,
    [chain],
  );
  await owner.query(
    `insert into custody.proof_act (id, kind, chain, registry, asset, context, intent, intent_digest, step, signatures, transaction_hash, block_number,
       created_at, updated_at)
     values ('proof_1', 'commitment', $1, $2, 'asset', $3, 'intent', 'digest', 'done', '0x00', 'hash', 1, now(), now())`,
    [chain, `0x${'5e'.repeat(20)}`, 'ab'.repeat(32)],
  );
  await owner.query(
    `insert into custody.proof_clock (asset, chain, registry, epoch, committed_at, fresh, window_ended_at, looked_at)
     values ('asset', $1, 'registry', 1, 1, true, 0, now())`,
    [chain],
  );
  await owner.query(`insert into custody.proof_maker (asset, maker, held_until) values ('asset', 'maker', now())`);
  await owner.query(
    `insert into custody.key_recovery (id, dispatch, chain, vault, role, new_key, change, ready_at, step, created_at, updated_at)
     select 'vkr_1', id, chain, vault, 'client', $1, $1, 1, 'queued', now(), now() from custody.vault_dispatch limit 1`,
    [`0x${'0f'.repeat(32)}`],
  );
  await owner.query(
    `insert into custody.signer_set_change (id, signer_set, number, members, threshold, before_members, before_threshold, intent,
       intent_digest, expires_at, requested_by, step, created_at, updated_at)
     values ('ssc_1', $1, 2, 'members', 1, 'members', 1, 'intent', 'digest', 1, 'ann', 'queued', now(), now())`,
    [`0x${'5e'.repeat(20)}`],
  );
  await owner.query(
    `insert into custody.signer_set_standing (chain, signer_set, current_number, newest_number, newest_from, looked_at)
     values ($1, 'set', 1, 1, 1, now())`,
    [chain],
  );
  await owner.query(
    `insert into custody.vault_event (id, chain, block_number, block_hash, transaction_hash, log_index, address, topics, data, observed_at)
     select 'vev_1', chain, number, hash, 'hash', 0, 'address', '[]', '0x', now() from custody.block where chain = $1 limit 1`,
    [chain],
  );
}

/** As after a recovery to the end before the newest record, which the signer then gives again. */
async function losesNewestRecord({ custody, database }: Bench): Promise<void> {
  const [newest] = await database.owner.query(
    'select sequence, previous from custody.signer_record order by sequence desc limit 1',
  );
  assert.ok(newest !== undefined);
  await database.owner.query('select custody.follow_recovery($1, $2, now())', [
    bigint(newest, 'sequence'),
    text(newest, 'previous'),
  ]);
  await pullSignerRecords(custody);
}

type Column = { readonly table: string; readonly name: string; readonly type: string };

async function columns(bench: Bench): Promise<readonly Column[]> {
  const rows = await bench.database.owner.query(
    `select table_name, column_name, udt_name from information_schema.columns join information_schema.tables using (table_schema, table_name)
     where table_schema = 'custody' and table_type = 'BASE TABLE' and is_generated = 'NEVER' order by table_name, column_name`,
  );
  return rows.map((row) => ({
    table: text(row, 'table_name'),
    name: text(row, 'column_name'),
    type: text(row, 'udt_name'),
  }));
}

/** An expression of the column's type that differs from what is there. */
function otherValue({ name, type }: Column): string {
  const column = `"${name}"`;
  const others: Readonly<Record<string, string>> = {
    text: `coalesce(${column}, '') || 'x'`,
    int4: `coalesce(${column}, 0) + 1`,
    int8: `coalesce(${column}, 0) + 1`,
    numeric: `coalesce(${column}, 0) + 1`,
    bool: `not ${column}`,
    timestamptz: `timestamptz '2000-01-01'`,
    jsonb: `'{"other": true}'::jsonb`,
    bytea: `'\\x00'::bytea`,
    xid8: `'1'::xid8`,
    _int8: `'{7}'::bigint[]`,
  };
  const value = others[type];
  assert.ok(value !== undefined, `a value for ${type}`);
  return value;
}

async function refused(session: Queries, statement: string, state: string): Promise<void> {
  await assert.rejects(session.query(statement), (error) => sqlState(error) === state, `${state}: ${statement}`);
}

const denied = '42501';
const kept = 'BH001';

test('no row of any table is deleted, and no kept column of any row changes, by the application or by the owner of the tables', async () => {
  await using bench = await lived();
  const { app, owner } = bench.database;
  const all = await columns(bench);
  assert.deepEqual([...new Set(all.map(({ table }) => table))], tables, 'this test knows every table');
  for (const table of tables) {
    const rows = await owner.query(`select from custody.${table} limit 1`);
    assert.equal(rows.length, 1, `${table} has a row to be kept`);
    for (const statement of [
      `delete from custody.${table}`,
      `delete from custody.${table} where false`,
      `truncate custody.${table} cascade`,
    ]) {
      await refused(app, statement, denied);
      await refused(owner, statement, kept);
    }
  }
  for (const column of all) {
    if (changeable[column.table]?.includes(column.name) === true) continue;
    // An identity refuses a value of one's own, whoever asks, before rights and triggers are looked at.
    const identity = column.table === 'journal' && column.name === 'position' ? '428C9' : undefined;
    const statement = `update custody.${column.table} set "${column.name}" = ${otherValue(column)}`;
    await refused(app, statement, identity ?? denied);
    await refused(owner, statement, identity ?? kept);
  }
});

test('the application may read, add, and change what may change; the auditor may read', async () => {
  await using bench = await openWithdrawing();
  const rights = await bench.database.owner.query(
    `select r.role, c.relname, array_agg(p.name order by p.name)::text as rights
     from pg_class c, unnest(array['bulkhead_app', 'bulkhead_auditor']) as r (role),
       unnest(array['delete', 'insert', 'references', 'select', 'trigger', 'truncate', 'update']) as p (name)
     where c.relnamespace = 'custody'::regnamespace and c.relkind = 'r' and has_table_privilege(r.role, c.oid, p.name)
     group by r.role, c.relname order by r.role, c.relname`,
  );
  assert.deepEqual(
    rights.map((row) => [row['role'], row['relname'], row['rights']]),
    [
      ...tables.map((table) => [
        'bulkhead_app',
        table,
        table === 'signer_record_lost' ? '{select}' : '{insert,select}',
      ]),
      ...tables.filter((table) => table !== 'personal').map((table) => ['bulkhead_auditor', table, '{select}']),
    ],
  );
  const shown = await bench.database.owner.query(
    `select string_agg(attname, ' ' order by attname) as columns from pg_attribute
     where attrelid = 'custody.personal'::regclass and attnum > 0 and has_column_privilege('bulkhead_auditor', attrelid, attnum, 'select')`,
  );
  assert.equal(shown[0]?.['columns'], 'client commitment created_at erased_at id', 'and not what names a person');
  const updates = await bench.database.owner.query(
    `select c.relname as tab, a.attname, r.role
     from pg_attribute a join pg_class c on c.oid = a.attrelid, unnest(array['bulkhead_app', 'bulkhead_auditor']) as r (role)
     where c.relnamespace = 'custody'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
       and has_column_privilege(r.role, a.attrelid, a.attnum, 'update') order by c.relname, a.attname`,
  );
  assert.deepEqual(
    updates.map((row) => `${text(row, 'role')} custody.${text(row, 'tab')}.${text(row, 'attname')}`),
    tables.flatMap((table) => (changeable[table] ?? []).map((name) => `bulkhead_app custody.${table}.${name}`)),
  );
});

test('the application cannot take the guards away', async () => {
  await using bench = await openWithdrawing();
  for (const statement of [
    'alter table custody.withdrawal disable trigger all',
    'drop trigger keep_rows on custody.withdrawal',
    'drop table custody.journal',
    'create table custody.mine (id integer)',
    'create or replace function custody.refuse_change() returns trigger language plpgsql as $$ begin return null; end $$',
    `set session_replication_role = 'replica'`,
    'grant delete on custody.withdrawal to bulkhead_app',
    `insert into custody.client (id, kind, segregation, created_by, created_at) values ('cl_1', 'legal', 'omnibus', 'x', now())
     on conflict (id) do update set kind = 'natural'`,
  ]) {
    if (statement.startsWith('grant')) {
      // PostgreSQL answers a grant of what one does not have with a warning: what counts is that nothing was granted.
      await bench.database.app.query(statement).catch((error: unknown) => assert.equal(sqlState(error), denied));
      await refused(bench.database.app, 'delete from custody.withdrawal', denied);
    } else {
      await refused(bench.database.app, statement, denied);
    }
  }
});

test('what was signed, given out, or ended stays so, though its column may change', async () => {
  await using bench = await lived();
  const { app, owner } = bench.database;
  for (const session of [app, owner]) {
    for (const statement of [
      `update custody.attempt set raw = '\\x00'`,
      `update custody.attempt set raw = null, hash = null, signed_at = null`,
      `update custody.attempt set hash = hash || '0'`,
      `update custody.attempt set signed_at = signed_at + interval '1 second'`,
      `update custody.dispatch set nonce = nonce + 1`,
      `update custody.dispatch set nonce = null`,
      `update custody.dispatch set outcome = 'reverted' where outcome = 'succeeded'`,
      `update custody.dispatch set step = 'broadcast', outcome = null where step = 'done'`,
      `update custody.withdrawal set step = 'signing', reserved = true where step = 'settled'`,
      `update custody.withdrawal set fee_paid = fee_paid + 1 where step = 'settled'`,
      `update custody.deposit set step = 'final' where step = 'released'`,
      `update custody.deposit set finality = null`,
      `update custody.movement set in_explained = null where in_explained is not null`,
      `update custody.movement set out_explained = 'other' where out_explained is not null`,
      `update custody.sent set explained = 'other' where explained is not null`,
      `update custody.signer_log set sequence = sequence - 1`,
      `update custody.break set resolved_at = null, resolution = null where resolved_at is not null`,
      `update custody.break set resolution = '{}' where resolved_at is not null`,
      `update custody.freeze set lifted_at = null where lifted_at is not null`,
      `update custody.wallet set next_nonce = next_nonce - 1 where next_nonce is not null`,
      `update custody.wallet set next_nonce = null where next_nonce is not null`,
      `update custody.address_counter set next_index = next_index - 1`,
      `update custody.chain_cursor set final_number = final_number - 1`,
      `update custody.heartbeat set step = 'relaying', carried_at = null`,
      `update custody.heartbeat set signatures = '0x01'`,
      `update custody.proof_act set step = 'relaying', transaction_hash = null, block_number = null`,
      `update custody.proof_act set signatures = '0x01'`,
      `update custody.proof_act set transaction_hash = 'other'`,
      `update custody.heartbeat set carried_at = carried_at + 1`,
    ]) {
      await refused(session, statement, kept);
    }
  }
  await app.query(`update custody.attempt set last_broadcast = 'again'`);
  await app.query('update custody.wallet set next_nonce = next_nonce + 1 where next_nonce is not null');
});

/** Adds a copy of a row with some of its values replaced, as the application. */
async function plant(
  bench: Bench,
  table: string,
  changes: Readonly<Record<string, unknown>>,
  where = 'true',
): Promise<void> {
  const names = (await columns(bench)).filter((column) => column.table === table).map(({ name }) => `"${name}"`);
  await bench.database.app.query(
    `insert into custody.${table} (${names.join(', ')})
     select ${names.map((name) => `r.${name}`).join(', ')} from (select * from custody.${table} where ${where} limit 1) as t,
       jsonb_populate_record(null::custody.${table}, to_jsonb(t) || $1::jsonb) as r`,
    [JSON.stringify(changes)],
  );
}

test('no row ties a client, a deposit or a payment to a compartment that is not theirs', async () => {
  await using bench = await lived();
  const stranger = await bench.client('individual');
  const { id: strange, compartment } = await bench.wallet(stranger);
  const address = `0x${'ef'.repeat(20)}`;
  const violates = async (work: Promise<void>, state: string, constraint: RegExp): Promise<void> => {
    await assert.rejects(
      work,
      (error) => sqlState(error) === state && error instanceof Error && constraint.test(error.message),
    );
  };
  const missing = '23503';
  const check = '23514';
  const twice = '23505';
  const settled = `step = 'settled'`;
  const next = { id: 'wd_2', intent_digest: 'x' };
  await violates(
    plant(bench, 'withdrawal', { ...next, wallet: strange }, settled),
    missing,
    /wallet_compartment_chain/u,
  );
  await violates(plant(bench, 'withdrawal', { ...next, client: stranger }, settled), missing, /belongs_to/u);
  await violates(plant(bench, 'withdrawal', { ...next, reserved: true }, settled), check, /withdrawal/u);
  await violates(plant(bench, 'withdrawal', { ...next, kind: 'deposit-return' }, settled), check, /withdrawal/u);
  await violates(
    plant(bench, 'dispatch', { id: 'dsp_2', subject: 'x', nonce: 99, wallet: strange }),
    missing,
    /wallet_compartment_chain/u,
  );
  await violates(plant(bench, 'dispatch', { id: 'dsp_2', nonce: 99 }), twice, /dispatch_subject/u);
  await violates(
    plant(bench, 'dispatch', { id: 'dsp_2', subject: 'x' }, 'nonce is not null'),
    twice,
    /dispatch_nonce/u,
  );
  await violates(plant(bench, 'deposit', { id: 'dep_2' }), twice, /movement/u);
  await violates(
    plant(
      bench,
      'wallet',
      { id: 'wal_2', key_index: 77, address, client: stranger },
      `compartment <> ${compartment} and purpose = 'deposit'`,
    ),
    missing,
    /belongs_to/u,
  );
  await violates(plant(bench, 'wallet', { id: 'wal_2', address }), twice, /key_index/u);
  await violates(plant(bench, 'wallet', { id: 'wal_2', key_index: 77 }), twice, /address/u);
  await violates(
    plant(bench, 'segregation', { version: 2, client: stranger }, `compartment <> ${compartment}`),
    missing,
    /belongs_to/u,
  );
  await violates(plant(bench, 'segregation', { version: 2, model: 'omnibus' }), check, /segregation/u);
  await violates(plant(bench, 'compartment', { number: 100_999 }), twice, /owner/u);
  await violates(plant(bench, 'compartment', { number: 10_001 }), check, /compartment/u);
});
