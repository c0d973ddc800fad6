import { createReadStream, lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { PublicReserves } from '@bulkhead/api';
import type { AssetId } from '@bulkhead/domain';
import { manifestName, type ProofFile, proofFiles } from '@bulkhead/proofs';
import { assetFolder } from '@bulkhead/reserves';

/** Names clients: shown to whoever may know them, and to nobody by a public path. */
const withheld: ReadonlySet<string> = new Set<ProofFile>(['certificates.bin']);

const publicNames: ReadonlySet<string> = new Set([manifestName, ...proofFiles].filter((name) => !withheld.has(name)));
const assetForm = /^eip155-[1-9][0-9]{0,14}-(?:slip44-60|erc20-0x[0-9a-f]{40})$/u;
const epochForm = /^[1-9][0-9]{0,17}$/u;

/**
 * Files that everybody may read, from the folder of the maker. Each part of a name is one of a closed form, so that no name leads elsewhere;
 * what is found must be a file and no link.
 */
export function publicReservesIn(folder: string): PublicReserves {
  return {
    file: async ({ asset, epoch, name }) => {
      if (!assetForm.test(asset) || !epochForm.test(epoch) || !publicNames.has(name)) return undefined;
      const path = join(folder, 'public', asset, epoch, name);
      const found = lstatSync(path, { throwIfNoEntry: false });
      if (found?.isFile() !== true) return undefined;
      return { bytes: found.size, content: createReadStream(path) };
    },
  };
}

/** Where everybody may read a file of an epoch; null for one that is shown to nobody by a public path. */
export function publicPath(asset: AssetId, epoch: bigint, name: string): string | null {
  return publicNames.has(name) ? `/v1/reserves/${assetFolder(asset)}/${epoch}/${name}` : null;
}
