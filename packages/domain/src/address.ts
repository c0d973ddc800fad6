import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { CustodyError } from './fault.ts';

declare const addressBrand: unique symbol;

/** An EVM address: `0x` and 40 lower-case hex digits. Lower case is the form in the books; people see {@link checksumAddress}. */
export type Address = `0x${string}` & { readonly [addressBrand]: true };

/**
 * Parses an EVM address. Mixed case must carry a right EIP-55 checksum; all lower and all upper case carry none and are
 * taken as they are.
 *
 * @throws CustodyError `address/malformed`, `address/checksum`
 */
export function parseAddress(text: string): Address {
  if (!/^0x[0-9a-fA-F]{40}$/u.test(text)) {
    throw new CustodyError('address/malformed', `"${text.slice(0, 60)}" is not an EVM address: 0x and 40 hex digits.`);
  }
  const lower = text.toLowerCase() as Address;
  const digits = text.slice(2);
  const unchecked = digits === digits.toLowerCase() || digits === digits.toUpperCase();
  if (!unchecked && checksumAddress(lower) !== text) {
    throw new CustodyError(
      'address/checksum',
      `"${text}" fails its EIP-55 checksum: a digit is wrong or the case was changed. Copy the address again from its source.`,
    );
  }
  return lower;
}

/** The EIP-55 form with the checksum in the case of the letters. */
export function checksumAddress(address: Address): `0x${string}` {
  const digits = address.slice(2);
  const hash = bytesToHex(keccak_256(utf8ToBytes(digits)));
  let text = '';
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charAt(i);
    text += Number.parseInt(hash.charAt(i), 16) >= 8 ? digit.toUpperCase() : digit;
  }
  return `0x${text}`;
}
