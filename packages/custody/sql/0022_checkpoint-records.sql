-- A checkpoint of the audit log is a record of the signer that has its key. Such a record is no fact of its own: the checkpoint itself is
-- public, and a leaf for it would make the tree grow, which would be signed, and so on without end. The text is that of a canonical line,
-- in which what is quoted has escapes before its quotation marks.
create or replace function custody.journal_signer_records() returns trigger language plpgsql as $$
begin
  insert into custody.journal (at, actor, subject, event, data)
  select a.stored_at, 'bulkhead', 'signer-record-' || a.sequence, 'signer-decided', jsonb_build_object('sequence', a.sequence::text,
    'line', encode(sha256(convert_to(a.line, 'UTF8')), 'hex'), 'previous', a.previous)
  from added a where position('"type":"checkpointed"' in a.line) = 0 order by a.sequence;
  return null;
end $$;
