import type { Queries } from './database.ts';

/** Group role of the running application: executes functions, reads views, sees no table. Cannot log in itself. */
export const appRole = 'bulkhead_app';
/** Group role of auditors: reads views, executes nothing that writes. Cannot log in itself. */
export const auditorRole = 'bulkhead_auditor';

/**
 * Creates the group roles where they are missing and makes the connected user a member of the application's role, so
 * that a session of it can step down. Safe to run from several servers at once: roles belong to the whole cluster, and
 * whoever comes second finds them there.
 */
export async function createRoles(owner: Queries): Promise<void> {
  for (const role of [appRole, auditorRole]) {
    await owner.query(`do $$ begin
      if not exists (select from pg_roles where rolname = '${role}') then
        begin
          create role ${role} nologin;
        exception when duplicate_object or unique_violation then
          null;
        end;
      end if;
    end $$`);
  }
  await owner.query(`do $$ begin
    if not pg_has_role(current_user, '${appRole}', 'member') or not pg_has_role(current_user, '${appRole}', 'set') then
      begin
        execute format('grant ${appRole} to %I', current_user);
      exception when unique_violation then
        null;
      end;
    end if;
  end $$`);
}
