import type { AssetId } from './asset.ts';
import type { Compartment } from './compartment.ts';
import { CustodyError } from './fault.ts';

declare const bookBrand: unique symbol;

/** Database id of a book: one compartment and one asset. */
export type BookId = number & { readonly [bookBrand]: true };

/** @throws CustodyError `account/unknown` */
export function parseBookId(id: number): BookId {
  if (!Number.isSafeInteger(id) || id < 1) throw new CustodyError('account/unknown', `${id} is no id of a book.`);
  return id as BookId;
}

/** Kinds of account in a book; section "Books" of the design says what each one means. */
export type AccountKind =
  | 'wallet'
  | 'loss'
  | 'available'
  | 'quarantine'
  | 'gas'
  | 'fee-payable'
  | 'suspense'
  | 'equity'
  | 'fee-income'
  | 'network-fee'
  | 'obligation';

/** Debit-normal accounts grow by debits (what we have or are owed), credit-normal ones by credits (what we owe). */
export type AccountSide = 'debit' | 'credit';

type AccountRule = {
  readonly side: AccountSide;
  /** The database refuses a transfer that would take `posted - pending out` below zero. */
  readonly neverNegative: boolean;
  readonly holder: 'wallet' | 'client' | 'client-or-none' | 'none';
  /** Exists in house and group compartments only. */
  readonly houseOnly: boolean;
};

export const accountRules: Readonly<Record<AccountKind, AccountRule>> = {
  wallet: { side: 'debit', neverNegative: false, holder: 'wallet', houseOnly: false },
  loss: { side: 'debit', neverNegative: true, holder: 'none', houseOnly: false },
  available: { side: 'credit', neverNegative: true, holder: 'client', houseOnly: false },
  quarantine: { side: 'credit', neverNegative: true, holder: 'client', houseOnly: false },
  gas: { side: 'credit', neverNegative: true, holder: 'client-or-none', houseOnly: false },
  'fee-payable': { side: 'credit', neverNegative: true, holder: 'client', houseOnly: false },
  suspense: { side: 'credit', neverNegative: true, holder: 'none', houseOnly: false },
  equity: { side: 'credit', neverNegative: false, holder: 'none', houseOnly: true },
  'fee-income': { side: 'credit', neverNegative: true, holder: 'none', houseOnly: true },
  'network-fee': { side: 'debit', neverNegative: true, holder: 'none', houseOnly: true },
  obligation: { side: 'credit', neverNegative: true, holder: 'none', houseOnly: true },
};

/** Names an account inside a book without knowing its number. `holder` is a client id, a wallet id or ''. */
export type AccountName = {
  readonly kind: AccountKind;
  readonly holder: string;
};

/** What the books say of one account. All amounts in base units of the book's asset. */
export type AccountPosition = AccountName & {
  readonly book: BookId;
  readonly number: number;
  readonly compartment: Compartment;
  readonly asset: AssetId;
  readonly side: AccountSide;
  /** Net posted balance, positive on the account's normal side. */
  readonly posted: bigint;
  /** Sum of open holds that would lower `posted`. */
  readonly pendingOut: bigint;
  /** Sum of open holds that would raise `posted`. */
  readonly pendingIn: bigint;
};
