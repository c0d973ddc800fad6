import { concatBytes } from '@noble/hashes/utils.js';
import { holderBytesMax, kindOf } from './claim.ts';
import { amountBytes, type FieldReader, unsignedBytes, wordBytes } from './fixed-width.ts';
import type { Tier } from './header.ts';
import type { Identity } from './reserve-hash.ts';
import { decodeScalar, littleEndian } from './scalar.ts';

/**
 * A leaf that is shown whole. Of a claim everything is; of a place that is nobody's, only that there is nothing in it: what its tag was
 * made with stays secret, or it would tell all such places of the epoch.
 */
export type OpenedLeaf = {
  readonly of:
    | { readonly identity: Identity; readonly salt: Uint8Array; readonly units: bigint }
    | { readonly tag: Uint8Array };
  /** Of the commitment; undefined in the plain tier. */
  readonly blinding: bigint | undefined;
};

const nobody = 0;
const claimed = 1;

export function encodeLeaf({ of, blinding }: OpenedLeaf): Uint8Array {
  const rest = blinding === undefined ? new Uint8Array() : littleEndian(blinding);
  if ('tag' in of) return concatBytes(Uint8Array.of(nobody), of.tag, rest);
  const { kind, holder } = of.identity;
  return concatBytes(
    Uint8Array.of(claimed, kind, holder.length),
    holder,
    of.salt,
    unsignedBytes(of.units, amountBytes),
    rest,
  );
}

/** Reads a leaf of a compartment's tree; undefined for anything that {@link encodeLeaf} does not write. */
export function readLeaf(
  fields: FieldReader,
  { compartment, tier }: { readonly compartment: number; readonly tier: Tier },
): OpenedLeaf | undefined {
  const form = fields.number(1);
  const of = form === claimed ? readClaim(fields, compartment) : form === nobody ? readTag(fields) : undefined;
  if (of === undefined) return undefined;
  if (tier === 'plain') return { of, blinding: undefined };
  const bytes = fields.bytes(wordBytes);
  const blinding = bytes === undefined ? undefined : decodeScalar(bytes);
  return blinding === undefined ? undefined : { of, blinding };
}

function readTag(fields: FieldReader): OpenedLeaf['of'] | undefined {
  const tag = fields.bytes(wordBytes);
  return tag === undefined ? undefined : { tag };
}

function readClaim(fields: FieldReader, compartment: number): OpenedLeaf['of'] | undefined {
  const kind = fields.number(1);
  const length = fields.number(1);
  if (kind === undefined || kindOf(kind) === undefined) return undefined;
  if (length === undefined || length === 0 || length > holderBytesMax) return undefined;
  const holder = fields.bytes(length);
  const salt = fields.bytes(wordBytes);
  const units = fields.unsigned(amountBytes);
  if (holder === undefined || salt === undefined || units === undefined) return undefined;
  return { identity: { compartment, kind, holder }, salt, units };
}
