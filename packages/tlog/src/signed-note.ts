import { CustodyError } from '@bulkhead/domain';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { base64, parseBase64 } from './base64.ts';
import { idOf, isKeyName, type VerifierKey } from './verifier-key.ts';

/** Bytes of a whole note: a checkpoint with sixteen cosignatures has some three thousand. */
export const noteLengthMax: number = 65_536;
/** C2SP signed-note has verifiers accept at least 16. */
export const noteSignaturesMax: number = 64;
/** Bytes of an Ed25519 signature. */
export const signatureLength: number = 64;
/** Bytes of a cosignature: the time before the signature. */
export const cosignatureLength: number = 8 + signatureLength;

const keyIdLength = 4;
const signatureMark = '\u2014 ';

/** A line behind the text. That it says a name proves nothing. */
export type NoteSignature = {
  readonly name: string;
  readonly keyId: number;
  /** What follows the id of the key; its form depends on the key. */
  readonly bytes: Uint8Array;
};

/** A text with lines that may be signatures over it. */
export type SignedNote = { readonly text: string; readonly signatures: readonly NoteSignature[] };

/** Verifies an Ed25519 signature (RFC 8032). False for anything that has not the form of one; it does not throw. */
export type VerifyEd25519 = (check: {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
}) => boolean;

/** A signature of a known key that holds. */
export type VerifiedSignature = {
  readonly key: VerifierKey;
  /** When a witness signed, in seconds since the epoch; a log's own signature says no time. */
  readonly timeS: number | undefined;
};

function malformed(message: string): CustodyError {
  return new CustodyError('log/malformed', `This is no signed note: ${message}.`);
}

/** @throws CustodyError `log/malformed` for a text that no note can have */
export function assertNoteText(text: string): void {
  if (!text.endsWith('\n')) throw malformed('its text does not end with a line feed');
  if (!text.isWellFormed()) throw malformed('it has half of a surrogate pair');
  // Controls besides the line feed. DEL and above may stand in a note.
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x20 && unit !== 0x0a) throw malformed('it has a control character');
  }
}

export function formatNoteSignature({ name, keyId, bytes }: NoteSignature): string {
  const id = new Uint8Array(keyIdLength);
  new DataView(id.buffer).setUint32(0, keyId);
  return `${signatureMark}${name} ${base64(concatBytes(id, bytes))}\n`;
}

/** @throws CustodyError `log/malformed` */
export function formatSignedNote({ text, signatures }: SignedNote): string {
  assertNoteText(text);
  return `${text}\n${signatures.map(formatNoteSignature).join('')}`;
}

/**
 * Reads one line of a signature, without the line feed.
 *
 * @throws CustodyError `log/malformed`
 */
export function parseNoteSignature(line: string): NoteSignature {
  const [name, encoded, ...others] = line.startsWith(signatureMark) ? line.slice(signatureMark.length).split(' ') : [];
  if (name === undefined || encoded === undefined || others.length > 0 || !isKeyName(name)) {
    throw malformed(`"${line.slice(0, 80)}" is no line of a signature`);
  }
  const bytes = parseBase64(encoded, `signature of "${name}"`);
  if (bytes.length <= keyIdLength) throw malformed(`the signature of "${name}" is too short`);
  return { name, keyId: idOf(bytes), bytes: bytes.slice(keyIdLength) };
}

/**
 * Divides a note into text and signatures (C2SP signed-note). Nothing of it is believed yet.
 *
 * @throws CustodyError `log/malformed`
 */
export function parseSignedNote(note: string): SignedNote {
  if (note.length > noteLengthMax) throw malformed(`it is longer than ${noteLengthMax} characters`);
  assertNoteText(note);
  const end = note.lastIndexOf('\n\n');
  if (end < 0) throw malformed('no empty line divides text and signatures');
  const text = note.slice(0, end + 1);
  const lines = note.slice(end + 2, -1).split('\n');
  if (note.length === end + 2) throw malformed('nobody signed it');
  if (lines.length > noteSignaturesMax) throw malformed(`it has more than ${noteSignaturesMax} signatures`);
  return { text, signatures: lines.map(parseNoteSignature) };
}

/** C2SP tlog-cosignature, "Ed25519 signed message": what a witness signs at a time, over the text of a checkpoint. */
export function cosignedMessage(text: string, timeS: number): Uint8Array {
  return utf8ToBytes(`cosignature/v1\ntime ${timeS}\n${text}`);
}

/** The eight bytes of a time before the signature that covers it. */
export function cosignatureBytes(timeS: number, signature: Uint8Array): Uint8Array {
  const time = new Uint8Array(8);
  new DataView(time.buffer).setBigUint64(0, BigInt(timeS));
  return concatBytes(time, signature);
}

function verified(
  key: VerifierKey,
  line: NoteSignature,
  of: { text: string; verify: VerifyEd25519 },
): VerifiedSignature | undefined {
  const { publicKey } = key;
  if (key.purpose === 'ed25519') {
    const message = utf8ToBytes(of.text);
    const holds = line.bytes.length === signatureLength && of.verify({ signature: line.bytes, message, publicKey });
    return holds ? { key, timeS: undefined } : undefined;
  }
  if (line.bytes.length !== cosignatureLength) return undefined;
  const time = new DataView(line.bytes.buffer, line.bytes.byteOffset, 8).getBigUint64(0);
  // Seconds beyond this are no date, and no exact number.
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  const timeS = Number(time);
  const signature = line.bytes.slice(8);
  return of.verify({ signature, message: cosignedMessage(of.text, timeS), publicKey }) ? { key, timeS } : undefined;
}

/**
 * The signatures of a note by keys that the caller trusts, each key at most once. Lines of other keys are passed over, even where
 * they have the name or the id of one.
 *
 * @throws CustodyError `log/unproven` where the line of a known key does not hold, or no known key signed
 */
export function verifySignedNote(
  { text, signatures }: SignedNote,
  keys: readonly VerifierKey[],
  verify: VerifyEd25519,
): readonly VerifiedSignature[] {
  const found = new Map<VerifierKey, VerifiedSignature>();
  for (const line of signatures) {
    const key = keys.find(({ name, id }) => name === line.name && id === line.keyId);
    if (key === undefined) continue;
    const holds = verified(key, line, { text, verify });
    if (holds === undefined) {
      throw new CustodyError(
        'log/unproven',
        `The signature of "${key.name}" does not hold: this is not what was signed.`,
      );
    }
    if (!found.has(key)) found.set(key, holds);
  }
  if (found.size === 0) {
    const names = keys.map(({ name }) => `"${name}"`).join(', ');
    throw new CustodyError('log/unproven', `None of the keys that are trusted here (${names}) signed this note.`);
  }
  return [...found.values()];
}
