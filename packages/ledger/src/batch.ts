import { hash } from 'node:crypto';
import { type AccountName, accountRules, amountMax, CustodyError, type TransferRequest } from '@bulkhead/domain';
import type { SqlValue } from '@bulkhead/postgres';

/** Most transfers in one call of the posting function. */
export const batchTransfersMax = 8_192;
export const referenceLengthMax = 128;

const codePattern = /^[a-z][a-z0-9-]{0,63}$/u;
const textPattern = /^[!-{}~]{1,128}$/u;
const keyPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u;
const hashPattern = /^0x[0-9a-f]{64}$/u;

function malformed(request: TransferRequest, fact: string): CustodyError {
  return new CustodyError(
    'ledger/malformed-transfer',
    `Transfer ${request.key.slice(0, 64)} is malformed: ${fact}. Its key is not consumed.`,
    {
      details: { key: request.key.slice(0, 64) },
    },
  );
}

function checkAccount(request: TransferRequest, name: AccountName): void {
  const rule = accountRules[name.kind];
  const isHeld = name.holder !== '';
  if ((rule.holder === 'none' && isHeld) || ((rule.holder === 'client' || rule.holder === 'wallet') && !isHeld)) {
    throw malformed(request, `an account "${name.kind}" ${isHeld ? 'has no holder' : 'needs a holder'}`);
  }
  if (isHeld && !textPattern.test(name.holder)) {
    throw malformed(request, 'the holder has characters an id does not have');
  }
}

function checkAmount(request: TransferRequest, amount: bigint): void {
  if (amount <= 0n || amount > amountMax) {
    throw malformed(request, `the amount ${amount} is not between 1 and 2^256 - 1`);
  }
}

/**
 * Checks what can be checked without the books. The database checks the same once more.
 *
 * @throws CustodyError `ledger/malformed-transfer`; the key is not consumed
 */
export function checkRequest(request: TransferRequest): void {
  if (!keyPattern.test(request.key)) throw malformed(request, 'the key is not a UUID in lower case');
  if (!codePattern.test(request.code)) {
    throw malformed(request, 'the code is not made of lower-case letters, digits and hyphens');
  }
  if (!textPattern.test(request.reference)) {
    throw malformed(request, 'the reference is empty, too long or has characters an id does not have');
  }
  if (request.link !== undefined && !textPattern.test(request.link)) {
    throw malformed(request, 'the link has characters an id does not have');
  }
  if (
    request.block !== undefined &&
    (request.block.number < 0n || request.block.number >= 2n ** 63n || !hashPattern.test(request.block.hash))
  ) {
    throw malformed(request, 'the block is not a height and a 32-byte hash');
  }
  if (request.type === 'post' || request.type === 'hold') {
    checkAccount(request, request.debit);
    checkAccount(request, request.credit);
  } else if (!keyPattern.test(request.hold)) {
    throw malformed(request, 'the key of the hold is not a UUID in lower case');
  }
  if (request.type !== 'void-hold') checkAmount(request, request.amount);
  if (request.type === 'hold' && request.expiresAt !== undefined && Number.isNaN(request.expiresAt.getTime())) {
    throw malformed(request, 'the expiry is not a time');
  }
}

function legs(request: TransferRequest): string {
  if (request.type !== 'post' && request.type !== 'hold') return '';
  const book = `${request.compartment}|${request.asset}`;
  return `${book}|${request.debit.kind}|${request.debit.holder}|${book}|${request.credit.kind}|${request.credit.holder}`;
}

/** Seconds since 1970 as the database writes them: six digits after the point. */
function epoch(time: Date): string {
  const ms = BigInt(time.getTime());
  const sign = ms < 0n ? '-' : '';
  const absolute = ms < 0n ? -ms : ms;
  return `${sign}${absolute / 1000n}.${(absolute % 1000n).toString().padStart(3, '0')}000`;
}

/**
 * SHA-256 over the content of a request, in hex: the same as the SQL function `ledger.digest`, which the audit uses to compute
 * it again. Computed here because this machine has more cores to spare than the database.
 */
export function transferDigest(request: TransferRequest): string {
  const amount = request.type === 'void-hold' ? '' : request.amount;
  const hold = request.type === 'post-hold' || request.type === 'void-hold' ? request.hold : '';
  const expiry = request.type === 'hold' && request.expiresAt !== undefined ? epoch(request.expiresAt) : '';
  const block = request.block === undefined ? '|' : `${request.block.number}|${request.block.hash.slice(2)}`;
  return hash(
    'sha256',
    `${request.key}|${request.type}|${legs(request)}|${amount}|${request.code}|${request.reference}|${request.link ?? ''}|${hold}|${expiry}|${block}`,
    'hex',
  );
}

/** A column of the batch as an array literal. The driver's own encoder quotes every element; ids and numbers need none. */
class Column {
  readonly #items: string[] = [];
  #isUsed = false;

  plain(value: string | number | bigint | undefined): void {
    if (value !== undefined) this.#isUsed = true;
    this.#items.push(value === undefined ? 'NULL' : String(value));
  }

  quoted(value: string | undefined): void {
    if (value !== undefined) this.#isUsed = true;
    this.#items.push(
      value === undefined
        ? 'NULL'
        : `"${value.includes('"') || value.includes('\\') ? value.replace(/["\\]/gu, '\\$&') : value}"`,
    );
  }

  /** Null for a column nobody used, so that the server sees at once that there is nothing in it. */
  literal(): string | null {
    return this.#isUsed ? `{${this.#items.join(',')}}` : null;
  }

  /** Like {@link literal}, but an array even when it is empty. */
  list(): string {
    return `{${this.#items.join(',')}}`;
  }
}

/** Gives each distinct name an index, in order of first appearance, beginning with 1 as SQL arrays do. */
class Names {
  readonly #indexes = new Map<string, number>();

  index(name: string, add: () => void): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    const index = this.#indexes.size + 1;
    this.#indexes.set(name, index);
    add();
    return index;
  }
}

class Batch {
  readonly #bookNames = new Names();
  readonly #accountNames = new Names();
  readonly #bookCompartment = new Column();
  readonly #bookAsset = new Column();
  readonly #accountBook = new Column();
  readonly #accountKind = new Column();
  readonly #accountHolder = new Column();
  readonly #group = new Column();
  readonly #type = new Column();
  readonly #key = new Column();
  readonly #debit = new Column();
  readonly #credit = new Column();
  readonly #amount = new Column();
  readonly #code = new Column();
  readonly #reference = new Column();
  readonly #link = new Column();
  readonly #hold = new Column();
  readonly #expiry = new Column();
  readonly #blockNumber = new Column();
  readonly #blockHash = new Column();
  readonly #digest = new Column();

  #account(book: number, name: AccountName): number {
    return this.#accountNames.index(`${book}|${name.kind}|${name.holder}`, () => {
      this.#accountBook.plain(book);
      this.#accountKind.plain(name.kind);
      this.#accountHolder.quoted(name.holder);
    });
  }

  add(request: TransferRequest, group: number): void {
    this.#group.plain(group);
    this.#type.plain(request.type);
    this.#key.plain(request.key);
    this.#code.plain(request.code);
    this.#reference.quoted(request.reference);
    this.#link.quoted(request.link);
    this.#blockNumber.plain(request.block?.number);
    this.#blockHash.quoted(request.block === undefined ? undefined : `\\x${request.block.hash.slice(2)}`);
    this.#digest.quoted(`\\x${transferDigest(request)}`);
    this.#amount.plain(request.type === 'void-hold' ? undefined : request.amount);
    if (request.type === 'post' || request.type === 'hold') {
      const book = this.#bookNames.index(`${request.compartment}|${request.asset}`, () => {
        this.#bookCompartment.plain(request.compartment);
        this.#bookAsset.plain(request.asset);
      });
      this.#debit.plain(this.#account(book, request.debit));
      this.#credit.plain(this.#account(book, request.credit));
      this.#hold.plain(undefined);
      this.#expiry.quoted(request.type === 'hold' ? request.expiresAt?.toISOString() : undefined);
    } else {
      this.#debit.plain(undefined);
      this.#credit.plain(undefined);
      this.#hold.plain(request.hold);
      this.#expiry.quoted(undefined);
    }
  }

  values(now: Date): readonly SqlValue[] {
    return [
      now.toISOString(),
      this.#bookCompartment.list(),
      this.#bookAsset.list(),
      this.#accountBook.list(),
      this.#accountKind.list(),
      this.#accountHolder.list(),
      this.#group.list(),
      this.#type.list(),
      this.#key.list(),
      this.#debit.literal(),
      this.#credit.literal(),
      this.#amount.literal(),
      this.#code.list(),
      this.#reference.list(),
      this.#link.literal(),
      this.#hold.literal(),
      this.#expiry.literal(),
      this.#blockNumber.literal(),
      this.#blockHash.literal(),
      this.#digest.list(),
    ];
  }
}

/** Arguments of the posting function for these groups, in order. */
export function batchValues(groups: readonly (readonly TransferRequest[])[], now: Date): readonly SqlValue[] {
  const batch = new Batch();
  for (const [group, requests] of groups.entries()) {
    for (const request of requests) batch.add(request, group);
  }
  return batch.values(now);
}
