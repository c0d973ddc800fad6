import { CustodyError } from '@bulkhead/domain';
import { base64, parseBase64 } from './base64.ts';
import { openCheckpoint, type VerifiedCheckpoint } from './checkpoint.ts';
import { type Leaf, type Opening, opens, parseLeaf } from './log-leaf.ts';
import { leafHash } from './merkle-hash.ts';
import { verifyInclusion } from './merkle-proof.ts';
import type { VerifyEd25519 } from './signed-note.ts';
import type { VerifierKey } from './verifier-key.ts';

/** Hashes of an inclusion path: one for each level of the largest tree. */
export const pathLengthMax: number = 48;

/** What whoever caused a fact keeps: the leaf, what it commits to, and the proof that it stands in the log. */
export type Receipt = {
  readonly index: number;
  readonly leaf: Uint8Array;
  /** Absent where the content was erased, or is not for the reader. */
  readonly opening: Opening | undefined;
  readonly path: readonly Uint8Array[];
  /** Signed note. */
  readonly checkpoint: string;
};

/** The receipt as JSON, spec/log.md: bytes in base64. */
export type ReceiptJson = {
  readonly index: number;
  readonly leaf: string;
  readonly opening: { readonly salt: string; readonly content: string } | null;
  readonly path: readonly string[];
  readonly checkpoint: string;
};

export function receiptJson({ index, leaf, opening, path, checkpoint }: Receipt): ReceiptJson {
  return {
    index,
    leaf: base64(leaf),
    opening: opening === undefined ? null : { salt: base64(opening.salt), content: opening.content },
    path: path.map(base64),
    checkpoint,
  };
}

/** @throws CustodyError `log/malformed` */
export function parseReceipt({ index, leaf, opening, path, checkpoint }: ReceiptJson): Receipt {
  if (path.length > pathLengthMax) {
    throw new CustodyError('log/malformed', `The path of a receipt has at most ${pathLengthMax} hashes.`);
  }
  return {
    index,
    leaf: parseBase64(leaf, 'leaf'),
    opening: opening === null ? undefined : { salt: parseBase64(opening.salt, 'salt'), content: opening.content },
    path: path.map((hash) => parseBase64(hash, 'path')),
    checkpoint,
  };
}

const shape = 'a receipt has index, leaf, opening (salt and content, or null), path and checkpoint';

function field(value: unknown, name: string): unknown {
  const found =
    typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name) : undefined;
  if (found !== undefined) return found[1];
  throw new CustodyError('log/malformed', `This is no receipt: it has no "${name}"; ${shape}.`);
}

function textField(value: unknown, name: string): string {
  const found = field(value, name);
  if (typeof found === 'string') return found;
  throw new CustodyError('log/malformed', `This is no receipt: its "${name}" is no text; ${shape}.`);
}

/**
 * Reads a receipt from JSON of whoever sent it.
 *
 * @throws CustodyError `log/malformed`
 */
export function receiptOf(value: unknown): Receipt {
  const [index, opening, path] = [field(value, 'index'), field(value, 'opening'), field(value, 'path')];
  if (typeof index !== 'number' || !Array.isArray(path)) {
    throw new CustodyError('log/malformed', `This is no receipt: ${shape}.`);
  }
  return parseReceipt({
    index,
    leaf: textField(value, 'leaf'),
    opening: opening === null ? null : { salt: textField(opening, 'salt'), content: textField(opening, 'content') },
    path: path.map((hash) => (typeof hash === 'string' ? hash : '')),
    checkpoint: textField(value, 'checkpoint'),
  });
}

/** What a receipt has shown. */
export type ProvenFact = {
  readonly leaf: Leaf;
  /** Undefined where the receipt has no opening. */
  readonly content: string | undefined;
  readonly checkpoint: VerifiedCheckpoint;
};

/**
 * Verifies a receipt with nothing but keys that the reader trusts.
 *
 * @param trust the log's key, and of which witnesses how many must have cosigned
 * @throws CustodyError `log/malformed`, `log/unproven`
 */
export function openReceipt(
  receipt: Receipt,
  trust: {
    readonly log: VerifierKey;
    readonly witnesses: readonly VerifierKey[];
    readonly witnessesMin: number;
    readonly verify: VerifyEd25519;
  },
): ProvenFact {
  const checkpoint = openCheckpoint(receipt.checkpoint, trust);
  const witnessed = checkpoint.signatures.filter(({ key }) => key !== trust.log).length;
  if (witnessed < trust.witnessesMin) {
    const message = `${witnessed} of the trusted witnesses cosigned this checkpoint, and ${trust.witnessesMin} must.`;
    throw new CustodyError('log/unproven', message);
  }
  const { index, path, opening } = receipt;
  if (!verifyInclusion({ index, leaf: leafHash(receipt.leaf), path }, checkpoint)) {
    throw new CustodyError('log/unproven', `The leaf does not stand at ${index} in the tree of this checkpoint.`);
  }
  const leaf = parseLeaf(receipt.leaf);
  if (opening !== undefined && !opens(leaf, opening)) {
    throw new CustodyError('log/unproven', 'The leaf commits to another content than the receipt shows.');
  }
  return { leaf, content: opening?.content, checkpoint };
}
