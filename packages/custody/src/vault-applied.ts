import { type BlockRef, type Chain, type ChainId, contractOf } from '@bulkhead/domain';
import type { Queries } from '@bulkhead/postgres';
import {
  answerOf,
  callData,
  hexOf,
  nativeToken,
  type VaultEvent,
  vaultIntentDigest,
  vaultQuestions,
} from '@bulkhead/vaults';
import { hashes } from './keccak.ts';
import { type DispatchedIntent, vaultDispatchColumns, vaultDispatchOf } from './vault-dispatch.ts';

export type AppliedOrder = { readonly chain: ChainId; readonly block: BlockRef };

/**
 * What people decided about vaults and whose nonce a block has used, of vaults that said something in it. Most events of such things name
 * no nonce, and the vault itself is asked, at exactly this block, so that nobody's other pause is taken for ours.
 */
export async function takenDecided(
  db: Queries,
  port: Chain,
  { chain, block }: AppliedOrder,
): Promise<ReadonlySet<string>> {
  const rows = await db.query(
    `select ${vaultDispatchColumns} from custody.vault_dispatch
     where chain = $1 and kind not in ('vault-withdrawal', 'vault-fee') and step in ('signing', 'relaying')
       and exists (select from custody.vault v join custody.vault_event e on e.chain = v.chain and e.address = v.address
         where v.id = vault_dispatch.vault and e.block_hash = $2 and e.removed_at is null) order by id`,
    [chain, block.hash],
  );
  const taken = new Set<string>();
  for (const dispatch of rows.map(vaultDispatchOf)) {
    const question = vaultQuestions.nonceUsed;
    const asked = callData(hashes, question, { side: 'quorum', nonce: dispatch.nonce });
    const { vault } = dispatch.intent;
    if (answerOf(question, await port.read(vault, asked, block))) taken.add(dispatch.id);
  }
  return taken;
}

/** Whether an event of a vault is what was decided about it. */
export function isAppliedBy(intent: DispatchedIntent, event: VaultEvent): boolean {
  switch (intent.kind) {
    case 'vault-pause':
      return event.event === 'Paused' && event.side === 'quorum';
    case 'vault-limit-lowering':
      return (
        event.event === 'LimitSet' &&
        event.token === (contractOf(intent.asset) ?? nativeToken) &&
        event.cap === intent.cap &&
        event.unlisted === (intent.window === 'unlisted')
      );
    case 'vault-destination-removal':
      return event.event === 'DestinationRemoved' && event.side === 'quorum' && event.to === intent.to;
    case 'vault-key-recovery':
      return event.event === 'KeyRotationQueued' && event.change === hexOf(vaultIntentDigest(hashes, intent));
    case 'vault-withdrawal':
    case 'vault-fee':
      return false;
  }
}
