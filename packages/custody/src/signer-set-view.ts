import { type ChainId, checksumAddress, invariant, parseAddress } from '@bulkhead/domain';
import { bigint, date, type Queries, type Row, text, textOrNull } from '@bulkhead/postgres';
import { parseSignerSetEvent } from '@bulkhead/vaults';
import { approvalRows } from './approval.ts';
import { hash } from './cursor.ts';
import type { Custody } from './custody.ts';
import { hashes } from './keccak.ts';
import { chainsOfSet, memberList, type SignerSetStanding, signerSetStandings } from './signer-set.ts';
import { readState } from './state.ts';

export type SetChangeState = 'awaiting-approval' | 'signing' | 'signed' | 'cancelled' | 'expired';

/** How far a change has come on one chain; `missing` where its contract does not have it. */
export type SetChangeStanding = {
  readonly chain: ChainId;
  readonly state: 'missing' | 'queued' | 'in-force';
  /** From when on; null for what the chain does not have, or what another version has followed. */
  readonly activeFrom: string | null;
  /** Why it is not carried there. */
  readonly reason: string | null;
  /** In which the contract said so, whoever sent it; null before that is final. */
  readonly transactionHash: string | null;
  readonly block: { readonly number: string; readonly hash: string } | null;
};

export type SetChangeView = {
  readonly id: string;
  readonly signerSet: string;
  readonly number: string;
  readonly members: readonly string[];
  readonly threshold: number;
  readonly state: SetChangeState;
  readonly reason: string | null;
  readonly approvals: readonly { readonly by: string; readonly at: string }[];
  readonly chains: readonly SetChangeStanding[];
  readonly intentDigest: string;
  readonly expiresAt: string;
  readonly requestedBy: string;
  readonly createdAt: string;
  readonly updatedAt: string;
};

export type SetChangeFilter = { readonly id?: string; readonly after: string | null; readonly limit: number };

const states: Readonly<Record<string, SetChangeState>> = {
  queued: 'awaiting-approval',
  signing: 'signing',
  signed: 'signed',
  cancelled: 'cancelled',
  expired: 'expired',
};

export async function setChangeViews(
  custody: Custody,
  db: Queries,
  filter: SetChangeFilter,
): Promise<readonly SetChangeView[]> {
  const rows = await db.query(
    `select id, signer_set, number, members, threshold, step, waiting_reason, intent_digest, expires_at, requested_by, created_at, updated_at
     from custody.signer_set_change where ($1::text is null or id = $1) and ($2::text is null or id > $2) order by id limit $3`,
    [filter.id ?? null, filter.after, filter.limit],
  );
  const approvals = await approvalRows(
    db,
    rows.map((row) => text(row, 'id')),
  );
  const views: SetChangeView[] = [];
  for (const row of rows) views.push(await viewOf(custody, db, { row, approvals }));
  return views;
}

export async function setChangeView(custody: Custody, db: Queries, id: string): Promise<SetChangeView> {
  const [view] = await setChangeViews(custody, db, { id, after: null, limit: 1 });
  invariant(view !== undefined, 'A change of the set that was just stored is not there.', { id });
  return view;
}

type Found = { readonly row: Row; readonly approvals: readonly Row[] };

async function viewOf(custody: Custody, db: Queries, { row, approvals }: Found): Promise<SetChangeView> {
  const id = text(row, 'id');
  const signerSet = parseAddress(text(row, 'signer_set'));
  const number = bigint(row, 'number');
  const state = states[text(row, 'step')];
  invariant(state !== undefined, 'A change of the set is in a state that there is not.', { id });
  const standings = state === 'signed' ? await signerSetStandings(db, signerSet) : [];
  const chains: SetChangeStanding[] = [];
  for (const chain of state === 'signed' ? chainsOfSet(custody, signerSet) : []) {
    const standing = standings.find((one) => one.chain === chain);
    chains.push(standingOf(chain, number, { standing, told: await queuedIn(db, chain, { signerSet, number }) }));
  }
  return {
    id,
    signerSet: checksumAddress(signerSet),
    number: number.toString(),
    members: memberList(text(row, 'members')).map(checksumAddress),
    threshold: Number(bigint(row, 'threshold')),
    state,
    reason: textOrNull(row, 'waiting_reason'),
    approvals: approvals
      .filter((one) => one['subject'] === id)
      .map((one) => ({ by: text(one, 'person'), at: date(one, 'at').toISOString() })),
    chains,
    intentDigest: text(row, 'intent_digest'),
    expiresAt: iso(bigint(row, 'expires_at')),
    requestedBy: text(row, 'requested_by'),
    createdAt: date(row, 'created_at').toISOString(),
    updatedAt: date(row, 'updated_at').toISOString(),
  };
}

type Told = Pick<SetChangeStanding, 'transactionHash' | 'block'> & { readonly activeFrom: bigint | undefined };

function standingOf(
  chain: ChainId,
  number: bigint,
  { standing, told }: { readonly standing: SignerSetStanding | undefined; readonly told: Told },
): SetChangeStanding {
  const { transactionHash, block } = told;
  const isThere = standing !== undefined && standing.newest >= number;
  const activeFrom = told.activeFrom ?? (standing?.newest === number ? standing.newestFrom : undefined);
  const isInForce = standing !== undefined && standing.current >= number;
  return {
    chain,
    state: isInForce ? 'in-force' : isThere ? 'queued' : 'missing',
    activeFrom: !isThere || activeFrom === undefined ? null : iso(activeFrom),
    reason: isThere ? null : (standing?.reason ?? null),
    transactionHash,
    block,
  };
}

/** The final event by which the contract of a chain said that it has a version. */
async function queuedIn(
  db: Queries,
  chain: ChainId,
  { signerSet, number }: { readonly signerSet: string; readonly number: bigint },
): Promise<Told> {
  const [row] = await db.query(
    `select block_number, block_hash, transaction_hash, topics::text as topics, data from custody.vault_event
     where chain = $1 and address = $2 and removed_at is null and topics ->> 1 = $3
       and block_number <= (select final_number from custody.chain_cursor where chain = $1)
     order by block_number limit 1`,
    [chain, signerSet, `0x${number.toString(16).padStart(64, '0')}`],
  );
  if (row === undefined) return { activeFrom: undefined, transactionHash: null, block: null };
  const topics = readState<readonly `0x${string}`[]>(text(row, 'topics'));
  const event = parseSignerSetEvent(hashes, { topics, data: `0x${text(row, 'data').slice(2)}` });
  return {
    activeFrom: event?.event === 'SetQueued' ? event.activeFrom : undefined,
    transactionHash: text(row, 'transaction_hash'),
    block: { number: bigint(row, 'block_number').toString(), hash: hash(row, 'block_hash') },
  };
}

function iso(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString();
}
