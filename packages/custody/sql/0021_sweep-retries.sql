-- Sweeps by delegates are given up and tried again by people: what came to nothing before that counts no more.

alter table custody.delegated_sweep
  drop constraint delegated_sweep_outcome_check,
  add constraint delegated_sweep_outcome_check check (outcome in ('settled', 'failed', 'cancelled')),
  add column retried_at timestamptz;
alter table custody.delegation add column retried_at timestamptz;

do $$
declare
  rule record;
begin
  for rule in
    select * from (values
      ('delegation', 'step,outcome,waiting_reason,signature,retried_at,updated_at'),
      ('delegated_sweep', 'step,outcome,waiting_reason,block_number,block_hash,transaction_hash,retried_at,updated_at')
    ) as rules (tab, changeable)
  loop
    execute format('drop trigger keep_values on custody.%I', rule.tab);
    execute format('create trigger keep_values before update on custody.%I for each row execute function custody.keep_columns(%s)',
      rule.tab, (select string_agg(quote_literal(name), ', ') from regexp_split_to_table(rule.changeable, ',') as name));
    execute format('grant update (retried_at) on custody.%I to bulkhead_app', rule.tab);
  end loop;
end $$;
