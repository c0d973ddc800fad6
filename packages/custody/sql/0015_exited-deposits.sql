-- An exit takes claims of deposits that nobody has released. One that it took whole is over.

alter table custody.deposit drop constraint deposit_step_check;
alter table custody.deposit add constraint deposit_step_check
  check (step in ('detected', 'final', 'released', 'frozen', 'returned', 'exited', 'removed'));
