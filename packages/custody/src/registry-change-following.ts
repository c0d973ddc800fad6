import { CustodyError, type RegistryChange, type Signer } from '@bulkhead/domain';
import { type Queries, text } from '@bulkhead/postgres';
import { evidenceFor } from './approval.ts';
import { findChange, type Change } from './registry-change-view.ts';

/** Whose registry is followed: the signer that is told first of every change. */
export type Followed = { readonly db: Queries; readonly signer: Pick<Signer, 'status' | 'change'> };

/**
 * The changes that led the first signer on from a version, oldest first, as they were sent to it; for signers beside it that were away.
 * The newest one may not be noted as applied yet, because its answer is still on the way here: the signer knows it again.
 */
export async function registryChangesAfter(followed: Followed, version: bigint): Promise<readonly RegistryChange[]> {
  const { registryVersion } = await followed.signer.status();
  if (registryVersion <= version) return [];
  const rows = await followed.db.query(
    `select id, state from custody.registry_change
     where before_version >= $1 and before_version < $2 and state in ('applied', 'open')
     order by before_version, state, id`,
    [version, registryVersion],
  );
  const changes: RegistryChange[] = [];
  let next = version;
  for (const row of rows) {
    const change = await findChange(followed.db, text(row, 'id'));
    // Of several for one version, one was made; those that are noted as made come first.
    if (change === undefined || change.before !== next) continue;
    const { intent, list } = change;
    const sent = { intent, list, evidence: await evidenceFor(followed.db, change.id, intent) };
    if (text(row, 'state') === 'open' && !(await wasMade(followed, { change, sent }))) continue;
    changes.push(sent);
    next += 1n;
  }
  return changes;
}

/** A change that was made is answered with its record when it is sent again; any other one for that version is refused. */
async function wasMade(
  { signer }: Followed,
  { change, sent }: { readonly change: Change; readonly sent: RegistryChange },
): Promise<boolean> {
  try {
    return (await signer.change(sent)).version === change.before + 1n;
  } catch (error) {
    if (error instanceof CustodyError && error.code !== 'signer/unavailable') return false;
    throw error;
  }
}
