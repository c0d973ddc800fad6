import { CustodyError, invariant } from '@bulkhead/domain';
import type Slip39Library from 'slip39';
import { type Secret, secretOf } from './memory.ts';
import { entropyBytesAllowed } from './mnemonic.ts';
import { masterFingerprint } from './tree.ts';

/** Most shares of one secret (SLIP-39). */
export const shareCountMax: number = 16;

/** What a share says of itself without betraying anything (SLIP-39). */
export type ShareFacts = {
  /** 15 random bits that all shares of one splitting have in common. */
  readonly set: number;
  /** From 1. */
  readonly member: number;
  /** How many shares are needed. */
  readonly threshold: number;
  readonly words: number;
};

/**
 * Splits an entropy into shares for paper (SLIP-39, one group, no passphrase): any `threshold` of them give it back, fewer say nothing.
 * 16 bytes become 20 words, 32 bytes 33 words. The shares are of the entropy, not of the seed: entropy → words of BIP-39 without a
 * passphrase → seed. A wallet that knows SLIP-39 would make other addresses of them.
 *
 * Shares are text for people, hence JavaScript strings, which nothing wipes: split and combine in a process that ends.
 *
 * @throws CustodyError `ceremony/malformed-plan`
 */
export async function splitEntropy(of: {
  readonly entropy: Secret;
  readonly threshold: number;
  readonly count: number;
}): Promise<readonly string[]> {
  const { entropy, threshold, count } = of;
  assertQuorum(threshold, count);
  invariant(entropyBytesAllowed.includes(entropy.byteLength), 'Shares are made of an entropy that BIP-39 knows.');
  const { Slip39 } = await load();
  const bytes = entropy.read((read) => [...read]);
  const split = Slip39.fromArray(bytes, { threshold: 1, groups: [[threshold, count]], extendableBackupFlag: 1 });
  bytes.fill(0);
  const shares = split.fromPath('r/0').mnemonics;
  const fingerprint = masterFingerprint(entropy);
  // Each share is used at least once before anybody relies on the set.
  for (let first = 0; first < count; first += threshold) {
    const start = Math.min(first, count - threshold);
    using again = await combineShares({ shares: shares.slice(start, start + threshold), fingerprint });
    invariant(again.byteLength === entropy.byteLength, 'Shares give another length of entropy than was split.');
  }
  return shares;
}

/**
 * The entropy behind shares, held against the fingerprint of the master key that it must lead to. More shares than needed are all
 * checked. The caller wipes it.
 *
 * @param of.fingerprint eight hex digits; the ceremony's record and every key file have it
 * @throws CustodyError `ceremony/wrong-share`, which says which one, counted from 1, and why. No word is named.
 */
export async function combineShares(of: {
  readonly shares: readonly string[];
  readonly fingerprint: string;
}): Promise<Secret> {
  const { Slip39 } = await load();
  const shares: readonly string[] = of.shares.map(normalized);
  const { threshold } = await assertOneSet(shares);
  const combine = (chosen: readonly string[], which: string): Secret => {
    try {
      return secretOf(Uint8Array.from(Slip39.recoverSecret(chosen)));
    } catch {
      // The library's error may quote words.
      throw wrongShare(
        `${which} do not fit together, although they have the number of one set: at least one of them was forged or mixed up.`,
      );
    }
  };
  const chosen = shares.slice(0, threshold);
  const entropy = combine(chosen, `Shares 1 to ${threshold}`);
  try {
    for (const [at, extra] of shares.entries()) {
      if (at < threshold) continue;
      using again = combine([...chosen.slice(1), extra], `Share ${at + 1} and shares 2 to ${threshold}`);
      const same = entropy.read((left) => again.read((right) => Buffer.compare(left, right) === 0));
      if (!same) throw wrongShare(`Share ${at + 1} leads to another secret than the first ${threshold}.`);
    }
    const fingerprint = masterFingerprint(entropy);
    if (fingerprint === of.fingerprint) return entropy;
    throw wrongShare(
      `The shares fit together, but lead to the master key ${fingerprint}; wanted is ${of.fingerprint}. They are of another seed.`,
    );
  } catch (error) {
    entropy.wipe();
    throw error;
  }
}

/**
 * Compares what a person typed from paper with the share that was printed.
 *
 * @throws CustodyError `ceremony/wrong-share` with the position of the first word that differs
 */
export function assertReadBack(printed: string, typed: string): void {
  const wanted = normalized(printed).split(' ');
  const words = normalized(typed).split(' ');
  const differing = wanted.findIndex((word, at) => words[at] !== word);
  if (differing === -1 && words.length === wanted.length) return;
  throw wrongShare(
    differing === -1
      ? `${words.length - wanted.length} words too many were typed; the share has ${wanted.length}.`
      : `Word ${differing + 1} of ${wanted.length} is not the one that was printed. Compare it with the paper.`,
  );
}

/**
 * @param position of the share among those given, counted from 1, for the message
 * @throws CustodyError `ceremony/wrong-share` where a word is unknown or the checksum is wrong
 */
export async function shareFacts(share: string, position: number = 1): Promise<ShareFacts> {
  const { Slip39, indexOf } = await load();
  const words = normalized(share).split(' ');
  const unknown = words.findIndex((word) => !indexOf.has(word));
  if (unknown !== -1) {
    throw wrongShare(`Word ${unknown + 1} of share ${position} is not in the list of SLIP-39.`);
  }
  if (!Slip39.validateMnemonic(words.join(' '))) {
    throw wrongShare(
      `Share ${position} has ${words.length} words and a wrong checksum: a word is wrong, missing or out of its place.`,
    );
  }
  // Identifier 15 bits, flag 1, exponent 4; then group index, threshold and count, member index and threshold, 4 bits each.
  const [high = 0, low = 0, , member = 0] = words.map((word) => indexOf.get(word) ?? 0);
  return {
    set: (high << 5) | (low >> 5),
    member: ((member >> 4) & 15) + 1,
    threshold: (member & 15) + 1,
    words: words.length,
  };
}

/** All shares of one splitting, none twice, and enough of them. */
async function assertOneSet(shares: readonly string[]): Promise<{ readonly threshold: number }> {
  const facts = await Promise.all(shares.map((share, at) => shareFacts(share, at + 1)));
  const [first] = facts;
  if (first === undefined) throw wrongShare('No share was given.');
  const seen = new Map<number, number>();
  for (const [at, { set, member, threshold, words }] of facts.entries()) {
    if (set !== first.set || threshold !== first.threshold || words !== first.words) {
      throw wrongShare(
        `Share ${at + 1} is of another set (number ${set}, ${threshold} needed) than share 1 (number ${first.set}, ${first.threshold} needed).`,
      );
    }
    const earlier = seen.get(member);
    if (earlier !== undefined) {
      throw wrongShare(`Share ${at + 1} is the same as share ${earlier}: both are member ${member} of the set.`);
    }
    seen.set(member, at + 1);
  }
  if (facts.length < first.threshold) {
    throw wrongShare(`${facts.length} shares were given and ${first.threshold} are needed.`);
  }
  return { threshold: first.threshold };
}

function assertQuorum(threshold: number, count: number): void {
  const whole = Number.isInteger(threshold) && Number.isInteger(count);
  if (whole && threshold >= 2 && threshold <= count && count <= shareCountMax) return;
  throw new CustodyError(
    'ceremony/malformed-plan',
    `${threshold} of ${count} is no quorum for shares: at least 2 of them, and at most ${shareCountMax} in all.`,
  );
}

type Library = { readonly Slip39: typeof Slip39Library; readonly indexOf: ReadonlyMap<string, number> };

/** The package adds members to the prototypes of Array and String, so it is loaded where shares are handled and nowhere else. */
async function load(): Promise<Library> {
  const [{ default: Slip39 }, { default: parts }] = await Promise.all([
    import('slip39'),
    import('slip39/src/slip39_helper.js'),
  ]);
  return { Slip39, indexOf: new Map(parts.WORD_LIST.map((word, index) => [word, index])) };
}

const normalized = (share: string): string => share.normalize('NFKD').trim().toLowerCase().split(/\s+/u).join(' ');

function wrongShare(fact: string): CustodyError {
  return new CustodyError('ceremony/wrong-share', `${fact} Nothing was restored.`);
}
