-- Claims behind a position in one pass: the balance of now, without what came after. To look up the last transfer of each account is two
-- looks for each, and a plan that reads all transfers of a book for each of its accounts takes the square of them.
create or replace function ledger.claims_at(chain text, at_position bigint)
returns table (book integer, number integer, compartment integer, asset text, kind text, holder text, side text, balance numeric)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  -- Put together before accounts are joined: so it is made once, whatever is known of the tables.
  with later as materialized (
    select m.account, sum(m.debit) as debit from (
      select t.debit as account, t.amount as debit from ledger.transfer t where t.position > at_position and t.debit_after is not null
      union all
      select t.credit, -t.amount from ledger.transfer t where t.position > at_position and t.credit_after is not null
    ) m group by m.account
  )
  select a.book, a.number, b.compartment, b.asset, a.kind, a.holder, case when a.debit_normal then 'debit' else 'credit' end,
    a.posted - coalesce(case when a.debit_normal then l.debit else -l.debit end, 0)
  from ledger.book b join ledger.account a on a.book = b.id left join later l on l.account = a.number
  where b.chain = claims_at.chain and a.kind <> 'wallet'
  order by b.compartment, b.asset, a.kind, a.holder
$$;
