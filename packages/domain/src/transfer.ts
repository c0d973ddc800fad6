import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import type { AccountName } from './account.ts';
import type { AssetId } from './asset.ts';
import type { BlockRef } from './chain.ts';
import type { Compartment } from './compartment.ts';
import { CustodyError, invariant } from './fault.ts';

declare const keyBrand: unique symbol;

/** Idempotency key of a transfer, a UUID. */
export type TransferKey = string & { readonly [keyBrand]: true };

/** The time in front of an id that is a prefix and a UUID version 7: 48 bits, Unix milliseconds. */
const idTime = /^[a-z]+_([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u;

/**
 * A key that follows from what the transfer is for, so that a step that runs twice writes the same key:
 * `transferKey('deposit', id, 'final')`. UUID version 8 (RFC 9562) from SHA-256 over the length-prefixed parts. Where a part is
 * the id of a workflow, the key begins with the time in that id: keys of one time then lie together in the index of the books,
 * which a key at a random place costs a third of its speed once it is large.
 */
export function transferKey(...parts: readonly string[]): TransferKey {
  invariant(parts.length > 0, 'A transfer key was made of nothing: every such transfer would have the same one.');
  const text = parts.map((part) => `${utf8ToBytes(part).length}:${part}`).join(',');
  const bytes = sha256(utf8ToBytes(text)).slice(0, 16);
  const time = parts.map((part) => idTime.exec(part)).find((match) => match !== null);
  if (time !== undefined) bytes.set(hexToBytes(`${time[1] ?? ''}${time[2] ?? ''}`), 0);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytesToHex(bytes);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as TransferKey;
}

/** @throws CustodyError `ledger/malformed-transfer` */
export function parseTransferKey(text: string): TransferKey {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u.test(text)) {
    throw new CustodyError(
      'ledger/malformed-transfer',
      `"${text.slice(0, 60)}" is not a key of a transfer: a UUID in lower case.`,
    );
  }
  return text as TransferKey;
}

/** One debit account, one credit account, one amount, in one book. There is no second book to name. */
type TransferLegs = {
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly debit: AccountName;
  readonly credit: AccountName;
  readonly amount: bigint;
};

type TransferFacts = {
  readonly key: TransferKey;
  /** What the transfer is for, e.g. `deposit-final`: letters, digits, hyphens; shown to people. */
  readonly code: string;
  /** Id of the workflow it belongs to, e.g. `dep_…`. */
  readonly reference: string;
  /** The block that moved the coins. Required when a posted leg is a wallet account, refused otherwise. */
  readonly block?: BlockRef;
  /** Joins transfers of different books that only make sense together: a loss and its obligation. */
  readonly link?: string;
};

/**
 * - `post`: moves value at once.
 * - `hold`: lowers what the debit account may dispose of (and announces it to the credit account) until posted, voided or
 *   timed out.
 * - `post-hold`: moves `amount` (at most what the hold has; the rest is released) of an earlier hold, on its legs.
 * - `void-hold`: releases an earlier hold whole.
 */
export type TransferRequest =
  | (TransferFacts & TransferLegs & { readonly type: 'post' })
  | (TransferFacts & TransferLegs & { readonly type: 'hold'; readonly expiresAt?: Date })
  | (TransferFacts & { readonly type: 'post-hold'; readonly hold: TransferKey; readonly amount: bigint })
  | (TransferFacts & { readonly type: 'void-hold'; readonly hold: TransferKey });

/**
 * Why a transfer was refused, in the order the checks run: a retry is recognised before anything else, and the first
 * reason that applies is the answer. A refusal consumes its key: the same transfer asked again gets the same reason again.
 */
export const transferRefusals = [
  'key-used-with-other-content',
  'linked-transfer-refused',
  'book-unknown',
  'debit-account-unknown',
  'credit-account-unknown',
  'accounts-equal',
  'block-required',
  'block-not-allowed',
  'hold-unknown',
  'hold-already-posted',
  'hold-already-voided',
  'hold-expired',
  'exceeds-hold',
  'insufficient-funds',
  'balance-overflow',
] as const;

export type TransferRefusal = (typeof transferRefusals)[number];

/** `position` is the place of the transfer in the ledger: grows with every transfer, never reused. */
export type TransferOutcome =
  | { readonly status: 'created'; readonly position: bigint }
  | { readonly status: 'exists'; readonly position: bigint }
  | { readonly status: 'refused'; readonly reason: TransferRefusal };
