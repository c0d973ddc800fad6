import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  checkpointText,
  cosignatureBytes,
  cosignedMessage,
  formatSignedNote,
  formatVerifierKey,
  type NoteSignature,
  type VerifierKey,
  verifierKey,
} from '@bulkhead/tlog';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import type { PinnedLog } from '../src/index.ts';

export type Pair = { readonly key: VerifierKey; readonly privateKey: KeyObject };

export function pairOf(name: string, purpose: VerifierKey['purpose']): Pair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = Uint8Array.from(publicKey.export({ format: 'der', type: 'spki' }).subarray(-32));
  return { key: verifierKey(name, purpose, raw), privateKey };
}

/** Keys of a log and of a witness, and what a reader who knows them pins. */
export const log: Pair = pairOf('log.example/1', 'ed25519');
export const witness: Pair = pairOf('witness.example', 'cosignature');
export const pinned: PinnedLog = {
  key: formatVerifierKey(log.key),
  witnesses: [formatVerifierKey(witness.key)],
  witnessesMin: 1,
};

/** A checkpoint that the log signed and the witness cosigned. */
export function noteOf(
  head: { readonly size: number; readonly root: Uint8Array },
  by: { readonly log?: Pair; readonly witnesses?: readonly Pair[] } = {},
): string {
  const text = checkpointText({ origin: log.key.name, ...head });
  const signer = by.log ?? log;
  const line = ({ key }: Pair, bytes: Uint8Array): NoteSignature => ({ name: key.name, keyId: key.id, bytes });
  const cosigned = (by.witnesses ?? [witness]).map((each) => {
    const message = cosignedMessage(text, 1_790_000_000);
    return line(each, cosignatureBytes(1_790_000_000, Uint8Array.from(sign(null, message, each.privateKey))));
  });
  const own = line(signer, Uint8Array.from(sign(null, utf8ToBytes(text), signer.privateKey)));
  return formatSignedNote({ text, signatures: [own, ...cosigned] });
}
