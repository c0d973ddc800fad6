-- What signers were asked for and what did not come in time lapses in the registry: it keeps its number, the next epoch follows its context,
-- and it is neither drawn nor proven.
alter table reserves.step
  drop constraint step_state_check,
  add constraint step_state_check check (state in ('made', 'committed', 'lapsed', 'drawn', 'proven', 'abandoned')),
  drop constraint step_pinned,
  add constraint step_pinned check (
    (state in ('committed', 'lapsed', 'drawn', 'proven')) = (transaction is not null) and (transaction is null) = (block_number is null)
  );

create or replace function reserves.follow() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  newest reserves.epoch;
begin
  -- Of two that begin at once the second waits here, and then sees the row of the first.
  perform pg_advisory_xact_lock(hashtextextended(new.asset || new.registry_chain || encode(new.registry, 'hex'), 7411));
  select * into newest from reserves.epoch e
    where e.asset = new.asset and e.registry_chain = new.registry_chain and e.registry = new.registry
      and not exists (select from reserves.step s where s.context = e.context and s.state = 'abandoned')
    order by e.epoch desc limit 1;
  if new.epoch <> coalesce(newest.epoch, 0) + 1 then
    raise exception 'the next epoch is %, not %', coalesce(newest.epoch, 0) + 1, new.epoch using errcode = 'BH010';
  end if;
  if new.previous <> coalesce(newest.context, decode(repeat('00', 32), 'hex')) then
    raise exception 'epoch % does not follow the context of the one before', new.epoch using errcode = 'BH010';
  end if;
  if newest.context is not null
    and not exists (select from reserves.step s where s.context = newest.context and s.state in ('committed', 'lapsed')) then
    raise exception 'epoch % is not in the registry yet', newest.epoch using errcode = 'BH010';
  end if;
  if newest.context is not null and (new.block_number <= newest.block_number or new.ledger_position < newest.ledger_position) then
    raise exception 'block and position of epoch % do not lie behind those of the one before', new.epoch using errcode = 'BH010';
  end if;
  return new;
end $$;

create or replace function reserves.advance() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  before text;
  states text[];
begin
  perform 1 from reserves.epoch e where e.context = new.context for update;
  select coalesce(array_agg(s.state), '{}') into states from reserves.step s where s.context = new.context;
  before := case new.state when 'committed' then 'made' when 'lapsed' then 'made' when 'drawn' then 'committed' when 'proven' then 'drawn' end;
  -- The registry has it in one way, and then for ever.
  if 'abandoned' = any (states) or new.state in ('abandoned', 'lapsed') and 'committed' = any (states)
    or new.state in ('abandoned', 'committed') and 'lapsed' = any (states)
    or before is not null and not before = any (states) then
    raise exception 'an epoch that is % cannot become %', array_to_string(array['begun'] || states, ', '), new.state using errcode = 'BH010';
  end if;
  if new.state = 'proven' and not exists (select from reserves.bundle b where b.context = new.context) then
    raise exception 'an epoch without files cannot become proven' using errcode = 'BH010';
  end if;
  return new;
end $$;
