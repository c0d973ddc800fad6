import type { FeeTerms } from '@bulkhead/domain';

/** Nodes replace a transaction of the mempool only when both fees rise by a tenth at least. */
const bumpNumerator = 110n;
const bumpDenominator = 100n;

/**
 * Fee terms for a replacement of the same nonce: at least a tenth above `previous` in both fees, rounded up, and what the
 * market asks now where that is more.
 *
 * @param feeCap the most the replacement may burn, in wei: gas limit times fee
 * @returns undefined when even the smallest bump is above the cap
 */
export function bumpTerms(previous: FeeTerms, current: FeeTerms, feeCap: bigint): FeeTerms | undefined {
  const gasLimit = larger(previous.gasLimit, current.gasLimit);
  const feeMin = bumpedUp(previous.maxFeePerGas);
  const priorityMin = bumpedUp(previous.maxPriorityFeePerGas);
  const affordable = feeCap / gasLimit;
  if (affordable < feeMin) return undefined;
  const maxFeePerGas = smaller(larger(feeMin, current.maxFeePerGas), affordable);
  if (priorityMin > maxFeePerGas) return undefined;
  const maxPriorityFeePerGas = smaller(larger(priorityMin, current.maxPriorityFeePerGas), maxFeePerGas);
  return { gasLimit, maxFeePerGas, maxPriorityFeePerGas };
}

/** A tenth more, rounded up, and one wei at least: a tenth of nothing would not be more. */
function bumpedUp(fee: bigint): bigint {
  const bumped = (fee * bumpNumerator + bumpDenominator - 1n) / bumpDenominator;
  return larger(bumped, fee + 1n);
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
