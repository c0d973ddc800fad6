-- That the signers of a set are there, shown to its contract on a schedule: what they signed, and whether the contract has it.

create table custody.heartbeat (
  id text primary key,
  chain text not null,
  signer_set text not null check (signer_set ~ '^0x[0-9a-f]{40}$'),
  -- The final block that is named: nobody could sign it earlier, and the contract knows its hash for a while only.
  block_number bigint not null,
  block_hash text not null,
  -- Unix seconds of the one before, by the contract.
  before bigint not null check (before >= 0),
  intent text not null,
  intent_digest text not null,
  step text not null check (step in ('signing', 'relaying', 'carried', 'failed')),
  waiting_reason text,
  -- As the contract takes them, and who signed, with the records of their logs.
  signatures text,
  grants jsonb,
  -- Unix seconds of the heartbeat that the contract has since then; who carried it does not matter.
  carried_at bigint,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check (step <> 'signing' or signatures is null),
  check (step <> 'relaying' or signatures is not null),
  check ((step = 'carried') = (carried_at is not null)),
  check (carried_at > before)
);
create unique index heartbeat_live on custody.heartbeat (chain) where step in ('signing', 'relaying');
create index on custody.heartbeat (chain, id);

-- When the contract of a chain was given the newest one, as a final block had it when somebody looked.
create table custody.heartbeat_clock (
  chain text primary key,
  signer_set text not null,
  last bigint not null,
  looked_at timestamptz not null
);

alter table custody.dispatch
  drop constraint dispatch_cargo_check,
  add constraint dispatch_cargo_check check (cargo in ('payment', 'invalidation', 'sweep', 'heartbeat'));

do $$
declare
  rule record;
begin
  for rule in
    select * from (values
      ('heartbeat', 'step,waiting_reason,signatures,grants,carried_at,updated_at'),
      ('heartbeat_clock', 'signer_set,last,looked_at')
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
create trigger keep_written before update on custody.heartbeat for each row
  execute function custody.keep_written('signatures', 'carried_at');
create trigger keep_ended before update on custody.heartbeat for each row execute function custody.keep_ended('step', 'carried', 'failed');
