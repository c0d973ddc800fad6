-- The audit log: leaves of facts that others have written, the tree over them, and what was signed about it. Facts are read from the
-- views of their packages; this schema knows none of their tables.

create schema log;

create function log.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% on log.% is refused: the log is append-only', tg_op, tg_table_name using errcode = 'BH001';
end $$;

-- Public: one leaf for each fact, in their order.
create table log.leaf (
  index bigint primary key check (index >= 0),
  -- Place of the fact among all facts of the database.
  position bigint not null,
  entry bytea not null check (length(entry) between 1 and 65535),
  -- RFC 6962 hash of the entry.
  hash bytea not null check (length(hash) = 32)
);
create unique index leaf_position on log.leaf (position);

-- Private: the salt of each leaf. The one table of the log from which rows are deleted, by its owner, when retention is over.
create table log.opening (
  index bigint primary key,
  salt bytea not null check (length(salt) = 32)
);

-- Public: hashes of complete subtrees of 256^level leaves. Tiles of level 1 and above consist of them.
create table log.node (
  level integer not null check (level between 1 and 6),
  index bigint not null check (index >= 0),
  hash bytea not null check (length(hash) = 32),
  primary key (level, index)
);

-- Public: signed notes, and what witnesses added to them.
create table log.checkpoint (
  size bigint primary key check (size > 0),
  root bytea not null check (length(root) = 32),
  note text not null,
  signed_at timestamptz not null
);
create table log.cosignature (
  size bigint not null references log.checkpoint,
  witness text not null,
  -- One line of a signed note, with its line feed.
  line text not null,
  received_at timestamptz not null,
  primary key (size, witness)
);

-- Who adds leaves, and how far the tree goes. One row, locked by whoever adds. The token rises with each hand-over: who comes back
-- after a pause finds another one, and knows nothing any more.
create table log.sequencer (
  name text primary key check (name = 'sequencer'),
  token bigint not null check (token >= 0),
  renewed_at timestamptz not null,
  -- Facts up to this place are in the log.
  position bigint not null check (position >= 0),
  size bigint not null check (size >= 0),
  root bytea not null check (length(root) = 32),
  -- Roots of the complete subtrees, 32 bytes each, the largest first.
  peaks bytea not null check (length(peaks) % 32 = 0)
);
-- The root of an empty tree is the hash of nothing.
insert into log.sequencer values ('sequencer', 0, '-infinity', 0, 0, sha256(''), '');

-- How long the opening of a leaf must be kept. The longest period that was ever decided counts.
create table log.retention (
  period interval primary key check (period > interval '0'),
  reason text not null,
  decided_at timestamptz not null
);
insert into log.retention values (interval '5 years', 'Regulation (EU) 2024/1624 article 77, Regulation (EU) 2023/1114 article 68(9)', now());

create function log.keep_growing() returns trigger language plpgsql as $$
begin
  if new.token < old.token or new.position < old.position or new.size < old.size then
    raise exception 'token, position and size of the sequencer never fall' using errcode = 'BH001';
  end if;
  if new.size = old.size and (new.root, new.peaks) is distinct from (old.root, old.peaks) then
    raise exception 'a tree of one size has one root' using errcode = 'BH001';
  end if;
  return new;
end $$;
create trigger keep_growing before update on log.sequencer for each row execute function log.keep_growing();

-- An opening goes when every period of retention is over, counted from the time that the leaf itself names.
create function log.keep_retained() returns trigger language plpgsql as $$
declare
  entry bytea; at integer; seconds numeric;
begin
  select l.entry into strict entry from log.leaf l where l.index = old.index;
  -- version, kind and id with their lengths, then eight bytes of milliseconds
  at := 2 + get_byte(entry, 1);
  at := at + 1 + get_byte(entry, at);
  seconds := ('x' || encode(substring(entry from at + 1 for 8), 'hex'))::bit(64)::bigint / 1000.0;
  if exists (select from log.retention r where to_timestamp(seconds) + r.period > now()) then
    raise exception 'leaf % is under legal retention', old.index using errcode = 'BH004';
  end if;
  return old;
end $$;
create trigger keep_retained before delete on log.opening for each row execute function log.keep_retained();

do $$
declare
  tab text;
begin
  foreach tab in array array['leaf', 'node', 'checkpoint', 'cosignature', 'retention'] loop
    execute format('create trigger keep_rows before update or delete or truncate on log.%I for each statement execute function log.refuse_change()', tab);
  end loop;
  create trigger keep_rows before update or truncate on log.opening for each statement execute function log.refuse_change();
  create trigger keep_rows before insert or delete or truncate on log.sequencer for each statement execute function log.refuse_change();
end $$;

grant usage on schema log to bulkhead_app, bulkhead_auditor;
grant select, insert on log.leaf, log.opening, log.node, log.checkpoint, log.cosignature to bulkhead_app;
grant select on log.sequencer, log.retention to bulkhead_app;
grant update (token, renewed_at, position, size, root, peaks) on log.sequencer to bulkhead_app;
grant select on log.leaf, log.opening, log.node, log.checkpoint, log.cosignature, log.sequencer, log.retention to bulkhead_auditor;
