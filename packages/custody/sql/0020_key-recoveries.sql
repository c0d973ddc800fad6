-- A lost key of a client is replaced by the quorum after the long delay of the vault. What the quorum signs is a dispatch as others are;
-- what became of the change that it queued is followed here.

alter table custody.vault_dispatch
  drop constraint vault_dispatch_kind_check,
  add constraint vault_dispatch_kind_check check (kind in
    ('vault-withdrawal', 'vault-fee', 'vault-pause', 'vault-limit-lowering', 'vault-destination-removal', 'vault-key-recovery'));

create table custody.key_recovery (
  -- Public id of the dispatch.
  id text primary key,
  dispatch text not null unique references custody.vault_dispatch,
  chain text not null,
  vault text not null references custody.vault,
  role text not null check (role in ('client', 'exit')),
  new_key text not null check (new_key ~ '^0x[0-9a-f]{64}$'),
  -- Digest of the message: what a veto names.
  change text not null check (change ~ '^0x[0-9a-f]{64}$'),
  -- Unix seconds of the chain from which on anybody may put it in force.
  ready_at bigint not null,
  -- `void`: a key of the same role that was queued later is in force.
  step text not null check (step in ('queued', 'executed', 'vetoed', 'void')),
  waiting_reason text,
  -- The final event that ended it.
  block_number bigint,
  block_hash text,
  transaction_hash text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((step = 'queued') = (transaction_hash is null)),
  check ((transaction_hash is null) = (block_hash is null) and (transaction_hash is null) = (block_number is null))
);
create index key_recovery_live on custody.key_recovery (chain, ready_at) where step = 'queued';

select custody.guard('key_recovery', 'step', 'waiting_reason', 'block_number', 'block_hash', 'transaction_hash', 'updated_at');
create trigger keep_ended before update on custody.key_recovery for each row
  execute function custody.keep_ended('step', 'executed', 'vetoed', 'void');
