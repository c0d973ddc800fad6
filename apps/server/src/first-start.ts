import { createHash } from 'node:crypto';
import { type Actor, allowAsset, type Custody, findAsset, walletViews } from '@bulkhead/custody';
import { type Asset, chainOf, CustodyError, parseAddress, parseCompartment } from '@bulkhead/domain';
import type { ChainBoard } from './chain-board.ts';

/** Who allowed what the configuration lists. */
const configurationActor: Actor = { name: 'configuration', role: 'machine' };

/**
 * Allow-lists what the configuration names. The terms of an asset never change, so other terms for one that is there are refused.
 *
 * @throws CustodyError `config/invalid`
 */
export async function allowConfigured(custody: Custody, board: ChainBoard, assets: readonly Asset[]): Promise<void> {
  for (const asset of assets) {
    const known = await findAsset(custody.db, asset.id);
    if (known === undefined) {
      const fingerprint = createHash('sha256').update(terms(asset), 'utf8').digest('hex');
      await allowAsset(
        custody,
        { actor: configurationActor, idempotency: { key: `asset ${asset.id}`, fingerprint } },
        asset,
      );
    } else if (terms(known) !== terms(asset)) {
      throw new CustodyError(
        'config/invalid',
        `The configuration lists ${asset.id} with other terms than the books, and the terms of an asset never change. The books have ${terms(known)}: write that, or remove the entry.`,
      );
    }
  }
  for (const chain of new Set(assets.map((asset) => chainOf(asset.id)))) await board.refresh(chain);
}

function terms({ symbol, decimals, behaviour, dustMax, dti }: Asset): string {
  return JSON.stringify({
    symbol,
    decimals,
    behaviour,
    dustMax: dustMax.toString(),
    ...(dti === undefined ? {} : { dti }),
  });
}

/**
 * Derives the oldest address of the books from the keys that were opened. Another key file beside the same database would issue
 * addresses of one seed and try to sign with another.
 *
 * @throws CustodyError `key/derivation`
 */
export async function holdKeysAgainstBooks(custody: Custody): Promise<void> {
  const [wallet] = await walletViews(custody.db, { after: null, limit: 1 });
  if (wallet === undefined) return;
  const index = Number(wallet.derivationPath.split('/').at(-1));
  const xpub = await custody.signer.accountXpub(parseCompartment(wallet.compartment));
  if (custody.deriveAddress(xpub, index) === parseAddress(wallet.address)) return;
  throw new CustodyError(
    'key/derivation',
    `The books issued ${wallet.address} at ${wallet.derivationPath}, and the opened keys derive another address there: this is not the key file of this database. Put the right key file back, or begin with a new database.`,
    { details: { wallet: wallet.id } },
  );
}
