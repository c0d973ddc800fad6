import { codeHashOfNothing, CustodyError } from '@bulkhead/domain';
import type { Queries, Transaction } from '@bulkhead/postgres';
import { eventTopic } from '@bulkhead/vaults';
import { chainPort, findCursor } from './cursor.ts';
import type { Custody } from './custody.ts';
import { enqueue } from './job.ts';
import { hashes } from './keccak.ts';
import type { VaultDispatch } from './vault-dispatch.ts';
import { findVault, lockVault, type Vault } from './vault-row.ts';

/** Whether `check-vault` found code and event of a vault right. */
async function isChecked(db: Queries, { chain, address, id }: Vault): Promise<boolean> {
  const rows = await db.query(
    `select from custody.vault_event
     where chain = $1 and removed_at is null and explained = $2 and topics ->> 0 = $3 and topics ->> 1 = $4`,
    [chain, id, eventTopic(hashes, 'VaultCreated'), `0x${address.slice(2).padStart(64, '0')}`],
  );
  return rows.length > 0;
}

/**
 * Why a vault must be looked at before its quorum signs again. The first signature comes before the vault is deployed, which it is with the
 * payment itself: until then its address, which commits to everything, is all there is to hold. From then on code and event are held
 * against the certificate first, and what somebody else deployed is, too.
 */
export async function uncheckedReason(custody: Custody, { vault: id }: VaultDispatch): Promise<string | undefined> {
  const vault = await findVault(custody.db, id);
  if (vault === undefined) throw new CustodyError('invariant/broken', `There is no vault ${id}.`);
  if (await isChecked(custody.db, vault)) return undefined;
  const { chain, address } = vault;
  const port = chainPort(custody, chain);
  const { latest } = await port.heads();
  if ((await port.codeHash(address, latest)) === codeHashOfNothing) return undefined;
  // At a block that is booked no event is still to come: the look finds that none told of it, and freezes the compartment.
  const booked = (await findCursor(custody.db, chain))?.final;
  if (booked !== undefined && (await port.codeHash(address, booked)) !== codeHashOfNothing) {
    await enqueue(custody.db, { task: 'check-vault', id });
  }
  return waitsForCheck(vault);
}

function waitsForCheck({ address }: Vault): string {
  return `The vault ${address} was deployed, and its code and event are not final and checked yet: nothing more is signed before.`;
}

/**
 * The same of what is signed but on no chain yet, looked at in the transaction that lets signers be asked. The vault is locked, so that of
 * two payments at once one is the first.
 */
export async function deployingReason(tx: Transaction, { id, vault: of }: VaultDispatch): Promise<string | undefined> {
  const vault = await lockVault(tx, of);
  if (vault === undefined) throw new CustodyError('invariant/broken', `There is no vault ${of}.`);
  if (await isChecked(tx, vault)) return undefined;
  const [other] = await tx.query(
    `select subject from custody.vault_dispatch where vault = $1 and id <> $2 and step in ('signing', 'relaying') limit 1`,
    [of, id],
  );
  if (other === undefined) return undefined;
  return `${String(other['subject'])} deploys the vault ${vault.address}: nothing more is signed for it before its code and event are checked.`;
}

/** Lets what waited for the check of a vault go on. */
export async function wakeVault(tx: Queries, vault: string): Promise<void> {
  const rows = await tx.query(
    `select id from custody.vault_dispatch where vault = $1 and step = 'queued' order by id`,
    [vault],
  );
  for (const row of rows) await enqueue(tx, { task: 'send-vault-dispatch', id: String(row['id']) });
}
