import { CustodyError } from './fault.ts';

/** 2^256 - 1, the largest value an EVM word and `numeric(78,0)` as we use it can hold. */
export const amountMax: bigint = 2n ** 256n - 1n;
const baseUnits = /^(?:0|[1-9][0-9]{0,77})$/u;

/**
 * Parses an amount in base units from the wire: decimal digits only, no sign, no leading zero, no exponent, at most
 * 2^256 - 1. Zero is an amount; operations that move value refuse it with {@link parsePositiveAmount}.
 *
 * @throws CustodyError `amount/malformed`, `amount/out-of-range`
 */
export function parseAmount(text: string): bigint {
  if (!baseUnits.test(text)) {
    throw new CustodyError(
      'amount/malformed',
      `"${text.slice(0, 90)}" is not an amount: write it in the asset's smallest unit as decimal digits, without sign, point or leading zero.`,
    );
  }
  return bounded(BigInt(text), text);
}

/** @throws CustodyError as {@link parseAmount}, and `amount/out-of-range` for zero */
export function parsePositiveAmount(text: string): bigint {
  const amount = parseAmount(text);
  if (amount === 0n) throw new CustodyError('amount/out-of-range', 'The amount is zero: give at least one base unit.');
  return amount;
}

/**
 * Parses a human decimal ("1.5") of an asset with `decimals` digits after the point into base units. Digits that the
 * asset does not have are refused, never rounded: common parsers round them, upwards too.
 *
 * @throws CustodyError `amount/malformed`, `amount/out-of-range`
 */
export function parseDecimal(text: string, decimals: number): bigint {
  const match = /^(0|[1-9][0-9]{0,77})(?:\.([0-9]{1,77}))?$/u.exec(text);
  const whole = match?.[1];
  if (whole === undefined) {
    throw new CustodyError('amount/malformed', `"${text.slice(0, 90)}" is not a decimal amount such as "12.5".`);
  }
  const fraction = match?.[2] ?? '';
  if (fraction.length > decimals) {
    throw new CustodyError(
      'amount/malformed',
      `"${text}" has ${fraction.length} digits after the point; the asset has ${decimals}. Nothing is rounded: leave the extra digits out.`,
    );
  }
  return bounded(BigInt(whole + fraction.padEnd(decimals, '0')), text);
}

function bounded(amount: bigint, text: string): bigint {
  if (amount > amountMax) {
    throw new CustodyError(
      'amount/out-of-range',
      `${text} is above 2^256 - 1 base units, the largest amount there is.`,
    );
  }
  return amount;
}

/** Formats base units for people: exact, without trailing zeros. `formatDecimal(1_500_000n, 6)` is `1.5`. */
export function formatDecimal(amount: bigint, decimals: number): string {
  const sign = amount < 0n ? '-' : '';
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/u, '');
  return fraction === '' ? sign + whole : `${sign}${whole}.${fraction}`;
}
