-- A vault that is not what its certificate says, found after it was deployed: of a compartment and a wallet, and of no asset.

alter table custody.break drop constraint break_type_check;
alter table custody.break add constraint break_type_check
  check (type in ('pending', 'fee', 'unknown-deposit', 'missing-movement', 'shortfall', 'excess', 'reorg', 'token-code', 'vault-code'));
alter table custody.break add check (type <> 'vault-code' or (wallet is not null and compartment is not null and asset is null));
