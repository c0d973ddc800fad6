import { type Manifest, type PackageClaim, type ProofFile, readPackage, type ReserveHeader } from '@bulkhead/proofs';
import { isCertificate } from './certificate-check.ts';
import type { GivenFile } from './order.ts';

/**
 * What a file is, as far as its form says, and what it says of itself. Nothing of that is checked: it is good for asking the right
 * questions, and for telling a person what it brought.
 */
export type Recognised =
  | { readonly kind: 'package'; readonly file: GivenFile; readonly header: ReserveHeader; readonly claim: PackageClaim }
  | { readonly kind: 'statement' | 'segregation'; readonly file: GivenFile; readonly header: ReserveHeader }
  | { readonly kind: 'manifest'; readonly file: GivenFile; readonly manifest: Manifest }
  /** A file of a whole proof; certificates and leaves name no epoch themselves. */
  | {
      readonly kind: 'part';
      readonly file: GivenFile;
      readonly part: ProofFile;
      readonly header: ReserveHeader | undefined;
    }
  | { readonly kind: 'certificate' | 'receipt'; readonly file: GivenFile; readonly value: unknown }
  | { readonly kind: 'checkpoint' | 'consistency'; readonly file: GivenFile; readonly note: string }
  | { readonly kind: 'unrecognised'; readonly file: GivenFile };

/** Bytes of a text that is read: a record with a long list of changes is the longest. */
const textBytesMax = 16 * 2 ** 20;

/** Says of packages, certificates and records what they are; other files are nothing that is checked here. */
export function recognise(files: readonly GivenFile[]): readonly Recognised[] {
  return files.map((file): Recognised => {
    const claim = readPackage(file.bytes);
    if (claim !== undefined) return { kind: 'package', file, claim, header: claim.header };
    const value = jsonOf(textOf(file) ?? '');
    return isCertificate(value) ? { kind: 'certificate', file, value } : { kind: 'unrecognised', file };
  });
}

/** The text of a file; undefined where it is too long for one, or is none. */
export function textOf({ bytes }: GivenFile): string | undefined {
  if (bytes.length > textBytesMax) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
