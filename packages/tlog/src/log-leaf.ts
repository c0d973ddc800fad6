import { CustodyError, equalBytes } from '@bulkhead/domain';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { hashLength, type Sha256 } from './merkle-hash.ts';

/** What can be a fact of the audit log; spec/log.md says what each one is. */
export const factKinds = [
  'transfer',
  'movement',
  'deposit-step',
  'withdrawal-step',
  'dispatch-step',
  'approval',
  'signer-decision',
  'policy-change',
  'registry-change',
  'ceremony-step',
  'address-issued',
  'vault-step',
  'client-change',
  'agreement',
  'fee',
  'reconciliation',
  'break-step',
  'chain-step',
  'proof-published',
  'auditor-access',
  'erasure',
] as const;

export type FactKind = (typeof factKinds)[number];

const knownKinds: ReadonlySet<string> = new Set(factKinds);

export function isFactKind(text: string): text is FactKind {
  return knownKinds.has(text);
}

const leafVersion = 0x01;
export const saltLength: number = 32;
/** Characters of the id that a fact is about. */
export const factIdLengthMax: number = 128;
/** Bytes of what a leaf commits to. */
export const contentLengthMax: number = 1_048_576;

const commitmentDomain = utf8ToBytes('bulkhead-log-v1\n');
const idForm = /^[!-~]{1,128}$/u;

/** What everybody may read of a fact. */
export type Leaf = {
  readonly kind: FactKind;
  /** Id of what the fact is about; ids are random or hashes, and say nothing by themselves. */
  readonly id: string;
  /** When, in milliseconds since the epoch. */
  readonly timeMs: number;
  /** {@link commitmentOf} salt and content, 32 bytes. */
  readonly commitment: Uint8Array;
};

/** What only those may read who are told. */
export type Opening = {
  /** 32 random bytes, of this leaf alone. */
  readonly salt: Uint8Array;
  /** JSON text, exactly as it was hashed. */
  readonly content: string;
};

function malformed(message: string): CustodyError {
  return new CustodyError('log/malformed', `This is no leaf of the audit log: ${message}.`);
}

/**
 * SHA-256 over a domain, the salt and the content. Without the salt nobody can try contents out; with it nobody can show another
 * content.
 *
 * @throws CustodyError `log/malformed`
 */
export function commitmentOf({ salt, content }: Opening, hash: Sha256 = sha256): Uint8Array {
  if (salt.length !== saltLength) throw malformed(`its salt has ${salt.length} bytes, not ${saltLength}`);
  if (!content.isWellFormed()) throw malformed('its content has half of a surrogate pair');
  const bytes = utf8ToBytes(content);
  if (bytes.length > contentLengthMax) throw malformed(`its content has more than ${contentLengthMax} bytes`);
  return hash(concatBytes(commitmentDomain, salt, bytes));
}

/**
 * The bytes of a leaf, spec/log.md.
 *
 * @throws CustodyError `log/malformed`
 */
export function encodeLeaf({ kind, id, timeMs, commitment }: Leaf): Uint8Array {
  if (!idForm.test(id)) throw malformed(`an id has 1 to ${factIdLengthMax} visible characters of ASCII`);
  if (!Number.isSafeInteger(timeMs) || timeMs < 0) throw malformed('its time is no number of milliseconds');
  if (commitment.length !== hashLength) throw malformed('its commitment has not 32 bytes');
  const leaf = new Uint8Array(1 + 1 + kind.length + 1 + id.length + 8 + hashLength);
  let at = 0;
  leaf[at] = leafVersion;
  at += 1;
  for (const text of [kind, id]) {
    leaf[at] = text.length;
    for (let n = 0; n < text.length; n += 1) leaf[at + 1 + n] = text.charCodeAt(n);
    at += 1 + text.length;
  }
  new DataView(leaf.buffer).setBigUint64(at, BigInt(timeMs));
  leaf.set(commitment, at + 8);
  return leaf;
}

/**
 * Reads what {@link encodeLeaf} writes, and refuses all else.
 *
 * @throws CustodyError `log/malformed`
 */
export function parseLeaf(bytes: Uint8Array): Leaf {
  if (bytes[0] !== leafVersion) throw malformed('its version is not known here');
  let at = 1;
  const text = (): string => {
    const length = bytes[at] ?? 0;
    const part = bytes.subarray(at + 1, at + 1 + length);
    at += 1 + length;
    return String.fromCharCode(...part);
  };
  const [kind, id] = [text(), text()];
  if (!isFactKind(kind)) throw malformed('its kind is not known here');
  if (bytes.length !== at + 8 + hashLength) throw malformed(`it has ${bytes.length} bytes`);
  const time = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(at);
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed('its time is beyond every date');
  const leaf: Leaf = { kind, id, timeMs: Number(time), commitment: bytes.slice(at + 8) };
  if (!equalBytes(encodeLeaf(leaf), bytes)) throw malformed('it is written in another way');
  return leaf;
}

/** Whether a leaf commits to this content. */
export function opens(leaf: Leaf, opening: Opening): boolean {
  return equalBytes(leaf.commitment, commitmentOf(opening));
}
