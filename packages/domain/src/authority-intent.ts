import {
  type Asked,
  digestDigits,
  type Fields,
  type FieldValues,
  hexField,
  longField,
  malformed,
  type Reading,
  unknownKind,
} from './intent-field.ts';

/**
 * What changes who may do what. It moves no coin, and people approve it like a payment.
 * - `enrolment`: clients, their destinations and vaults, and taking rights away; by the operational quorum;
 * - `policy-change`: chains, tokens, wallets, people, quorums and limits; by the root quorum;
 * - `state-recovery`: the signer may go on from an older copy of its state; by the root quorum.
 */
export type AuthorityIntent =
  | (Asked & {
      readonly kind: 'enrolment' | 'policy-change';
      /** Version of the registry that the list changes. An approval for one version means nothing for the next. */
      readonly before: bigint;
      /** How many items the list has. */
      readonly items: bigint;
      /** SHA-256 of the canonical bytes of the list, lower-case hex: one approval covers a list of any length. */
      readonly digest: string;
      /** Unix seconds. Nothing is changed afterwards. */
      readonly expiresAt: bigint;
    })
  | (Asked & {
      readonly kind: 'state-recovery';
      /** Position and hash of the newest record of the state that is to go on. */
      readonly sequence: bigint;
      readonly head: string;
      readonly expiresAt: bigint;
    });

export const authorityKinds: readonly AuthorityIntent['kind'][] = ['enrolment', 'policy-change', 'state-recovery'];

export function authorityFields(intent: AuthorityIntent): FieldValues {
  switch (intent.kind) {
    case 'enrolment':
    case 'policy-change':
      return { before: intent.before, items: intent.items, digest: intent.digest, expiresAt: intent.expiresAt };
    case 'state-recovery':
      return { sequence: intent.sequence, head: intent.head, expiresAt: intent.expiresAt };
    default: {
      const other: { readonly kind?: unknown } = intent satisfies never;
      throw unknownKind(String(other.kind));
    }
  }
}

export function authorityOf(fields: Fields, { asked, kind }: Reading): AuthorityIntent {
  switch (kind) {
    case 'enrolment':
    case 'policy-change':
      return {
        ...asked,
        kind,
        before: longField(fields, 'before'),
        items: someItems(asked, longField(fields, 'items')),
        digest: hexField(fields, 'digest', digestDigits),
        expiresAt: longField(fields, 'expiresAt'),
      };
    case 'state-recovery':
      return {
        ...asked,
        kind,
        sequence: longField(fields, 'sequence'),
        head: hexField(fields, 'head', digestDigits),
        expiresAt: longField(fields, 'expiresAt'),
      };
    default:
      throw unknownKind(kind);
  }
}

/** A list of nothing would be approved without effect. */
function someItems({ id }: Asked, items: bigint): bigint {
  if (items === 0n) throw malformed(`Intent ${id} changes nothing: its list has no items.`);
  return items;
}
