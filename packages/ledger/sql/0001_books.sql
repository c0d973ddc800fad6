-- The books: private tables that only their owner can touch. Writing goes through functions, reading through views.

create schema ledger;
revoke all on schema ledger from public;
grant usage on schema ledger to bulkhead_app, bulkhead_auditor;

-- What each kind of account is. The same table stands in the domain as `accountRules`; a test compares the two.
create table ledger.account_kind (
  kind text primary key,
  debit_normal boolean not null,
  never_negative boolean not null,
  holder text not null check (holder in ('wallet', 'client', 'client-or-none', 'none')),
  house_only boolean not null
);

insert into ledger.account_kind (kind, debit_normal, never_negative, holder, house_only) values
  ('wallet', true, false, 'wallet', false),
  ('loss', true, true, 'none', false),
  ('available', false, true, 'client', false),
  ('quarantine', false, true, 'client', false),
  ('gas', false, true, 'client-or-none', false),
  ('fee-payable', false, true, 'client', false),
  ('suspense', false, true, 'none', false),
  ('equity', false, false, 'none', true),
  ('fee-income', false, true, 'none', true),
  ('network-fee', true, true, 'none', true),
  ('obligation', false, true, 'none', true);

-- A book is one compartment and one asset. House and group compartments are numbered below 10000; the kind follows from
-- the number and is not a column that somebody could set.
create table ledger.book (
  id integer generated always as identity primary key,
  compartment integer not null check (compartment >= 0),
  asset text not null check (asset ~ '^eip155:[1-9][0-9]{0,15}/(slip44:60|erc20:0x[0-9a-f]{40})$'),
  chain text not null generated always as (split_part(asset, '/', 1)) stored,
  is_house boolean not null generated always as (compartment < 10000) stored,
  unique (compartment, asset)
);

-- Accounts are named by book and number. Numbers come from one sequence over all books, so that opening an account locks
-- nothing but itself, and a number of one book is nobody's number in another.
create sequence ledger.account_number as integer;

-- `posted` is the net balance on the account's normal side; `pending_out` what open holds would take from it, `pending_in`
-- what they would add. Half of each page stays free, so that an update of a balance touches no index. No index but that of the
-- names contains the book: a plan made while the table is empty would find it as good as any and read whole books.
create table ledger.account (
  book integer not null,
  number integer not null default nextval('ledger.account_number'),
  kind text not null,
  holder text not null,
  debit_normal boolean not null,
  never_negative boolean not null,
  posted numeric(78, 0) not null default 0,
  pending_out numeric(78, 0) not null default 0,
  pending_in numeric(78, 0) not null default 0,
  primary key (number),
  unique (holder, kind, book),
  constraint account_amounts check (
    abs(posted) <= 115792089237316195423570985008687907853269984665640564039457584007913129639935
    and pending_out between 0 and 115792089237316195423570985008687907853269984665640564039457584007913129639935
    and pending_in between 0 and 115792089237316195423570985008687907853269984665640564039457584007913129639935
  ),
  constraint account_never_negative check (not never_negative or posted - pending_out >= 0)
) with (fillfactor = 50);

-- Says what foreign keys and a check of the holder would say, without asking again at every change of a balance: a regular
-- expression there costs more than the whole update.
create function ledger.account_opens() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  rule ledger.account_kind;
  house boolean;
begin
  select * into strict rule from ledger.account_kind k where k.kind = new.kind;
  select b.is_house into strict house from ledger.book b where b.id = new.book;
  if rule.house_only and not house then
    raise exception 'an account "%" exists in house and group compartments only', new.kind using errcode = 'check_violation';
  end if;
  if new.holder !~ '^[!-{}~]{0,128}$' then
    raise exception 'the holder of an account "%" has characters an id does not have', new.kind using errcode = 'check_violation';
  end if;
  if (rule.holder = 'none' and new.holder <> '') or (rule.holder in ('wallet', 'client') and new.holder = '') then
    raise exception 'an account "%" has the wrong holder "%"', new.kind, new.holder using errcode = 'check_violation';
  end if;
  new.debit_normal := rule.debit_normal;
  new.never_negative := rule.never_negative;
  return new;
end $$;

create trigger account_opens before insert on ledger.account for each row execute function ledger.account_opens();

create type ledger.transfer_type as enum ('post', 'hold', 'post-hold', 'void-hold', 'expire-hold');

create sequence ledger.transfer_position as bigint;

-- One row is one transfer with both of its entries: there is one book column, so nothing can be written between two
-- books, and an entry without its transfer or a transfer with one entry cannot exist. The view `ledger.entries` shows the
-- two sides. `debit_after` and `credit_after` are the posted balances behind this transfer, on the normal side of each
-- account; holds, voids and time-outs move no posted balance and have none. `digest` is SHA-256 over the content.
create table ledger.transfer (
  position bigint primary key,
  key uuid not null,
  type ledger.transfer_type not null,
  book integer not null,
  debit integer not null,
  credit integer not null,
  amount numeric(78, 0) not null,
  debit_after numeric(78, 0),
  credit_after numeric(78, 0),
  hold uuid,
  expires_at timestamptz,
  block_number bigint,
  block_hash bytea,
  code text not null,
  reference text not null,
  link text,
  digest bytea not null,
  recorded_at timestamptz not null default now(),
  constraint transfer_key unique (key),
  constraint transfer_amount check (
    amount > 0 and amount <= 115792089237316195423570985008687907853269984665640564039457584007913129639935
  ),
  constraint transfer_accounts_differ check (debit <> credit),
  constraint transfer_balances check (
    (debit_after is not null) = (type in ('post', 'post-hold')) and (credit_after is null) = (debit_after is null)
  ),
  constraint transfer_hold_named check ((hold is not null) = (type in ('post-hold', 'void-hold', 'expire-hold'))),
  constraint transfer_expiry check (expires_at is null or type = 'hold'),
  constraint transfer_block check (
    (block_number is null) = (block_hash is null)
    and (block_number is null or (block_number >= 0 and length(block_hash) = 32 and debit_after is not null))
  ),
  constraint transfer_texts check (
    length(code) between 1 and 64 and strpos(code, '|') = 0
    and length(reference) between 1 and 128 and strpos(reference, '|') = 0
    and (link is null or (length(link) between 1 and 128 and strpos(link, '|') = 0))
  )
);

create unique index transfer_hold on ledger.transfer (hold) where hold is not null;
create index transfer_debit on ledger.transfer (book, debit, position) where debit_after is not null;
create index transfer_credit on ledger.transfer (book, credit, position) where credit_after is not null;
create index transfer_block_number on ledger.transfer (book, block_number) where block_number is not null;
create index transfer_reference on ledger.transfer (reference);
create index transfer_link on ledger.transfer (link) where link is not null;

-- Both accounts exist in the book of the row. A set-based trigger: two foreign keys would look up and lock two account rows
-- per transfer. Rows from `ledger.post` are made of account rows it holds locked in the one book, so for them the answer is
-- known and only other statements pay for the question; docs/decisions/0003 has the measurements.
create function ledger.transfer_accounts_exist() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  stack text;
begin
  get diagnostics stack = pg_context;
  if strpos(stack, E'\nPL/pgSQL function ledger.post(') > 0 then return null; end if;
  if exists (
    select from (select t.book, t.debit as number from added t union select t.book, t.credit from added t) named
    where not exists (select from ledger.account a where a.number = named.number and a.book = named.book)
  ) then
    raise exception 'a transfer names an account that its book does not have' using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;

create trigger transfer_accounts_exist after insert on ledger.transfer
  referencing new table as added for each statement execute function ledger.transfer_accounts_exist();

-- Holds that are neither posted nor released. State, not history: the history is in `transfer`, and the audit compares.
create table ledger.open_hold (
  key uuid primary key,
  position bigint not null,
  book integer not null,
  debit integer not null,
  credit integer not null,
  amount numeric(78, 0) not null,
  reference text not null,
  expires_at timestamptz
);

create index open_hold_reference on ledger.open_hold (reference);
create index open_hold_expiry on ledger.open_hold (expires_at) where expires_at is not null;

-- Business refusals consume their key and are repeated word for word.
create table ledger.refusal (
  key uuid primary key,
  digest bytea not null,
  reason text not null,
  recorded_at timestamptz not null default now()
);

-- Coverage: everything the chain did up to and including this block is in the books at `position`.
create table ledger.marker (
  chain text not null,
  block_number bigint not null check (block_number >= 0),
  block_hash bytea not null check (length(block_hash) = 32),
  position bigint not null,
  recorded_at timestamptz not null default now(),
  primary key (chain, block_number)
);

create function ledger.refuse_change() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '% on ledger.% is refused: the books are append-only, corrections are new transfers', tg_op, tg_table_name
    using errcode = 'insufficient_privilege';
end $$;

create trigger book_is_fixed before update or delete or truncate on ledger.book
  for each statement execute function ledger.refuse_change();
create trigger account_kind_is_fixed before update or delete or truncate on ledger.account_kind
  for each statement execute function ledger.refuse_change();
create trigger account_stays before delete or truncate on ledger.account
  for each statement execute function ledger.refuse_change();
create trigger account_identity_is_fixed before update of book, number, kind, holder, debit_normal, never_negative on ledger.account
  for each statement execute function ledger.refuse_change();
create trigger transfer_is_fixed before update or delete or truncate on ledger.transfer
  for each statement execute function ledger.refuse_change();
create trigger refusal_is_fixed before update or delete or truncate on ledger.refusal
  for each statement execute function ledger.refuse_change();
create trigger marker_is_fixed before update or delete or truncate on ledger.marker
  for each statement execute function ledger.refuse_change();

revoke all on all functions in schema ledger from public;
