-- Who is in a set of signers changes: asked for once, approved by people, signed by both sides once, and carried to each chain, now and
-- whenever one turns out to be behind. Changes are numbered by the contract and name no chain.

create table custody.signer_set_change (
  id text primary key,
  signer_set text not null check (signer_set ~ '^0x[0-9a-f]{40}$'),
  number bigint not null check (number > 1),
  -- Addresses in ascending order, with commas, as the intent has them.
  members text not null,
  threshold bigint not null check (threshold between 1 and 32),
  -- The version before, whose quorum signs.
  before_members text not null,
  before_threshold bigint not null check (before_threshold between 1 and 32),
  intent text not null,
  intent_digest text not null,
  -- Unix seconds after which nobody signs; what is signed is carried at any time.
  expires_at bigint not null,
  requested_by text not null,
  step text not null check (step in ('queued', 'signing', 'signed', 'cancelled', 'expired')),
  waiting_reason text,
  -- As the contract takes them: of the version before, and of those who are to be in the set.
  quorum_signatures text,
  member_signatures text,
  -- Who signed, with the records of their logs.
  grants jsonb,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((step = 'signed') = (quorum_signatures is not null)),
  check ((step = 'signed') = (member_signatures is not null)),
  check ((step = 'signed') = (grants is not null))
);
create unique index signer_set_change_number on custody.signer_set_change (signer_set, number) where step not in ('cancelled', 'expired');
create unique index signer_set_change_live on custody.signer_set_change (signer_set) where step in ('queued', 'signing');

-- What the contract of a chain said of its versions, as a final block had it when somebody looked.
create table custody.signer_set_standing (
  chain text primary key,
  signer_set text not null,
  -- In force at that block, and the newest one, which may wait for its time.
  current_number bigint not null check (current_number > 0),
  newest_number bigint not null check (newest_number >= current_number),
  -- Unix seconds from which the newest one is in force.
  newest_from bigint not null,
  -- Why a change that this chain lacks is not carried there.
  waiting_reason text,
  looked_at timestamptz not null
);

alter table custody.dispatch
  drop constraint dispatch_cargo_check,
  add constraint dispatch_cargo_check
    check (cargo in ('payment', 'invalidation', 'execution', 'sweep', 'delegate', 'delegation', 'delegated-sweep', 'heartbeat', 'set-change',
      'reserve-commitment', 'reserve-draw', 'reserve-proof'));
-- One change is carried to several chains at once.
drop index custody.dispatch_cargo;
create unique index dispatch_cargo on custody.dispatch (relays, cargo, chain) where kind = 'relay' and step <> 'done';

select custody.guard('signer_set_change', 'step', 'waiting_reason', 'quorum_signatures', 'member_signatures', 'grants', 'updated_at');
select custody.guard('signer_set_standing', 'signer_set', 'current_number', 'newest_number', 'newest_from', 'waiting_reason', 'looked_at');
create trigger keep_written before update on custody.signer_set_change for each row
  execute function custody.keep_written('quorum_signatures', 'member_signatures', 'grants');
create trigger keep_ended before update on custody.signer_set_change for each row
  execute function custody.keep_ended('step', 'signed', 'cancelled', 'expired');
