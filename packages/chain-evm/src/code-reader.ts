import { CustodyError, invariant } from '@bulkhead/domain';
import type { Address, BlockRef, Hex } from '@bulkhead/domain';
import { keccak256 } from 'viem';
import { agree, type Quorum } from './agreement.ts';
import type { ProbedSource } from './probed-source.ts';
import { saysItFails } from './refusal.ts';
import { readData } from './shape.ts';
import { refused } from './source.ts';

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

/**
 * What a contract answers to a call at exactly one block, as k sources give it.
 *
 * @throws CustodyError `transaction/rejected` where k sources say that the call fails, and as the port says
 */
export async function readContract(
  quorum: Quorum<ProbedSource>,
  { contract, data }: { readonly contract: Address; readonly data: Hex },
  at: BlockRef,
): Promise<Hex> {
  const call = {
    method: 'eth_call',
    params: [
      { to: contract, data },
      { blockHash: at.hash, requireCanonical: true },
    ],
  };
  const subject = `what ${contract} answers at block ${at.number}`;
  const agreed = await agree(quorum, {
    subject,
    ask: async (source, signal): Promise<Hex | 'fails'> => {
      const answer = await source.ask(call, signal);
      if (answer.ok) return readData(answer.result, subject);
      if (saysItFails(answer)) return 'fails';
      throw refused(call, answer);
    },
    digest: (answer) => answer,
  });
  const answer = agreed?.[0];
  invariant(answer !== undefined, 'A source either gives an answer or fails.');
  if (answer !== 'fails') return answer;
  throw new CustodyError('transaction/rejected', `The call of ${contract} at block ${at.number} fails: ${data}.`, {
    details: { contract, data },
  });
}
