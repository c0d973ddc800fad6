-- The journal as facts of the audit log, spec/log.md. What is written outside of it is brought into it here, so that no path can
-- forget to.

-- Place among all facts of the database, those of the books included.
alter table custody.journal
  add column fact bigint not null default ledger.next_position(),
  -- Set when actor and data were destroyed, after retention; their leaf stays.
  add column erased_at timestamptz,
  add constraint journal_subject_visible check (subject ~ '^[ -~]{1,128}$');
create unique index journal_fact on custody.journal (fact);

create function custody.fact_kind(subject text, event text) returns text language sql immutable as $$
  select case
    when event in ('approved', 'client-signed', 'vault-agreed') then 'approval'
    when event = 'agreement-recorded' then 'agreement'
    when event in ('compartment-frozen', 'freeze-lifted') then 'break-step'
    when event = 'erased' then 'erasure'
    when event = 'asset-allowed' then 'policy-change'
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

create view custody.facts as
  select j.fact as position, custody.fact_kind(j.subject, j.event) as kind, replace(j.subject, ' ', '-') as id,
    floor(extract(epoch from j.at) * 1000)::bigint as time_ms,
    case when j.erased_at is null then
      jsonb_build_object('actor', j.actor, 'subject', j.subject, 'event', j.event, 'data', j.data)::text end as content
  from custody.journal j;
grant select on custody.facts to bulkhead_app, bulkhead_auditor;

-- Movements are taken in by the block, and marked when their block goes or comes back.
create function custody.journal_movements() returns trigger language plpgsql as $$
begin
  insert into custody.journal (at, actor, subject, event, data)
  select a.observed_at, 'bulkhead', a.id, 'movement-observed', jsonb_build_object('chain', a.chain, 'block', a.block_hash,
    'blockNumber', a.block_number::text, 'kind', a.kind, 'reference', a.reference, 'asset', a.asset, 'from', a.from_address,
    'to', a.to_address, 'amount', a.amount::text)
  from added a order by a.id;
  return null;
end $$;
create trigger journal_movements after insert on custody.movement referencing new table as added
  for each statement execute function custody.journal_movements();

create function custody.journal_movement_fork() returns trigger language plpgsql as $$
begin
  insert into custody.journal (at, actor, subject, event, data) values (coalesce(new.removed_at, now()), 'bulkhead', new.id,
    case when new.removed_at is null then 'movement-restored' else 'movement-removed' end,
    jsonb_build_object('chain', new.chain, 'block', new.block_hash));
  return null;
end $$;
create trigger journal_movement_fork after update on custody.movement for each row
  when ((old.removed_at is null) <> (new.removed_at is null)) execute function custody.journal_movement_fork();

create function custody.journal_signer_records() returns trigger language plpgsql as $$
begin
  insert into custody.journal (at, actor, subject, event, data)
  select a.stored_at, 'bulkhead', 'signer-record-' || a.sequence, 'signer-decided', jsonb_build_object('sequence', a.sequence::text,
    'line', encode(sha256(convert_to(a.line, 'UTF8')), 'hex'), 'previous', a.previous)
  from added a order by a.sequence;
  return null;
end $$;
create trigger journal_signer_records after insert on custody.signer_record referencing new table as added
  for each statement execute function custody.journal_signer_records();

-- Destroys who and what of facts, and leaves that there was one. Runs with the rights of who calls it, and only the owner may take
-- triggers away; whoever calls it has looked at retention, and destroys the salts of the leaves with it.
create function custody.erase_facts(positions bigint[], erased_now timestamptz) returns bigint language plpgsql as $$
declare
  erased bigint;
begin
  alter table custody.journal disable trigger keep_values;
  update custody.journal set actor = '', data = '{}', erased_at = erased_now where fact = any (positions) and erased_at is null;
  get diagnostics erased = row_count;
  alter table custody.journal enable trigger keep_values;
  return erased;
end $$;
revoke all on function custody.erase_facts(bigint[], timestamptz) from public;
