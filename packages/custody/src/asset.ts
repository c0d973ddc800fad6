import {
  type Asset,
  type AssetId,
  type Refused,
  type TokenBehaviour,
  chainOf,
  invariant,
  parseAssetId,
  refuse,
} from '@bulkhead/domain';
import { type Queries, type Row, bigint, date, integer, text, textOrNull } from '@bulkhead/postgres';
import { type Answer, type WriteCall, command } from './command.ts';
import type { Custody } from './custody.ts';
import { record } from './journal.ts';

export type AssetView = {
  readonly asset: string;
  readonly chain: string;
  readonly symbol: string;
  readonly decimals: number;
  readonly behaviour: TokenBehaviour;
  readonly dustMax: string;
  readonly dti: string | null;
  readonly allowedBy: string;
  readonly allowedAt: string;
};

const columns = 'id, chain, symbol, decimals, behaviour, dust_max, dti, allowed_by, created_at';

function behaviourOf(value: string): TokenBehaviour {
  invariant(
    value === 'native' || value === 'standard' || value === 'fee-on-transfer',
    `"${value}" is no token behaviour.`,
  );
  return value;
}

function assetOf(row: Row): Asset {
  const dti = textOrNull(row, 'dti');
  return {
    id: parseAssetId(text(row, 'id')),
    symbol: text(row, 'symbol'),
    decimals: integer(row, 'decimals'),
    behaviour: behaviourOf(text(row, 'behaviour')),
    dustMax: bigint(row, 'dust_max'),
    ...(dti === null ? {} : { dti }),
  };
}

function viewOf(row: Row): AssetView {
  const asset = assetOf(row);
  return {
    asset: asset.id,
    chain: chainOf(asset.id),
    symbol: asset.symbol,
    decimals: asset.decimals,
    behaviour: asset.behaviour,
    dustMax: asset.dustMax.toString(),
    dti: asset.dti ?? null,
    allowedBy: text(row, 'allowed_by'),
    allowedAt: date(row, 'created_at').toISOString(),
  };
}

/** The allow-listed asset, or undefined. */
export async function findAsset(tx: Queries, id: AssetId): Promise<Asset | undefined> {
  const [row] = await tx.query(`select ${columns} from custody.asset where id = $1`, [id]);
  return row === undefined ? undefined : assetOf(row);
}

/** Why a token that keeps a part of every transfer stays where it is. */
export function losesOnTheWay(id: AssetId): Refused {
  return refuse(
    'asset/fee-on-transfer',
    `${id} keeps a part of every transfer: moving it between our own wallets would lose what belongs to clients.`,
    {
      asset: id,
    },
  );
}

export function assetNotAllowed(id: AssetId): Refused {
  return refuse('asset/not-allowed', `${id} is not on the list of assets; an admin can add it with POST /v1/assets.`, {
    asset: id,
  });
}

/** All allow-listed assets, of one chain or of all, in the order they were added. */
export async function listAssets(tx: Queries, chain?: string): Promise<readonly Asset[]> {
  const rows = await tx.query(
    `select ${columns} from custody.asset where $1::text is null or chain = $1 order by created_at, id`,
    [chain ?? null],
  );
  return rows.map(assetOf);
}

export type AssetFilter = { readonly chain?: string; readonly after: string | null; readonly limit: number };

export async function assetViews(tx: Queries, filter: AssetFilter): Promise<readonly AssetView[]> {
  const rows = await tx.query(
    `select ${columns} from custody.asset
     where ($1::text is null or chain = $1) and ($2::text is null or id > $2) order by id limit $3`,
    [filter.chain ?? null, filter.after, filter.limit],
  );
  return rows.map(viewOf);
}

/** Puts an asset on the list. The same asset again answers what is there; its terms never change. */
export async function allowAsset(custody: Custody, call: WriteCall, asset: Asset): Promise<Answer<AssetView>> {
  return command(custody, call, async (tx, now) => {
    await tx.query(
      `insert into custody.asset (id, chain, symbol, decimals, behaviour, dust_max, dti, allowed_by, created_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing`,
      [
        asset.id,
        chainOf(asset.id),
        asset.symbol,
        asset.decimals,
        asset.behaviour,
        asset.dustMax,
        asset.dti ?? null,
        call.actor.name,
        now,
      ],
    );
    await record(tx, now, { actor: call.actor, subject: asset.id, event: 'asset-allowed', data: asset });
    const [row] = await tx.query(`select ${columns} from custody.asset where id = $1`, [asset.id]);
    invariant(row !== undefined, 'An asset that was just stored is not there.', { asset: asset.id });
    return viewOf(row);
  });
}
