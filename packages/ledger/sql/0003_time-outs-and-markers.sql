-- What time does to holds, and the markers that tie ledger positions to blocks.

-- The key of the time-out of a hold: the domain's `transferKey('hold-expired', key)`.
create function ledger.expiry_key(hold uuid) returns uuid language sql immutable as $$
  select (substr(h.hex, 1, 12) || '8' || substr(h.hex, 14, 3)
    || to_hex(('x' || substr(h.hex, 17, 1))::bit(4)::integer & 3 | 8) || substr(h.hex, 18, 15))::uuid
  from (select encode(sha256(convert_to('12:hold-expired,36:' || hold, 'UTF8')), 'hex') as hex) h
$$;

-- Releases holds whose time has passed, at most so many, and answers how many. A hold that another session settles
-- at the same moment is left to it.
create function ledger.expire_holds(at timestamptz, holds_max integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  due uuid[]; due_reference text[];
  outcome text[];
begin
  select array_agg(o.key order by o.position), array_agg(o.reference order by o.position) into due, due_reference
    from (select * from ledger.open_hold o where o.expires_at <= at order by o.expires_at limit holds_max) o;
  if due is null then return 0; end if;
  select p.outcomes into outcome from ledger.post(at,
    '{}', '{}', '{}', '{}', '{}',
    array(select generate_series(1, cardinality(due))), array_fill('expire-hold'::ledger.transfer_type, array[cardinality(due)]),
    array(select ledger.expiry_key(h.key) from unnest(due) with ordinality as h (key, i) order by h.i),
    null, null, null, array_fill('hold-expired'::text, array[cardinality(due)]), due_reference, null, due, null, null, null, null) p;
  return (select count(*) from unnest(outcome) as o (outcome) where o.outcome = 'created');
end $$;

-- Writes the coverage marker of a block: all postings of the chain up to this block are at or below its position, all later
-- ones above. Posts hold the chain's lock shared from before their first position until they have committed; with the
-- exclusive lock none is between the two. So every position the sequence has given to this chain is committed and
-- visible, and the next one it gives is higher than the value read here.
create function ledger.mark(chain text, block_number bigint, block_hash bytea) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  known ledger.marker; newest bigint; place bigint;
begin
  perform pg_advisory_xact_lock(ledger.chain_lock(mark.chain));
  select * into known from ledger.marker m where m.chain = mark.chain and m.block_number = mark.block_number;
  if found then
    if known.block_hash <> mark.block_hash then
      raise exception 'block % of % is marked with another hash', mark.block_number, mark.chain using errcode = 'BH002';
    end if;
    return known.position;
  end if;
  select max(m.block_number) into newest from ledger.marker m where m.chain = mark.chain;
  if newest is not null and mark.block_number <> newest + 1 then
    raise exception 'the newest marker of % is at block %, block % does not follow it', mark.chain, newest, mark.block_number
      using errcode = 'BH003';
  end if;
  select case when s.is_called then s.last_value else 0 end into place from ledger.transfer_position s;
  insert into ledger.marker (chain, block_number, block_hash, position) values (mark.chain, mark.block_number, mark.block_hash, place);
  return place;
end $$;

revoke all on all functions in schema ledger from public;
grant execute on function ledger.expire_holds(timestamptz, integer) to bulkhead_app;
grant execute on function ledger.mark(text, bigint, bytea) to bulkhead_app;
