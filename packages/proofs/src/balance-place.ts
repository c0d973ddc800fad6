import { CustodyError } from '@bulkhead/domain';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { exactly, unsignedBytes, unsignedOf, wordBytes } from './fixed-width.ts';
import type { BalancePlace } from './wallets-file.ts';

/** A mapping of a token's contract that has its balances. */
export type BalanceMapping = Extract<BalancePlace, { readonly slot: bigint }>;

const addressBytes = 20;
const slotMax = 2n ** 256n - 1n;

const form =
  /^(?:(?<decimal>0|[1-9][0-9]{0,77})|(?<hex>0x[0-9a-f]{1,64})|erc7201:(?<namespace>[A-Za-z0-9._-]{1,200}))(?<vyper>:vyper)?$/u;

/**
 * Where a token keeps its balances, as people write it: `9` or `0x9` for the mapping at that slot, `erc7201:openzeppelin.storage.ERC20` for one
 * that stands first in a namespace (ERC-7201), with `:vyper` behind it where the slot is hashed before the address.
 *
 * @throws CustodyError `proof/malformed`
 */
export function parseBalanceMapping(word: string): BalanceMapping {
  const { decimal, hex, namespace, vyper } = form.exec(word)?.groups ?? {};
  const slot = namespace === undefined ? slotOf(decimal ?? hex) : namespaceSlot(namespace);
  if (slot === undefined || slot > slotMax) {
    throw new CustodyError(
      'proof/malformed',
      `"${word.slice(0, 100)}" is no place of balances. Write a slot, such as 9, or a namespace, such as erc7201:openzeppelin.storage.ERC20, and :vyper behind it where the slot is hashed first.`,
    );
  }
  return { form: vyper === undefined ? 'key-slot' : 'slot-key', slot };
}

/** As {@link parseBalanceMapping} reads it; a slot that is too large for people to count in hex. */
export function formatBalanceMapping({ form: order, slot }: BalanceMapping): string {
  const number = slot < 1_000_000n ? slot.toString() : `0x${slot.toString(16)}`;
  return order === 'slot-key' ? `${number}:vyper` : number;
}

function slotOf(number: string | undefined): bigint | undefined {
  return number === undefined ? undefined : BigInt(number);
}

/** The slot of a contract's storage that has the balance of an address of 20 bytes. */
export function balanceSlot({ form: order, slot }: BalanceMapping, address: Uint8Array): bigint {
  const key = concatBytes(new Uint8Array(wordBytes - addressBytes), exactly(address, addressBytes, 'an address'));
  const place = unsignedBytes(slot, wordBytes);
  return unsignedOf(keccak_256(order === 'key-slot' ? concatBytes(key, place) : concatBytes(place, key)));
}

/** The slot where a namespace begins, ERC-7201: keccak256(keccak256(name) - 1) with its last byte cleared. */
export function namespaceSlot(name: string): bigint {
  const inner = unsignedOf(keccak_256(utf8ToBytes(name))) - 1n;
  return (unsignedOf(keccak_256(unsignedBytes(inner, wordBytes))) >> 8n) << 8n;
}
