import {
  type AssetId,
  type ChainId,
  type Compartment,
  type MovementIntent,
  type Refused,
  chainOf,
  gasAccount,
  kindOf,
  nativeAsset,
  refuse,
} from '@bulkhead/domain';
import { type Queries, type Transaction, bigint } from '@bulkhead/postgres';
import { assetNotAllowed, findAsset, listAssets, losesOnTheWay } from './asset.ts';
import { posted } from './books.ts';
import { type Answer, type WriteCall, command, notFound } from './command.ts';
import type { Actor, Custody } from './custody.ts';
import { delegatedSweepViews, isSweptByDelegate, orderDelegatedSweep } from './delegated-sweep.ts';
import { createDispatch, reservedAt } from './dispatch.ts';
import { feeCap } from './fee-cap.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { type MovementFilter, type MovementView, movementViews } from './movement-view.ts';
import { type Wallet, compartmentWallets, findWallet, lockWallet, proven } from './wallet.ts';

/** Most sweeps one request starts; ask again for the rest. */
export const sweepsMax = 200;

export type SweepRequest =
  | { readonly compartment: Compartment; readonly chain: ChainId; readonly asset?: AssetId }
  | { readonly walletId: string; readonly asset?: AssetId };

export type SweepView = MovementView;

/** Sweeps by keys and by delegates. Each list is in the order of ids and as long as the page: what is first in both is the page. */
export async function sweepViews(db: Queries, filter: Omit<MovementFilter, 'kind'>): Promise<readonly SweepView[]> {
  const byKeys = await movementViews(db, { ...filter, kind: 'sweep' });
  return [...byKeys, ...(await delegatedSweepViews(db, filter))]
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, filter.limit);
}

/**
 * Moves what is at the addresses of a compartment to its paying wallet: the pool of an omnibus, the first address of an
 * individual one. Both ends are wallets of one compartment; claims do not change, only where the coins are.
 */
export async function requestSweep(
  custody: Custody,
  call: WriteCall,
  request: SweepRequest,
): Promise<Answer<{ readonly items: readonly SweepView[] }>> {
  return command(custody, call, async (tx, now) => {
    const scope = await scopeOf(tx, request);
    if ('status' in scope) return scope;
    const assets = await sweptAssets(tx, scope.target.chain, request.asset);
    if ('status' in assets) return assets;
    const ids: string[] = [];
    for (const source of scope.sources) {
      for (const asset of assets) {
        if (ids.length >= sweepsMax) break;
        const id = await startSweep(custody, tx, { source, target: scope.target, asset, actor: call.actor, now });
        if (id !== undefined) ids.push(id);
      }
    }
    if (ids.length === 0) {
      return refuse(
        'sweep/nothing-to-move',
        'No address has coins to sweep that are final, in the books and not on their way already.',
      );
    }
    return { items: await sweepViews(tx, { ids, after: null, limit: sweepsMax }) };
  });
}

async function sweptAssets(
  tx: Queries,
  chain: ChainId,
  asked: AssetId | undefined,
): Promise<readonly AssetId[] | Refused> {
  if (asked === undefined) {
    const all = await listAssets(tx, chain);
    return all.filter(({ behaviour }) => behaviour !== 'fee-on-transfer').map(({ id }) => id);
  }
  const asset = await findAsset(tx, asked);
  if (asset === undefined) return assetNotAllowed(asked);
  return asset.behaviour === 'fee-on-transfer' ? losesOnTheWay(asked) : [asked];
}

type Scope = { readonly sources: readonly Wallet[]; readonly target: Wallet };

async function scopeOf(tx: Queries, request: SweepRequest): Promise<Scope | Refused> {
  const one = 'walletId' in request ? await findWallet(tx, request.walletId) : undefined;
  if ('walletId' in request && one === undefined) return notFound('wallet', request.walletId);
  const { chain, compartment } =
    'walletId' in request && one !== undefined ? one : { chain: undefined, compartment: undefined, ...request };
  if (chain === undefined || compartment === undefined) return notFound('wallet', 'unnamed');
  if (request.asset !== undefined && chainOf(request.asset) !== chain) {
    return refuse('sweep/wrong-wallet', `${request.asset} is not an asset of ${chain}.`);
  }
  const wallets = await compartmentWallets(tx, chain, compartment);
  const kind = kindOf(compartment);
  const duty = kind === 'omnibus' ? 'pool' : 'deposit';
  // A compartment with a vault pays from it, and what lies elsewhere goes there.
  const target = wallets.find((wallet) => wallet.kind === 'vault') ?? wallets.find((wallet) => wallet.purpose === duty);
  if (target === undefined || kind === 'house') {
    return refuse(
      'sweep/wrong-wallet',
      `Compartment ${compartment} has no wallet on ${chain} that sweeps could go to.`,
      { compartment },
    );
  }
  // Forwarders have no key, and need none: they are flushed.
  const sources = wallets.filter(
    (wallet) => wallet.kind === 'key' && wallet.id !== target.id && (one === undefined || wallet.id === one.id),
  );
  return { sources, target };
}

/** Native coin that living dispatches will take out of claims. Fees that granted gas pays are left out: they are not in a claim. */
async function claimedNative(tx: Queries, wallet: string, native: AssetId): Promise<bigint> {
  const [row] = await tx.query(
    `select coalesce(sum(case when d.asset = $2 then d.amount else 0 end + case when w.fee_payer = 'client' then d.fee_max else 0 end), 0) as claimed
     from custody.dispatch d left join custody.withdrawal w on w.id = d.subject
     where d.wallet = $1 and d.step <> 'done'`,
    [wallet, native],
  );
  return row === undefined ? 0n : bigint(row, 'claimed');
}

type SweepOrder = {
  readonly source: Wallet;
  readonly target: Wallet;
  readonly asset: AssetId;
  readonly actor: Actor;
  readonly now: Date;
};

async function startSweep(custody: Custody, tx: Transaction, order: SweepOrder): Promise<string | undefined> {
  const { asset, now } = order;
  const source = await lockWallet(tx, order.source.id);
  const native = nativeAsset(source.chain);
  const held = await posted(tx, {
    compartment: source.compartment,
    asset,
    account: { kind: 'wallet', holder: source.id },
  });
  const reserved =
    asset === native
      ? await claimedNative(tx, source.id, native)
      : await reservedAt(tx, source.id, { id: asset, native: false });
  // Granted gas stays at the address: it is there to pay for this sweep and later ones.
  const gas =
    asset === native
      ? await posted(tx, { compartment: source.compartment, asset, account: gasAccount(source.client ?? '') })
      : 0n;
  const amount = held - reserved - gas;
  if (amount <= 0n) return undefined;
  await proven(custody, tx, source);
  const target = await proven(custody, tx, order.target);
  // A delegate takes all that is there, so it is not called while somebody counts on a part of it.
  if (reserved === 0n && (await isSweptByDelegate(custody, tx, { source, target, asset }))) {
    return orderDelegatedSweep(custody, tx, { ...order, source, target, amount });
  }
  const id = newId('swp', now);
  const intent: MovementIntent = {
    deployment: custody.deployment,
    kind: 'sweep',
    id,
    compartment: source.compartment,
    asset,
    to: target.address,
    amount,
    feeMax: feeCap(custody, asset),
  };
  await createDispatch(tx, {
    kind: 'sweep',
    subject: id,
    wallet: source,
    intent,
    requestedBy: order.actor.name,
    toWallet: target.id,
    ...(source.client === undefined ? {} : { client: source.client }),
    now,
  });
  await record(tx, now, { actor: order.actor, subject: id, event: 'sweep-requested', data: intent });
  return id;
}
