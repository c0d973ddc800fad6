import { concatBytes } from '@noble/hashes/utils.js';
import { artefactHead, openArtefact } from './artefact.ts';
import { hasRow } from './claim.ts';
import { exactly, type FieldReader, malformed, unsignedBytes, wordBytes } from './fixed-width.ts';
import { encodeHeader, type ReserveHeader, takeHeader } from './header.ts';
import { ascend } from './plain-proof.ts';
import { type CompartmentWallets, encodeCompartmentWallets, readCompartmentWallets } from './wallet-list.ts';

/** Where the state of the chain has the balance of an address, as the custodian says. A verifier does not take it from here alone. */
export type BalancePlace =
  /** The native coin: in the account. */
  | { readonly form: 'account' }
  /** In a mapping of the token's contract: `key-slot` hashes address then slot (Solidity), `slot-key` slot then address (Vyper). */
  | { readonly form: 'key-slot' | 'slot-key'; readonly slot: bigint }
  /** The token works its balances out, or nobody looked. */
  | { readonly form: 'unknown' };

/** All wallets of one epoch and asset. */
export type WalletsFile = {
  readonly header: ReserveHeader;
  readonly context: Uint8Array;
  readonly balances: BalancePlace;
  /** Strictly ascending, as the rows of the publication; a compartment that holds nothing may have no wallet. */
  readonly compartments: readonly CompartmentWallets[];
};

const formNumber: Readonly<Record<BalancePlace['form'], number>> = {
  account: 1,
  'key-slot': 2,
  'slot-key': 3,
  unknown: 4,
};

/**
 * The bytes of a file, compartment after compartment, so that a million wallets need no memory twice.
 *
 * @param of.count how many compartments come
 * @throws CustodyError `proof/malformed` for wallets or compartments that are out of order, of the house, or more or fewer than said
 */
export function* walletsFile(of: {
  readonly header: ReserveHeader;
  readonly balances: BalancePlace;
  readonly count: number;
  readonly compartments: Iterable<CompartmentWallets>;
}): Generator<Uint8Array> {
  yield concatBytes(
    artefactHead('wallets'),
    encodeHeader(of.header),
    placeBytes(of.balances),
    unsignedBytes(of.count, 4),
  );
  let before = -1;
  let count = 0;
  for (const each of of.compartments) {
    const { compartment } = each;
    if (!hasRow(compartment) || compartment <= before) {
      throw malformed(`compartment ${compartment} is of the house, or does not come after ${before}`);
    }
    before = compartment;
    count += 1;
    yield encodeCompartmentWallets(each);
  }
  if (count !== of.count) throw malformed(`there are ${count} compartments, not ${of.count}`);
}

function placeBytes(place: BalancePlace): Uint8Array {
  const slot = 'slot' in place ? unsignedBytes(place.slot, wordBytes) : new Uint8Array(wordBytes);
  return concatBytes(unsignedBytes(formNumber[place.form], 1), exactly(slot, wordBytes, 'a slot'));
}

/** Reads a file back; undefined for anything that {@link walletsFile} does not write, and for an address that stands in it twice. */
export function readWalletsFile(bytes: Uint8Array): WalletsFile | undefined {
  const fields = openArtefact('wallets', bytes);
  const head = fields === undefined ? undefined : takeHeader(fields);
  if (fields === undefined || head === undefined) return undefined;
  const balances = readPlace(fields);
  const count = fields.number(4);
  if (balances === undefined || count === undefined) return undefined;
  const compartments: CompartmentWallets[] = [];
  const seen = new Set<string>();
  for (let at = 0; at < count; at += 1) {
    const each = readCompartmentWallets(fields);
    if (each === undefined || !hasRow(each.compartment)) return undefined;
    for (const { address } of each.wallets) {
      if (seen.has(address)) return undefined;
      seen.add(address);
    }
    compartments.push(each);
  }
  return fields.ended() && ascend(compartments) ? { ...head, balances, compartments } : undefined;
}

function readPlace(fields: FieldReader): BalancePlace | undefined {
  const form = fields.number(1);
  const slot = fields.unsigned(wordBytes);
  if (slot === undefined) return undefined;
  if (form === formNumber['key-slot']) return { form: 'key-slot', slot };
  if (form === formNumber['slot-key']) return { form: 'slot-key', slot };
  if (slot !== 0n) return undefined;
  if (form === formNumber.account) return { form: 'account' };
  return form === formNumber.unknown ? { form: 'unknown' } : undefined;
}
