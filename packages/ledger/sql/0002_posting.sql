-- The write path: one function posts a batch in order, under row locks taken in (book, number) order.

-- The content of a transfer as it was asked for, and SHA-256 over it. Two requests are the same if this is; the audit
-- computes it again from the stored row. No part may contain the separator.
create function ledger.digest(
  key uuid, type ledger.transfer_type, legs text, amount numeric, code text, reference text,
  link text, hold uuid, expires_at timestamptz, block_number bigint, block_hash bytea
) returns bytea language sql immutable as $$
  select sha256(convert_to(
    key::text || '|' || type::text || '|' || coalesce(legs, '') || '|' || coalesce(amount::text, '') || '|' || code || '|'
    || reference || '|' || coalesce(link, '') || '|' || coalesce(hold::text, '') || '|'
    || coalesce(extract(epoch from expires_at)::text, '') || '|' || coalesce(block_number::text, '') || '|'
    || coalesce(encode(block_hash, 'hex'), ''), 'UTF8'))
$$;

-- The lock that orders postings and coverage markers of a chain: posts share it, a marker takes it alone.
create function ledger.chain_lock(chain text) returns bigint language sql immutable as $$
  select hashtextextended('bulkhead ledger ' || chain, 0)
$$;

-- Opens a book, or finds it.
create function ledger.open_book(compartment integer, asset text) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  found_id integer;
begin
  insert into ledger.book (compartment, asset) values (open_book.compartment, open_book.asset) on conflict do nothing;
  select b.id into strict found_id from ledger.book b
    where b.compartment = open_book.compartment and b.asset = open_book.asset;
  return found_id;
end $$;

-- Opens the named accounts that are missing and allowed. Sorted, so that two sessions that open the same accounts meet in
-- one order; before any row lock, so that waiting for another session's insert holds up nobody.
create function ledger.open_accounts(books integer[], kinds text[], holders text[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
  insert into ledger.account (book, kind, holder, debit_normal, never_negative)
  select distinct n.book, n.kind, n.holder, k.debit_normal, k.never_negative
  from unnest(books, kinds, holders) as n (book, kind, holder)
  join ledger.account_kind k on k.kind = n.kind
  join ledger.book b on b.id = n.book
  where (b.is_house or not k.house_only)
    and not exists (select from ledger.account a where a.book = n.book and a.kind = n.kind and a.holder = n.holder)
  order by n.book, n.kind, n.holder
  on conflict (holder, kind, book) do nothing;
end $$;

-- Posts a batch. The accounts it names are listed once, with the index of their book; a transfer names its accounts by
-- index into that list. Transfers with the same group number stand next to each other and succeed or fail together.
--
-- `digests` are those of `ledger.digest`; a caller on another machine may bring them to spare this one the work (the audit
-- computes them again), null has them computed here.
--
-- Answers one outcome per transfer: `created`, `exists`, or the reason of the refusal, and the position of those that are in
-- the ledger. Raises SQLSTATE BH001 for a request that is malformed (nothing is stored, no key consumed) and 40001 when a
-- concurrent session uses the same key for other accounts (run again, and the key is known).
create function ledger.post(
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
  listed constant integer := coalesce(cardinality(account_kinds), 0);
  -- Accounts of the batch: the listed ones, then two for each hold that is settled.
  name_book integer[]; name_slot integer[]; locked_name integer[];
  legs_text text[];
  -- One slot per locked account row, in lock order.
  slot_place tid[]; slot_book integer[]; slot_number integer[]; slot_debit_normal boolean[]; slot_never_negative boolean[]; slot_wallet boolean[];
  slot_posted numeric[]; slot_out numeric[]; slot_in numeric[];
  -- What is known of the keys, and of the holds that are settled.
  known_position bigint[]; known_digest bytea[]; known_reason text[]; first_use integer[];
  hold_position bigint[]; hold_book integer[]; hold_debit integer[]; hold_credit integer[]; hold_amount numeric[];
  hold_expiry timestamptz[]; hold_open boolean[]; hold_end ledger.transfer_type[]; hold_source integer[]; hold_before integer[];
  -- The rows to write.
  row_debit integer[] := array_fill(null::integer, array[n]);
  row_credit integer[] := array_fill(null::integer, array[n]);
  row_debit_after numeric[] := array_fill(null::numeric, array[n]);
  row_credit_after numeric[] := array_fill(null::numeric, array[n]);
  row_refused boolean[] := array_fill(null::boolean, array[n]);
  released numeric[];
  has_holds constant boolean := holds is not null;
  has_blocks constant boolean := block_numbers is not null;
  needs_digest constant boolean := digests is null;
  is_fresh boolean;
  any_created boolean := false; any_hold boolean := false; any_refused boolean := false;
  group_start integer; failed_end integer := 0;
  reason text; content bytea; kind ledger.transfer_type;
  d integer; c integer; amount numeric; after_d numeric; after_c numeric; j integer; k integer; fresh integer;
  hold_move numeric; post_move numeric; free_move numeric; raises_d boolean; raises_c boolean; expired boolean;
  violated text;
begin
  outcomes := array_fill(null::text, array[n]);
  positions := array_fill(null::bigint, array[n]);
  if n = 0 then return; end if;
  -- Elements are found by index below and by order in `unnest`: in an array that does not count from 1, or has other dimensions,
  -- those are two different elements, and what is checked would not be what is written.
  if '[1:' || n || ']' <> any (array[array_dims(groups), array_dims(types), array_dims(keys), array_dims(debits), array_dims(credits),
      array_dims(amounts), array_dims(codes), array_dims(refs), array_dims(links), array_dims(holds), array_dims(expiries),
      array_dims(block_numbers), array_dims(block_hashes), array_dims(digests)])
    or '[1:' || listed || ']' <> any (array[array_dims(account_books), array_dims(account_kinds), array_dims(account_holders)])
    or '[1:' || cardinality(book_compartments) || ']' <> any (array[array_dims(book_compartments), array_dims(book_assets)])
  then
    raise exception 'the lists of a call have one dimension, count from 1 and are of one length' using errcode = 'BH001';
  end if;
  if needs_digest then digests := array_fill(null::bytea, array[n]); end if;
  if has_holds then released := array_fill(0::numeric, array[n]); end if;

  -- Legs of holds, immutable once written, so they may be read before anything is locked.
  if has_holds then
    select array_agg(t.position order by h.i), array_agg(t.book order by h.i), array_agg(t.debit order by h.i),
           array_agg(t.credit order by h.i), array_agg(t.amount order by h.i), array_agg(t.expires_at order by h.i),
           array_agg(s.i order by h.i), array_agg(h.before order by h.i)
      into hold_position, hold_book, hold_debit, hold_credit, hold_amount, hold_expiry, hold_source, hold_before
      from (
        select u.key, u.i, case when u.key is not null then (lag(u.i) over (partition by u.key order by u.i))::integer end as before
        from unnest(holds) with ordinality as u (key, i)
      ) h
      left join ledger.transfer t on t.key = h.key and t.type = 'hold'
      left join (
        select u.key, min(u.i)::integer as i from unnest(keys, types) with ordinality as u (key, type, i) where u.type = 'hold' group by u.key
      ) s on s.key = h.key and s.i < h.i and t.key is null;
  end if;

  -- Before any row: the shared lock of each chain, in one order. Whoever holds the exclusive one (a coverage marker) knows
  -- that no posting of the chain is under way, see ledger.mark.
  perform pg_advisory_xact_lock_shared(ledger.chain_lock(l.chain)) from (
    select split_part(a.asset, '/', 1) as chain from unnest(book_assets) as a (asset)
    union select b.chain from ledger.book b where has_holds and b.id = any (hold_book)
    order by 1
  ) l;

  if needs_digest and listed > 0 then
    select array_agg(book_compartments[l.book] || '|' || book_assets[l.book] || '|' || l.kind || '|' || l.holder order by l.i)
      into legs_text from unnest(account_books, account_kinds, account_holders) with ordinality as l (book, kind, holder, i);
  end if;
  select array_agg(b.id order by l.i) into name_book
    from unnest(account_books) with ordinality as l (book, i)
    left join (
      select o.i, b.id from unnest(book_compartments, book_assets) with ordinality as o (compartment, asset, i)
      join ledger.book b on b.compartment = o.compartment and b.asset = o.asset
    ) b on b.i = l.book;

  -- Accounts of holds join the list under their names.
  if has_holds then
    select name_book || array_agg(u.book order by u.i), account_kinds || array_agg(a.kind order by u.i),
           account_holders || array_agg(a.holder order by u.i)
      into name_book, account_kinds, account_holders
      from unnest(hold_book || hold_book, hold_debit || hold_credit) with ordinality as u (book, number, i)
      left join ledger.account a on a.number = u.number and a.book = u.book;
  end if;

  -- The row locks, in (book, number) order for everybody. From here on nobody else moves these accounts. Accounts that do not
  -- exist yet are opened and the question is asked again; one that is opened late is new to everybody, and the deadlock that
  -- two sessions could make of it over several calls is one of those that repeat the transaction.
  for k in 1 .. 2 loop
    select array_agg(a.i), array_agg(a.place), array_agg(a.book), array_agg(a.number), array_agg(a.debit_normal), array_agg(a.never_negative), array_agg(a.is_wallet),
           array_agg(a.posted), array_agg(a.pending_out), array_agg(a.pending_in)
      into locked_name, slot_place, slot_book, slot_number, slot_debit_normal, slot_never_negative, slot_wallet, slot_posted, slot_out, slot_in
      from (
        select l.i::integer as i, a.book, a.number, a.debit_normal, a.never_negative, a.kind = 'wallet' as is_wallet,
          a.ctid as place, a.posted, a.pending_out, a.pending_in
        from unnest(name_book) with ordinality as l (book, i)
        join ledger.account a on a.holder = account_holders[l.i] and a.kind = account_kinds[l.i] and a.book = l.book
        order by a.book, a.number
        for no key update of a
      ) a;
    exit when k = 2 or coalesce(cardinality(locked_name), 0) = cardinality(array_remove(name_book, null));
    perform ledger.open_accounts(name_book, account_kinds, account_holders);
  end loop;

  -- An account that is on the list twice (by its name and by a hold) has its slot where it stands first.
  name_slot := array_fill(null::integer, array[coalesce(cardinality(name_book), 0)]);
  j := null;
  for i in 1 .. coalesce(cardinality(locked_name), 0) loop
    if slot_number[i] is distinct from slot_number[j] then j := i; end if;
    name_slot[locked_name[i]] := j;
  end loop;

  -- Keys are looked up only now: a concurrent post of the same content has just been waited for at its accounts.
  if exists (select from ledger.transfer t where t.key = any (keys)) or exists (select from ledger.refusal r where r.key = any (keys)) then
    select array_agg(t.position order by q.i), array_agg(coalesce(t.digest, r.digest) order by q.i), array_agg(r.reason order by q.i)
      into known_position, known_digest, known_reason
      from unnest(keys) with ordinality as q (key, i)
      left join ledger.transfer t on t.key = q.key
      left join ledger.refusal r on r.key = q.key;
  end if;
  if n > 1 and (select count(distinct q.key) from unnest(keys) as q (key)) < n then
    select array_agg(f.first order by f.i) into first_use from (
      select q.i, (min(q.i) over (partition by q.key))::integer as first from unnest(keys) with ordinality as q (key, i)
    ) f;
  end if;
  if has_holds then
    select array_agg(o.key is not null order by h.i), array_agg(e.type order by h.i) into hold_open, hold_end
      from unnest(holds) with ordinality as h (key, i)
      left join ledger.open_hold o on o.key = h.key
      left join ledger.transfer e on e.hold = h.key;
  end if;

  is_fresh := known_digest is null and first_use is null and not needs_digest;

  for i in 1 .. n loop
    -- Most transfers: new, between two claims of one book, with funds that suffice and far from every limit. Whatever is not
    -- plainly in order, in whatever way, is left to the rules below, which alone refuse.
    if is_fresh and types[i] = 'post' and digests[i] is not null and amounts[i] > 0 and amounts[i] <= amount_max and scale(amounts[i]) = 0
      and block_numbers[i] is null and account_books[debits[i]] = account_books[credits[i]] and i > failed_end
    then
      d := name_slot[debits[i]];
      c := name_slot[credits[i]];
      if d <> c and not slot_wallet[d] and not slot_wallet[c] then
        after_d := case when slot_debit_normal[d] then slot_posted[d] + amounts[i] else slot_posted[d] - amounts[i] end;
        after_c := case when slot_debit_normal[c] then slot_posted[c] - amounts[i] else slot_posted[c] + amounts[i] end;
        if after_d >= slot_out[d] and after_d + slot_in[d] <= amount_max and after_c >= slot_out[c] and after_c + slot_in[c] <= amount_max then
          slot_posted[d] := after_d;
          slot_posted[c] := after_c;
          row_debit[i] := d;
          row_credit[i] := c;
          row_debit_after[i] := after_d;
          row_credit_after[i] := after_c;
          positions[i] := nextval('ledger.transfer_position');
          outcomes[i] := 'created';
          any_created := true;
          continue;
        end if;
      end if;
    end if;

    kind := types[i];
    d := null;
    c := null;
    if kind in ('post', 'hold') then
      if account_books[debits[i]] is distinct from account_books[credits[i]] or account_books[debits[i]] is null then
        raise exception 'transfer % does not stay in one book', keys[i] using errcode = 'BH001';
      end if;
      if needs_digest then
        digests[i] := ledger.digest(keys[i], kind, legs_text[debits[i]] || '|' || legs_text[credits[i]], amounts[i], codes[i], refs[i],
          links[i], null, expiries[i], block_numbers[i], block_hashes[i]);
      end if;
    elsif needs_digest then
      digests[i] := ledger.digest(keys[i], kind, null, case when kind = 'post-hold' then amounts[i] end, codes[i], refs[i],
        links[i], holds[i], null, block_numbers[i], block_hashes[i]);
    end if;
    content := digests[i];
    amount := amounts[i];
    if content is null or (kind not in ('post', 'hold') and holds[i] is null)
      or (kind in ('post', 'hold', 'post-hold') and (amount is null or amount <= 0 or amount > amount_max or scale(amount) > 0))
    then
      raise exception 'transfer % is malformed: text, type or amount', keys[i] using errcode = 'BH001';
    end if;
    reason := null;
    fresh := coalesce(first_use[i], i);

    -- A retry is recognised before anything else.
    if known_digest[i] is not null then
      if known_digest[i] <> content then
        reason := 'key-used-with-other-content';
      elsif known_position[i] is not null then
        outcomes[i] := 'exists';
        positions[i] := known_position[i];
        continue;
      else
        reason := known_reason[i];
      end if;
    elsif fresh < i then
      if digests[fresh] <> content then
        reason := 'key-used-with-other-content';
      elsif positions[fresh] is not null then
        outcomes[i] := 'exists';
        positions[i] := positions[fresh];
        continue;
      else
        reason := outcomes[fresh];
      end if;
    elsif i <= failed_end then
      reason := 'linked-transfer-refused';
      row_refused[i] := true;
    else
      -- New work. Which accounts, and what moves: `hold_move` into hold, `free_move` out of hold, `post_move` for good.
      hold_move := 0;
      free_move := 0;
      post_move := 0;
      if kind in ('post', 'hold') then
        d := name_slot[debits[i]];
        c := name_slot[credits[i]];
        if kind = 'post' then post_move := amount; else hold_move := amount; end if;
        if name_book[debits[i]] is null then reason := 'book-unknown';
        elsif d is null then reason := 'debit-account-unknown';
        elsif c is null then reason := 'credit-account-unknown';
        elsif d = c then reason := 'accounts-equal';
        end if;
      else
        j := hold_source[i];
        if hold_position[i] is not null then
          d := name_slot[listed + i];
          c := name_slot[listed + n + i];
          free_move := hold_amount[i];
          expired := hold_expiry[i] <= at;
        elsif j is not null and outcomes[j] = 'created' then
          d := name_slot[debits[j]];
          c := name_slot[credits[j]];
          free_move := amounts[j];
          expired := expiries[j] <= at;
        end if;
        if kind = 'post-hold' then post_move := amount; else amount := free_move; end if;
      end if;

      if reason is null and d is not null then
        if (slot_wallet[d] or slot_wallet[c]) and post_move > 0 then
          if block_numbers[i] is null then reason := 'block-required'; end if;
        elsif has_blocks and block_numbers[i] is not null then
          reason := 'block-not-allowed';
        end if;
      end if;

      if reason is null and kind not in ('post', 'hold') then
        -- A settlement of the same hold earlier in this batch counts if it went through.
        j := hold_before[i];
        while j is not null and outcomes[j] is distinct from 'created' loop j := hold_before[j]; end loop;
        if d is null then reason := 'hold-unknown';
        elsif j is not null or not coalesce(hold_open[i], false) then
          case coalesce(types[j], hold_end[i])
            when 'post-hold' then reason := 'hold-already-posted';
            when 'void-hold' then reason := 'hold-already-voided';
            when 'expire-hold' then reason := 'hold-expired';
            -- Made earlier in this batch, so not in the table of open holds yet.
            else reason := case when hold_source[i] is null then 'hold-unknown' end;
          end case;
        end if;
        if reason is null and kind = 'post-hold' and expired then reason := 'hold-expired'; end if;
        if reason is null and kind = 'expire-hold' and not coalesce(expired, false) then
          raise exception 'hold % has not expired', holds[i] using errcode = 'BH001';
        end if;
        if reason is null and amount > free_move then reason := 'exceeds-hold'; end if;
      end if;

      if reason is null then
        raises_d := slot_debit_normal[d];
        raises_c := not slot_debit_normal[c];
        if kind <> 'void-hold' and kind <> 'expire-hold' then
          if (not raises_d and slot_never_negative[d] and slot_posted[d] - slot_out[d] + free_move < amount)
            or (not raises_c and slot_never_negative[c] and slot_posted[c] - slot_out[c] + free_move < amount)
          then
            reason := 'insufficient-funds';
          elsif (case when raises_d then slot_posted[d] + slot_in[d] else slot_out[d] - slot_posted[d] end) - free_move + amount > amount_max
            or (case when raises_c then slot_posted[c] + slot_in[c] else slot_out[c] - slot_posted[c] end) - free_move + amount > amount_max
            or (hold_move > 0 and (
              (case when raises_d then slot_in[d] else slot_out[d] end) + hold_move > amount_max
              or (case when raises_c then slot_in[c] else slot_out[c] end) + hold_move > amount_max))
          then
            reason := 'balance-overflow';
          end if;
        end if;
      end if;
      if reason is not null then row_refused[i] := true; end if;
    end if;

    if reason is not null then
      outcomes[i] := reason;
      any_refused := any_refused or row_refused[i] is not null;
      if i > failed_end then
        group_start := i;
        failed_end := i;
        while groups[group_start - 1] = groups[i] loop group_start := group_start - 1; end loop;
        while groups[failed_end + 1] = groups[i] loop failed_end := failed_end + 1; end loop;
        -- The others of the group that went through are taken back.
        for j in reverse i - 1 .. group_start loop
          if outcomes[j] = 'created' then
            d := row_debit[j];
            c := row_credit[j];
            post_move := case when types[j] in ('post', 'post-hold') then amounts[j] else 0 end;
            hold_move := case when types[j] = 'hold' then amounts[j] else 0 end - case when has_holds then released[j] else 0 end;
            if slot_debit_normal[d] then
              slot_posted[d] := slot_posted[d] - post_move;
              slot_in[d] := slot_in[d] - hold_move;
            else
              slot_posted[d] := slot_posted[d] + post_move;
              slot_out[d] := slot_out[d] - hold_move;
            end if;
            if slot_debit_normal[c] then
              slot_posted[c] := slot_posted[c] + post_move;
              slot_out[c] := slot_out[c] - hold_move;
            else
              slot_posted[c] := slot_posted[c] - post_move;
              slot_in[c] := slot_in[c] - hold_move;
            end if;
            outcomes[j] := 'linked-transfer-refused';
            positions[j] := null;
            row_refused[j] := true;
            any_refused := true;
          elsif outcomes[j] = 'exists' and known_digest[j] is null and first_use[j] >= group_start then
            outcomes[j] := 'linked-transfer-refused';
            positions[j] := null;
          end if;
        end loop;
      end if;
      continue;
    end if;

    outcomes[i] := 'created';
    any_created := true;
    positions[i] := nextval('ledger.transfer_position');
    row_debit[i] := d;
    row_credit[i] := c;
    if kind = 'post' then
      if raises_d then slot_posted[d] := slot_posted[d] + amount; else slot_posted[d] := slot_posted[d] - amount; end if;
      if raises_c then slot_posted[c] := slot_posted[c] + amount; else slot_posted[c] := slot_posted[c] - amount; end if;
      row_debit_after[i] := slot_posted[d];
      row_credit_after[i] := slot_posted[c];
    else
      any_hold := true;
      hold_move := hold_move - free_move;
      if raises_d then
        slot_posted[d] := slot_posted[d] + post_move;
        slot_in[d] := slot_in[d] + hold_move;
      else
        slot_posted[d] := slot_posted[d] - post_move;
        slot_out[d] := slot_out[d] + hold_move;
      end if;
      if raises_c then
        slot_posted[c] := slot_posted[c] + post_move;
        slot_in[c] := slot_in[c] + hold_move;
      else
        slot_posted[c] := slot_posted[c] - post_move;
        slot_out[c] := slot_out[c] + hold_move;
      end if;
      if has_holds then
        released[i] := free_move;
        -- A void moves what the hold has.
        if amounts is null then amounts := array_fill(null::numeric, array[n]); end if;
        amounts[i] := amount;
      end if;
      if post_move > 0 then
        row_debit_after[i] := slot_posted[d];
        row_credit_after[i] := slot_posted[c];
      end if;
    end if;
  end loop;

  if any_created then
    begin
      insert into ledger.transfer (position, key, type, book, debit, credit, amount, debit_after, credit_after, hold, expires_at,
        block_number, block_hash, code, reference, link, digest)
      select p.position, keys[p.i], types[p.i], slot_book[row_debit[p.i]], slot_number[row_debit[p.i]], slot_number[row_credit[p.i]],
        amounts[p.i], row_debit_after[p.i], row_credit_after[p.i], holds[p.i], expiries[p.i], block_numbers[p.i], block_hashes[p.i],
        codes[p.i], refs[p.i], links[p.i], digests[p.i]
      from unnest(positions) with ordinality as p (position, i) where outcomes[p.i] = 'created';
    exception when unique_violation then
      get stacked diagnostics violated = constraint_name;
      raise exception 'a concurrent session has used the same key (%)', violated using errcode = 'serialization_failure';
    when check_violation then
      get stacked diagnostics violated = constraint_name;
      raise exception 'a transfer of the batch is malformed (%)', violated using errcode = 'BH001';
    end;
    if any_hold then
      insert into ledger.open_hold (key, position, book, debit, credit, amount, reference, expires_at)
      select r.key, r.position, slot_book[r.debit], slot_number[r.debit], slot_number[r.credit], r.amount, r.reference, r.expires_at
      from unnest(positions, outcomes, keys, types, row_debit, row_credit, amounts, refs, expiries)
        as r (position, outcome, key, type, debit, credit, amount, reference, expires_at)
      where r.outcome = 'created' and r.type = 'hold';
      if has_holds then
        delete from ledger.open_hold o using unnest(outcomes, holds) as r (outcome, hold)
        where r.outcome = 'created' and o.key = r.hold;
      end if;
    end if;
    -- By the address each row was locked at: until this transaction ends nobody can move it. Asking by number would cost a second look
    -- into the index for each account.
    update ledger.account a set posted = slot_posted[s.i], pending_out = slot_out[s.i], pending_in = slot_in[s.i]
    from unnest(slot_place) with ordinality as s (place, i)
    where a.ctid = s.place and a.number = slot_number[s.i]
      and (a.posted <> slot_posted[s.i] or a.pending_out <> slot_out[s.i] or a.pending_in <> slot_in[s.i]);
  end if;

  if any_refused then
    insert into ledger.refusal (key, digest, reason)
    select r.key, r.digest, r.reason from unnest(keys, digests, outcomes, row_refused) as r (key, digest, reason, refused)
    where r.refused
    on conflict do nothing;
  end if;
end $$;

revoke all on all functions in schema ledger from public;
grant execute on function ledger.open_book(integer, text) to bulkhead_app;
grant execute on function ledger.post(timestamptz, integer[], text[], integer[], text[], text[], integer[], ledger.transfer_type[],
  uuid[], integer[], integer[], numeric[], text[], text[], text[], uuid[], timestamptz[], bigint[], bytea[], bytea[]) to bulkhead_app;
