import { CustodyError } from '@bulkhead/domain';

/** Characters of a name or label that approvers read. */
export const visibleTextCharactersMax: number = 64;

/**
 * What a reader cannot see, or what makes other characters look different: controls, formats and direction marks (all of category
 * C), separators of lines, and whatever may be ignored when shown: joiners, fillers, selectors; the blank of Braille besides.
 */
const unseen = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;
const otherSpace = /(?! )\p{Zs}/u;
/** More than two marks on one letter cover its neighbours. */
const heaped = /\p{M}{3}/u;

/**
 * A name or label as people see it: 1 to 64 characters, composed (NFC), no blank at the ends, nothing that cannot be seen.
 *
 * @throws CustodyError `signer/registry-list`
 */
export function visibleText(text: string, name: string): string {
  const bad =
    text.length === 0 || text.length > visibleTextCharactersMax
      ? `has ${text.length} characters, not 1 to ${visibleTextCharactersMax}`
      : unseen.test(text) || otherSpace.test(text) || heaped.test(text)
        ? 'has a character that people cannot see or that covers others'
        : text.trim() !== text
          ? 'begins or ends with a blank'
          : text.normalize('NFC') === text
            ? undefined
            : 'is not in composed form (Unicode NFC)';
  if (bad !== undefined) throw new CustodyError('signer/registry-list', `the ${name} ${bad}`);
  return text;
}
