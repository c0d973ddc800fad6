-- The house tells a registry of proofs that an epoch lapsed, too.
alter table custody.dispatch
  drop constraint dispatch_cargo_check,
  add constraint dispatch_cargo_check
    check (cargo in ('payment', 'invalidation', 'execution', 'sweep', 'delegate', 'delegation', 'delegated-sweep', 'heartbeat', 'set-change',
      'reserve-commitment', 'reserve-lapse', 'reserve-draw', 'reserve-proof'));
