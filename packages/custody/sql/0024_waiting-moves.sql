-- Why a move of a client between compartments does not go on.

alter table custody.segregation_move add column waiting_reason text;
drop trigger keep_values on custody.segregation_move;
create trigger keep_values before update on custody.segregation_move for each row
  execute function custody.keep_columns('step', 'confirmed_by', 'certificate', 'certificate_digest', 'waiting_reason', 'updated_at');
grant update (waiting_reason) on custody.segregation_move to bulkhead_app;
