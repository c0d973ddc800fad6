import {
  type Address,
  type BlockRef,
  type ChainId,
  type ContractLog,
  type Hash,
  parseAddress,
  type WatchSet,
} from '@bulkhead/domain';
import { bigint, type Queries, type Row, text, textOrNull, type Transaction } from '@bulkhead/postgres';
import {
  eventTopic,
  type FactoryEvent,
  type Hex,
  parseFactoryEvent,
  parseVaultEvent,
  parseWord,
  proofEventTopic,
  type VaultEvent,
} from '@bulkhead/vaults';
import { hash } from './cursor.ts';
import type { Custody } from './custody.ts';
import { newId } from './id.ts';
import { hashes } from './keccak.ts';
import { readState, writeState } from './state.ts';
import type { Vault } from './vault-row.ts';
import { vaultsOn } from './vault-chain.ts';
import { afterEvent, initialState, type VaultState } from './vault-state.ts';

/** An event as it is stored. */
export type StoredEvent = {
  readonly id: string;
  readonly block: BlockRef;
  readonly transaction: Hash;
  readonly address: Address;
  readonly topics: readonly Hex[];
  readonly data: Hex;
  readonly explained: string | undefined;
};

type LogPlace = {
  readonly chain: ChainId;
  readonly block: BlockRef;
  readonly watch: WatchSet;
  readonly now: Date;
};

/** Stores the events of a block; those that are there already stand again. The factory makes vaults of others too: those are left out. */
export async function storeLogs(tx: Transaction, logs: readonly ContractLog[], place: LogPlace): Promise<void> {
  const { chain, block, now } = place;
  const kept = logs.filter((log) => concernsUs(log, place.watch));
  if (kept.length === 0) return;
  await tx.query(
    `insert into custody.vault_event (id, chain, block_number, block_hash, transaction_hash, log_index, address, topics, data, observed_at)
     select l.id, $1, $2, $3, l.transaction_hash, l.log_index, l.address, l.topics::jsonb, l.data, $4
     from unnest($5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[], $10::text[])
       as l (id, transaction_hash, log_index, address, topics, data)
     on conflict (chain, block_hash, log_index) do update set removed_at = null`,
    [
      chain,
      block.number,
      block.hash,
      now,
      kept.map(() => newId('vev', now)),
      kept.map((log) => log.transaction),
      kept.map((log) => log.index),
      kept.map((log) => log.address),
      kept.map((log) => writeState(log.topics)),
      kept.map((log) => log.data),
    ],
  );
}

const setQueued = eventTopic(hashes, 'SetQueued');

/** An event of an address of ours, or of a followed contract that names one or names nobody. */
function concernsUs(log: ContractLog, watch: WatchSet): boolean {
  if (watch.has(log.address)) return true;
  // What a registry of proofs names are assets and numbers, some of which look like addresses.
  if (isProofEvent(log)) return watch.contracts?.has(log.address) === true;
  // The number of a version is indexed, and looks like an address with many zeros.
  if (log.topics[0] === setQueued) return watch.contracts?.has(log.address) === true;
  const named = log.topics.slice(1).flatMap(addressIn);
  return watch.contracts?.has(log.address) === true && (named.length === 0 || named.some((one) => watch.has(one)));
}

const proofTopics: ReadonlySet<string> = new Set(
  (['Committed', 'Lapsed', 'WindowEnded', 'Drawn', 'DrawPostponed', 'Proven'] as const).map((name) =>
    proofEventTopic(hashes, name),
  ),
);

function isProofEvent({ topics: [first = ''] }: ContractLog): boolean {
  return proofTopics.has(first);
}

function addressIn(topic: string): readonly Address[] {
  const digits = /^0x0{24}([0-9a-f]{40})$/u.exec(topic)?.[1];
  return digits === undefined ? [] : [parseAddress(`0x${digits}`)];
}

export async function removeLogsAbove(
  tx: Transaction,
  chain: ChainId,
  fork: { readonly height: bigint; readonly now: Date },
): Promise<void> {
  await tx.query(
    'update custody.vault_event set removed_at = $3 where chain = $1 and block_number > $2 and removed_at is null',
    [chain, fork.height, fork.now],
  );
}

const columns = 'id, block_number, block_hash, transaction_hash, address, topics::text as topics, data, explained';

function eventOf(row: Row): StoredEvent {
  return {
    id: text(row, 'id'),
    block: { number: bigint(row, 'block_number'), hash: hash(row, 'block_hash') },
    transaction: hash(row, 'transaction_hash'),
    address: parseAddress(text(row, 'address')),
    topics: readState<readonly string[]>(text(row, 'topics')).map((topic) => parseWord(topic)),
    data: `0x${text(row, 'data').slice(2)}`,
    explained: textOrNull(row, 'explained') ?? undefined,
  };
}

/** The events of one block that stands, in its order. */
export async function blockEvents(db: Queries, chain: ChainId, block: Hash): Promise<readonly StoredEvent[]> {
  const rows = await db.query(
    `select ${columns} from custody.vault_event where chain = $1 and block_hash = $2 and removed_at is null order by log_index`,
    [chain, block],
  );
  return rows.map(eventOf);
}

/** What an event of a vault says. @throws CustodyError `vault/malformed` for one of theirs in another form */
export function readEvent(event: Pick<StoredEvent, 'topics' | 'data'>): VaultEvent | undefined {
  return parseVaultEvent(hashes, event);
}

export function readFactoryEvent(event: Pick<StoredEvent, 'topics' | 'data'>): FactoryEvent | undefined {
  return parseFactoryEvent(hashes, event);
}

/** The final event of the creation of a vault; undefined before there is one. */
export async function creationOf(custody: Custody, db: Queries, vault: Vault): Promise<StoredEvent | undefined> {
  const { chain, address } = vault;
  const [row] = await db.query(
    `select ${columns} from custody.vault_event
     where chain = $1 and removed_at is null and address = $2 and topics ->> 0 = $3 and topics ->> 1 = $4
       and block_number <= (select final_number from custody.chain_cursor where chain = $1)
     order by block_number, log_index limit 1`,
    [
      chain,
      vaultsOn(custody, chain)?.system.factory ?? address,
      eventTopic(hashes, 'VaultCreated'),
      `0x${address.slice(2).padStart(64, '0')}`,
    ],
  );
  return row === undefined ? undefined : eventOf(row);
}

export type VaultHistory = {
  readonly state: VaultState;
  /** The final block that has the creation, or undefined before. */
  readonly created: BlockRef | undefined;
  /** Up to where it is final. */
  readonly final: BlockRef | undefined;
  /** Time of the newest block that is stored, Unix seconds: the vault counts by the chain's time and not by ours. */
  readonly chainSeconds: bigint;
};

/** The final events of a vault, and of the factory about it, in their order. */
export async function finalVaultEvents(
  custody: Custody,
  db: Queries,
  { chain, address }: Pick<Vault, 'chain' | 'address'>,
): Promise<readonly StoredEvent[]> {
  const factory = vaultsOn(custody, chain)?.system.factory ?? address;
  const rows = await db.query(
    `select ${columns} from custody.vault_event
     where chain = $1 and removed_at is null and (address = $2 or (address = $3 and topics ->> 1 = $4))
       and block_number <= (select final_number from custody.chain_cursor where chain = $1)
     order by block_number, log_index`,
    [chain, address, factory, `0x${address.slice(2).padStart(64, '0')}`],
  );
  return rows.map(eventOf);
}

/** What the final events of a vault add up to. What is not final yet is not counted. */
export async function vaultHistory(custody: Custody, db: Queries, vault: Vault): Promise<VaultHistory> {
  const { chain, address, terms } = vault;
  const [cursor] = await db.query(
    `select c.final_number, c.final_hash, extract(epoch from b.mined_at)::bigint as tip_seconds
     from custody.chain_cursor c join custody.block b on b.chain = c.chain and b.hash = c.tip_hash where c.chain = $1`,
    [chain],
  );
  const final =
    cursor === undefined ? undefined : { number: bigint(cursor, 'final_number'), hash: hash(cursor, 'final_hash') };
  let state = initialState(terms);
  let created: BlockRef | undefined;
  for (const event of await finalVaultEvents(custody, db, vault)) {
    if (event.address === address) {
      const read = readEvent(event);
      if (read !== undefined) state = afterEvent(state, read);
    } else if (readFactoryEvent(event)?.event === 'VaultCreated') {
      created = event.block;
    }
  }
  return { state, created, final, chainSeconds: cursor === undefined ? 0n : bigint(cursor, 'tip_seconds') };
}
