import { join } from 'node:path';
import type { AssetId } from '@bulkhead/domain';
import { contextOf, type ReserveHeader } from '@bulkhead/proofs';
import { hexOf } from './epoch.ts';

/**
 * Where files of an epoch are, below the folder of a maker. What is below `public` can be served by any static host as it is; what is below
 * `private` has clients and balances in it.
 */
export type EpochFolders = {
  /** Manifest, publication, wallets: for everybody. */
  readonly shown: string;
  /** What the epoch was made of, proofs under way, what single clients are given, and certificates, which name clients. */
  readonly kept: string;
};

export function epochFolders(root: string, header: ReserveHeader): EpochFolders {
  const asset = assetFolder(header.asset);
  // With the beginning of the context: a number whose epoch was abandoned comes again.
  const context = hexOf(contextOf(header)).slice(2, 10);
  return {
    shown: join(root, 'public', asset, String(header.epoch)),
    kept: join(root, 'private', asset, `${header.epoch}-${context}`),
  };
}

/** An asset as the name of a folder and a part of an address: `eip155-1-slip44-60`. */
export function assetFolder(asset: AssetId): string {
  return asset.replaceAll(/[:/]/gu, '-');
}
