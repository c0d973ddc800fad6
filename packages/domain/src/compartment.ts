import { CustodyError } from './fault.ts';

declare const compartmentBrand: unique symbol;

/**
 * The number of a ring-fence: hardened account level of its keys, half of the key of its books. uint31, because a
 * hardened BIP-32 index carries 31 bits.
 */
export type Compartment = number & { readonly [compartmentBrand]: true };

export type CompartmentKind = 'house' | 'group' | 'omnibus' | 'individual';

/** First number of each kind. The kind follows from the number, so that no database has to be believed about it. */
export const compartmentFirst: Readonly<Record<CompartmentKind, number>> = {
  house: 0,
  group: 5_000,
  omnibus: 10_000,
  individual: 100_000,
};
export const compartmentMax: number = 2 ** 31 - 1;

/** House compartments with a fixed duty, apart from each other and from every client. */
export const houseGas: Compartment = 1 as Compartment;
export const houseFees: Compartment = 2 as Compartment;
/** Keys of sets of signers. They sign for vaults and hold no coin. */
export const houseSigners: Compartment = 3 as Compartment;

/** @throws CustodyError `compartment/out-of-range` */
export function parseCompartment(number: number): Compartment {
  if (!Number.isInteger(number) || number < 0 || number > compartmentMax) {
    throw new CustodyError(
      'compartment/out-of-range',
      `${number} is not a compartment: a whole number from 0 to ${compartmentMax}.`,
    );
  }
  // Minus zero is a whole number too, and would be a second zero.
  return (number === 0 ? 0 : number) as Compartment;
}

export function kindOf(compartment: Compartment): CompartmentKind {
  if (compartment >= compartmentFirst.individual) return 'individual';
  if (compartment >= compartmentFirst.omnibus) return 'omnibus';
  if (compartment >= compartmentFirst.group) return 'group';
  return 'house';
}

/** Segregation model of a client on a chain, in the words of EMIR art. 39 and CSDR art. 38. */
export type Segregation = 'individual' | 'omnibus';
