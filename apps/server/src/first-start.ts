import { createHash } from 'node:crypto';
import { type Actor, allowAsset, type Custody, findAsset, type ListedWalletView, walletViews } from '@bulkhead/custody';
import {
  type Asset,
  type CertifiedAccount,
  chainOf,
  type Compartment,
  CustodyError,
  parseAddress,
  parseCompartment,
} from '@bulkhead/domain';
import { type Pinned, verifyAccount } from '@bulkhead/signer-client';
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
 * Derives the oldest address of the books from the account that the signer certifies. Another seed beside the same database would
 * issue addresses of one seed and sign with another. A signer that does not answer now is asked again before each use of a key.
 *
 * @throws CustodyError `key/derivation`, `signer/certificate-invalid`
 */
export async function holdKeysAgainstBooks(custody: Custody, pinned: Pinned): Promise<void> {
  const wallets = await walletViews(custody, { after: null, limit: 50 });
  const wallet = wallets.find(({ derivationPath }) => derivationPath !== null);
  if (wallet === undefined || wallet.derivationPath === null) return;
  if (wallet.address === null) throw unproven(wallet);
  const index = Number(wallet.derivationPath.split('/').at(-1));
  const account = await accountOrSilence(custody, parseCompartment(wallet.compartment));
  if (account === undefined) return;
  verifyAccount(account, pinned);
  if (custody.deriveAddress(account, index) === parseAddress(wallet.address)) return;
  throw new CustodyError(
    'key/derivation',
    `The books issued ${wallet.address} at ${wallet.derivationPath}, and the keys of the signer derive another address there: this is not the signer of this database, or somebody changed the row. Put the right signer back, or begin with a new database.`,
    { details: { wallet: wallet.id } },
  );
}

function unproven({ id, problem }: ListedWalletView): CustodyError {
  return new CustodyError(
    problem ?? 'wallet/address-mismatch',
    `The oldest wallet of the books, ${id}, is not one of the keys that the pinned identities certify: this is not the signer of this database, or somebody changed the database. Put the right signer back, or find out who wrote there.`,
    { details: { wallet: id } },
  );
}

async function accountOrSilence(custody: Custody, compartment: Compartment): Promise<CertifiedAccount | undefined> {
  try {
    return await custody.signer.account(compartment);
  } catch (error) {
    if (error instanceof CustodyError && standsStill(error.code)) return undefined;
    throw error;
  }
}

/** A signer that is away, waits for people or cannot reach its hardware stops no deposits and no books: withdrawals wait. */
function standsStill(code: string): boolean {
  return code.startsWith('hsm/') || standstills.has(code);
}

const standstills: ReadonlySet<string> = new Set([
  'signer/not-ready',
  'signer/other-signer-active',
  'signer/state-damaged',
  'signer/state-rewound',
  'signer/unavailable',
]);
