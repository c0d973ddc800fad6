import { type BlockRef, CustodyError, invariant } from '@bulkhead/domain';
import { type Queries, text, type Transaction } from '@bulkhead/postgres';
import { cloneCode, configHash, eventTopic, hexOf } from '@bulkhead/vaults';
import { type BreakEvidence, endBreak } from './break.ts';
import { chainPort } from './cursor.ts';
import { type Custody, machine } from './custody.ts';
import { freeze } from './freeze.ts';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import { writeState } from './state.ts';
import { proveContract } from './vault-address.ts';
import { expectVaultsOn } from './vault-chain.ts';
import { creationOf, readFactoryEvent, type StoredEvent } from './vault-event.ts';
import { wakeVault } from './vault-gate.ts';
import { findVault, lockVault, type Vault } from './vault-row.ts';

export type VaultDifference = NonNullable<BreakEvidence['vault']>;

/** Vaults that one final block, or one look of the schedule, asks to be checked. */
export const vaultChecksMax = 1_000;

/**
 * Asks for a check of every vault that has an event and whose creation was not found right yet: of a final block, in its transaction, and
 * of all blocks by the schedule.
 */
export async function askForVaultChecks(
  tx: Queries,
  { chain, block }: { readonly chain: string; readonly block?: BlockRef },
): Promise<void> {
  const rows = await tx.query(
    `select distinct v.id from custody.vault_event e
     join custody.vault v on v.chain = e.chain and v.wallet is not null
       and (v.address = e.address or (e.topics ->> 0 = $2 and e.topics ->> 1 = '0x' || lpad(substr(v.address, 3), 64, '0')))
     join custody.chain_cursor c on c.chain = e.chain
     where e.chain = $1 and e.removed_at is null and ($3::text is null or e.block_hash = $3)
       and ($3::text is not null or e.block_number <= c.final_number)
       and not exists (select from custody.vault_event k where k.chain = v.chain and k.removed_at is null and k.explained = v.id
         and k.topics ->> 0 = $2)
     order by v.id limit $4`,
    [chain, eventTopic(hashes, 'VaultCreated'), block?.hash ?? null, vaultChecksMax],
  );
  for (const row of rows) await enqueue(tx, { task: 'check-vault', id: text(row, 'id') });
}

/**
 * The job `check-vault`: holds what stands at the address of a vault, and the event of its creation, against the certificate that the client
 * has. The code of all vaults is the same but for the address of the implementation, which is inside, so every byte of it is known. What
 * differs opens a break and freezes the compartment. No word of people ends it: it ends when a later look finds everything right, which
 * a source that lied or a wrong configuration may come to, and a contract that is another one never does.
 *
 * @throws CustodyError `chain/unavailable`, `chain/disagreement`, `chain/nonsense`, `chain/behind-books`: nothing is known, and nothing is
 * changed
 */
export async function checkVault(custody: Custody, id: string): Promise<void> {
  const vault = await findVault(custody.db, id);
  if (vault?.wallet === undefined) return;
  const creation = await creationOf(custody, custody.db, vault);
  const { block, difference } = await differenceOf(custody, vault, creation);
  await custody.db.transaction(async (tx) => {
    // Two looks at one vault take turns, so that it has one break.
    await lockVault(tx, id);
    if (difference !== undefined) return openBreak(custody, tx, { vault, block, difference });
    invariant(creation !== undefined, 'A vault without the event of its creation was found right.', { id });
    await tx.query('update custody.vault_event set explained = $2 where id = $1 and explained is null', [
      creation.id,
      id,
    ]);
    await endCodeBreak(custody, tx, { vault, block });
    await wakeVault(tx, id);
  });
}

type Look = { readonly block: BlockRef; readonly difference: VaultDifference | undefined };

async function differenceOf(custody: Custody, vault: Vault, creation: StoredEvent | undefined): Promise<Look> {
  const port = chainPort(custody, vault.chain);
  const { final: block } = await port.heads();
  if (creation !== undefined && block.number < creation.block.number) {
    // In its past the vault has no code, which is no word against it.
    throw new CustodyError(
      'chain/behind-books',
      `${port.id} shows block ${block.number} as its newest final one, and the creation of ${vault.address} is final in block ${creation.block.number}: the sources are behind. The vault is looked at again when they have caught up.`,
    );
  }
  const uncertified = await uncertifiedOf(custody, vault);
  if (uncertified !== undefined) return { block, difference: uncertified };
  const told = creation === undefined ? 'no event' : toldBy(creation);
  if (told !== vault.configHash) {
    return { block, difference: { what: 'event', expected: vault.configHash, found: told } };
  }
  const { system } = expectVaultsOn(custody, vault.chain);
  const expected = hexOf(hashes.keccak256(cloneCode(system.vaultImplementation))).slice(2);
  const found = await port.codeHash(vault.address, block);
  return { block, difference: found === expected ? undefined : { what: 'code', expected, found } };
}

/** The hash of the configuration that the factory says it created the vault with. */
function toldBy(event: StoredEvent): string {
  try {
    const read = readFactoryEvent(event);
    return read?.event === 'VaultCreated' ? configHash(hashes, read.config) : 'another event';
  } catch (error) {
    if (!(error instanceof CustodyError) || error.code !== 'vault/malformed') throw error;
    return 'an event of another form';
  }
}

/** Whether address and configuration of the row are those of the certificates. */
async function uncertifiedOf(custody: Custody, vault: Vault): Promise<VaultDifference | undefined> {
  const { wallet: id, chain, address, configHash: expected } = vault;
  invariant(id !== undefined, 'A vault without a wallet was checked.', { id: vault.id });
  const found = configHash(hashes, vault.terms.config);
  if (found !== expected) return { what: 'certificate', expected, found };
  try {
    await proveContract(custody, custody.db, { id, chain, address, kind: 'vault' });
    return undefined;
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    if (error.code !== 'wallet/address-mismatch' && error.code !== 'signer/certificate-invalid') throw error;
    return { what: 'certificate', expected, found: error.message };
  }
}

/** The open break of a vault, if it has one. */
async function breakOf(tx: Queries, vault: Vault): Promise<string | undefined> {
  const [row] = await tx.query(
    `select id from custody.break where type = 'vault-code' and chain = $1 and wallet = $2 and resolved_at is null`,
    [vault.chain, vault.wallet ?? ''],
  );
  return row === undefined ? undefined : text(row, 'id');
}

type Found = { readonly vault: Vault; readonly block: BlockRef; readonly difference: VaultDifference };

async function openBreak(custody: Custody, tx: Transaction, { vault, block, difference }: Found): Promise<void> {
  const open = await breakOf(tx, vault);
  const evidence = writeState({ block, vault: difference } satisfies BreakEvidence);
  if (open !== undefined) {
    await tx.query('update custody.break set evidence = $2 where id = $1', [open, evidence]);
    return;
  }
  const now = custody.clock.now();
  const { breakOwner, breakDeadlineMs } = custody.policy;
  const { chain, compartment, wallet } = vault;
  const id = newId('brk', now);
  await tx.query(
    `insert into custody.break (id, type, chain, compartment, wallet, evidence, owner, deadline, opened_at)
     values ($1, 'vault-code', $2, $3, $4, $5, $6, $7, $8)`,
    [id, chain, compartment, wallet ?? null, evidence, breakOwner, new Date(now.getTime() + breakDeadlineMs), now],
  );
  const data = { type: 'vault-code', vault: vault.id, block, ...difference };
  await record(tx, now, { actor: machine, subject: id, event: 'break-opened', data });
  // Commit point: from here on nobody is asked to sign for the compartment. What is signed already may still be carried by anybody.
  await freeze(tx, now, { compartment, cause: id });
}

async function endCodeBreak(
  custody: Custody,
  tx: Transaction,
  { vault, block }: { readonly vault: Vault; readonly block: BlockRef },
): Promise<void> {
  const id = await breakOf(tx, vault);
  if (id === undefined) return;
  const now = custody.clock.now();
  const note = `At block ${block.number} code and event of ${vault.address} are those of the certificate.`;
  await endBreak(tx, now, { id, resolution: { action: 'vanished', note, by: [machine.name] } });
  await record(tx, now, { actor: machine, subject: id, event: 'break-vanished', data: { vault: vault.id, note } });
}
