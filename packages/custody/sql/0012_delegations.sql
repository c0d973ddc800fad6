-- Addresses of keys that let a delegate act for them (EIP-7702): it pays one wallet of their own compartment and nobody else, so that
-- their tokens are swept by transactions of the house, and no gas has to be sent to them.

-- What such an address signed: once for the delegate, and once more to take it back. Each takes one nonce of the address.
create table custody.delegation (
  id text primary key,
  chain text not null,
  compartment bigint not null references custody.compartment,
  wallet text not null references custody.wallet,
  -- The only wallet that the delegate pays.
  to_wallet text not null references custody.wallet,
  -- The zero address takes it back.
  delegate text not null check (delegate ~ '^0x[0-9a-f]{40}$'),
  nonce numeric(78, 0) not null check (nonce >= 0),
  intent text not null,
  intent_digest text not null,
  requested_by text not null,
  step text not null check (step in ('queued', 'signed', 'done')),
  -- `in-force`: a final block has it; `superseded`: something that is not ours took the nonce.
  outcome text check (outcome in ('in-force', 'superseded')),
  waiting_reason text,
  -- Of the address, over the authorisation with this delegate and nonce.
  signature jsonb,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((step = 'done') = (outcome is not null)),
  check ((step = 'queued') = (signature is null)),
  check (wallet <> to_wallet),
  unique (wallet, nonce),
  foreign key (wallet, compartment, chain) references custody.wallet (id, compartment, chain),
  foreign key (to_wallet, compartment, chain) references custody.wallet (id, compartment, chain)
);
create unique index delegation_live on custody.delegation (wallet) where step <> 'done';
create index on custody.delegation (to_wallet);

-- A sweep by the delegate of its source. Whoever calls it, the coins stay in their compartment.
create table custody.delegated_sweep (
  id text primary key,
  chain text not null,
  compartment bigint not null references custody.compartment,
  wallet text not null references custody.wallet,
  to_wallet text not null references custody.wallet,
  asset text not null,
  -- What the books had there when it was asked for; the delegate pays all that there is.
  amount numeric(78, 0) not null check (amount > 0),
  client text references custody.client,
  fee_max numeric(78, 0) not null,
  requested_by text not null,
  step text not null check (step in ('queued', 'done')),
  outcome text check (outcome in ('settled', 'failed')),
  waiting_reason text,
  block_number bigint,
  block_hash text,
  transaction_hash text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((step = 'done') = (outcome is not null)),
  check ((outcome is not distinct from 'settled') = (transaction_hash is not null)),
  foreign key (wallet, compartment, chain) references custody.wallet (id, compartment, chain),
  foreign key (to_wallet, compartment, chain) references custody.wallet (id, compartment, chain)
);
create unique index delegated_sweep_live on custody.delegated_sweep (wallet, asset) where step <> 'done';
create index delegated_sweep_waiting on custody.delegated_sweep (chain) where step <> 'done';

alter table custody.dispatch
  add column authorizations jsonb,
  drop constraint dispatch_cargo_check,
  add constraint dispatch_cargo_check
    check (cargo in ('payment', 'invalidation', 'sweep', 'heartbeat', 'delegate', 'delegation', 'delegated-sweep')),
  add constraint dispatch_authorizations check ((cargo is not distinct from 'delegation') = (authorizations is not null));

do $$
declare
  rule record;
begin
  for rule in
    select * from (values
      ('delegation', 'step,outcome,waiting_reason,signature,updated_at'),
      ('delegated_sweep', 'step,outcome,waiting_reason,block_number,block_hash,transaction_hash,updated_at')
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
create trigger keep_written before update on custody.delegation for each row execute function custody.keep_written('outcome', 'signature');
create trigger keep_ended before update on custody.delegation for each row execute function custody.keep_ended('step', 'done');
create trigger keep_written before update on custody.delegated_sweep for each row
  execute function custody.keep_written('outcome', 'block_number', 'block_hash', 'transaction_hash');
create trigger keep_ended before update on custody.delegated_sweep for each row execute function custody.keep_ended('step', 'done');
