-- A client moves from a pool to a compartment of its own, or back. What moves are ordinary withdrawals of one compartment to an address of
-- the other and the deposits that they become there: two halves in two books, joined here.

-- How readily a vault pays, as the registry of the signers lists it.
alter table custody.vault add column tier text not null default 'hot' check (tier in ('hot', 'warm', 'cold'));

create table custody.segregation_move (
  id text primary key,
  client text not null references custody.client,
  chain text not null,
  model text not null check (model in ('individual', 'omnibus')),
  from_compartment bigint not null references custody.compartment,
  to_compartment bigint not null references custody.compartment,
  -- Where the assets go: a wallet of the other compartment, of this client.
  to_wallet text not null references custody.wallet,
  step text not null check (step in ('proposed', 'moving', 'done', 'withdrawn')),
  proposed_by text not null,
  confirmed_by text,
  -- What was moved and how, once it is over, and the SHA-256 of exactly this text.
  certificate text,
  certificate_digest text check (certificate_digest ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (from_compartment <> to_compartment),
  check (proposed_by is distinct from confirmed_by),
  check ((step in ('moving', 'done')) = (confirmed_by is not null)),
  check ((step = 'done') = (certificate is not null) and (certificate is null) = (certificate_digest is null))
);
-- One at a time for each client and chain.
create unique index segregation_move_open on custody.segregation_move (client, chain) where step in ('proposed', 'moving');

-- Each withdrawal of a move, and the deposit that it became.
create table custody.segregation_half (
  withdrawal text primary key references custody.withdrawal,
  move text not null references custody.segregation_move,
  deposit text unique references custody.deposit
);
create index on custody.segregation_half (move);

do $$
declare
  rule record;
begin
  for rule in
    select * from (values
      ('segregation_move', 'step,confirmed_by,certificate,certificate_digest,updated_at'),
      ('segregation_half', 'deposit')
    ) as rules (tab, changeable)
  loop
    execute format('create trigger keep_rows before delete or truncate on custody.%I for each statement execute function custody.refuse_change()', rule.tab);
    execute format('grant select, insert on custody.%I to bulkhead_app', rule.tab);
    execute format('grant select on custody.%I to bulkhead_auditor', rule.tab);
    execute format('create trigger keep_values before update on custody.%I for each row execute function custody.keep_columns(%s)',
      rule.tab, (select string_agg(quote_literal(name), ', ') from regexp_split_to_table(rule.changeable, ',') as name));
    execute format('grant update (%s) on custody.%I to bulkhead_app',
      (select string_agg(quote_ident(name), ', ') from regexp_split_to_table(rule.changeable, ',') as name), rule.tab);
  end loop;
end $$;
create trigger keep_written before update on custody.segregation_move for each row
  execute function custody.keep_written('confirmed_by', 'certificate', 'certificate_digest');
create trigger keep_written before update on custody.segregation_half for each row execute function custody.keep_written('deposit');
create trigger keep_ended before update on custody.segregation_move for each row execute function custody.keep_ended('step', 'done', 'withdrawn');
