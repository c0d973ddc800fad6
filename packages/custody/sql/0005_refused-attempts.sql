-- How often the signer refused to sign an attempt, with which words, and when it is asked again: each refusal is a record of its log
-- for ever, so that what it refuses is not asked every minute.

alter table custody.attempt
  add column refusals integer not null default 0 check (refusals >= 0),
  add column refusal text,
  add column ask_again_at timestamptz;
drop trigger keep_values on custody.attempt;
create trigger keep_values before update on custody.attempt for each row
  execute function custody.keep_columns('raw', 'hash', 'signed_at', 'broadcast_at', 'last_broadcast', 'refusals', 'refusal', 'ask_again_at');
grant update (refusals, refusal, ask_again_at) on custody.attempt to bulkhead_app;
