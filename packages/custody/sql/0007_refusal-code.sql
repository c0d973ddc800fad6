-- Which refusal a record is, read once when it is stored, so that whoever counts them reads no record again. It is found in the text
-- of the line, whose form is canonical: a record may quote what jsonb cannot hold (a NUL character), and must be counted all the same.

alter table custody.signer_record add column refused text generated always as (
  case when position('"type":"refused"' in line) > 0 then substring(line from '"code":"([^"]{1,80})"') end
) stored;
create index signer_record_refused on custody.signer_record (refused) where refused is not null;
