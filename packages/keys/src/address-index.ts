import { CustodyError } from '@bulkhead/domain';

/** Largest address index: 31 bits, because the level is not hardened. */
export const addressIndexMax: number = 2 ** 31 - 1;

/** @throws CustodyError `key/derivation` */
export function assertAddressIndex(index: number): void {
  if (!Number.isInteger(index) || index < 0 || index > addressIndexMax) {
    throw new CustodyError(
      'key/derivation',
      `${index} is no address index: a whole number from 0 to ${addressIndexMax}.`,
    );
  }
}
