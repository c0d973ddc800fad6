import { CustodyError, equalBytes } from '@bulkhead/domain';
import { base64, parseBase64 } from './base64.ts';
import { emptyRoot, hashLength, treeSizeMax } from './merkle-hash.ts';
import type { TreeHead } from './merkle-proof.ts';
import {
  assertNoteText,
  parseSignedNote,
  type SignedNote,
  type VerifiedSignature,
  type VerifyEd25519,
  verifySignedNote,
} from './signed-note.ts';
import type { VerifierKey } from './verifier-key.ts';

/** Characters of a log's name. */
export const originLengthMax: number = 255;

/** What a log says of itself: whose tree, how many leaves, which root (C2SP tlog-checkpoint). */
export type Checkpoint = TreeHead & {
  /** Name of the log, by convention an address without its scheme. */
  readonly origin: string;
  /** Lines that the log adds. This project writes none, and believes none. */
  readonly extensions: readonly string[];
};

/** A checkpoint whose log signed it, with whoever else did. */
export type VerifiedCheckpoint = Checkpoint & {
  readonly note: SignedNote;
  readonly signatures: readonly VerifiedSignature[];
};

function malformed(message: string): CustodyError {
  return new CustodyError('log/malformed', `This is no checkpoint: ${message}.`);
}

/** The text of a checkpoint, as it is signed. */
export function checkpointText({ origin, size, root }: Omit<Checkpoint, 'extensions'>): string {
  const text = `${origin}\n${size}\n${base64(root)}\n`;
  parseCheckpointText(text);
  return text;
}

/**
 * Reads the text of a checkpoint.
 *
 * @throws CustodyError `log/malformed`
 */
export function parseCheckpointText(text: string): Checkpoint {
  assertNoteText(text);
  const [origin = '', size = '', root = '', ...extensions] = text.slice(0, -1).split('\n');
  if (origin === '' || origin.length > originLengthMax) throw malformed('its first line names no log');
  if (!/^(?:0|[1-9][0-9]{0,15})$/u.test(size) || Number(size) > treeSizeMax) {
    throw malformed('its second line is no number of leaves');
  }
  const hash = parseBase64(root, 'root');
  if (hash.length !== hashLength) throw malformed('its third line is no root hash');
  if (size === '0' && !equalBytes(hash, emptyRoot)) throw malformed('its root is not that of the empty tree');
  if (extensions.includes('')) throw malformed('it has an empty line');
  return { origin, size: Number(size), root: hash, extensions };
}

/**
 * Reads a checkpoint and verifies that its log signed it.
 *
 * @param log the key that is trusted for this log; `origin` must be its name unless another one is passed
 * @param witnesses keys whose cosignatures are looked for besides
 * @throws CustodyError `log/malformed`, `log/unproven`
 */
export function openCheckpoint(
  note: string,
  by: {
    readonly log: VerifierKey;
    readonly witnesses?: readonly VerifierKey[];
    readonly origin?: string;
    readonly verify: VerifyEd25519;
  },
): VerifiedCheckpoint {
  const witnesses = by.witnesses ?? [];
  // The same key may be trusted for either; what it says as one is not what it says as the other.
  if (by.log.purpose !== 'ed25519' || witnesses.some(({ purpose }) => purpose !== 'cosignature')) {
    throw new CustodyError(
      'log/unproven',
      'A log is verified by a key of its own notes, a witness by one of cosignatures.',
    );
  }
  const parsed = parseSignedNote(note);
  const checkpoint = parseCheckpointText(parsed.text);
  const origin = by.origin ?? by.log.name;
  if (checkpoint.origin !== origin) {
    throw new CustodyError('log/unproven', `The checkpoint is of the log "${checkpoint.origin}", not of "${origin}".`);
  }
  const signatures = verifySignedNote(parsed, [by.log, ...witnesses], by.verify);
  if (!signatures.some(({ key }) => key === by.log)) {
    throw new CustodyError('log/unproven', `The log "${origin}" did not sign this checkpoint; only witnesses did.`);
  }
  return { ...checkpoint, note: parsed, signatures };
}
