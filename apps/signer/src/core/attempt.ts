import type { DecisionRecord, KeyRef, Signature } from '@bulkhead/domain';
import { keyText } from './addresses.ts';
import type { CoreParts } from './core-parts.ts';
import { recordOf } from './record-lookup.ts';

/** An intent as it was read back from its canonical bytes, and what is signed for it: worked out here, and taken from nobody. */
export type Derived = {
  readonly text: string;
  /** SHA-256 of the text, hex. */
  readonly digest: string;
  /** The bytes whose Keccak-256 is signed, and that hash in hex. */
  readonly preimage: Uint8Array;
  readonly signed: string;
};

/** What was allowed for an attempt, with its signature. */
export type Signed = { readonly signature: Signature; readonly record: DecisionRecord };

/** The name of an attempt, of a fixed length: the same intent, key and bytes are the same attempt. */
export function attemptOf({ knowledge }: CoreParts, { digest, preimage }: Derived, key: KeyRef): string {
  return knowledge.attemptName({ digest, key: keyNameOf(key), unsigned: Buffer.from(preimage).toString('hex') });
}

/** How records name a key. */
export function keyNameOf(key: KeyRef): string {
  return `${key.compartment}/${keyText(key)}`;
}

/** The signature of a grant that counts: that of the log, or one that is made now. */
export async function signatureOfGrant(
  parts: CoreParts,
  { preimage, key, record }: { readonly preimage: Uint8Array; readonly key: KeyRef; readonly record: DecisionRecord },
): Promise<Signed> {
  const signature = await parts.signatures.of({ sequence: record.sequence, key, bytes: preimage });
  return { signature, record };
}

/** The answer to an attempt that was granted before; undefined for a new one. */
export function repeatedGrant(parts: CoreParts, derived: Derived, key: KeyRef): (() => Promise<Signed>) | undefined {
  const earlier = parts.knowledge.granted(attemptOf(parts, derived, key));
  if (earlier === undefined) return undefined;
  return async () => {
    await parts.committer.settle();
    const { record } = await recordOf(parts, earlier);
    return signatureOfGrant(parts, { preimage: derived.preimage, key, record });
  };
}

/** One work for a name at a time: whoever asks meanwhile gets the same. */
export type Making<T> = (name: string, work: () => Promise<T>) => Promise<T>;

export function openMaking<T>(): Making<T> {
  const underWay = new Map<string, Promise<T>>();
  return async (name, work) => {
    const running = underWay.get(name);
    if (running !== undefined) return running;
    const made = work().finally(() => underWay.delete(name));
    underWay.set(name, made);
    return made;
  };
}
