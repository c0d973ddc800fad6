import { concatBytes } from '@noble/hashes/utils.js';
import { artefactHead, openArtefact } from './artefact.ts';
import { portableBlockHasher } from './block-hasher.ts';
import { claimKindNumber, depthFor, depthMax, holderBytesMax, identityOf } from './claim.ts';
import type { OwnClaim } from './client-package.ts';
import { equalBytes, exactly, type FieldReader, malformed, unsignedBytes, wordBytes } from './fixed-width.ts';
import { encodeHeader, type ReserveHeader, takeHeader } from './header.ts';
import {
  foldStatements,
  statedAmountBytes,
  statementLeaf,
  statementSalt,
  statementTag,
  type StatementTree,
} from './statement-tree.ts';
import type { EpochWork } from './sum-tree.ts';
import { refuted, type Verdict } from './verdict.ts';
import { walletSignatureBytes } from './wallet-list.ts';

/** What a quorum signs for all holders of one epoch and asset at once: `BalanceStatements(context, root, count)`. */
export type SignedStatements = {
  readonly header: ReserveHeader;
  readonly root: Uint8Array;
  readonly count: number;
  /** 65 bytes each, ascending by signer, as many as must sign. */
  readonly signatures: readonly Uint8Array[];
};

/** More members than a signer set may have. */
const signaturesMax = 32;

/** The file of the signed root: whoever has it knows that there is one for everybody. @throws CustodyError `proof/malformed` */
export function statementsFile(signed: SignedStatements): Uint8Array {
  return concatBytes(artefactHead('statements'), encodeSigned(signed));
}

function encodeSigned({ header, root, count, signatures }: SignedStatements): Uint8Array {
  if (!Number.isSafeInteger(count) || count < 1 || count > 2 ** depthMax) {
    throw malformed(`there are not ${count} statements`);
  }
  if (signatures.length > signaturesMax) throw malformed(`${signatures.length} signatures are too many`);
  return concatBytes(
    encodeHeader(header),
    exactly(root, wordBytes, 'a root'),
    unsignedBytes(count, 8),
    unsignedBytes(signatures.length, 1),
    ...signatures.map((signature) => exactly(signature, walletSignatureBytes, 'a signature')),
  );
}

type ReadStatements = SignedStatements & { readonly context: Uint8Array };

function readSigned(fields: FieldReader): ReadStatements | undefined {
  const head = takeHeader(fields);
  const root = fields.bytes(wordBytes);
  const count = fields.unsigned(8);
  const number = fields.number(1);
  if (head === undefined || root === undefined || number === undefined || number > signaturesMax) return undefined;
  if (count === undefined || count < 1n || count > 2n ** BigInt(depthMax)) return undefined;
  const signatures = Array.from({ length: number }, () => fields.bytes(walletSignatureBytes) ?? new Uint8Array());
  return { ...head, root, count: Number(count), signatures };
}

/** Reads the file of the signed root; undefined for anything that {@link statementsFile} does not write. */
export function readStatementsFile(bytes: Uint8Array): ReadStatements | undefined {
  const fields = openArtefact('statements', bytes);
  const signed = fields === undefined ? undefined : readSigned(fields);
  return fields?.ended() === true ? signed : undefined;
}

/** What one holder gets: the exact amount, and the way to the root that the quorum signed. @param of.at the claim's place in its order */
export function balanceStatement(
  work: EpochWork,
  of: {
    readonly signed: SignedStatements;
    readonly tree: StatementTree;
    readonly claim: OwnClaim;
    readonly at: number;
  },
): Uint8Array {
  const identity = identityOf(of.claim.compartment, of.claim);
  const { index, siblings } = of.tree.path(of.at);
  return concatBytes(
    artefactHead('statement'),
    encodeSigned(of.signed),
    unsignedBytes(index, 4),
    unsignedBytes(identity.compartment, 4),
    unsignedBytes(identity.kind, 1),
    unsignedBytes(identity.holder.length, 1),
    identity.holder,
    statementSalt(work, identity),
    unsignedBytes(of.claim.amount, statedAmountBytes),
    siblings,
  );
}

/** What a statement states. That a quorum signed it is checked with the members of the signer set. */
export type StatementFinding = {
  readonly signed: ReadStatements;
  /** In the asset's smallest unit. */
  readonly amount: bigint;
};

/** Whether a statement is about this claim, whatever its amount, and leads to the root that it brings. */
export function openStatement(
  bytes: Uint8Array,
  known: { readonly context: Uint8Array; readonly own: Omit<OwnClaim, 'amount'> },
): Verdict<StatementFinding> {
  const parts = readStatement(bytes);
  if (parts === undefined) return refuted('malformed');
  const { signed, identity, amount } = parts;
  if (!equalBytes(signed.context, known.context)) return refuted('other-context');
  if (identity.compartment !== known.own.compartment) return refuted('other-compartment');
  const ours = identity.kind === claimKindNumber[known.own.kind] && equalBytes(identity.holder, known.own.holder);
  if (!ours) return refuted('other-holder');
  const order = { hasher: portableBlockHasher(), context: known.context };
  const tag = statementTag(order, parts.salt, identity).slice();
  const hash = statementLeaf(order, tag, amount).slice();
  const root =
    parts.index < signed.count ? foldStatements(order, { hash, index: parts.index }, parts.siblings) : undefined;
  return root === undefined || !equalBytes(root, signed.root)
    ? refuted('other-record')
    : { holds: true, signed, amount };
}

type StatementParts = {
  readonly signed: ReadStatements;
  readonly identity: { readonly compartment: number; readonly kind: number; readonly holder: Uint8Array };
  readonly index: number;
  readonly salt: Uint8Array;
  readonly amount: bigint;
  readonly siblings: Uint8Array;
};

/** Takes a statement apart; undefined for anything that {@link balanceStatement} does not write. */
export function readStatement(bytes: Uint8Array): StatementParts | undefined {
  const fields = openArtefact('statement', bytes);
  const signed = fields === undefined ? undefined : readSigned(fields);
  if (fields === undefined || signed === undefined) return undefined;
  const index = fields.number(4);
  const compartment = fields.number(4);
  const kind = fields.number(1);
  const length = fields.number(1);
  if (length === undefined || length > holderBytesMax) return undefined;
  const holder = fields.bytes(length);
  const salt = fields.bytes(wordBytes);
  const amount = fields.unsigned(statedAmountBytes);
  const siblings = fields.bytes(depthFor(signed.count) * wordBytes);
  if (!fields.ended() || index === undefined || compartment === undefined || kind === undefined) return undefined;
  if (holder === undefined || salt === undefined || amount === undefined || siblings === undefined) return undefined;
  return { signed, identity: { compartment, kind, holder }, index, salt, amount, siblings };
}
