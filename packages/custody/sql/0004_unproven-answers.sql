-- What somebody answers for the signer without proof is shown while it lasts, and is no trouble that stays: a process that merely sits
-- at the socket must not be able to write that.

alter table custody.signer_log add column doubt text;
drop trigger keep_values on custody.signer_log;
create trigger keep_values before update on custody.signer_log for each row
  execute function custody.keep_columns('sequence', 'hash', 'trouble', 'doubt', 'updated_at');
grant update (doubt) on custody.signer_log to bulkhead_app;
