import {
  type AssetId,
  type BlockRef,
  type ChainId,
  chainOf,
  codeHashOfNothing,
  contractOf,
  parseChainId,
  refuse,
  type Refused,
} from '@bulkhead/domain';
import { type Queries, text, type Transaction } from '@bulkhead/postgres';
import { listAssets } from './asset.ts';
import { type BreakEvidence, endBreak } from './break.ts';
import { chainPort } from './cursor.ts';
import { type Custody, machine } from './custody.ts';
import { newId } from './id.ts';
import { enqueue } from './job.ts';
import { record } from './journal.ts';
import { reviewedCodes } from './reviewed-code.ts';
import { readState, writeState } from './state.ts';
import { wakeMax, wakeWaiting } from './waking.ts';

export type CodeBreak = { readonly id: string; readonly reason: string };

/**
 * The open break of a token whose code was another than the reviewed one when it was last looked at. While there is one, nothing of
 * the asset gets a nonce or a first signature, and no deposit of it leaves quarantine: what the new code says about balances and
 * transfers nobody has reviewed, so that a credit could be for coins that the token takes back or never had. What is booked stays
 * booked, and other assets go on.
 */
export async function codeBreak(db: Queries, asset: AssetId): Promise<CodeBreak | undefined> {
  if (contractOf(asset) === undefined) return undefined;
  const [row] = await db.query(
    `select id, evidence::text as evidence from custody.break
     where type = 'token-code' and chain = $1 and asset = $2 and resolved_at is null`,
    [chainOf(asset), asset],
  );
  if (row === undefined) return undefined;
  const id = text(row, 'id');
  const { code } = readState<BreakEvidence>(text(row, 'evidence'));
  const found = code?.found === codeHashOfNothing ? 'has no code' : `has code with the Keccak-256 ${code?.found ?? ''}`;
  const reason = `${asset} ${found}; what was reviewed has ${code?.expected ?? ''} (break ${id}). Nothing of it is paid or credited. Find out what happened to the token; after a review of the new code have the root quorum list its hash.`;
  return { id, reason };
}

/** The refusal of a step that would credit a token whose code nobody has reviewed. */
export async function unreviewedCode(db: Queries, asset: AssetId): Promise<Refused | undefined> {
  const found = await codeBreak(db, asset);
  return found === undefined ? undefined : refuse('asset/code-changed', found.reason, { asset, break: found.id });
}

/** The job `check-token-codes`: at the start of a server, every ten minutes, and when a list changed what was reviewed. */
export async function checkTokenCodes(custody: Custody, chain: string): Promise<void> {
  await lookAtCodes(custody, parseChainId(chain));
}

/**
 * Compares the code of every listed token of a chain, at the newest block that enough sources have, with what was reviewed, and opens
 * or ends its break.
 *
 * @throws CustodyError `chain/unavailable`, `chain/disagreement`, `chain/nonsense`: nothing is known, and nothing is changed
 */
export async function lookAtCodes(custody: Custody, chain: ChainId, only?: AssetId): Promise<void> {
  const { db } = custody;
  const reviewed = await reviewedCodes(custody, db);
  const assets = only === undefined ? (await listAssets(db, chain)).map(({ id }) => id) : [only];
  const port = chainPort(custody, chain);
  for (const asset of assets) {
    const contract = contractOf(asset);
    const expected = reviewed.get(asset);
    if (contract === undefined) continue;
    if (expected === undefined) {
      await db.transaction((tx) => endCodeBreak(custody, tx, { asset, note: 'The signer lists the token no more.' }));
      continue;
    }
    const { latest } = await port.heads();
    const found = await port.codeHash(contract, latest);
    await db.transaction((tx) =>
      found === expected
        ? endCodeBreak(custody, tx, { asset, note: `At block ${latest.number} the code is the reviewed one.` })
        : openCodeBreak(custody, tx, { asset, block: latest, code: { expected, found } }),
    );
  }
}

/** Two looks at one token take turns, so that it has one break. */
async function lockedBreak(tx: Transaction, asset: AssetId): Promise<string | undefined> {
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7405))', [asset]);
  return (await codeBreak(tx, asset))?.id;
}

type Difference = {
  readonly asset: AssetId;
  readonly block: BlockRef;
  readonly code: NonNullable<BreakEvidence['code']>;
};

async function openCodeBreak(custody: Custody, tx: Transaction, { asset, block, code }: Difference): Promise<void> {
  const open = await lockedBreak(tx, asset);
  const evidence = writeState({ block, code } satisfies BreakEvidence);
  if (open !== undefined) {
    await tx.query('update custody.break set evidence = $2 where id = $1', [open, evidence]);
    return;
  }
  const now = custody.clock.now();
  const { breakOwner, breakDeadlineMs } = custody.policy;
  const id = newId('brk', now);
  await tx.query(
    `insert into custody.break (id, type, chain, asset, evidence, owner, deadline, opened_at)
     values ($1, 'token-code', $2, $3, $4, $5, $6, $7)`,
    [id, chainOf(asset), asset, evidence, breakOwner, new Date(now.getTime() + breakDeadlineMs), now],
  );
  const data = { type: 'token-code', asset, block, ...code };
  await record(tx, now, { actor: machine, subject: id, event: 'break-opened', data });
}

/** What waited for the code goes on: payments, and the screening of deposits. */
async function endCodeBreak(
  custody: Custody,
  tx: Transaction,
  { asset, note }: { readonly asset: AssetId; readonly note: string },
): Promise<void> {
  // Read without the lock first: that there is none is the rule, and nothing is to be done then.
  if ((await codeBreak(tx, asset)) === undefined) return;
  const id = await lockedBreak(tx, asset);
  if (id === undefined) return;
  const now = custody.clock.now();
  await endBreak(tx, now, { id, resolution: { action: 'vanished', note, by: [machine.name] } });
  await record(tx, now, { actor: machine, subject: id, event: 'break-vanished', data: { asset, note } });
  await wakeWaiting(tx, { chain: chainOf(asset) });
  const deposits = await tx.query(
    `select id from custody.deposit where asset = $1 and step = 'final' and state ->> 'disposition' = 'client'
       and state ->> 'verdict' is null order by id limit $2`,
    [asset, wakeMax],
  );
  for (const row of deposits) await enqueue(tx, { task: 'screen-deposit', id: text(row, 'id') });
}
