import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type Custody, reserveWallets } from '@bulkhead/custody';
import { type AssetId, chainOf, CustodyError } from '@bulkhead/domain';
import type { Queries } from '@bulkhead/postgres';
import { epochs, type Maker, type Tell } from '@bulkhead/reserves';
import { privateText } from './private-file.ts';

/** Where proofs are made, and with what. */
export type ReserveSettings = {
  readonly folder: string;
  /** A private file: whoever has it and what is published has all balances. */
  readonly secretFile: string;
  readonly threads: number | undefined;
};

/** Bytes of the master secret. */
const secretBytes = 32;

/**
 * The secret that salts and blindings of all epochs follow from, made before the first epoch. It is not made anew once there are epochs:
 * with another one those that are under way could not be ended, nor a lost package be made again.
 *
 * @throws CustodyError `key/missing-file`, `key/damaged-file`, `key/file-access`
 */
export async function masterSecret(
  db: Queries,
  { secretFile }: Pick<ReserveSettings, 'secretFile'>,
): Promise<Uint8Array> {
  if (!existsSync(secretFile) && (await epochs(db, { limit: 1 })).length > 0) {
    throw new CustodyError(
      'key/missing-file',
      `${secretFile} is not there, and proofs were made with the secret in it. Bring it back from where it is kept; a new one would make other proofs.`,
    );
  }
  const digits = privateText(secretFile, () => `${randomBytes(secretBytes).toString('hex')}\n`).trim();
  if (!/^[0-9a-f]{64}$/u.test(digits)) {
    throw new CustodyError('key/damaged-file', `${secretFile} does not hold 64 lower-case hex digits.`);
  }
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

/** A maker of proofs over the books and the chain of an asset. @throws CustodyError `chain/unknown`, and as {@link masterSecret} */
export async function reserveMaker(
  custody: Custody,
  asset: AssetId,
  { settings, tell }: { readonly settings: ReserveSettings; readonly tell?: Tell },
): Promise<Maker> {
  const { db, clock } = custody;
  const chain = custody.chains.get(chainOf(asset));
  if (chain === undefined) {
    throw new CustodyError('chain/unknown', `${chainOf(asset)}, the chain of ${asset}, is not configured.`);
  }
  const { folder, threads } = settings;
  return {
    db,
    chain,
    wallets: reserveWallets,
    master: await masterSecret(db, settings),
    folder,
    clock,
    ...(threads === undefined ? {} : { threads }),
    ...(tell === undefined ? {} : { tell }),
  };
}
