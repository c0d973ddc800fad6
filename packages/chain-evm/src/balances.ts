import { chainOf, CustodyError, invariant } from '@bulkhead/domain';
import type { BalanceQuery, BlockRef, ChainId } from '@bulkhead/domain';
import { agree, type Quorum } from './agreement.ts';
import { decodeAnswers, encodeQueries, queriesPerCallMax, unreadableContract } from './balance-reader.ts';
import type { ProbedSource } from './probed-source.ts';
import { readData } from './shape.ts';

/** Calls under way at the same time at each source. */
const callsAtOnce = 4;

/**
 * Balances at exactly one block, named by its hash (EIP-1898), so that a reorganisation in between cannot mix two states.
 *
 * @throws CustodyError as the port says; `chain/unavailable` also when a node has no state for the block any more, and when
 * a token cannot be read at it, because "unreadable" is not "zero"
 */
export async function readBalances(
  quorum: Quorum<ProbedSource>,
  queries: readonly BalanceQuery[],
  at: BlockRef,
): Promise<readonly bigint[]> {
  const batches: (readonly BalanceQuery[])[] = [];
  for (let start = 0; start < queries.length; start += queriesPerCallMax) {
    batches.push(queries.slice(start, start + queriesPerCallMax));
  }
  const amounts: bigint[] = [];
  for (let start = 0; start < batches.length; start += callsAtOnce) {
    const group = batches.slice(start, start + callsAtOnce);
    const answers = await Promise.all(group.map(async (batch) => await readBatch(quorum, batch, at)));
    for (const answer of answers) amounts.push(...answer);
  }
  return amounts;
}

/** @throws CustodyError `invariant/broken`: a query for another chain is a mistake of the caller */
export function checkQueries(queries: readonly BalanceQuery[], chain: ChainId): void {
  for (const { asset } of queries) invariant(chainOf(asset) === chain, `${asset} is not an asset of ${chain}.`);
}

async function readBatch(
  quorum: Quorum<ProbedSource>,
  queries: readonly BalanceQuery[],
  at: BlockRef,
): Promise<readonly bigint[]> {
  const params = [{ data: encodeQueries(queries) }, { blockHash: at.hash, requireCanonical: true }];
  const agreed = await agree(quorum, {
    subject: `${queries.length} balances at block ${at.number}`,
    ask: async (source, signal) => {
      const value = await source.read({ method: 'eth_call', params }, signal);
      return decodeAnswers(readData(value, 'the answer to balance queries'), queries);
    },
    digest: (answers) => answers.join(','),
  });
  const answers = agreed?.[0];
  invariant(answers !== undefined, 'A source either gives balances or fails.');
  return answers.map((amount) => {
    if (amount !== undefined) return amount;
    const contract = unreadableContract(queries, answers) ?? 'a token';
    throw new CustodyError(
      'chain/unavailable',
      `The balances of ${contract} cannot be read at block ${at.number} (${at.hash}): there is no code at this address then, or its balanceOf fails. Unreadable is not zero: nothing is concluded. Look at the contract, and take it off the assets if it stays so.`,
      { details: { contract, block: at.hash } },
    );
  });
}
