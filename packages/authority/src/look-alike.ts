import type { Address } from '@bulkhead/domain';

/** An address one has seen before, and what one calls it. */
export type KnownAddress = { readonly address: Address; readonly label: string };

/** Digits at each end that people compare and attackers can afford to match. */
export const likenessDigits: number = 4;

/** The digits people look at: the first and the last four. */
export function likeness(address: Address): string {
  return address.slice(2, 2 + likenessDigits) + address.slice(-likenessDigits);
}

/** Those among the known addresses that look like this one and are another. */
export function lookAlikes(address: Address, known: Iterable<KnownAddress>): readonly KnownAddress[] {
  const looks = likeness(address);
  return [...known].filter((other) => other.address !== address && likeness(other.address) === looks);
}
