import { type FeeTerms, feeMax } from './chain.ts';

/** Nodes replace a pending transaction only if both fee fields grow by at least this much. */
export const bumpPercentMin = 10n;

/**
 * Fee terms for a transaction that takes the place of a pending one: both fields up by at least 10 % (rounded up), or to what
 * the chain asks now where that is more. Undefined when the cap, in wei for the whole transaction, does not allow it.
 */
export function bumpFeeTerms(previous: FeeTerms, current: FeeTerms, cap: bigint): FeeTerms | undefined {
  const terms: FeeTerms = {
    gasLimit: previous.gasLimit > current.gasLimit ? previous.gasLimit : current.gasLimit,
    maxFeePerGas: larger(raisedUp(previous.maxFeePerGas), current.maxFeePerGas),
    maxPriorityFeePerGas: larger(raisedUp(previous.maxPriorityFeePerGas), current.maxPriorityFeePerGas),
  };
  return feeMax(terms) <= cap ? terms : undefined;
}

/** A tenth of nothing is nothing, but a node wants more than before: zero becomes one. */
function raisedUp(fee: bigint): bigint {
  return fee === 0n ? 1n : (fee * (100n + bumpPercentMin) + 99n) / 100n;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
