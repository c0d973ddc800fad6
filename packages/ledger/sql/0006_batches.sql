-- A shorter way for the batches that most transfers travel in. It decides nothing that `ledger.post` would decide otherwise: a batch that
-- is not plainly in order, in whatever way, is given to `ledger.post` as it came, and that alone refuses.

-- Rows of `ledger.post_batch` are made of account rows of one book too, which it has changed and so holds.
create or replace function ledger.transfer_accounts_exist() returns trigger language plpgsql
set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
  stack text;
begin
  get diagnostics stack = pg_context;
  if strpos(stack, E'\nPL/pgSQL function ledger.post(') > 0 or strpos(stack, E'\nPL/pgSQL function ledger.post_batch(') > 0 then
    return null;
  end if;
  if exists (
    select from (select t.book, t.debit as number from added t union select t.book, t.credit from added t) named
    where not exists (select from ledger.account a where a.number = named.number and a.book = named.book)
  ) then
    raise exception 'a transfer names an account that its book does not have' using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;

-- The queue in front of a book: batches work on it one after the other, each in its own transaction. It guards nothing, the rows do. It
-- only lets a batch wait before it has read balances, instead of at the first row of many that the batch before it changes.
-- Books share sixteen places, so that a batch over many books takes few locks.
create function ledger.book_queue(book integer) returns integer language sql immutable as $$ select book & 15 $$;

-- Posts a batch as `ledger.post` does, with the same arguments and answers, and is quicker about new transfers between claims with funds
-- that suffice. Meant for several dozen transfers or more.
--
-- Balances are read without a lock. The statement that writes them names each row by its address and version, which makes it lock
-- and check in one: a row that somebody changed since it was read is not found, and the batch begins anew with `ledger.post`. Rows are
-- written in the order in which everybody locks them, before keys and positions are taken, so what holds for the locks of
-- `ledger.post` holds here from then on.
create function ledger.post_batch(
  at timestamptz,
  book_compartments integer[], book_assets text[],
  account_books integer[], account_kinds text[], account_holders text[],
  groups integer[], types ledger.transfer_type[], keys uuid[], debits integer[], credits integer[], amounts numeric[],
  codes text[], refs text[], links text[], holds uuid[], expiries timestamptz[],
  block_numbers bigint[], block_hashes bytea[], digests bytea[],
  out outcomes text[], out positions bigint[]
) language plpgsql security definer
set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  amount_max constant numeric := 115792089237316195423570985008687907853269984665640564039457584007913129639935;
  n constant integer := cardinality(keys);
  listed constant integer := cardinality(account_kinds);
  has_wallet boolean;
  name_book integer[]; name_slot integer[]; slot_name integer[];
  -- One slot per account, in lock order: what never changes, then what this moment holds.
  slot_book integer[]; slot_number integer[]; slot_debit_normal boolean[];
  slot_place tid[]; slot_version xid[]; slot_posted numeric[]; slot_out numeric[]; slot_in numeric[];
  row_debit integer[]; row_credit integer[]; row_debit_after numeric[]; row_credit_after numeric[];
  d integer; c integer; amount numeric; after_d numeric; after_c numeric; written integer;
begin
  <<plain>>
  begin
    -- Lists that do not count from 1 are malformed, see `ledger.post`; absent ones have no dimensions to differ.
    if n = 0 or holds is not null or expiries is not null or block_numbers is not null or block_hashes is not null
      or types is distinct from array_fill('post'::ledger.transfer_type, array[n])
      or digests is null or array_position(digests, null) is not null
      or '[1:' || n || ']' <> any (array[array_dims(groups), array_dims(keys), array_dims(debits), array_dims(credits), array_dims(amounts),
        array_dims(codes), array_dims(refs), array_dims(links), array_dims(digests)])
      or '[1:' || listed || ']' <> any (array[array_dims(account_books), array_dims(account_kinds), array_dims(account_holders)])
      or '[1:' || cardinality(book_compartments) || ']' <> any (array[array_dims(book_compartments), array_dims(book_assets)])
    then exit plain; end if;

    -- As `ledger.post` does, before the first position.
    perform pg_advisory_xact_lock_shared(ledger.chain_lock(l.chain)) from (
      select distinct split_part(a.asset, '/', 1) as chain from unnest(book_assets) as a (asset) order by 1
    ) l;

    -- Names to numbers: neither ever changes, so this is done while others still write.
    select array_agg(b.id order by l.i) into name_book
      from unnest(account_books) with ordinality as l (book, i)
      left join (
        select o.i, b.id from unnest(book_compartments, book_assets) with ordinality as o (compartment, asset, i)
        join ledger.book b on b.compartment = o.compartment and b.asset = o.asset
      ) b on b.i = l.book;
    select array_agg(a.i), array_agg(a.book), array_agg(a.number), array_agg(a.debit_normal), bool_or(a.kind = 'wallet')
      into slot_name, slot_book, slot_number, slot_debit_normal, has_wallet
      from (
        select l.i::integer as i, a.book, a.number, a.debit_normal, a.kind
        from unnest(name_book) with ordinality as l (book, i)
        join ledger.account a on a.holder = account_holders[l.i] and a.kind = account_kinds[l.i] and a.book = l.book
        order by a.book, a.number
      ) a;
    if has_wallet is distinct from false or cardinality(slot_name) <> listed then exit plain; end if;
    name_slot := array_fill(null::integer, array[listed]);
    for i in 1 .. listed loop
      if slot_number[i] = slot_number[i - 1] then exit plain; end if;
      name_slot[slot_name[i]] := i;
    end loop;

    -- Known keys. The unique index has the last word on those of transfers, the question after the update on those of refusals.
    if (select count(distinct q.key) from unnest(keys) as q (key)) < n
      or exists (select from ledger.transfer t where t.key = any (keys)) or exists (select from ledger.refusal r where r.key = any (keys))
    then exit plain; end if;

    -- A transaction that has written may hold rows others wait for, and must not wait here.
    if pg_current_xact_id_if_assigned() is null then
      perform pg_advisory_xact_lock(hashtext('bulkhead ledger queue'), q.place) from (
        select distinct ledger.book_queue(s.book) as place from unnest(slot_book) as s (book) order by 1
      ) q;
    end if;

    select array_agg(a.ctid), array_agg(a.xmin), array_agg(a.posted), array_agg(a.pending_out), array_agg(a.pending_in)
      into slot_place, slot_version, slot_posted, slot_out, slot_in
      from (
        select a.ctid, a.xmin, a.posted, a.pending_out, a.pending_in from ledger.account a
        where a.number = any (slot_number) order by a.book, a.number
      ) a;
    row_debit := array_fill(null::integer, array[n]);
    row_credit := row_debit;
    row_debit_after := array_fill(null::numeric, array[n]);
    row_credit_after := row_debit_after;
    for i in 1 .. n loop
      amount := amounts[i];
      d := name_slot[debits[i]];
      c := name_slot[credits[i]];
      after_d := case when slot_debit_normal[d] then slot_posted[d] + amount else slot_posted[d] - amount end;
      after_c := case when slot_debit_normal[c] then slot_posted[c] - amount else slot_posted[c] + amount end;
      -- Anything unknown makes the condition unknown, which is not true.
      if amount > 0 and amount <= amount_max and scale(amount) = 0 and d <> c and slot_book[d] = slot_book[c]
        and after_d >= slot_out[d] and after_d + slot_in[d] <= amount_max and after_c >= slot_out[c] and after_c + slot_in[c] <= amount_max
      then
        slot_posted[d] := after_d;
        slot_posted[c] := after_c;
        row_debit[i] := d;
        row_credit[i] := c;
        row_debit_after[i] := after_d;
        row_credit_after[i] := after_c;
      else
        exit plain;
      end if;
    end loop;

    begin
      update ledger.account a set posted = slot_posted[s.i] from unnest(slot_place) with ordinality as s (place, i)
      where a.ctid = s.place and a.xmin = slot_version[s.i] and a.number = slot_number[s.i];
      get diagnostics written = row_count;
      if written <> listed then raise exception 'an account has changed since it was read' using errcode = 'BH004'; end if;
      -- Whoever refused the same transfer meanwhile held its accounts until then.
      if exists (select from ledger.refusal r where r.key = any (keys)) then
        raise exception 'a transfer was refused since its key was looked up' using errcode = 'BH004';
      end if;
      positions := array(select nextval('ledger.transfer_position') from generate_series(1, n));
      insert into ledger.transfer (position, key, type, book, debit, credit, amount, debit_after, credit_after, code, reference, link, digest)
      select p.position, keys[p.i], 'post', slot_book[row_debit[p.i]], slot_number[row_debit[p.i]], slot_number[row_credit[p.i]],
        amounts[p.i], row_debit_after[p.i], row_credit_after[p.i], codes[p.i], refs[p.i], links[p.i], digests[p.i]
      from unnest(positions) with ordinality as p (position, i);
      outcomes := array_fill('created'::text, array[n]);
      return;
    exception when sqlstate 'BH004' or unique_violation or check_violation then
      null;
    end;
  end;
  select p.outcomes, p.positions into outcomes, positions from ledger.post(at, book_compartments, book_assets, account_books, account_kinds,
    account_holders, groups, types, keys, debits, credits, amounts, codes, refs, links, holds, expiries, block_numbers, block_hashes, digests) p;
end $$;

revoke all on all functions in schema ledger from public;
grant execute on function ledger.post_batch(timestamptz, integer[], text[], integer[], text[], text[], integer[], ledger.transfer_type[],
  uuid[], integer[], integer[], numeric[], text[], text[], text[], uuid[], timestamptz[], bigint[], bytea[], bytea[]) to bulkhead_app;
