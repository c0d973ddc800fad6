import { type Address, checksumAddress } from '@bulkhead/domain';
import { type MarkedDigit, markedDigits } from '../notice.ts';
import { element } from './element.ts';

const blockDigits = 4;

/** An address in blocks of four digits, which people can compare. Copied, it is whole: the gaps are drawn, not written. */
export function addressBlocks(address: Address, other?: Address): HTMLElement {
  const whole = checksumAddress(address);
  const digits: readonly MarkedDigit[] =
    other === undefined
      ? whole
          .slice(2)
          .split('')
          .map((digit) => ({ digit, differs: false }))
      : markedDigits(address, other);
  const label = other === undefined ? whole : `${whole}, with the digits marked that differ`;
  return element(
    'span',
    { class: 'blocks', role: 'img', 'aria-label': label },
    element('span', { class: 'block prefix' }, '0x'),
    ...blocksOf(digits),
  );
}

/** A digest in blocks of four digits. */
export function digestBlocks(digest: string): HTMLElement {
  const digits = digest.split('').map((digit) => ({ digit, differs: false }));
  return element('span', { class: 'blocks small', role: 'img', 'aria-label': digest }, ...blocksOf(digits));
}

function blocksOf(digits: readonly MarkedDigit[]): readonly HTMLElement[] {
  const blocks: HTMLElement[] = [];
  for (let at = 0; at < digits.length; at += blockDigits) {
    const parts = digits
      .slice(at, at + blockDigits)
      .map(({ digit, differs }) => (differs ? element('mark', {}, digit) : digit));
    blocks.push(element('span', { class: 'block' }, ...parts));
  }
  return blocks;
}
