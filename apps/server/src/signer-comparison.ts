import { type LostGrant, lostGrants } from '@bulkhead/custody';
import type { Configuration } from './config.ts';
import { openCustody } from './wire.ts';

/**
 * What the signer granted and this database does not know: after a backup of it was put back. Nothing runs by itself meanwhile, and
 * nothing is written but migrations.
 *
 * @throws CustodyError as `lostGrants` and opening throw
 */
export async function compareWithSigner(configuration: Configuration): Promise<readonly LostGrant[]> {
  await using opened = await openCustody(configuration);
  return await lostGrants(opened.custody);
}
