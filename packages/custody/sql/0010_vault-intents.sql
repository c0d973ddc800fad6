-- What the quorum of a vault signs beside withdrawals has dispatches of its own: fees, which go to the wallet of the house for them, and
-- restrictions, after which the vault does less and which move nothing.

alter table custody.vault_dispatch
  add column kind text not null default 'vault-withdrawal'
    check (kind in ('vault-withdrawal', 'vault-fee', 'vault-pause', 'vault-limit-lowering', 'vault-destination-removal')),
  -- Whose fee it is, and where it goes.
  add column client text references custody.client,
  add column to_wallet text references custody.wallet,
  alter column asset drop not null,
  alter column to_address drop not null,
  alter column amount drop not null,
  drop constraint vault_dispatch_amount_check,
  drop constraint vault_dispatch_outcome_check,
  add constraint vault_dispatch_outcome_check
    check (outcome in ('paid', 'applied', 'invalidated', 'superseded', 'lapsed', 'abandoned', 'exited')),
  add constraint vault_dispatch_moves check (case kind
    when 'vault-withdrawal' then asset is not null and to_address is not null and amount is not null and amount > 0
    -- The first one of an asset moves nothing: it starts the clock by which the next is counted.
    when 'vault-fee' then asset is not null and to_address is not null and amount is not null and amount >= 0
    else amount is null end),
  add constraint vault_dispatch_fee check ((kind = 'vault-fee') = (client is not null) and (kind = 'vault-fee') = (to_wallet is not null)),
  add constraint vault_dispatch_effect check (outcome is null or (outcome <> 'paid' or amount is not null) and (outcome <> 'applied' or amount is null));
alter table custody.vault_dispatch alter column kind drop default;
-- One clock for each asset of a vault: two fees at once would be counted over the same time.
create unique index vault_dispatch_fee_live on custody.vault_dispatch (vault, asset) where kind = 'vault-fee' and step <> 'done';
create index vault_dispatch_kind on custody.vault_dispatch (kind, subject) where kind <> 'vault-withdrawal';
