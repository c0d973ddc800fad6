/** Why a proof does not hold. Checked in the order of the list; the first that is true is said. */
export const refutations = [
  /** The bytes are no artefact of this form. */
  'malformed',
  /** The header is not the one that the registry pins. */
  'other-context',
  /** It is about another compartment than the client's. */
  'other-compartment',
  /** It is about another holder, or another kind of claim. */
  'other-holder',
  /** A compartment of the house has no row. */
  'house-compartment',
  /** Clients share the compartment, so that nothing shows one of them alone in it. */
  'shared-compartment',
  /** Rows do not ascend, or there are as many groups or leaves as there should not be. */
  'other-count',
  /** What was shown does not lead to the record that the registry pins. */
  'other-record',
  /** A number is wider than the header says. */
  'out-of-range',
  /** A point or scalar is not in its one form, or is the identity. */
  'not-canonical',
  /** The opening does not give the commitment. */
  'other-commitment',
  /** A range proof does not hold. */
  'range-unproven',
  /** The leaf is there, with another balance than the client's own: with the operator's statement, ground for a dispute. */
  'other-balance',
  /** The compartment owes more than it holds, or does not show that it does not. */
  'insolvent',
] as const;

export type Refutation = (typeof refutations)[number];

/** What a check found. */
export type Verdict<T = object> =
  | ({ readonly holds: true } & T)
  | { readonly holds: false; readonly refutation: Refutation };

export function refuted(refutation: Refutation): { readonly holds: false; readonly refutation: Refutation } {
  return { holds: false, refutation };
}
