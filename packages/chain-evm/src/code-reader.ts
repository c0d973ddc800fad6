import { invariant } from '@bulkhead/domain';
import type { Address, BlockRef } from '@bulkhead/domain';
import { keccak256 } from 'viem';
import { agree, type Quorum } from './agreement.ts';
import type { ProbedSource } from './probed-source.ts';
import { readData } from './shape.ts';

/**
 * Keccak-256 of the code at an address at exactly one block, named by its hash (EIP-1898), as k sources give it.
 *
 * @throws CustodyError as the port says
 */
export async function readCodeHash(quorum: Quorum<ProbedSource>, address: Address, at: BlockRef): Promise<string> {
  const call = { method: 'eth_getCode', params: [address, { blockHash: at.hash, requireCanonical: true }] };
  const subject = `the code of ${address} at block ${at.number}`;
  const agreed = await agree(quorum, {
    subject,
    ask: async (source, signal) => keccak256(readData(await source.read(call, signal), subject)).slice(2),
    digest: (hash) => hash,
  });
  const hash = agreed?.[0];
  invariant(hash !== undefined, 'A source either gives code or fails.');
  return hash;
}
