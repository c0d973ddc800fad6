import type { Compartment } from '@bulkhead/domain';
import type { BookPath } from './book-tree.ts';
import { siblingsOfBook } from './book-tree.ts';
import { type Claim, type ClaimKind, claimKindNumber, depthMax, hasRow, holderBytesMax, kindOf } from './claim.ts';
import {
  amountBytes,
  equalBytes,
  type FieldReader,
  malformed,
  readFields,
  unsignedOf,
  wordBytes,
} from './fixed-width.ts';
import { contextOfBytes, decodeHeader, headerLength, type ReserveHeader, type Tier } from './header.ts';
import { type Refutation, refuted } from './verdict.ts';

/** What a verifier knows before it looks at a proof: what the registry says of this epoch and asset. 32 bytes each. */
export type Pin = { readonly context: Uint8Array; readonly record: Uint8Array };

/** What a client knows of its own claim. */
export type OwnClaim = Claim & { readonly compartment: Compartment };

/** A package taken apart: everything but the balance, whose form depends on the tier. */
export type PackageParts = {
  readonly header: ReserveHeader;
  readonly compartment: number;
  readonly depth: number;
  readonly reserves: Uint8Array;
  readonly rows: number;
  readonly path: BookPath;
  readonly index: number;
  readonly kind: number;
  readonly holder: Uint8Array;
  readonly salt: Uint8Array;
  readonly balance: Uint8Array;
  /** What follows the balance in the tier. */
  readonly rest: readonly Uint8Array[];
  readonly siblings: Uint8Array;
};

/** Bytes of the fields that a tier has between balance and siblings, and of one sibling. */
export type PackageForm = {
  readonly tier: Tier;
  readonly rest: readonly number[];
  readonly siblingBytes: number;
};

type Before = Pick<PackageParts, 'header' | 'compartment' | 'kind' | 'holder'>;

/** The form of a package of each tier. */
export const packageForms: Readonly<Record<Tier, PackageForm>> = {
  plain: { tier: 'plain', rest: [], siblingBytes: wordBytes + amountBytes },
  confidential: { tier: 'confidential', rest: [wordBytes, wordBytes], siblingBytes: wordBytes },
};

/** What a package says about itself. Nothing of it is checked: it is what a verifier asks about. */
export type PackageClaim = {
  readonly header: ReserveHeader;
  readonly compartment: number;
  readonly kind: ClaimKind;
  readonly holder: Uint8Array;
  /** The balance of the leaf. */
  readonly units: bigint;
};

/** Reads what a package of either tier says; undefined for bytes that are none. */
export function readPackage(bytes: Uint8Array): PackageClaim | undefined {
  const parts = parsePackage(bytes, packageForms.plain) ?? parsePackage(bytes, packageForms.confidential);
  const kind = parts === undefined ? undefined : kindOf(parts.kind);
  if (parts === undefined || kind === undefined) return undefined;
  const { header, compartment, holder, balance } = parts;
  return { header, compartment, kind, holder, units: unsignedOf(balance) };
}

/** Reads a package in its tier's form; undefined for anything else. */
function parsePackage(bytes: Uint8Array, form: PackageForm): PackageParts | undefined {
  const length = headerLength(bytes);
  const header = length === undefined ? undefined : decodeHeader(bytes.subarray(0, length));
  if (length === undefined || header === undefined || header.tier !== form.tier) return undefined;
  const fields = readFields(bytes.subarray(length));
  const row = { compartment: fields.number(4), depth: fields.number(1), reserves: fields.bytes(amountBytes) };
  const rows = fields.number(4);
  const path = readBookPath(fields);
  const index = fields.number(4);
  const kind = fields.number(1);
  const holderBytes = fields.number(1);
  if (row.depth === undefined || row.depth > depthMax) return undefined;
  if (holderBytes === undefined || holderBytes > holderBytesMax) return undefined;
  const holder = fields.bytes(holderBytes);
  const salt = fields.bytes(wordBytes);
  const balance = fields.bytes(amountBytes);
  const rest = form.rest.flatMap((width) => fields.bytes(width) ?? []);
  const siblings = fields.bytes(row.depth * form.siblingBytes);
  const { compartment, depth, reserves } = row;
  if (!fields.ended() || compartment === undefined || reserves === undefined || rows === undefined) return undefined;
  if (path === undefined || index === undefined || kind === undefined || holder === undefined) return undefined;
  if (salt === undefined || balance === undefined || siblings === undefined) return undefined;
  return { header, compartment, depth, reserves, rows, path, index, kind, holder, salt, balance, rest, siblings };
}

/** Reads the way from a row to the book's root; undefined for more siblings than there are levels. */
export function readBookPath(fields: FieldReader): BookPath | undefined {
  const present = fields.number(4);
  const count = present === undefined ? undefined : siblingsOfBook(present);
  const siblings = count === undefined ? undefined : fields.bytes(count * wordBytes);
  return present === undefined || siblings === undefined ? undefined : { present, siblings };
}

/** What is wrong before anything of the trees is looked at. */
function objectionTo(parts: Before, context: Uint8Array, known: { pin: Pin; own: OwnClaim }): Refutation | undefined {
  if (!equalBytes(context, known.pin.context)) return 'other-context';
  if (parts.compartment !== known.own.compartment) return 'other-compartment';
  if (!hasRow(parts.compartment)) return 'house-compartment';
  const ours = parts.kind === claimKindNumber[known.own.kind] && equalBytes(parts.holder, known.own.holder);
  return ours ? undefined : 'other-holder';
}

/** Reads a package and holds what it says of itself against what the client knows. */
export function openPackage(
  bytes: Uint8Array,
  form: PackageForm,
  known: { readonly pin: Pin; readonly own: OwnClaim },
): { readonly holds: true; readonly parts: PackageParts } | ReturnType<typeof refuted> {
  const parts = parsePackage(bytes, form);
  if (parts === undefined) return refuted('malformed');
  const objection = objectionTo(parts, contextOfBytes(bytes.subarray(0, headerLength(bytes))), known);
  return objection === undefined ? { holds: true, parts } : refuted(objection);
}

/** Refuses compartments of the house, where a proof is made. @throws CustodyError `proof/malformed` */
export function assertHasRow(compartment: number): void {
  if (!hasRow(compartment)) {
    throw malformed(`compartment ${compartment} is one of the house, whose assets are nobody's reserves`);
  }
}
