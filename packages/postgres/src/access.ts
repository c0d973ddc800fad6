import type { DatabaseOptions } from './database.ts';
import { appRole } from './roles.ts';

/** How the two kinds of session reach the database: the owner migrates, the application runs. */
export type DatabaseAccess = {
  readonly owner: DatabaseOptions;
  readonly app: DatabaseOptions;
  /**
   * False when one login serves both. The application then steps down to its role at the start of each session, which
   * guards against mistakes but not against an intruder, who can step up again: say so to the operator.
   */
  readonly separated: boolean;
};

/** Access to a server of the operator's own. */
export function databaseAccess(urls: { readonly url: string; readonly ownerUrl?: string }): DatabaseAccess {
  if (urls.ownerUrl !== undefined && urls.ownerUrl !== urls.url) {
    return { owner: { url: urls.ownerUrl, name: 'bulkhead-owner' }, app: { url: urls.url }, separated: true };
  }
  return { owner: { url: urls.url, name: 'bulkhead-owner' }, app: { url: urls.url, role: appRole }, separated: false };
}
