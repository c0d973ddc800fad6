import { type AssetId, CustodyError, type DecisionRecord, parseAssetId } from '@bulkhead/domain';
import { bigint, type Queries, type Row, text } from '@bulkhead/postgres';
import { signerSays } from './approval.ts';
import type { Custody } from './custody.ts';
import { readState } from './state.ts';

/** How items about assets stand in the line of a record, where the quotes of the list are escaped. */
const mark = '\\"item\\":\\"asset';

/** Lines that were verified stay so; one process verifies each once. */
const verified = new WeakMap<Custody, Set<string>>();

/** Whether a record says something about assets. */
export function namesAssets({ line }: Pick<DecisionRecord, 'line'>): boolean {
  return line.includes(mark);
}

/**
 * Keccak-256 of the code of each token as the root quorum had it reviewed, hex. It comes from the signer's own records, each of
 * which a pinned identity has signed: the lists of the ceremony and of every change, in their order. So what is compared here is what
 * the signer holds, and nobody who writes to the database or answers at the socket can put another hash in its place. A token that
 * is not in it is not paid by the signer either.
 *
 * Where a stored record is not proven, because somebody changed it or its identity is pinned no more, no code is the reviewed one of
 * the tokens that it names, until a later list names them: they stop, and nothing else does.
 */
export async function reviewedCodes(custody: Custody, db: Queries): Promise<ReadonlyMap<AssetId, string>> {
  const rows = await db.query(
    `select sequence, line, previous, following::text as following, head::text as head from custody.signer_record
     where position('\\"item\\":\\"asset' in line) > 0 order by sequence`,
  );
  const codes = new Map<AssetId, string>();
  for (const row of rows) {
    const fault = faultOf(custody, row);
    for (const item of itemsOf(text(row, 'line'))) {
      if (fault !== undefined) codes.set(item.asset, fault);
      else if (item.item === 'asset-removed') codes.delete(item.asset);
      else if (item.codeHash === '') codes.delete(item.asset);
      else codes.set(item.asset, item.codeHash);
    }
  }
  return codes;
}

/** What stands in the place of a hash and equals none. */
function faultOf(custody: Custody, row: Row): string | undefined {
  const known = verified.get(custody) ?? new Set<string>();
  verified.set(custody, known);
  const line = text(row, 'line');
  if (known.has(line)) return undefined;
  const sequence = bigint(row, 'sequence');
  const record: DecisionRecord = {
    sequence,
    line,
    previous: text(row, 'previous'),
    following: readState<readonly string[]>(text(row, 'following')),
    head: readState<DecisionRecord['head']>(text(row, 'head')),
  };
  try {
    custody.verifyRecord(record);
  } catch (error) {
    if (!(error instanceof CustodyError) || !signerSays(error)) throw error;
    return `nothing that can be believed, because record ${sequence} of the signer is signed by no pinned identity`;
  }
  known.add(line);
  return undefined;
}

type AssetItem =
  | { readonly item: 'asset'; readonly asset: AssetId; readonly codeHash: string }
  | { readonly item: 'asset-removed'; readonly asset: AssetId };

/** Items about assets of a list that the signer took. A refused one may hold anything and is none. */
function itemsOf(line: string): readonly AssetItem[] {
  const { type, list } = readState<{ readonly type?: unknown; readonly list?: unknown }>(line);
  if ((type !== 'opened' && type !== 'changed') || typeof list !== 'string') return [];
  return list.split('\n').slice(1).flatMap(itemOf);
}

function itemOf(line: string): readonly AssetItem[] {
  if (line === '') return [];
  const { item, asset, codeHash } = readState<Readonly<Record<string, unknown>>>(line);
  if (typeof asset !== 'string') return [];
  if (item === 'asset-removed') return [{ item, asset: parseAssetId(asset) }];
  return item === 'asset' && typeof codeHash === 'string' ? [{ item, asset: parseAssetId(asset), codeHash }] : [];
}
