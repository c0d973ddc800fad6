-- Epochs of proofs of reserves: what was begun, made, pinned by the registry, drawn and proven. What is here is public; claims, salts
-- and openings are not in the database at all.

create schema reserves;

create function reserves.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% on reserves.% is refused: what was proven is never changed', tg_op, tg_table_name using errcode = 'BH001';
end $$;

-- One row for each context: a header whose making began.
create table reserves.epoch (
  context bytea primary key check (length(context) = 32),
  registry_chain bigint not null check (registry_chain > 0),
  registry bytea not null check (length(registry) = 20),
  asset text not null,
  epoch bigint not null check (epoch > 0),
  -- As spec/reserves.md has it; its hash is the context.
  header bytea not null check (length(header) between 200 and 400),
  previous bytea not null check (length(previous) = 32),
  block_number bigint not null check (block_number >= 0),
  block_hash bytea not null check (length(block_hash) = 32),
  ledger_position bigint not null check (ledger_position >= 0),
  begun_at timestamptz not null,
  fact bigint not null default ledger.next_position()
);
create index epoch_stream on reserves.epoch (asset, registry_chain, registry, epoch);
create unique index epoch_fact on reserves.epoch (fact);

-- What happened to an epoch, each once. Those of the registry name the transaction in whose block they are final.
create table reserves.step (
  context bytea not null references reserves.epoch,
  state text not null check (state in ('made', 'committed', 'drawn', 'proven', 'abandoned')),
  at timestamptz not null,
  -- Made: what the registry is to pin, and the reserves of all compartments together, in units.
  record bytea check (length(record) = 32),
  reserves numeric(39, 0) check (reserves >= 0),
  -- Committed, drawn, proven.
  transaction bytea check (length(transaction) = 32),
  block_number bigint check (block_number >= 0),
  -- Abandoned.
  reason text check (length(reason) between 1 and 1000),
  fact bigint not null default ledger.next_position(),
  primary key (context, state),
  constraint step_made check ((state = 'made') = (record is not null) and (state = 'made') = (reserves is not null)),
  constraint step_pinned check (
    (state in ('committed', 'drawn', 'proven')) = (transaction is not null) and (transaction is null) = (block_number is null)
  ),
  constraint step_abandoned check ((state = 'abandoned') = (reason is not null))
);
create unique index step_fact on reserves.step (fact);

-- All files that prove an epoch in full, by the digest of their manifest: what the registry is told when the epoch is proven.
create table reserves.bundle (
  context bytea primary key references reserves.epoch,
  manifest bytea not null check (length(manifest) = 32),
  made_at timestamptz not null,
  fact bigint not null default ledger.next_position()
);
create unique index bundle_fact on reserves.bundle (fact);

-- An epoch follows the one before: its number is the next, its context is chained, and the one before is pinned. A number is free again
-- only where its epoch was abandoned, which is possible only before the registry has it.
create function reserves.follow() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
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
    and not exists (select from reserves.step s where s.context = newest.context and s.state = 'committed') then
    raise exception 'epoch % is not committed yet', newest.epoch using errcode = 'BH010';
  end if;
  if newest.context is not null and (new.block_number <= newest.block_number or new.ledger_position < newest.ledger_position) then
    raise exception 'block and position of epoch % do not lie behind those of the one before', new.epoch using errcode = 'BH010';
  end if;
  return new;
end $$;
create trigger follow before insert on reserves.epoch for each row execute function reserves.follow();

create function reserves.advance() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  before text;
  states text[];
begin
  perform 1 from reserves.epoch e where e.context = new.context for update;
  select coalesce(array_agg(s.state), '{}') into states from reserves.step s where s.context = new.context;
  before := case new.state when 'committed' then 'made' when 'drawn' then 'committed' when 'proven' then 'drawn' end;
  if 'abandoned' = any (states) or new.state = 'abandoned' and 'committed' = any (states)
    or before is not null and not before = any (states) then
    raise exception 'an epoch that is % cannot become %', array_to_string(array['begun'] || states, ', '), new.state using errcode = 'BH010';
  end if;
  if new.state = 'proven' and not exists (select from reserves.bundle b where b.context = new.context) then
    raise exception 'an epoch without files cannot become proven' using errcode = 'BH010';
  end if;
  return new;
end $$;
create trigger advance before insert on reserves.step for each row execute function reserves.advance();

create function reserves.expect_made() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if not exists (select from reserves.step s where s.context = new.context and s.state = 'made') then
    raise exception 'there are files of an epoch that was not made' using errcode = 'BH010';
  end if;
  return new;
end $$;
create trigger expect_made before insert on reserves.bundle for each row execute function reserves.expect_made();

do $$
declare
  tab text;
begin
  foreach tab in array array['epoch', 'step', 'bundle'] loop
    execute format('create trigger keep_rows before update or delete or truncate on reserves.%I for each statement execute function reserves.refuse_change()', tab);
  end loop;
end $$;

-- Facts of the audit log, spec/log.md. The id is the context, which the registry pins as well.
create view reserves.facts as
  select f.position, 'proof-published' as kind, '0x' || encode(e.context, 'hex') as id,
    floor(extract(epoch from f.at) * 1000)::bigint as time_ms,
    jsonb_build_object('actor', 'bulkhead', 'subject', '0x' || encode(e.context, 'hex'), 'event', 'epoch-' || f.state,
      'data', jsonb_strip_nulls(jsonb_build_object('asset', e.asset, 'epoch', e.epoch::text, 'registryChain', e.registry_chain::text,
        'registry', '0x' || encode(e.registry, 'hex'), 'block', e.block_number::text, 'blockHash', '0x' || encode(e.block_hash, 'hex'),
        'ledgerPosition', e.ledger_position::text, 'record', '0x' || encode(f.record, 'hex'), 'reserves', f.reserves::text,
        'transaction', '0x' || encode(f.transaction, 'hex'), 'manifest', '0x' || encode(f.manifest, 'hex'),
        'reason', f.reason)))::text as content
  from (
    select b.fact as position, b.context, 'begun' as state, b.begun_at as at, null::bytea as record, null::numeric as reserves,
      null::bytea as transaction, null::bytea as manifest, null::text as reason from reserves.epoch b
    union all
    select s.fact, s.context, s.state, s.at, s.record, s.reserves, s.transaction, null, s.reason from reserves.step s
    union all
    select b.fact, b.context, 'bundled', b.made_at, null, null, null, b.manifest, null from reserves.bundle b
  ) f join reserves.epoch e on e.context = f.context;

revoke all on all functions in schema reserves from public;
grant usage on schema reserves to bulkhead_app, bulkhead_auditor;
grant select, insert on reserves.epoch, reserves.step, reserves.bundle to bulkhead_app;
grant select on reserves.epoch, reserves.step, reserves.bundle, reserves.facts to bulkhead_auditor;
grant select on reserves.facts to bulkhead_app;
