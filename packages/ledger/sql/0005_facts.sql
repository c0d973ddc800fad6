-- Facts: what the audit log takes its leaves from. All facts of a database, of whatever package, are numbered by the sequence of
-- transfers: one order, in which a fact stands after every fact that its writer could see.

-- The next place in that order, for a fact that is written beside the books. The transaction has its number before the place is
-- drawn, here as in `ledger.post` (which has locked accounts by then): so whoever sees that all transactions up to a number have
-- ended knows that no fact of an earlier place is still to come.
create function ledger.next_position() returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_current_xact_id();
  return nextval('ledger.transfer_position');
end $$;

-- The newest place that was drawn, by whomever; 0 before the first.
create function ledger.last_position() returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
  select case when s.is_called then s.last_value else 0 end from ledger.transfer_position s
$$;

-- Each transfer as a fact, with its content in the form of spec/log.md.
create view ledger.facts as
  select t.position, 'transfer' as kind, t.key::text as id, floor(extract(epoch from t.recorded_at) * 1000)::bigint as time_ms,
    jsonb_build_object(
      'key', t.key, 'type', t.type, 'compartment', b.compartment, 'asset', b.asset,
      'debit', jsonb_build_object('kind', d.kind, 'holder', d.holder), 'credit', jsonb_build_object('kind', c.kind, 'holder', c.holder),
      'amount', t.amount::text, 'hold', t.hold, 'expiresAt', floor(extract(epoch from t.expires_at) * 1000000)::bigint::text,
      'block', case when t.block_hash is not null then
        jsonb_build_object('number', t.block_number, 'hash', '0x' || encode(t.block_hash, 'hex')) end,
      'code', t.code, 'reference', t.reference, 'link', t.link, 'position', t.position)::text as content
  from ledger.transfer t
  join ledger.book b on b.id = t.book
  left join ledger.account d on d.number = t.debit and d.book = t.book
  left join ledger.account c on c.number = t.credit and c.book = t.book;

revoke all on function ledger.next_position(), ledger.last_position() from public;
grant execute on function ledger.next_position() to bulkhead_app;
grant execute on function ledger.last_position() to bulkhead_app, bulkhead_auditor;
grant select on ledger.facts to bulkhead_app, bulkhead_auditor;
