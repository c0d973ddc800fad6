import { eraseJournal, erasePersonal, findClient, namingFacts, noteRetention, recordErasure } from '@bulkhead/custody';
import { erasedAtOnceMax, eraseOpenings, lengthenRetention, openedLeaves } from '@bulkhead/log';
import type { Database } from '@bulkhead/postgres';
import { needed, readOptions } from '../command-line.ts';
import { type ExitCode, exitCodes, UsageError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { byHand } from './address.ts';
import { reached } from './audit-access.ts';

const { actor } = byHand('audit');

/** Destroys what retention is over for: openings of leaves, or all that names a client. */
export async function erase(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('audit', terminal.words, {
    leaf: { type: 'string', multiple: true },
    client: { type: 'string' },
    reason: { type: 'string' },
  });
  const reason = needed('audit erase', 'reason', options.reason);
  const leaves = options.leaf ?? [];
  if ((leaves.length === 0) === (options.client === undefined)) {
    throw new UsageError('audit erase needs --leaf or --client.');
  }
  if (leaves.some((leaf) => !/^[0-9]{1,15}$/u.test(leaf))) throw new UsageError('--leaf needs the number of a leaf.');
  await using opened = await reached(terminal, 'owner');
  const { db } = opened;
  if (options.client === undefined) {
    await eraseLeaves(db, { leaves: leaves.map(Number), reason });
    terminal.out(`${leaves.length} openings are destroyed; the leaves stay.`);
  } else if (!(await eraseClient(terminal, db, { client: options.client, reason }))) return exitCodes.found;
  // What was replaced or removed leaves the tables as well. From backups it goes when they end.
  for (const table of ['custody.personal', 'custody.journal', 'log.opening']) await db.query(`vacuum ${table}`);
  return exitCodes.ok;
}

type Order = { readonly leaves: readonly number[]; readonly reason: string; readonly client?: string };

/** @returns rows of personal data that went with the leaves */
async function eraseLeaves(db: Database, { leaves, reason, client }: Order): Promise<readonly string[]> {
  const now = new Date();
  let personal: readonly string[] = [];
  await eraseOpenings(db, {
    leaves,
    eraseContents: async (tx, positions) => {
      await eraseJournal(tx, positions, now);
      personal = client === undefined ? [] : await erasePersonal(tx, client, now);
    },
    record: (tx, erased) => recordErasure(tx, now, { actor, leaves: erased, personal, reason }),
  });
  return personal;
}

async function eraseClient(
  terminal: Terminal,
  db: Database,
  { client, reason }: { readonly client: string; readonly reason: string },
): Promise<boolean> {
  const leaves = await openedLeaves(db, await namingFacts(db, client));
  const found = await findClient(db, client);
  if (found === undefined || (found.erasedAt !== null && leaves.length === 0)) {
    terminal.out(found === undefined ? `There is no client ${client}.` : `What names ${client} was erased before.`);
    return false;
  }
  // The rows first, in one transaction with the first leaves: what is refused is refused before anything is gone. A crash behind it leaves
  // leaves, which the next call finds.
  const personal = await eraseLeaves(db, { leaves: leaves.slice(0, erasedAtOnceMax), reason, client });
  for (let from = erasedAtOnceMax; from < leaves.length; from += erasedAtOnceMax) {
    await eraseLeaves(db, { leaves: leaves.slice(from, from + erasedAtOnceMax), reason });
  }
  terminal.out(
    `What names ${client} is destroyed: ${personal.length} rows, and the openings of ${leaves.length} leaves.`,
  );
  return true;
}

/** Has openings and personal data kept for longer. */
export async function retain(terminal: Terminal): Promise<ExitCode> {
  const options = readOptions('audit', terminal.words, { years: { type: 'string' }, reason: { type: 'string' } });
  const reason = needed('audit retain', 'reason', options.reason);
  const years = needed('audit retain', 'years', options.years);
  if (!/^[1-9][0-9]?$/u.test(years)) throw new UsageError('--years needs a number from 1 to 99.');
  await using opened = await reached(terminal, 'owner');
  const now = new Date();
  const period = `${years} years`;
  await opened.db.transaction(async (tx) => {
    await lengthenRetention(tx, now, { period, reason });
    await noteRetention(tx, now, { actor, period, reason });
  });
  terminal.out(`Openings of leaves and what names clients is kept for ${period} at least.`);
  return exitCodes.ok;
}
