import type { PinName, PinTexts } from './pin-field.ts';

/** Something that a person brought: a file, or a text. */
export type Brought = { readonly name: string; readonly bytes: Uint8Array };

/** What a thing is, as far as its form says. */
export type Recognised = {
  readonly title: string;
  /** What it says of itself, which nobody has checked yet. */
  readonly says: string;
  readonly needs: readonly PinName[];
  /** What the form of the thing says about a field, where that is no matter of trust. */
  readonly suggests: PinTexts;
};

/** Bytes of a file that are read at most. */
export const broughtBytesMax = 512 * 2 ** 20;

export function recognise({ bytes }: Brought): Recognised | undefined {
  const head = new TextDecoder().decode(bytes.subarray(0, 17));
  if (head !== 'bulkhead/reserves') return undefined;
  return {
    title: 'Your package of a proof of reserves',
    says: '',
    needs: ['registry', 'codeHash', 'client', 'compartment', 'amount', 'decimals', 'nodes'],
    suggests: { decimals: '18' },
  };
}
