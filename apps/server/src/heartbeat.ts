import { randomUUID } from 'node:crypto';
import { nobleHashes } from '@bulkhead/authority';
import type { Custody } from '@bulkhead/custody';
import { type Address, type BlockRef, type ChainId, CustodyError, type VaultIntent } from '@bulkhead/domain';
import { answerOf, callData, type Hex, hexOf, parseWord, signerSetCalls, signerSetQuestions } from '@bulkhead/vaults';

/** A heartbeat that a quorum has signed: anybody may carry it to the signer set, while the chain still knows the block. */
export type SignedHeartbeat = {
  readonly to: Address;
  readonly data: Hex;
  /** The final block that it names: nobody could sign it earlier. */
  readonly block: BlockRef;
  /** Unix seconds of the one before, by the signer set. */
  readonly last: bigint;
};

/** Nothing is attested besides. */
const noStatement = '0'.repeat(64);

/**
 * Has the signers show that they are there. People are not asked, and the signers grant one an hour at most.
 *
 * @throws CustodyError `config/invalid` where the chain has no vaults, `signer/…`, and what the chain throws
 */
export async function signHeartbeat({ vaults, chains, deployment }: Custody, chain: ChainId): Promise<SignedHeartbeat> {
  const system = vaults?.systems.get(chain);
  const port = chains.get(chain);
  if (vaults === undefined || system === undefined || port === undefined) {
    throw new CustodyError(
      'config/invalid',
      `There are no vaults on ${chain}, so nobody waits for a heartbeat there. Name a chain whose configuration has them.`,
    );
  }
  const { signerSet } = system;
  const { final: block } = await port.heads();
  const question = signerSetQuestions.lastHeartbeat;
  const last = answerOf(question, await port.read(signerSet, callData(nobleHashes, question, {}), block));
  const blockHash = parseWord(block.hash);
  const intent: VaultIntent = {
    deployment,
    kind: 'signer-set-heartbeat',
    id: `vhb_${randomUUID()}`,
    chain,
    signerSet,
    blockNumber: block.number,
    blockHash: blockHash.slice(2),
    statement: noStatement,
  };
  const { signatures } = await vaults.quorum.signVault({ intent, evidence: { approvals: [] } });
  const beat = { blockNumber: block.number, blockHash, statement: parseWord(`0x${noStatement}`) };
  const data = callData(nobleHashes, signerSetCalls.heartbeat, { beat, signatures: hexOf(signatures) });
  return { to: signerSet, data, block, last };
}
