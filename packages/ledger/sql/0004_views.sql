-- What others may read. Views run with the rights of their owner; the tables behind them stay closed.

create view ledger.books as
  select b.id as book, b.compartment, b.asset, b.chain, b.is_house from ledger.book b;

create view ledger.accounts as
  select a.book, a.number, b.compartment, b.asset, b.chain, a.kind, a.holder,
    case when a.debit_normal then 'debit' else 'credit' end as side, a.never_negative, a.posted, a.pending_out, a.pending_in
  from ledger.account a join ledger.book b on b.id = a.book;

create view ledger.transfers as
  select t.position, t.key, t.type::text as type, t.book, b.compartment, b.asset, b.chain,
    t.debit, d.kind as debit_kind, d.holder as debit_holder, t.credit, c.kind as credit_kind, c.holder as credit_holder,
    t.amount, t.debit_after, t.credit_after, t.hold, t.expires_at, t.block_number, t.block_hash, t.code, t.reference, t.link,
    t.digest, t.recorded_at,
    ledger.digest(t.key, t.type,
      case when t.type in ('post', 'hold') then b.compartment || '|' || b.asset || '|' || d.kind || '|' || d.holder || '|'
        || b.compartment || '|' || b.asset || '|' || c.kind || '|' || c.holder end,
      case when t.type in ('post', 'hold', 'post-hold') then t.amount end,
      t.code, t.reference, t.link, t.hold, t.expires_at, t.block_number, t.block_hash) as digest_again
  from ledger.transfer t
  join ledger.book b on b.id = t.book
  left join ledger.account d on d.book = t.book and d.number = t.debit
  left join ledger.account c on c.book = t.book and c.number = t.credit;

-- The two sides of each transfer that moved a posted balance. `amount` is signed on the normal side of the account.
create view ledger.entries as
  select t.book, t.debit as account, t.position, 'debit' as side,
    case when a.debit_normal then t.amount else -t.amount end as amount, t.debit_after as balance_after,
    t.block_number, t.block_hash, t.key, t.code, t.reference, t.recorded_at, t.credit as counter_account
  from ledger.transfer t join ledger.account a on a.book = t.book and a.number = t.debit
  where t.debit_after is not null
  union all
  select t.book, t.credit, t.position, 'credit',
    case when a.debit_normal then -t.amount else t.amount end, t.credit_after,
    t.block_number, t.block_hash, t.key, t.code, t.reference, t.recorded_at, t.debit
  from ledger.transfer t join ledger.account a on a.book = t.book and a.number = t.credit
  where t.credit_after is not null;

create view ledger.open_holds as
  select o.key, o.position, o.book, b.compartment, b.asset, b.chain, o.debit, d.kind as debit_kind, d.holder as debit_holder,
    o.credit, c.kind as credit_kind, c.holder as credit_holder, o.amount, o.reference, o.expires_at
  from ledger.open_hold o
  join ledger.book b on b.id = o.book
  join ledger.account d on d.book = o.book and d.number = o.debit
  join ledger.account c on c.book = o.book and c.number = o.credit;

create view ledger.refusals as select r.key, r.digest, r.reason, r.recorded_at from ledger.refusal r;

create view ledger.markers as select m.chain, m.block_number, m.block_hash, m.position, m.recorded_at from ledger.marker m;

create view ledger.book_totals as
  select a.book, b.compartment, b.asset, b.chain,
    coalesce(sum(a.posted) filter (where a.debit_normal), 0) as debit_total,
    coalesce(sum(a.posted) filter (where not a.debit_normal), 0) as credit_total
  from ledger.account a join ledger.book b on b.id = a.book
  group by a.book, b.compartment, b.asset, b.chain;

-- The posted balance of an account behind a ledger position: the newest of the newest debit and the newest credit.
create function ledger.balance_at(book integer, account integer, at_position bigint) returns numeric
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce((
    select e.balance from (
      (select t.position, t.debit_after as balance from ledger.transfer t
        where t.book = balance_at.book and t.debit = balance_at.account and t.position <= at_position and t.debit_after is not null
        order by t.position desc limit 1)
      union all
      (select t.position, t.credit_after from ledger.transfer t
        where t.book = balance_at.book and t.credit = balance_at.account and t.position <= at_position and t.credit_after is not null
        order by t.position desc limit 1)
    ) e order by e.position desc limit 1), 0)
$$;

-- Claims, losses and house accounts of a chain as of a ledger position: everything but wallets.
create function ledger.claims_at(chain text, at_position bigint)
returns table (book integer, number integer, compartment integer, asset text, kind text, holder text, side text, balance numeric)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select a.book, a.number, b.compartment, b.asset, a.kind, a.holder, case when a.debit_normal then 'debit' else 'credit' end,
    ledger.balance_at(a.book, a.number, at_position)
  from ledger.book b join ledger.account a on a.book = b.id
  where b.chain = claims_at.chain and a.kind <> 'wallet'
  order by b.compartment, b.asset, a.kind, a.holder
$$;

-- Wallets of a chain at a block: the sum of their entries with a block at or below it, computed from today's balance by
-- taking the later entries off, because those are few when the block is recent.
create function ledger.wallets_at(chain text, at_block bigint)
returns table (book integer, number integer, compartment integer, asset text, holder text, balance numeric)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  with later as (
    select t.book, t.debit, t.credit, t.amount from ledger.book b join ledger.transfer t on t.book = b.id
    where b.chain = wallets_at.chain and t.block_number > at_block and t.block_number is not null
  ), off as (
    select l.book, l.account, sum(l.amount) as amount from (
      select later.book, later.debit as account, later.amount from later
      union all select later.book, later.credit, -later.amount from later
    ) l group by l.book, l.account
  )
  select a.book, a.number, b.compartment, b.asset, a.holder, a.posted - coalesce(o.amount, 0)
  from ledger.book b join ledger.account a on a.book = b.id and a.kind = 'wallet'
  left join off o on o.book = a.book and o.account = a.number
  where b.chain = wallets_at.chain
  order by b.compartment, b.asset, a.holder
$$;

revoke all on all functions in schema ledger from public;
grant execute on function ledger.claims_at(text, bigint), ledger.wallets_at(text, bigint), ledger.balance_at(integer, integer, bigint)
  to bulkhead_app, bulkhead_auditor;
grant select on ledger.books, ledger.accounts, ledger.transfers, ledger.entries, ledger.open_holds, ledger.refusals, ledger.markers,
  ledger.book_totals to bulkhead_app, bulkhead_auditor;
-- Pure, and called by the view of transfers with the rights of the reader.
grant execute on function ledger.digest(uuid, ledger.transfer_type, text, numeric, text, text, text, uuid, timestamptz, bigint, bytea)
  to bulkhead_app, bulkhead_auditor;
