import {
  type Brief,
  type DescriptionLine,
  describeIntent,
  type Hashes,
  type KnownAssets,
  listDigest,
  parseBrief,
  parseList,
  parseStatement,
  type RegistryItem,
} from '@bulkhead/authority';
import {
  type AssetId,
  chainOf,
  CustodyError,
  type Intent,
  nativeAsset,
  parseIntent,
  type SignedStatement,
} from '@bulkhead/domain';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { ApprovalRequest } from './approval-request.ts';
import { listNotices, unusual } from './notice.ts';
import type { Notice } from './notice-shown.ts';
import { vaultIntentNotices } from './vault-notice.ts';

/** What this copy of the page, or this key file, was made for. */
export type Pins = {
  /** The installation, 32 hex digits. */
  readonly deployment: string;
  /** Identity keys of its signers, Ed25519, hex. */
  readonly identities: readonly string[];
};

export type VerifyEd25519 = (signed: {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}) => Promise<boolean>;

export type Examiner = {
  readonly pins: Pins;
  readonly hashes: Hashes;
  readonly verify: VerifyEd25519;
  /** Unix seconds. */
  readonly now: bigint;
};

/** What a person is shown before signing: all of it read from the bytes that would be signed, or signed by the signer. */
export type Examination = {
  readonly intent: Intent;
  /** SHA-256 of the canonical bytes, hex: what is signed. */
  readonly digest: string;
  readonly lines: readonly DescriptionLine[];
  readonly assets: KnownAssets;
  /** Absent where there is none that can be believed; `notices` says so. */
  readonly brief?: Brief;
  /** Items of the list, where the intent changes the registry and the list is the one it names. */
  readonly items?: readonly RegistryItem[];
  /** The gravest first. */
  readonly notices: readonly Notice[];
  /** Why this must not be signed here. */
  readonly refusal?: string;
};

/** Age at which a brief says nothing about now any more. */
export const briefAgeMaxSeconds: bigint = 900n;

/** How far the signer's clock may be ahead of the one here. */
export const clockSkewMaxSeconds: bigint = 120n;

/** The smallest part of a coin is the wei on every chain of Ethereum's kind: 18 decimals. */
const nativeDecimals = 18;

/**
 * Reads what somebody brought, with the code the signer reads with, and says what is to be known about it.
 *
 * @throws CustodyError `intent/malformed` and the faults of the field parsers for bytes that are no intent;
 *   `signer/wrong-deployment` for one of another installation
 */
export async function examine(request: ApprovalRequest, examiner: Examiner): Promise<Examination> {
  const intent = parseIntent(request.intent);
  const { pins, hashes, now } = examiner;
  if (intent.deployment !== pins.deployment) {
    throw new CustodyError(
      'signer/wrong-deployment',
      `This belongs to the installation ${intent.deployment}, and approvals are made here for ${pins.deployment}. Nothing can be signed: ask whoever sent it.`,
    );
  }
  const digest = bytesToHex(hashes.sha256(request.intent));
  const believed = await believe(request.brief, { ...examiner, digest });
  const listed = listOf(intent, request.list, hashes);
  const assets = knownAssets(intent, believed.brief);
  const refusal = expired(intent, now) ?? listed.refusal;
  return {
    intent,
    digest,
    lines: describeIntent(intent, assets),
    assets,
    ...(believed.brief === undefined ? {} : { brief: believed.brief }),
    ...(listed.items === undefined ? {} : { items: listed.items }),
    notices: [
      ...(believed.notice === undefined ? [] : [believed.notice]),
      ...(believed.brief === undefined ? [] : unusual({ intent, brief: believed.brief, assets, now })),
      ...vaultIntentNotices(intent),
      ...(listed.items === undefined ? [] : listNotices(intent, listed.items, assets)),
    ].sort((a, b) => gravity[a.level] - gravity[b.level]),
    ...(refusal === undefined ? {} : { refusal }),
  };
}

const gravity: Readonly<Record<Notice['level'], number>> = { danger: 0, warning: 1, information: 2 };

function expired(intent: Intent, now: bigint): string | undefined {
  if (!('expiresAt' in intent) || intent.expiresAt > now) return undefined;
  return 'Its time is over: the signer would refuse it. Whoever wants it asks anew.';
}

type Believed = { readonly brief?: Brief; readonly notice?: Notice };
type Subject = Examiner & { readonly digest: string };

async function believe(signed: SignedStatement | undefined, subject: Subject): Promise<Believed> {
  if (signed === undefined) {
    return unbelieved('warning', 'The signer says nothing about it', 'No brief of the signer came along.');
  }
  const lie = 'What came along as word of the signer is not to be believed';
  if (!(await isSigned(signed, subject))) {
    return unbelieved('danger', lie, 'It is not signed by an identity key of this installation.');
  }
  let brief: Brief;
  try {
    const { kind, fields } = parseStatement(signed.statement);
    if (kind !== 'brief') return unbelieved('danger', lie, `It is a statement of another kind (${kind}).`);
    brief = parseBrief(fields);
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return unbelieved('danger', lie, error.message);
  }
  if (brief.digest !== subject.digest) {
    return unbelieved('danger', lie, `It is about another intent (${brief.digest.slice(0, 16)}…), not about this one.`);
  }
  if (brief.deployment !== subject.pins.deployment) {
    return unbelieved('danger', lie, `It is of another installation (${brief.deployment}).`);
  }
  if (brief.at + briefAgeMaxSeconds < subject.now) {
    const minutes = (subject.now - brief.at) / 60n;
    return unbelieved(
      'warning',
      'What the signer said is too old',
      `It said it ${minutes} minutes ago; a brief counts for ${briefAgeMaxSeconds / 60n} minutes. Load the request again.`,
    );
  }
  if (brief.at > subject.now + clockSkewMaxSeconds) {
    return unbelieved(
      'warning',
      'What the signer said is from the future',
      "The clock of this device or the signer's clock is wrong.",
    );
  }
  return { brief };
}

async function isSigned({ identity, signature, statement }: SignedStatement, subject: Subject): Promise<boolean> {
  if (!subject.pins.identities.includes(identity)) return false;
  const message = new TextEncoder().encode(statement);
  return subject.verify({ publicKey: bytesOfHex(identity), message, signature: bytesOfHex(signature) });
}

function bytesOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../gu) ?? [], (pair) => Number.parseInt(pair, 16));
}

function unbelieved(level: Notice['level'], title: string, fact: string): Believed {
  const text = `${fact} Limits, the history of the destination and earlier approvals are unknown. What stands below is read from the bytes themselves and is what you would sign.`;
  return { notice: { level, title, text } };
}

function knownAssets(intent: Intent, brief: Brief | undefined): KnownAssets {
  const known = new Map<AssetId, { readonly symbol: string; readonly decimals: number }>();
  if ('asset' in intent) {
    known.set(nativeAsset(chainOf(intent.asset)), { symbol: 'native coin', decimals: nativeDecimals });
  }
  // A brief that is about this intent and says something of another asset says nothing.
  if (brief?.asset !== undefined && 'asset' in intent && brief.asset.asset === intent.asset) {
    known.set(brief.asset.asset, { symbol: brief.asset.symbol, decimals: brief.asset.decimals });
  }
  return known;
}

type Listed = { readonly items?: readonly RegistryItem[]; readonly refusal?: string };

/** The list as it is, if it is the one that the intent names: who signs the intent signs each line of it. */
function listOf(intent: Intent, list: string | undefined, hashes: Hashes): Listed {
  if (intent.kind !== 'enrolment' && intent.kind !== 'policy-change') {
    return list === undefined ? {} : { refusal: 'A list of changes came along, and this intent changes no registry.' };
  }
  if (list === undefined) {
    return {
      refusal: 'The list of changes is missing: nobody can see what would be approved. Open the file that has it.',
    };
  }
  const digest = listDigest(hashes, list);
  if (digest !== intent.digest) {
    return {
      refusal: `The list that came along is not the one that would be approved: its digest is ${digest}, and the intent names ${intent.digest}. Somebody lies, or the wrong file was opened.`,
    };
  }
  try {
    const items = parseList(list);
    if (BigInt(items.length) === intent.items) return { items };
    return { refusal: `The list has ${items.length} items, and the intent names ${intent.items}.` };
  } catch (error) {
    if (!(error instanceof CustodyError)) throw error;
    return { refusal: `The list cannot be read as the signer reads it: ${error.message}` };
  }
}
