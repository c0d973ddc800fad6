-- Which checkpoint of the audit log a heartbeat puts on the chain, and which facts a command caused.

alter table custody.heartbeat
  add column statement text not null default repeat('0', 64) check (statement ~ '^[0-9a-f]{64}$'),
  -- Leaves under that checkpoint.
  add column log_size bigint check (log_size > 0),
  add constraint heartbeat_anchor check ((log_size is null) = (statement = repeat('0', 64)));
alter table custody.heartbeat alter column statement drop default;

-- Places of its facts among all facts: whoever has the key asks for their receipts. Older commands have none.
alter table custody.command add column facts bigint[] not null default '{}';
alter table custody.command alter column facts drop default;

-- A new case is one that no fact had before: the kind of a leaf never changes.
create or replace function custody.fact_kind(subject text, event text) returns text language sql immutable as $$
  select case
    when event in ('approved', 'client-signed', 'vault-agreed') then 'approval'
    when event = 'agreement-recorded' then 'agreement'
    when event in ('compartment-frozen', 'freeze-lifted') then 'break-step'
    when event = 'erased' then 'erasure'
    when event in ('asset-allowed', 'policy-set', 'retention-lengthened') then 'policy-change'
    when subject like 'eip155:%' then 'chain-step'
    when subject like 'signer%' then 'signer-decision'
    else case split_part(subject, '_', 1)
      when 'mov' then 'movement'
      when 'dep' then 'deposit-step'
      when 'wd' then 'withdrawal-step'
      when 'wal' then 'address-issued'
      when 'vlt' then 'vault-step'
      when 'cl' then 'client-change'
      when 'sgm' then 'client-change'
      when 'chg' then 'registry-change'
      when 'rec' then 'reconciliation'
      when 'brk' then 'break-step'
      when 'fee' then 'fee'
      when 'proof' then 'proof-published'
      when 'ceremony' then 'ceremony-step'
      when 'pack' then 'auditor-access'
      -- Transactions of the house and of its wallets: dispatches of whatever kind.
      else 'dispatch-step'
    end
  end
$$;
