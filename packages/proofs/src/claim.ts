import { type Compartment, compartmentFirst } from '@bulkhead/domain';
import { malformed } from './fixed-width.ts';
import type { Identity } from './reserve-hash.ts';

/**
 * What a leaf is a claim of. Everything that a compartment's coins are owed to has one of these; only the losses and the
 * wallets of a book have none.
 * - `client`: what one client may claim: available, quarantine and gas together;
 * - `fee-payable`: what is owed to the house and has not been paid out yet;
 * - `suspense`: what arrived and belongs to nobody yet.
 */
export type ClaimKind = 'client' | 'fee-payable' | 'suspense';

export const claimKindNumber: Readonly<Record<ClaimKind, number>> = { client: 1, 'fee-payable': 2, suspense: 3 };

const kinds: readonly ClaimKind[] = ['client', 'fee-payable', 'suspense'];

/** The kind of a number; undefined for one that is none. */
export function kindOf(number: number): ClaimKind | undefined {
  return kinds.find((kind) => claimKindNumber[kind] === number);
}

export type Claim = {
  readonly kind: ClaimKind;
  /** An identifier that the holder knew before: 1 to 64 bytes. */
  readonly holder: Uint8Array;
  /** In the asset's smallest unit, never negative. */
  readonly amount: bigint;
};

export const holderBytesMax = 64;

/** The identity of a claim, as it is hashed. @throws CustodyError `proof/malformed` */
export function identityOf(compartment: Compartment, claim: Omit<Claim, 'amount'>): Identity {
  const { kind, holder } = claim;
  if (holder.length === 0 || holder.length > holderBytesMax) {
    throw malformed(`a holder's identifier has ${holder.length} bytes, 1 to ${holderBytesMax} are possible`);
  }
  return { compartment, kind: claimKindNumber[kind], holder };
}

/** Whether an identity comes before another: by kind, then by the bytes of the holder. */
export function precedes(a: Identity, b: Identity): boolean {
  if (a.kind !== b.kind) return a.kind < b.kind;
  const common = Math.min(a.holder.length, b.holder.length);
  for (let at = 0; at < common; at += 1) {
    const difference = (a.holder[at] ?? 0) - (b.holder[at] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return a.holder.length < b.holder.length;
}

/** Assets of the house are no reserves for anybody, and their compartments have no row. */
export function hasRow(compartment: number): boolean {
  return compartment >= compartmentFirst.group;
}

/** Levels between leaves and root of a compartment's tree. */
export const depthMax = 32;

/** The least depth at which so many claims have a leaf each. */
export function depthFor(claims: number): number {
  let depth = 0;
  while (2 ** depth < claims) depth += 1;
  return depth;
}
