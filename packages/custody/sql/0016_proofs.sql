-- Proofs of reserves on their way to a registry: what signers signed of them and what the house relays. The epochs themselves, and what
-- became of each, are in the schema reserves.

create table custody.proof_act (
  id text primary key,
  -- An epoch is pinned; a full window is drawn; the drawn epoch is proven.
  kind text not null check (kind in ('commitment', 'draw', 'proof')),
  -- Of the registry; the asset may be of another chain.
  chain text not null,
  registry text not null check (registry ~ '^0x[0-9a-f]{40}$'),
  asset text not null,
  -- Hash of the header of the epoch that is pinned or proven. What a draw picks nobody knows.
  context text check (context ~ '^[0-9a-f]{64}$'),
  window_number bigint check (window_number >= 0),
  -- What the signers are asked; of a draw nothing, because anybody may ask for it.
  intent text,
  intent_digest text,
  signatures text,
  grants jsonb,
  step text not null check (step in ('signing', 'relaying', 'done', 'failed')),
  waiting_reason text,
  -- The final transaction by which the registry has it, whoever carried it.
  transaction_hash text,
  block_number bigint,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((context is null) = (kind = 'draw')),
  check ((window_number is null) = (kind = 'commitment')),
  check ((intent is null) = (kind = 'draw') and (intent is null) = (intent_digest is null)),
  check (step <> 'signing' or (signatures is null and kind <> 'draw')),
  check (step <> 'relaying' or (signatures is null) = (kind = 'draw')),
  check ((step = 'done') = (transaction_hash is not null) and (transaction_hash is null) = (block_number is null))
);
create unique index proof_act_live on custody.proof_act (chain, registry, asset, kind) where step in ('signing', 'relaying');
create index on custody.proof_act (asset, id);

-- What a final block had of one asset in its registry when somebody looked, and why nothing goes on where it does not. Times in Unix
-- seconds of the chain.
create table custody.proof_clock (
  asset text primary key,
  chain text not null,
  registry text not null,
  epoch bigint not null check (epoch >= 0),
  committed_at bigint not null check (committed_at >= 0),
  fresh boolean not null,
  -- End of the oldest window that is not proven; 0 where none has ended.
  window_ended_at bigint not null check (window_ended_at >= 0),
  trouble text,
  looked_at timestamptz not null
);

-- Who makes an epoch of an asset now: one process at a time. One that was killed gives it back by the time.
create table custody.proof_maker (
  asset text primary key,
  maker text not null,
  held_until timestamptz not null
);

alter table custody.dispatch
  drop constraint dispatch_cargo_check,
  add constraint dispatch_cargo_check check (cargo in ('payment', 'invalidation', 'sweep', 'delegate', 'delegation', 'delegated-sweep',
    'heartbeat', 'reserve-commitment', 'reserve-draw', 'reserve-proof'));

do $$
declare
  rule record;
begin
  for rule in
    select * from (values
      ('proof_act', 'step,waiting_reason,signatures,grants,transaction_hash,block_number,updated_at'),
      ('proof_clock', 'chain,registry,epoch,committed_at,fresh,window_ended_at,trouble,looked_at'),
      ('proof_maker', 'maker,held_until')
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
create trigger keep_written before update on custody.proof_act for each row
  execute function custody.keep_written('signatures', 'transaction_hash');
create trigger keep_ended before update on custody.proof_act for each row execute function custody.keep_ended('step', 'done', 'failed');
