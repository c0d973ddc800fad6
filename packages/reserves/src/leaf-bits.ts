import type { Tier } from '@bulkhead/proofs';

/** Decimal digits of the largest number of 64 bits, all but the first. */
const digitsOf64 = 19;

/** Coins of an asset that there can be: ten to this power. */
const coinDigits = 10;

/**
 * Bits of a leaf, for ever the same for an asset: 64 where they hold ten milliards of its coins, else 128, which is twice the work. In a
 * coarser unit 64 are enough for any asset, and then a compartment that holds exactly what it owes looks as if it lacked a unit.
 */
export function leafBits(of: {
  readonly tier: Tier;
  readonly decimals: number;
  readonly unitExponent: number;
}): 64 | 128 {
  const narrow = digitsOf64 - (of.decimals - of.unitExponent) >= coinDigits;
  return of.tier === 'confidential' && narrow ? 64 : 128;
}
