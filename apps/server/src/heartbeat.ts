import { randomUUID } from 'node:crypto';
import { type Custody, heartbeatCall, heartbeatIntent, type LogAnchor, lookAtHeartbeat } from '@bulkhead/custody';
import { type Address, type BlockRef, type ChainId, CustodyError } from '@bulkhead/domain';
import { type Hex, hexOf } from '@bulkhead/vaults';

/** A heartbeat that a quorum has signed: anybody may carry it to the signer set, while the chain still knows the block. */
export type SignedHeartbeat = {
  readonly to: Address;
  readonly data: Hex;
  /** The final block that it names: nobody could sign it earlier. */
  readonly block: BlockRef;
  /** Unix seconds of the one before, by the signer set. */
  readonly last: bigint;
  /** The checkpoint of the audit log that it states. */
  readonly anchor: LogAnchor | undefined;
};

/**
 * Has the signers show that they are there, beside the schedule of the server. People are not asked, and the signers grant one an hour at
 * most.
 *
 * @throws CustodyError `config/invalid` where the chain has no vaults, `signer/…`, and what the chain throws
 */
export async function signHeartbeat(custody: Custody, chain: ChainId): Promise<SignedHeartbeat> {
  const { vaults } = custody;
  const system = vaults?.systems.get(chain);
  if (vaults === undefined || system === undefined) {
    throw new CustodyError(
      'config/invalid',
      `There are no vaults on ${chain}, so nobody waits for a heartbeat there. Name a chain whose configuration has them.`,
    );
  }
  const { signerSet } = system;
  const { final: block, last } = await lookAtHeartbeat(custody, chain, signerSet);
  const anchor = await custody.anchor?.();
  const intent = heartbeatIntent(custody, { id: `vhb_${randomUUID()}`, chain, signerSet, block, anchor });
  const { signatures } = await vaults.quorum.signVault({ intent, evidence: { approvals: [] } });
  return { to: signerSet, data: heartbeatCall(intent, hexOf(signatures)), block, last, anchor };
}
