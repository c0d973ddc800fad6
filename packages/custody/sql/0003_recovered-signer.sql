-- A signer that the root quorum let go on from an older state has other records than those that are stored. The owner of the tables
-- alone can have its log followed again: what the signer lost is kept apart, and nothing of it is thrown away.

create table custody.signer_record_lost (
  -- Position of the record `recovered` after which this one counts no longer.
  recovery bigint not null check (recovery > 0),
  sequence bigint not null check (sequence >= recovery),
  line text not null,
  previous text not null,
  following jsonb not null,
  head jsonb not null,
  stored_at timestamptz not null,
  lost_at timestamptz not null,
  -- A second recovery to the same end loses other records of the same positions.
  primary key (recovery, sequence, lost_at)
);
create trigger keep_rows before delete or truncate on custody.signer_record_lost for each statement execute function custody.refuse_change();
create trigger keep_values before update on custody.signer_record_lost for each row execute function custody.refuse_change();
grant select on custody.signer_record_lost to bulkhead_app, bulkhead_auditor;

-- Runs with the rights of who calls it, and only the owner may take triggers away. A failure brings all of them back.
create function custody.follow_recovery(recovery_at bigint, kept_hash text, now_at timestamptz) returns bigint language plpgsql as $$
declare
  lost bigint;
begin
  lock table custody.signer_log, custody.signer_record in access exclusive mode;
  insert into custody.signer_record_lost
    select recovery_at, sequence, line, previous, following, head, stored_at, now_at from custody.signer_record where sequence >= recovery_at;
  get diagnostics lost = row_count;
  alter table custody.signer_record disable trigger keep_rows;
  delete from custody.signer_record where sequence >= recovery_at;
  alter table custody.signer_record enable trigger keep_rows;
  alter table custody.signer_log disable trigger user;
  -- Records that came with their grants may be ahead of the position; what is behind the fork stays where it is.
  update custody.signer_log set trouble = null, updated_at = now_at,
    hash = case when sequence >= recovery_at then kept_hash else hash end,
    sequence = least(sequence, recovery_at - 1)
  where name = 'signer';
  alter table custody.signer_log enable trigger user;
  return lost;
end $$;
revoke all on function custody.follow_recovery(bigint, text, timestamptz) from public;
