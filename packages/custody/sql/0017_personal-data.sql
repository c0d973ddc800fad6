-- What names a person, in the one table from which it can be taken away. All other rows, the journal and the books hold ids and
-- commitments, so they can stay for ever.

-- The guards and rights of a table: what `0002_guards.sql` and others wrote out each time. Columns that are not named never change.
create function custody.guard(tab text, variadic changeable text[] default '{}') returns void language plpgsql as $$
begin
  execute format('create trigger keep_rows before delete or truncate on custody.%I for each statement execute function custody.refuse_change()', tab);
  execute format('grant select, insert on custody.%I to bulkhead_app', tab);
  execute format('grant select on custody.%I to bulkhead_auditor', tab);
  if cardinality(changeable) = 0 then
    execute format('create trigger keep_values before update on custody.%I for each row execute function custody.refuse_change()', tab);
  else
    execute format('create trigger keep_values before update on custody.%I for each row execute function custody.keep_columns(%s)',
      tab, (select string_agg(quote_literal(name), ', ') from unnest(changeable) as name));
    execute format('grant update (%s) on custody.%I to bulkhead_app', (select string_agg(quote_ident(name), ', ') from unnest(changeable) as name), tab);
  end if;
end $$;
revoke all on function custody.guard(text, text[]) from public;

-- 244 random bits: nobody can try out what was committed to.
create function custody.new_salt() returns bytea language sql volatile as $$
  select sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
$$;

-- SHA-256 over a domain, the salt, and the text that PostgreSQL prints for the content: as leaves of the audit log do, spec/log.md.
create function custody.personal_commitment(salt bytea, content jsonb) returns bytea language sql immutable as $$
  select sha256('\x62756c6b686561642d706572736f6e616c2d76310a'::bytea || salt || convert_to(content::text, 'UTF8'))
$$;

create table custody.personal (
  -- Of the client, the agreement or the fee that it belongs to.
  id text primary key,
  client text not null references custody.client,
  commitment bytea not null check (length(commitment) = 32),
  salt bytea check (length(salt) = 32),
  content jsonb check (jsonb_typeof(content) = 'object'),
  created_at timestamptz not null,
  erased_at timestamptz,
  constraint personal_erased check ((erased_at is null) = (salt is not null) and (salt is null) = (content is null)),
  constraint personal_committed check (content is null or commitment = custody.personal_commitment(salt, content))
);
create index on custody.personal (client);
-- A reference names one client, until that is erased.
create unique index personal_reference on custody.personal ((content ->> 'reference')) where content ? 'reference';

insert into custody.personal (id, client, commitment, salt, content, created_at)
select s.id, s.client, custody.personal_commitment(s.salt, s.content), s.salt, s.content, s.created_at from (
  select p.*, custody.new_salt() as salt from (
    select id, id as client, jsonb_build_object('reference', reference) as content, created_at from custody.client
    union all
    select id, client, jsonb_build_object('parties', parties, 'service', service, 'custodyPolicy', custody_policy, 'communication', communication,
      'security', security, 'fees', fees, 'applicableLaw', applicable_law), created_at from custody.agreement
    union all
    select id, client, jsonb_build_object('description', description), created_at from custody.fee
  ) p offset 0
) s;
-- From here on the audit log vouches for what was moved.
insert into custody.journal (at, actor, subject, event, data)
select now(), 'bulkhead', p.id, 'personal-data-moved', jsonb_build_object('personal', encode(p.commitment, 'hex'))
from custody.personal p where p.id = p.client or exists (select from custody.fee f where f.id = p.id) order by p.id;
insert into custody.journal (at, actor, subject, event, data)
select now(), 'bulkhead', p.client, 'personal-data-moved', jsonb_build_object('agreement', p.id, 'personal', encode(p.commitment, 'hex'))
from custody.personal p join custody.agreement a on a.id = p.id order by p.id;

alter table custody.client drop column reference;
alter table custody.agreement drop column parties, drop column service, drop column custody_policy, drop column communication,
  drop column security, drop column fees, drop column applicable_law;
alter table custody.fee drop column description;

-- Answers that were stored with their requests: what they lack is read from the one table each time.
alter table custody.command disable trigger keep_values;
update custody.command set answer = jsonb_set(answer, '{view}', (answer -> 'view') - array['reference', 'parties', 'service', 'custodyPolicy',
    'communication', 'security', 'fees', 'applicableLaw', 'description'])
where (answer #>> '{view,id}') ~ '^(cl|agr|fee)_';
update custody.command set answer = jsonb_set(answer, '{message}', '"A client with this reference exists already."') - 'details'
where answer ->> 'code' = 'client/duplicate-reference';

-- The digest of what was asked for says what was asked for to whoever tries it out, so it is emptied with what names a client; nothing else
-- of a row ever changes. An empty one fits every request: the key answers what it always did.
drop trigger keep_values on custody.command;
create function custody.keep_answer() returns trigger language plpgsql as $$
begin
  if new.fingerprint <> '' or (to_jsonb(new) - 'fingerprint') is distinct from (to_jsonb(old) - 'fingerprint') then
    raise exception 'an answer is never changed' using errcode = 'BH001';
  end if;
  return new;
end $$;
create trigger keep_values before update on custody.command for each row execute function custody.keep_answer();

-- Rows whose columns are gone still hold the bytes: the tables are written anew.
cluster custody.client using client_pkey;
cluster custody.agreement using agreement_pkey;
cluster custody.fee using fee_pkey;
cluster custody.command using command_pkey;
alter table custody.client set without cluster;
alter table custody.agreement set without cluster;
alter table custody.fee set without cluster;
alter table custody.command set without cluster;

-- The last thing that happened with a client: retention is counted from it.
create function custody.last_dealing(of_client text) returns timestamptz language sql stable as $$
  select greatest(
    (select created_at from custody.client where id = of_client),
    (select max(created_at) from custody.agreement where client = of_client),
    (select max(created_at) from custody.fee where client = of_client),
    (select max(since) from custody.segregation where client = of_client),
    (select max(updated_at) from custody.segregation_move where client = of_client),
    (select max(created_at) from custody.wallet where client = of_client),
    (select max(updated_at) from custody.vault where client = of_client),
    (select max(updated_at) from custody.deposit where client = of_client),
    (select max(updated_at) from custody.withdrawal where client = of_client),
    (select max(recorded_at) from ledger.transfers where debit_holder = of_client or credit_holder = of_client))
$$;

-- Salt and content go together, by the owner, once every period of retention is over; nothing else of a row ever changes. The periods are
-- those of the audit log: where there is none, nothing is erased.
create function custody.keep_personal() returns trigger language plpgsql as $$
begin
  if old.erased_at is not null or new.erased_at is null or new.salt is not null or new.content is not null
    or (new.id, new.client, new.commitment, new.created_at) is distinct from (old.id, old.client, old.commitment, old.created_at) then
    raise exception 'personal data is kept as it was written, or erased' using errcode = 'BH001';
  end if;
  if exists (select from ledger.accounts a where a.holder = old.client and (a.posted <> 0 or a.pending_out <> 0 or a.pending_in <> 0)) then
    raise exception 'client % has claims', old.client using errcode = 'BH004';
  end if;
  if exists (select from log.retention r where custody.last_dealing(old.client) + r.period > now()) then
    raise exception 'what names client % is under legal retention', old.client using errcode = 'BH004';
  end if;
  return new;
end $$;
create trigger keep_rows before delete or truncate on custody.personal for each statement execute function custody.refuse_change();
create trigger keep_personal before update on custody.personal for each row execute function custody.keep_personal();

-- Whoever reads through the API is written down where an auditor reads. The auditors' login in the database is not: it sees that there is
-- something, and not what.
grant select, insert on custody.personal to bulkhead_app;
grant select (id, client, commitment, created_at, erased_at) on custody.personal to bulkhead_auditor;
