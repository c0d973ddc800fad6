import type { Address } from './address.ts';
import type { WatchSet } from './chain.ts';

/** 20 bytes are five words of 32 bits. */
const wordsPerAddress = 5;
const capacityMin = 1024;
/** Above this share of used places the table is doubled: open addressing slows down when it is full. */
const loadMax = 0.6;

/**
 * A set of addresses in one flat table: 20 bytes for each place, at most 0.6 of the places used, so a million addresses take
 * about 42 MB. It only grows, because an address that was issued once is watched for ever.
 */
export class AddressSet implements WatchSet {
  #words: Uint32Array = new Uint32Array(capacityMin * wordsPerAddress);
  #capacity: number = capacityMin;
  #size = 0;
  /** The zero address marks an empty place in the table, so its own membership is kept apart. */
  #holdsZero = false;
  readonly #probe: Uint32Array = new Uint32Array(wordsPerAddress);

  constructor(addresses: Iterable<Address> = []) {
    for (const address of addresses) this.add(address);
  }

  /** Number of different addresses. */
  get size(): number {
    return this.#size + (this.#holdsZero ? 1 : 0);
  }

  /** Adds an address; adding it again changes nothing. */
  add(address: Address): void {
    this.#read(address);
    if (this.#isZero(this.#probe, 0)) {
      this.#holdsZero = true;
      return;
    }
    const place = this.#find(this.#probe, 0);
    if (!this.#isZero(this.#words, place)) return;
    this.#words.set(this.#probe, place);
    this.#size += 1;
    if (this.#size > this.#capacity * loadMax) this.#grow();
  }

  has(address: Address): boolean {
    this.#read(address);
    if (this.#isZero(this.#probe, 0)) return this.#holdsZero;
    return !this.#isZero(this.#words, this.#find(this.#probe, 0));
  }

  #read(address: Address): void {
    for (let word = 0; word < wordsPerAddress; word++) {
      const start = 2 + word * 8;
      this.#probe[word] = Number.parseInt(address.slice(start, start + 8), 16);
    }
  }

  /** The place of the address at `offset` of `words`, or the empty place where it would go. */
  #find(words: Uint32Array, offset: number): number {
    let index = this.#hash(words, offset) & (this.#capacity - 1);
    while (true) {
      const place = index * wordsPerAddress;
      if (this.#isZero(this.#words, place) || this.#isEqual(place, words, offset)) return place;
      index = (index + 1) & (this.#capacity - 1);
    }
  }

  /** FNV-1a over the words, with a last mix of the upper bits into the lower ones that pick the place. */
  #hash(words: Uint32Array, offset: number): number {
    let hash = 0x811c9dc5;
    for (let word = 0; word < wordsPerAddress; word++) {
      hash = Math.imul(hash ^ (words[offset + word] ?? 0), 0x01000193);
      hash ^= hash >>> 15;
    }
    return hash >>> 0;
  }

  #isZero(words: Uint32Array, offset: number): boolean {
    for (let word = 0; word < wordsPerAddress; word++) {
      if (words[offset + word] !== 0) return false;
    }
    return true;
  }

  #isEqual(place: number, words: Uint32Array, offset: number): boolean {
    for (let word = 0; word < wordsPerAddress; word++) {
      if (this.#words[place + word] !== words[offset + word]) return false;
    }
    return true;
  }

  #grow(): void {
    const old = this.#words;
    this.#capacity *= 2;
    this.#words = new Uint32Array(this.#capacity * wordsPerAddress);
    for (let offset = 0; offset < old.length; offset += wordsPerAddress) {
      if (this.#isZero(old, offset)) continue;
      this.#words.set(old.subarray(offset, offset + wordsPerAddress), this.#find(old, offset));
    }
  }
}
