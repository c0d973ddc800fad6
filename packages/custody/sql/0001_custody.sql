-- The workflows around the books. Ground state: what was asked, what was observed, what was signed. Balances are not here:
-- they are the ledger's. What may change, and by whom, is in `0002_guards.sql`.

create schema custody;

create table custody.asset (
  id text primary key,
  chain text not null,
  symbol text not null,
  decimals integer not null check (decimals between 0 and 77),
  behaviour text not null check (behaviour in ('native', 'standard', 'fee-on-transfer')),
  dust_max numeric(78, 0) not null check (dust_max >= 0),
  dti text,
  allowed_by text not null,
  created_at timestamptz not null
);

create table custody.client (
  id text primary key,
  reference text not null unique,
  kind text not null check (kind in ('natural', 'legal')),
  segregation text not null check (segregation in ('individual', 'omnibus')),
  created_by text not null,
  created_at timestamptz not null
);

-- The seven items of MiCA (Regulation (EU) 2023/1114) article 75(1). A new agreement is a new row.
create table custody.agreement (
  id text primary key,
  client text not null references custody.client,
  parties text not null,
  service text not null,
  custody_policy text not null,
  communication text not null,
  security text not null,
  fees text not null,
  applicable_law text not null,
  signed_at timestamptz not null,
  recorded_by text not null,
  created_at timestamptz not null
);
create index on custody.agreement (client, created_at);

-- The kind follows from the number (domain/compartment.ts); the check keeps the row and the number from disagreeing.
create table custody.compartment (
  number bigint primary key check (number between 0 and 2147483647),
  owner text unique references custody.client,
  created_at timestamptz not null,
  check ((number >= 100000) = (owner is not null)),
  unique (number, owner)
);
create sequence custody.individual_number as bigint minvalue 100000 maxvalue 2147483647;

-- Segregation model of a client on a chain; the highest version counts.
create table custody.segregation (
  client text not null references custody.client,
  chain text not null,
  version integer not null check (version > 0),
  model text not null check (model in ('individual', 'omnibus')),
  compartment bigint not null references custody.compartment,
  decided_by text not null,
  since timestamptz not null,
  -- Whose compartment it must be, where compartments belong to one client: no row puts a client into another one's.
  belongs_to text generated always as (case when compartment >= 100000 then client end) stored,
  primary key (client, chain, version),
  check ((model = 'individual') = (compartment >= 100000)),
  check (compartment >= 10000),
  foreign key (compartment, belongs_to) references custody.compartment (number, owner)
);

-- Locked while an address is issued, so that an index is given out once.
create table custody.address_counter (
  chain text not null,
  compartment bigint not null references custody.compartment,
  next_index bigint not null default 0 check (next_index between 0 and 2147483647),
  primary key (chain, compartment)
);

-- Public keys of compartments, and the addresses of keys of their own, with the signer's certificates. What is stored here is
-- verified whenever a process loads it: who writes to this table can stop addresses from being issued, and no more.
create table custody.account_key (
  compartment bigint primary key references custody.compartment,
  xpub text not null,
  residency text not null check (residency in ('software', 'hsm', 'hsm-derived', 'hsm-sealed')),
  certificate jsonb not null,
  created_at timestamptz not null
);
create table custody.wallet_key (
  compartment bigint not null references custody.compartment,
  label text not null,
  address text not null check (address ~ '^0x[0-9a-f]{40}$'),
  residency text not null check (residency in ('software', 'hsm', 'hsm-derived', 'hsm-sealed')),
  certificate jsonb not null,
  created_at timestamptz not null,
  primary key (compartment, label)
);

create table custody.wallet (
  id text primary key,
  chain text not null,
  compartment bigint not null references custody.compartment,
  -- The place of its key in the tree of the seed, or the label of a key of its own.
  key_index bigint check (key_index between 0 and 2147483647),
  key_label text,
  check ((key_index is null) <> (key_label is null)),
  address text not null check (address ~ '^0x[0-9a-f]{40}$'),
  client text references custody.client,
  purpose text not null check (purpose in ('deposit', 'unassigned', 'pool', 'gas', 'fees')),
  check ((purpose = 'deposit') = (client is not null)),
  -- The ranges of domain/compartment.ts: coins of the house and of clients never share a compartment.
  check (case purpose
    when 'deposit' then compartment >= 10000
    when 'unassigned' then compartment between 5000 and 99999
    when 'pool' then compartment between 10000 and 99999
    when 'gas' then compartment = 1
    when 'fees' then compartment = 2
  end),
  kind text not null default 'key' check (kind = 'key'),
  tier text not null default 'hot' check (tier in ('hot', 'warm', 'cold')),
  residency text not null check (residency in ('software', 'hsm', 'hsm-derived', 'hsm-sealed')),
  -- First nonce not yet given to a dispatch; null until the wallet sends for the first time.
  next_nonce numeric(78, 0),
  created_at timestamptz not null,
  -- The transaction that issued it. Numbers of transactions are given out in order but commit in any: a watch set that reads on
  -- from the oldest one still open at its last reading misses none.
  issued_in xid8 not null default pg_current_xact_id(),
  -- Whose compartment it must be, where compartments belong to one client: no row puts a client into another one's.
  belongs_to text generated always as (case when compartment >= 100000 then client end) stored,
  unique (chain, address),
  unique (chain, compartment, key_index),
  unique (chain, compartment, key_label),
  foreign key (compartment, key_label) references custody.wallet_key (compartment, label),
  unique (id, compartment, chain),
  foreign key (compartment, belongs_to) references custody.compartment (number, owner)
);
-- The pool of a compartment, and the wallets of the house, are one each.
create unique index wallet_duty on custody.wallet (chain, compartment, purpose) where purpose in ('pool', 'gas', 'fees');
create index on custody.wallet (client, chain);
create index on custody.wallet (chain, issued_in);
create index on custody.wallet (compartment, chain, purpose, key_index);

-- One row per followed chain. Locked by whoever advances it, so that two indexers cannot both take a block.
create table custody.chain_cursor (
  chain text primary key,
  -- Block below the first one we took. Deposits before it were never watched.
  start_number bigint not null,
  tip_number bigint not null,
  tip_hash text not null,
  final_number bigint not null,
  final_hash text not null,
  swept_number bigint not null,
  -- Set when something happened that must not: the follower stands still and people look.
  stopped_reason text,
  updated_at timestamptz not null,
  check (final_number <= tip_number),
  check (swept_number <= final_number)
);

create table custody.block (
  chain text not null,
  hash text not null,
  number bigint not null,
  parent_hash text not null,
  mined_at timestamptz not null,
  removed_at timestamptz,
  primary key (chain, hash)
);
-- One canonical block per height.
create unique index block_canonical on custody.block (chain, number) where removed_at is null;

create table custody.movement (
  id text primary key,
  chain text not null,
  block_number bigint not null,
  block_hash text not null,
  kind text not null check (kind in ('native', 'internal', 'token', 'validator-withdrawal', 'balance-difference')),
  reference text not null,
  transaction_hash text,
  asset text not null,
  from_address text,
  to_address text,
  amount numeric(78, 0) not null check (amount >= 0),
  observed_at timestamptz not null,
  removed_at timestamptz,
  -- Set at finality: what each side was booked by (a deposit, a dispatch, a break's resolution). Null on one of our own sides
  -- after finality means that the books do not know this side: reconciliation reports it.
  out_explained text,
  in_explained text,
  unique (chain, block_hash, kind, reference),
  foreign key (chain, block_hash) references custody.block
);
create index on custody.movement (chain, block_number);
create index movement_in on custody.movement (chain, to_address, asset) where removed_at is null;
create index movement_out on custody.movement (chain, from_address, asset) where removed_at is null;

-- Transactions sent by our addresses, ours or not: their nonces and fees.
create table custody.sent (
  chain text not null,
  block_hash text not null,
  transaction_hash text not null,
  block_number bigint not null,
  from_address text not null,
  nonce numeric(78, 0) not null,
  succeeded boolean not null,
  fee numeric(78, 0) not null check (fee >= 0),
  removed_at timestamptz,
  -- The dispatch whose attempt it is, or the break that explained it, set at finality.
  explained text,
  primary key (chain, block_hash, transaction_hash),
  foreign key (chain, block_hash) references custody.block
);
create index on custody.sent (chain, from_address, nonce);
create index on custody.sent (chain, block_number);

create table custody.deposit (
  id text primary key,
  movement text not null unique references custody.movement,
  chain text not null,
  compartment bigint not null references custody.compartment,
  wallet text not null,
  asset text not null,
  amount numeric(78, 0) not null check (amount >= 0),
  step text not null check (step in ('detected', 'final', 'released', 'frozen', 'returned', 'removed')),
  client text references custody.client,
  state jsonb not null,
  -- The rule that credited: tag, head it was final under, agreeing sources.
  finality jsonb,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- Whose compartment it must be, where compartments belong to one client: no row puts a client into another one's.
  belongs_to text generated always as (case when compartment >= 100000 then client end) stored,
  -- Value belongs to the compartment whose address received it.
  foreign key (wallet, compartment, chain) references custody.wallet (id, compartment, chain),
  foreign key (compartment, belongs_to) references custody.compartment (number, owner),
  check (step in ('detected', 'removed') or finality is not null)
);
create index on custody.deposit (client, id);
create index on custody.deposit (step, created_at);

create table custody.withdrawal (
  id text primary key,
  deployment text not null check (deployment ~ '^[0-9a-f]{32}$'),
  kind text not null check (kind in ('withdrawal', 'deposit-return')),
  client text not null references custody.client,
  chain text not null,
  compartment bigint not null references custody.compartment,
  asset text not null,
  amount numeric(78, 0) not null check (amount > 0),
  destination text not null check (destination ~ '^0x[0-9a-f]{40}$'),
  fee_payer text not null check (fee_payer in ('client', 'house')),
  fee_max numeric(78, 0) not null check (fee_max > 0),
  fee_paid numeric(78, 0),
  requested_by text not null,
  quorum integer not null check (quorum >= 0),
  expires_at timestamptz not null,
  intent_digest text not null unique,
  deposit text references custody.deposit,
  step text not null check (step in ('requested', 'screened', 'awaiting-approval', 'approved', 'awaiting-liquidity', 'signing',
    'broadcast', 'settled', 'failed', 'rejected', 'cancelled', 'expired')),
  wallet text not null,
  reserved boolean not null default false,
  state jsonb not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  -- Whose compartment it must be, where compartments belong to one client: no row puts a client into another one's.
  belongs_to text generated always as (case when compartment >= 100000 then client end) stored,
  -- Only a wallet of the compartment pays for it.
  foreign key (wallet, compartment, chain) references custody.wallet (id, compartment, chain),
  foreign key (compartment, belongs_to) references custody.compartment (number, owner),
  check (compartment >= 10000),
  check (reserved = (step in ('signing', 'broadcast'))),
  check ((kind = 'deposit-return') = (deposit is not null))
);
create index on custody.withdrawal (client, id);
-- A deposit is sent back by one withdrawal at a time, and only until one has settled.
create unique index withdrawal_return on custody.withdrawal (deposit)
  where deposit is not null and step not in ('failed', 'rejected', 'cancelled', 'expired');
create index on custody.withdrawal (step, created_at);
create index withdrawal_reserved on custody.withdrawal (wallet) where reserved;

-- One intent, one nonce of one wallet, one effect.
create table custody.dispatch (
  id text primary key,
  kind text not null check (kind in ('withdrawal', 'deposit-return', 'sweep', 'gas-grant', 'fee-payment')),
  -- The withdrawal, or the dispatch itself where the dispatch is the whole workflow.
  subject text not null,
  chain text not null,
  compartment bigint not null references custody.compartment,
  wallet text not null,
  asset text not null,
  to_address text not null,
  amount numeric(78, 0) not null check (amount > 0),
  fee_max numeric(78, 0) not null check (fee_max > 0),
  intent text not null,
  intent_digest text not null,
  requested_by text not null,
  -- Receiving wallet when it is ours.
  to_wallet text references custody.wallet,
  client text references custody.client,
  step text not null check (step in ('queued', 'signing', 'broadcast', 'done')),
  outcome text check (outcome in ('succeeded', 'reverted', 'cancelled', 'superseded', 'abandoned', 'impossible')),
  nonce numeric(78, 0),
  state jsonb not null,
  -- Why a dispatch does not move: what it waits for before it has a nonce, or why its newest attempt is not signed.
  waiting_reason text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((step = 'done') = (outcome is not null)),
  check (step not in ('signing', 'broadcast') or nonce is not null),
  check (step <> 'queued' or nonce is null),
  foreign key (wallet, compartment, chain) references custody.wallet (id, compartment, chain)
);
-- A nonce belongs to one dispatch, for ever.
create unique index dispatch_nonce on custody.dispatch (wallet, nonce) where nonce is not null;
-- A workflow has one dispatch in all: when that is over, so is the workflow, and nothing pays for it again.
create unique index dispatch_subject on custody.dispatch (subject);
create index on custody.dispatch (kind, subject);
-- Asked before every reservation of a wallet's coins, and before every grant of gas to it.
create index dispatch_from on custody.dispatch (wallet) where step <> 'done';
create index dispatch_to on custody.dispatch (to_wallet) where step <> 'done';
create index dispatch_live on custody.dispatch (chain, step) where step <> 'done';

create table custody.attempt (
  dispatch text not null references custody.dispatch,
  ordinal integer not null check (ordinal > 0),
  role text not null check (role in ('effect', 'cancel')),
  -- Stored before signing: signing is deterministic, so a crash in between can only lead to the same signature.
  unsigned bytea not null,
  raw bytea,
  hash text unique,
  created_at timestamptz not null,
  signed_at timestamptz,
  broadcast_at timestamptz,
  last_broadcast text,
  primary key (dispatch, ordinal),
  check ((raw is null) = (hash is null))
);

-- Signatures of people over the digest of an intent: of the requester, and of those who agree. The signer verified each when it
-- was made, and verifies all of them again before it signs.
create table custody.approval (
  -- A withdrawal or a change of the registry.
  subject text not null,
  role text not null check (role in ('request', 'approval')),
  person text not null,
  key text not null,
  kind text not null check (kind in ('webauthn', 'eip712', 'ed25519')),
  signature jsonb not null,
  intent_digest text not null,
  at timestamptz not null,
  primary key (subject, role, person)
);

-- What the signer decided, as it recorded it. Grants come with their signatures, everything else is fetched.
create table custody.signer_record (
  sequence bigint primary key check (sequence > 0),
  line text not null,
  -- Hash of the log before this line, digests of the lines up to the signed head, and that head.
  previous text not null check (previous ~ '^[0-9a-f]{64}$'),
  following jsonb not null,
  head jsonb not null,
  stored_at timestamptz not null
);

-- How far the records are here without a hole, and the hash of the log up to there. One row.
create table custody.signer_log (
  name text primary key check (name = 'signer'),
  sequence bigint not null check (sequence >= 0),
  hash text not null check (hash ~ '^[0-9a-f]{64}$'),
  -- Set when the signer says something else than it said before, or lacks what it had: the state it runs on is not the one it
  -- ran on. Never cleared by the application.
  trouble text,
  updated_at timestamptz not null
);

create table custody.registry_change (
  id text primary key,
  kind text not null check (kind in ('enrolment', 'policy-change')),
  before_version bigint not null check (before_version >= 0),
  -- The canonical text of the list and of the intent, as people approve them.
  list text not null,
  list_digest text not null check (list_digest ~ '^[0-9a-f]{64}$'),
  items integer not null check (items > 0),
  intent text not null,
  intent_digest text not null unique,
  state text not null check (state in ('open', 'applied', 'refused', 'expired')),
  -- What the signer said against it, last.
  reason text,
  version bigint,
  requested_by text not null,
  expires_at timestamptz not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((state = 'applied') = (version is not null))
);
create index on custody.registry_change (state, id);

-- Deposit-address certificates: the signer says that this address is where this client pays in.
create table custody.address_certificate (
  wallet text primary key references custody.wallet,
  certificate jsonb not null,
  issued_by text not null,
  created_at timestamptz not null
);

create table custody.fee (
  id text primary key,
  client text not null references custody.client,
  compartment bigint not null references custody.compartment,
  asset text not null,
  amount numeric(78, 0) not null check (amount > 0),
  description text not null,
  charged_by text not null,
  created_at timestamptz not null
);
create index on custody.fee (client, created_at);

create table custody.reconciliation (
  id text primary key,
  chain text not null,
  block_number bigint not null,
  block_hash text not null,
  ledger_position bigint not null,
  sources jsonb not null,
  wallets integer not null,
  lines jsonb not null,
  breaks integer not null,
  requested_by text not null,
  started_at timestamptz not null,
  finished_at timestamptz not null
);
create index on custody.reconciliation (chain, started_at);

create table custody.break (
  id text primary key,
  type text not null check (type in ('pending', 'fee', 'unknown-deposit', 'missing-movement', 'shortfall', 'excess', 'reorg')),
  chain text not null,
  compartment bigint references custody.compartment,
  wallet text references custody.wallet,
  asset text,
  books numeric(78, 0),
  chain_balance numeric(78, 0),
  difference numeric(79, 0),
  evidence jsonb not null,
  owner text not null,
  deadline timestamptz not null,
  first_reconciliation text references custody.reconciliation,
  last_reconciliation text references custody.reconciliation,
  opened_at timestamptz not null,
  -- The first of the two people who end a break, and what they saw.
  proposal jsonb,
  resolved_at timestamptz,
  resolution jsonb,
  check ((resolved_at is null) = (resolution is null))
);
-- The same difference of the same wallet stays one break, so that its age is true; a chain has one open reorg (no wallet).
create unique index break_open on custody.break (chain, wallet, asset) nulls not distinct where resolved_at is null;
create index on custody.break (opened_at);

create table custody.freeze (
  compartment bigint not null references custody.compartment,
  cause text not null references custody.break,
  frozen_at timestamptz not null,
  lifted_at timestamptz,
  primary key (compartment, cause)
);
create index freeze_active on custody.freeze (compartment) where lifted_at is null;

-- What every person and machine decided, in order. The later audit log takes its leaves from here.
create table custody.journal (
  position bigint generated always as identity primary key,
  at timestamptz not null,
  actor text not null,
  subject text not null,
  event text not null,
  data jsonb not null
);
create index on custody.journal (subject, position);

-- Answers to writes, stored in the transaction of the work.
create table custody.command (
  actor text not null,
  key text not null,
  fingerprint text not null,
  answer jsonb not null,
  created_at timestamptz not null,
  primary key (actor, key)
);
