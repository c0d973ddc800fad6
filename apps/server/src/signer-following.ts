import { type Followed, followRecovery } from '@bulkhead/custody';
import { openDatabase } from '@bulkhead/postgres';
import { verifyRecord } from '@bulkhead/signer-client';
import type { Configuration } from './config.ts';
import { openCustody } from './wire.ts';

/**
 * Has the books follow the log of a signer that the root quorum let go on from an older state; done by the owner of the tables, with
 * or without a server beside it.
 *
 * @returns undefined where nothing stored differs from what the signer says
 * @throws CustodyError `signer/state-rewound`, `signer/certificate-invalid`, `signer/unavailable`, what opening throws
 */
export async function followSigner(configuration: Configuration): Promise<Followed | undefined> {
  await using opened = await openCustody(configuration);
  await using owner = openDatabase({ ...opened.access.owner, connections: 1 });
  const { signer, pinned } = opened.reached;
  return await followRecovery({
    owner,
    signer,
    verify: (record) => verifyRecord(record, pinned.identities),
    deployment: pinned.deployment,
    clock: opened.custody.clock,
  });
}
