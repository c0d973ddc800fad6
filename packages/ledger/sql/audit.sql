-- Proves the invariants of the books. Reads nothing but the views, so that an auditor can run his own copy of this file with the
-- rights of `bulkhead_auditor`. Each row is a violation; no row means that the books are in order.

with
totals as (
  select a.book, a.compartment, a.asset, a.kind, sum(a.posted) as posted from ledger.accounts a
  group by a.book, a.compartment, a.asset, a.kind
),

-- What is ours or owed to us stands on the debit side, what we owe on the credit side, in each book by itself:
-- wallet + loss + network-fee = available + quarantine + gas + fee-payable + suspense + equity + fee-income + obligation.
equation as (
  select 'book-unbalanced' as violation, t.book, null::bigint as transfer_position,
    format('compartment %s, %s: %s on the debit side, %s on the credit side', t.compartment, t.asset,
      sum(t.posted) filter (where t.kind in ('wallet', 'loss', 'network-fee')),
      sum(t.posted) filter (where t.kind not in ('wallet', 'loss', 'network-fee'))) as detail
  from totals t
  group by t.book, t.compartment, t.asset
  having coalesce(sum(t.posted) filter (where t.kind in ('wallet', 'loss', 'network-fee')), 0)
    <> coalesce(sum(t.posted) filter (where t.kind not in ('wallet', 'loss', 'network-fee')), 0)
),

-- Each entry continues the one before: balance after = balance before + amount, from zero on.
chained as (
  select e.*, coalesce(lag(e.balance_after) over w, 0) as balance_before,
    row_number() over (partition by e.book, e.account order by e.position desc) as from_end
  from ledger.entries e
  window w as (partition by e.book, e.account order by e.position)
),
broken_chain as (
  select 'entry-chain-broken', c.book, c.position,
    format('account %s: %s before, %s moved, %s after', c.account, c.balance_before, c.amount, c.balance_after)
  from chained c where c.balance_after <> c.balance_before + c.amount
),

-- The balance of an account is the sum of its entries, and the balance behind the last one.
sums as (
  select c.book, c.account, sum(c.amount) as amount, max(c.balance_after) filter (where c.from_end = 1) as last from chained c
  group by c.book, c.account
),
wrong_balance as (
  select 'balance-not-history', a.book, null::bigint,
    format('account %s (%s %s): posted %s, sum of entries %s, last balance %s', a.number, a.kind, a.holder, a.posted,
      coalesce(s.amount, 0), coalesce(s.last, 0))
  from ledger.accounts a left join sums s on s.book = a.book and s.account = a.number
  where a.posted <> coalesce(s.amount, 0) or a.posted <> coalesce(s.last, 0)
),

-- Open holds are exactly the holds that nothing has settled.
unsettled as (
  select h.key, h.position, h.book, h.debit, h.credit, h.amount, h.expires_at, h.reference from ledger.transfers h
  where h.type = 'hold' and not exists (select from ledger.transfers s where s.hold = h.key)
),
wrong_hold as (
  select 'open-holds-not-history', coalesce(u.book, o.book), coalesce(u.position, o.position),
    format('hold %s: %s in the history, %s among the open holds', coalesce(u.key, o.key), coalesce(u.amount::text, 'not open'),
      coalesce(o.amount::text, 'not open'))
  from unsettled u full join ledger.open_holds o on o.key = u.key
  where (u.position, u.book, u.debit, u.credit, u.amount, u.expires_at, u.reference)
    is distinct from (o.position, o.book, o.debit, o.credit, o.amount, o.expires_at, o.reference)
),

-- What an account has pending is the sum of its unsettled holds.
pending as (
  select l.book, l.account,
    sum(l.amount) filter (where l.lowers) as pending_out, sum(l.amount) filter (where not l.lowers) as pending_in
  from (
    select u.book, a.number as account, u.amount, (a.number = u.debit) = (a.side = 'credit') as lowers
    from unsettled u join ledger.accounts a on a.book = u.book and a.number in (u.debit, u.credit)
  ) l group by l.book, l.account
),
wrong_pending as (
  select 'pending-not-holds', a.book, null::bigint,
    format('account %s (%s %s): pending out %s and in %s, open holds %s and %s', a.number, a.kind, a.holder, a.pending_out, a.pending_in,
      coalesce(p.pending_out, 0), coalesce(p.pending_in, 0))
  from ledger.accounts a left join pending p on p.book = a.book and p.account = a.number
  where a.pending_out <> coalesce(p.pending_out, 0) or a.pending_in <> coalesce(p.pending_in, 0)
),

negative as (
  select 'account-negative', a.book, null::bigint,
    format('account %s (%s %s): posted %s, pending out %s', a.number, a.kind, a.holder, a.posted, a.pending_out)
  from ledger.accounts a
  where a.kind not in ('wallet', 'equity') and a.posted - a.pending_out < 0
),
negative_history as (
  select 'account-was-negative', c.book, c.position, format('account %s: %s after the transfer', c.account, c.balance_after)
  from chained c join ledger.accounts a on a.book = c.book and a.number = c.account
  where a.kind not in ('wallet', 'equity') and c.balance_after < 0
),

-- A hole in a client's ring-fence is owed by the house: every movement of a `loss` stands beside one of an `obligation` with the
-- same link, the same asset, the same amount and the same direction (a loss is debited when its obligation is credited).
link_sides as (
  select t.link, t.asset, t.book, t.position, d.kind as debit_kind, c.kind as credit_kind, t.amount
  from ledger.transfers t
  join ledger.accounts d on d.book = t.book and d.number = t.debit
  join ledger.accounts c on c.book = t.book and c.number = t.credit
  where t.debit_after is not null and (d.kind in ('loss', 'obligation') or c.kind in ('loss', 'obligation'))
),
unpaired as (
  select 'loss-without-obligation', min(l.book), min(l.position),
    format('link %s, %s: loss moved by %s, obligation by %s', coalesce(l.link, 'none'), l.asset,
      coalesce(sum(case when l.debit_kind = 'loss' then l.amount when l.credit_kind = 'loss' then -l.amount end), 0),
      coalesce(sum(case when l.credit_kind = 'obligation' then l.amount when l.debit_kind = 'obligation' then -l.amount end), 0))
  from link_sides l
  group by l.link, l.asset, case when l.link is null then l.position end
  having coalesce(sum(case when l.debit_kind = 'loss' then l.amount when l.credit_kind = 'loss' then -l.amount end), 0)
    <> coalesce(sum(case when l.credit_kind = 'obligation' then l.amount when l.debit_kind = 'obligation' then -l.amount end), 0)
),

-- A transfer and its two entries are one row; what must still hold is that both accounts are in its book and differ.
wrong_accounts as (
  select 'transfer-without-entries', t.book, t.position, format('transfer %s: debit %s, credit %s', t.key, t.debit, t.credit)
  from ledger.transfers t
  where t.debit = t.credit or t.debit_kind is null or t.credit_kind is null
    or (t.type in ('post', 'post-hold')) <> (t.debit_after is not null) or (t.debit_after is null) <> (t.credit_after is null)
),
wrong_settlement as (
  select 'settlement-not-of-hold', s.book, s.position,
    format('transfer %s settles %s: accounts or amount do not fit', s.key, s.hold)
  from ledger.transfers s left join ledger.transfers h on h.key = s.hold and h.type = 'hold'
  where s.hold is not null and ((s.book, s.debit, s.credit) is distinct from (h.book, h.debit, h.credit)
    or s.amount > h.amount or (s.type <> 'post-hold' and s.amount <> h.amount) or s.position < h.position)
),
wrong_block as (
  select 'wallet-entry-without-block', t.book, t.position, format('transfer %s moves a wallet and names no block, or the reverse', t.key)
  from ledger.transfers t
  where t.debit_after is not null and ('wallet' in (t.debit_kind, t.credit_kind)) <> (t.block_number is not null)
),

-- The content of a transfer hashes to what was stored with it.
changed as (
  select 'content-changed', t.book, t.position, format('transfer %s does not hash to its digest', t.key)
  from ledger.transfers t where t.digest is distinct from t.digest_again
),
twofold as (
  select 'key-refused-and-posted', t.book, t.position, format('key %s has a transfer and a refusal (%s)', t.key, r.reason)
  from ledger.refusals r join ledger.transfers t on t.key = r.key
),
wrong_marker as (
  select 'markers-not-contiguous', null::integer, null::bigint,
    format('%s: block %s at position %s follows block %s at %s', m.chain, m.block_number, m.position, m.block_before, m.position_before)
  from (
    select m.*, lag(m.block_number) over w as block_before, lag(m.position) over w as position_before
    from ledger.markers m window w as (partition by m.chain order by m.block_number)
  ) m
  where m.block_before <> m.block_number - 1 or m.position_before > m.position
)

select violation, book, transfer_position, detail from equation
union all select * from broken_chain
union all select * from wrong_balance
union all select * from wrong_hold
union all select * from wrong_pending
union all select * from negative
union all select * from negative_history
union all select * from unpaired
union all select * from wrong_accounts
union all select * from wrong_settlement
union all select * from wrong_block
union all select * from changed
union all select * from twofold
union all select * from wrong_marker
