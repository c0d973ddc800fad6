-- Vaults: one contract of a compartment on a chain, at an address that follows from its configuration and is known before it is
-- there. What is signed for a vault is relayed by anybody, so that its events and nothing else say what happened.

alter table custody.wallet drop constraint wallet_kind_check;
alter table custody.wallet drop constraint wallet_check;
alter table custody.wallet alter column residency drop not null;
alter table custody.wallet
  -- The salt of a forwarder, and the vault that it is bound to for ever.
  add column forwarder_index bigint check (forwarder_index between 0 and 2147483647),
  add column vault text,
  add constraint wallet_kind_check check (kind in ('key', 'vault', 'forwarder')),
  add constraint wallet_place check (case kind
    when 'key' then (key_index is null) <> (key_label is null)
    else key_index is null and key_label is null
  end),
  add constraint wallet_forwarder check ((kind = 'forwarder') = (forwarder_index is not null) and (kind = 'forwarder') = (vault is not null)),
  add constraint wallet_residency_known check ((kind = 'key') = (residency is not null)),
  add constraint wallet_vault_fkey foreign key (vault, compartment, chain) references custody.wallet (id, compartment, chain),
  add unique (chain, compartment, forwarder_index);
-- Vaults hold coins of clients and send no transactions; the wallets of the house have keys.
alter table custody.wallet add constraint wallet_contract_duty
  check (kind = 'key' or (purpose in ('deposit', 'pool') and compartment >= 10000 and next_nonce is null));
create unique index wallet_vault on custody.wallet (chain, compartment) where kind = 'vault';
-- A pool with a key may stand beside the vault that takes its place.
drop index custody.wallet_duty;
create unique index wallet_duty on custody.wallet (chain, compartment, purpose, kind) where purpose in ('pool', 'gas', 'fees');

-- From the first draft to the address that is shown. The configuration is public once the vault is deployed, and names the client by
-- 32 random bytes.
create table custody.vault (
  id text primary key,
  chain text not null,
  compartment bigint not null references custody.compartment,
  client text references custody.client,
  address text not null check (address ~ '^0x[0-9a-f]{40}$'),
  config_hash text not null check (config_hash ~ '^0x[0-9a-f]{64}$'),
  config jsonb not null,
  policy jsonb not null,
  step text not null check (step in ('drafted', 'agreed', 'certified', 'issued')),
  -- The client key's signature over configuration and policy, and the certificate that it holds.
  agreement text,
  -- What the signers vouch for, as many as a payment needs; the whole configuration is inside.
  certificates text,
  certificate_digest text check (certificate_digest ~ '^0x[0-9a-f]{64}$'),
  backed_up_at timestamptz,
  receipt text,
  wallet text unique references custody.wallet,
  -- First nonce not yet given to anything.
  next_nonce numeric(78, 0) not null default 0 check (next_nonce >= 0),
  requested_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  belongs_to text generated always as (case when compartment >= 100000 then client end) stored,
  unique (chain, address),
  check ((client is null) = (compartment < 100000)),
  check (compartment >= 10000),
  check ((step = 'drafted') = (agreement is null)),
  -- No wallet, and so no address, without certificate and backup; none is shown without the receipt.
  check ((wallet is not null) = (step in ('certified', 'issued'))),
  check (wallet is null or (certificates is not null and certificate_digest is not null and backed_up_at is not null)),
  check ((step = 'issued') = (receipt is not null)),
  foreign key (compartment, belongs_to) references custody.compartment (number, owner)
);
create index on custody.vault (client, chain);
create index on custody.vault (step, id);

-- Deposit addresses of omnibus clients: certificates of forwarders are deposit-address certificates like others.

alter table custody.withdrawal
  add column vault text references custody.vault,
  add column vault_nonce numeric(78, 0),
  add column authorisation text check (authorisation in ('listed', 'unlisted', 'one-off')),
  -- Of the client key over a one-off payment.
  add column client_signature text,
  add constraint withdrawal_vault check ((vault is null) = (vault_nonce is null) and (vault is null) = (authorisation is null)),
  add constraint withdrawal_vault_fee check (vault is null or fee_payer = 'house'),
  add constraint withdrawal_client_signature check (client_signature is null or authorisation = 'one-off');
create unique index withdrawal_vault_nonce on custody.withdrawal (vault, vault_nonce) where vault is not null;

-- One intent of a vault's quorum, one nonce of the vault, one effect.
create table custody.vault_dispatch (
  id text primary key,
  -- The withdrawal that it carries out, or itself.
  subject text not null,
  chain text not null,
  compartment bigint not null references custody.compartment,
  vault text not null references custody.vault,
  wallet text not null references custody.wallet,
  nonce numeric(78, 0) not null,
  asset text not null,
  to_address text not null,
  amount numeric(78, 0) not null check (amount > 0),
  -- Unix seconds, as the chain counts them.
  deadline bigint not null,
  intent text not null,
  intent_digest text not null,
  requested_by text not null,
  step text not null check (step in ('queued', 'signing', 'relaying', 'done')),
  outcome text check (outcome in ('paid', 'invalidated', 'superseded', 'lapsed', 'abandoned', 'exited')),
  state jsonb not null,
  waiting_reason text,
  -- As the vault takes them: 65 bytes for each of its signers. Of the payment, and of the invalidation that cancels it.
  signatures text,
  invalidation text,
  -- Who signed, with the records of their logs.
  grants jsonb,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((step = 'done') = (outcome is not null)),
  check (step <> 'relaying' or signatures is not null),
  unique (vault, nonce),
  unique (subject),
  foreign key (wallet, compartment, chain) references custody.wallet (id, compartment, chain)
);
create index vault_dispatch_live on custody.vault_dispatch (chain, deadline) where step <> 'done';
create index vault_dispatch_wallet on custody.vault_dispatch (wallet) where step <> 'done';

-- Transactions of the house that carry what others signed. They move no coin.
alter table custody.dispatch drop constraint dispatch_kind_check;
alter table custody.dispatch drop constraint dispatch_amount_check;
alter table custody.dispatch
  add column relays text,
  add column cargo text check (cargo in ('payment', 'invalidation', 'sweep')),
  add column call_data text check (call_data ~ '^0x([0-9a-f]{2})*$'),
  add constraint dispatch_kind_check check (kind in ('withdrawal', 'deposit-return', 'sweep', 'gas-grant', 'fee-payment', 'relay')),
  add constraint dispatch_amount_check check (case kind when 'relay' then amount = 0 else amount > 0 end),
  add constraint dispatch_relay check ((kind = 'relay') = (relays is not null) and (kind = 'relay') = (cargo is not null)
    and (kind = 'relay') = (call_data is not null)),
  add constraint dispatch_relay_house check (kind <> 'relay' or compartment = 1);
create unique index dispatch_cargo on custody.dispatch (relays, cargo) where kind = 'relay' and step <> 'done';
create index dispatch_relays on custody.dispatch (relays) where kind = 'relay';

-- Events of vaults, of the factory and of the set of signers, as the receipts have them. What an event says is read from it each time.
create table custody.vault_event (
  id text primary key,
  chain text not null,
  block_number bigint not null,
  block_hash text not null,
  transaction_hash text not null,
  log_index bigint not null,
  address text not null,
  topics jsonb not null,
  data text not null,
  observed_at timestamptz not null,
  removed_at timestamptz,
  -- Set at finality: the vault dispatch, the exit or the flush that it is.
  explained text,
  unique (chain, block_hash, log_index),
  foreign key (chain, block_hash) references custody.block
);
create index on custody.vault_event (chain, address, block_number, log_index) where removed_at is null;
create index on custody.vault_event (chain, block_number);

do $$
declare
  rule record;
begin
  for rule in
    select * from (values
      ('vault', 'step,agreement,certificates,certificate_digest,backed_up_at,receipt,wallet,next_nonce,updated_at'),
      ('vault_dispatch', 'step,outcome,state,waiting_reason,signatures,invalidation,grants,updated_at'),
      ('vault_event', 'removed_at,explained')
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

create trigger keep_written before update on custody.vault for each row
  execute function custody.keep_written('agreement', 'certificates', 'certificate_digest', 'backed_up_at', 'receipt', 'wallet');
create trigger keep_growing before update on custody.vault for each row execute function custody.keep_growing('next_nonce');
create trigger keep_ended before update on custody.vault for each row execute function custody.keep_ended('step', 'issued');
create trigger keep_written before update on custody.vault_dispatch for each row
  execute function custody.keep_written('outcome', 'signatures', 'invalidation');
create trigger keep_ended before update on custody.vault_dispatch for each row execute function custody.keep_ended('step', 'done');
create trigger keep_written before update on custody.vault_event for each row execute function custody.keep_written('explained');

-- A client's signature is added to a withdrawal once; everything else of it changes as before.
drop trigger keep_values on custody.withdrawal;
create trigger keep_values before update on custody.withdrawal for each row
  execute function custody.keep_columns('step', 'wallet', 'reserved', 'state', 'fee_paid', 'client_signature', 'updated_at');
grant update (client_signature) on custody.withdrawal to bulkhead_app;
create trigger keep_client_signature before update on custody.withdrawal for each row execute function custody.keep_written('client_signature');
