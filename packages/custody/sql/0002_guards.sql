-- What keeps the rows of `0001_custody.sql`. The application role may insert, and update some columns; nothing is ever deleted, and
-- what was observed, asked, signed or decided is kept from change by triggers as well as by grants. A new table joins the list.

create function custody.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'rows of %.% are never %d', tg_table_schema, tg_table_name, lower(tg_op) using errcode = 'BH001';
end $$;

create function custody.keep_columns() returns trigger language plpgsql as $$
declare
  -- The arguments name the columns that may change; everything else is as it was written. What is computed from other columns
  -- is not there yet when a trigger runs.
  before jsonb := to_jsonb(old) - tg_argv - 'belongs_to';
  after jsonb := to_jsonb(new) - tg_argv - 'belongs_to';
begin
  if before is distinct from after then
    raise exception 'only % of %.% may change', array_to_string(tg_argv, ', '), tg_table_schema, tg_table_name using errcode = 'BH001';
  end if;
  return new;
end $$;

do $$
declare
  rule record;
begin
  for rule in
    select * from (values
      ('asset', ''), ('client', ''), ('agreement', ''), ('compartment', ''), ('segregation', ''), ('fee', ''),
      ('reconciliation', ''), ('journal', ''), ('command', ''),
      ('account_key', ''), ('wallet_key', ''), ('approval', ''), ('signer_record', ''), ('address_certificate', ''),
      ('signer_log', 'sequence,hash,trouble,updated_at'),
      ('registry_change', 'state,reason,version,updated_at'),
      ('address_counter', 'next_index'),
      ('wallet', 'next_nonce'),
      ('chain_cursor', 'tip_number,tip_hash,final_number,final_hash,swept_number,stopped_reason,updated_at'),
      ('block', 'removed_at'),
      ('movement', 'removed_at,out_explained,in_explained'),
      ('sent', 'removed_at,explained'),
      ('deposit', 'step,client,state,finality,updated_at'),
      ('withdrawal', 'step,wallet,reserved,state,fee_paid,updated_at'),
      ('dispatch', 'step,outcome,nonce,state,waiting_reason,updated_at'),
      ('attempt', 'raw,hash,signed_at,broadcast_at,last_broadcast'),
      ('break', 'books,chain_balance,difference,evidence,owner,last_reconciliation,proposal,resolved_at,resolution'),
      ('freeze', 'lifted_at')
    ) as rules (tab, changeable)
  loop
    execute format('create trigger keep_rows before delete or truncate on custody.%I for each statement execute function custody.refuse_change()', rule.tab);
    execute format('grant select, insert on custody.%I to bulkhead_app', rule.tab);
    execute format('grant select on custody.%I to bulkhead_auditor', rule.tab);
    if rule.changeable = '' then
      execute format('create trigger keep_values before update on custody.%I for each row execute function custody.refuse_change()', rule.tab);
    else
      execute format('create trigger keep_values before update on custody.%I for each row execute function custody.keep_columns(%s)',
        rule.tab, (select string_agg(quote_literal(name), ', ') from regexp_split_to_table(rule.changeable, ',') as name));
      execute format('grant update (%s) on custody.%I to bulkhead_app',
        (select string_agg(quote_ident(name), ', ') from regexp_split_to_table(rule.changeable, ',') as name), rule.tab);
    end if;
  end loop;
end $$;

-- A signed transaction is never overwritten by another one.
create function custody.keep_signature() returns trigger language plpgsql as $$
begin
  if old.raw is not null and (new.raw, new.hash, new.signed_at) is distinct from (old.raw, old.hash, old.signed_at) then
    raise exception 'attempt % of % is signed; a signature is never replaced', old.ordinal, old.dispatch using errcode = 'BH001';
  end if;
  return new;
end $$;
create trigger keep_signature before update on custody.attempt for each row execute function custody.keep_signature();

-- The arguments name columns that are written once: from null to a value, and never to another one.
create function custody.keep_written() returns trigger language plpgsql as $$
declare
  kept text;
begin
  foreach kept in array tg_argv loop
    if to_jsonb(old) -> kept <> 'null' and to_jsonb(new) -> kept <> to_jsonb(old) -> kept then
      raise exception '% of %.% is written once', kept, tg_table_schema, tg_table_name using errcode = 'BH001';
    end if;
  end loop;
  return new;
end $$;
create trigger keep_written before update on custody.dispatch for each row execute function custody.keep_written('nonce', 'outcome');
create trigger keep_written before update on custody.withdrawal for each row execute function custody.keep_written('fee_paid');
create trigger keep_written before update on custody.deposit for each row execute function custody.keep_written('finality');
create trigger keep_written before update on custody.movement for each row execute function custody.keep_written('out_explained', 'in_explained');
create trigger keep_written before update on custody.sent for each row execute function custody.keep_written('explained');
create trigger keep_written before update on custody.break for each row execute function custody.keep_written('resolved_at', 'resolution');
create trigger keep_written before update on custody.signer_log for each row execute function custody.keep_written('trouble');
create trigger keep_written before update on custody.registry_change for each row execute function custody.keep_written('version');
create trigger keep_written before update on custody.freeze for each row execute function custody.keep_written('lifted_at');

-- The arguments name numbers that never fall: one given out again would be an address or a nonce of two owners.
create function custody.keep_growing() returns trigger language plpgsql as $$
declare
  kept text;
begin
  foreach kept in array tg_argv loop
    if coalesce((to_jsonb(new) ->> kept)::numeric < (to_jsonb(old) ->> kept)::numeric, to_jsonb(old) ->> kept is not null) then
      raise exception '% of %.% never falls', kept, tg_table_schema, tg_table_name using errcode = 'BH001';
    end if;
  end loop;
  return new;
end $$;
create trigger keep_growing before update on custody.address_counter for each row execute function custody.keep_growing('next_index');
create trigger keep_growing before update on custody.signer_log for each row execute function custody.keep_growing('sequence');
create trigger keep_growing before update on custody.wallet for each row execute function custody.keep_growing('next_nonce');
create trigger keep_growing before update on custody.chain_cursor for each row execute function custody.keep_growing('final_number', 'swept_number');

-- The first argument names the column of the state, the others the states that a workflow never leaves.
create function custody.keep_ended() returns trigger language plpgsql as $$
declare
  was text := to_jsonb(old) ->> tg_argv[0];
begin
  if was = any (tg_argv[1:]) and to_jsonb(new) ->> tg_argv[0] <> was then
    raise exception '% % is %, which is for ever', tg_table_name, old.id, was using errcode = 'BH001';
  end if;
  return new;
end $$;
create trigger keep_ended before update on custody.registry_change for each row
  execute function custody.keep_ended('state', 'applied', 'refused', 'expired');
create trigger keep_ended before update on custody.withdrawal for each row
  execute function custody.keep_ended('step', 'settled', 'failed', 'rejected', 'cancelled', 'expired');
create trigger keep_ended before update on custody.deposit for each row execute function custody.keep_ended('step', 'released', 'returned');
create trigger keep_ended before update on custody.dispatch for each row execute function custody.keep_ended('step', 'done');

grant usage on schema custody to bulkhead_app, bulkhead_auditor;
grant usage on sequence custody.individual_number to bulkhead_app;
