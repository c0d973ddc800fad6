-- A token whose code is not the one that was reviewed is a break of its own: of an asset, and of no wallet.

alter table custody.break drop constraint break_type_check;
alter table custody.break add constraint break_type_check
  check (type in ('pending', 'fee', 'unknown-deposit', 'missing-movement', 'shortfall', 'excess', 'reorg', 'token-code'));
alter table custody.break add check (type <> 'token-code' or (wallet is null and asset is not null));

-- Records of the signer whose lists say what the code of a token is. The quotes inside a line are escaped.
create index signer_record_assets on custody.signer_record (sequence) where position('\"item\":\"asset' in line) > 0;
