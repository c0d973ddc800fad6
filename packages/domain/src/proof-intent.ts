import type { Address } from './address.ts';
import type { ChainId } from './asset.ts';
import type { Compartment } from './compartment.ts';
import {
  addressField,
  amountField,
  type Asked,
  chainField,
  compartmentField,
  digestDigits,
  field,
  type Fields,
  type FieldValues,
  hexField,
  longField,
  malformed,
  type Reading,
  unknownKind,
} from './intent-field.ts';

/** What every statement about reserves has: where it is pinned. */
type Pinned = Asked & {
  /** Chain of the proof registry, which need not be that of the asset. */
  readonly chain: ChainId;
  readonly registry: Address;
};

/** What the keys of a set of signers say about reserves, each under the typed data of a proof registry. */
export type ReserveIntent =
  | (Pinned & {
      readonly kind: 'reserve-commitment';
      /** The whole header, lower-case hex: what is signed is its hash, and the signer wants to read what that stands for. */
      readonly header: string;
      /** Hash of the epoch's record, 64 lower-case hex digits. */
      readonly record: string;
      /** All compartments of clients together, in units of the header. */
      readonly reserves: bigint;
    })
  | (Pinned & {
      readonly kind: 'reserve-proof';
      readonly context: string;
      /** Digest of the bundle that proves the epoch in full, 64 lower-case hex digits. */
      readonly proof: string;
    })
  | (Pinned & {
      readonly kind: 'balance-statements';
      readonly context: string;
      /** Root of the tree of statements, 64 lower-case hex digits, and how many there are. */
      readonly root: string;
      readonly count: bigint;
    });

export type WalletControlIntent = Asked & {
  readonly kind: 'wallet-control';
  /** Chain of the wallet. */
  readonly chain: ChainId;
  readonly compartment: Compartment;
  readonly wallet: Address;
  /** Who says it, and of which epoch and asset: 64 lower-case hex digits each. */
  readonly custodian: string;
  readonly context: string;
};

export type LogCheckpointIntent = Asked & {
  readonly kind: 'log-checkpoint';
  /** Name of the log. */
  readonly origin: string;
  /** Leaves of the tree. */
  readonly size: bigint;
  /** 64 lower-case hex digits. */
  readonly root: string;
};

/**
 * What the custodian shows to others, as a closed union. None of these moves anything, people are not asked, and each follows
 * from what was shown before:
 * - `reserve-commitment`: an epoch of an asset is pinned; one for each registry, asset and epoch, for ever;
 * - `reserve-proof`, `balance-statements`: what belongs to an epoch that was pinned;
 * - `wallet-control`: the key of a wallet says that this custodian controls it at an epoch;
 * - `log-checkpoint`: the key of the audit log signs the head of a tree that continues the one it signed before.
 */
export type ProofIntent = ReserveIntent | WalletControlIntent | LogCheckpointIntent;

export type ProofIntentKind = ProofIntent['kind'];

export const reserveKinds: readonly ReserveIntent['kind'][] = [
  'reserve-commitment',
  'reserve-proof',
  'balance-statements',
];

export const proofKinds: readonly ProofIntentKind[] = [...reserveKinds, 'wallet-control', 'log-checkpoint'];

/** Bytes of a header: 179 before the asset's id, and at most 120 of that. */
export const reserveHeaderBytesMax: number = 299;

/** Reserves have the 128 bits of the registry. */
const reserveBits = 128n;

/** A tree has at most 2^48 leaves. */
export const logSizeMax: bigint = 2n ** 48n;

/** Visible ASCII without the plus sign, which separates a name from its key, and without what JSON escapes. */
const originForm = /^[!#-*,-[\]-~]{1,255}$/u;

/** Whether a text can name an audit log in an intent. */
export function isLogOrigin(text: string): boolean {
  return originForm.test(text);
}

export function proofFields(intent: ProofIntent): FieldValues {
  switch (intent.kind) {
    case 'reserve-commitment': {
      const { header, record, reserves } = intent;
      return { ...pinnedFields(intent), header, record, reserves };
    }
    case 'reserve-proof':
      return { ...pinnedFields(intent), context: intent.context, proof: intent.proof };
    case 'balance-statements': {
      const { context, root, count } = intent;
      return { ...pinnedFields(intent), context, root, count };
    }
    case 'wallet-control': {
      const { chain, compartment, wallet, custodian, context } = intent;
      return { chain, compartment, wallet, custodian, context };
    }
    case 'log-checkpoint':
      return { origin: intent.origin, size: intent.size, root: intent.root };
    default: {
      const other: { readonly kind?: unknown } = intent satisfies never;
      throw unknownKind(String(other.kind));
    }
  }
}

function pinnedFields({ chain, registry }: Pinned): FieldValues {
  return { chain, registry };
}

export function proofOf(fields: Fields, { asked, kind }: Reading): ProofIntent {
  switch (kind) {
    case 'reserve-commitment':
      return {
        ...pinnedOf(fields, asked),
        kind,
        header: headerField(fields),
        record: hexField(fields, 'record', digestDigits),
        reserves: reservesField(fields),
      };
    case 'reserve-proof':
      return {
        ...pinnedOf(fields, asked),
        kind,
        context: hexField(fields, 'context', digestDigits),
        proof: hexField(fields, 'proof', digestDigits),
      };
    case 'balance-statements':
      return {
        ...pinnedOf(fields, asked),
        kind,
        context: hexField(fields, 'context', digestDigits),
        root: hexField(fields, 'root', digestDigits),
        count: longField(fields, 'count'),
      };
    case 'wallet-control':
      return {
        ...asked,
        kind,
        chain: chainField(fields, 'chain'),
        compartment: compartmentField(fields, 'compartment'),
        wallet: addressField(fields, 'wallet'),
        custodian: hexField(fields, 'custodian', digestDigits),
        context: hexField(fields, 'context', digestDigits),
      };
    case 'log-checkpoint':
      return {
        ...asked,
        kind,
        origin: originField(fields),
        size: sizeField(fields),
        root: hexField(fields, 'root', digestDigits),
      };
    default:
      throw unknownKind(kind);
  }
}

function pinnedOf(fields: Fields, asked: Asked): Pinned {
  return { ...asked, chain: chainField(fields, 'chain'), registry: addressField(fields, 'registry') };
}

function headerField(fields: Fields): string {
  const text = field(fields, 'header');
  if (text.length > 2 * reserveHeaderBytesMax || !/^(?:[0-9a-f]{2})+$/u.test(text)) {
    throw malformed(
      `"${text.slice(0, 90)}" is not the lower-case hex of at most ${reserveHeaderBytesMax} bytes that "header" has.`,
    );
  }
  return text;
}

function reservesField(fields: Fields): bigint {
  const reserves = amountField(fields, 'reserves');
  if (reserves >= 2n ** reserveBits) {
    throw malformed(`"reserves" is ${reserves}, above the ${reserveBits} bits it has.`);
  }
  return reserves;
}

function originField(fields: Fields): string {
  const origin = field(fields, 'origin');
  if (isLogOrigin(origin)) return origin;
  throw malformed(`"${origin.slice(0, 90)}" names no log: 1 to 255 visible characters of ASCII without ", + and \\.`);
}

/** The head of an empty tree is signed by nobody: it says nothing. */
function sizeField(fields: Fields): bigint {
  const size = longField(fields, 'size');
  if (size < 1n || size > logSizeMax) throw malformed(`A log has 1 to ${logSizeMax} leaves, and "size" is ${size}.`);
  return size;
}
