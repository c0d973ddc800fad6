import { CustodyError } from '@bulkhead/domain';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { base64, parseBase64 } from './base64.ts';

/**
 * What a key signs: a log its own notes (`ed25519`), a witness the checkpoints of logs with the time (`cosignature`). The same
 * key under another purpose has another id, so neither signature passes for the other.
 */
export type KeyPurpose = 'ed25519' | 'cosignature';

/** Signature types of C2SP signed-note. */
const typeBytes: Readonly<Record<KeyPurpose, number>> = { ed25519: 0x01, cosignature: 0x04 };

export const publicKeyLength: number = 32;
/** Characters of a key name: it stands in every signature line. */
export const keyNameLengthMax: number = 255;

/** A key that somebody decided to trust, with its name. */
export type VerifierKey = {
  readonly name: string;
  readonly purpose: KeyPurpose;
  /** Ed25519, 32 bytes (RFC 8032). */
  readonly publicKey: Uint8Array;
  /** First four bytes of the hash that C2SP signed-note recommends, and tlog-cosignature demands. */
  readonly id: number;
};

/** A name of a key has no space, no plus, and nothing that cannot be seen. */
export function isKeyName(name: string): boolean {
  return name.length > 0 && name.length <= keyNameLengthMax && name.isWellFormed() && !/[\s+\p{C}\p{Z}]/u.test(name);
}

/** @throws CustodyError `log/malformed` for a name or a key that has not the form of one */
export function verifierKey(name: string, purpose: KeyPurpose, publicKey: Uint8Array): VerifierKey {
  if (!isKeyName(name)) {
    throw new CustodyError(
      'log/malformed',
      `"${name}" names no key: 1 to ${keyNameLengthMax} characters, without spaces, plus signs and controls.`,
    );
  }
  if (publicKey.length !== publicKeyLength) {
    throw new CustodyError('log/malformed', `A key of Ed25519 has ${publicKeyLength} bytes, not ${publicKey.length}.`);
  }
  const hash = sha256(concatBytes(utf8ToBytes(`${name}\n`), Uint8Array.of(typeBytes[purpose]), publicKey));
  return { name, purpose, publicKey, id: idOf(hash) };
}

/** The first four bytes, most significant first. */
export function idOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}

/** C2SP signed-note, "Verifier keys": `<name>+<id in hex>+base64(type || key)`. */
export function formatVerifierKey({ name, purpose, publicKey, id }: VerifierKey): string {
  const material = concatBytes(Uint8Array.of(typeBytes[purpose]), publicKey);
  return `${name}+${id.toString(16).padStart(8, '0')}+${base64(material)}`;
}

/**
 * Reads the text of a key; the id in it must be that of the key.
 *
 * @throws CustodyError `log/malformed`
 */
export function parseVerifierKey(text: string): VerifierKey {
  // Base64 may contain a plus sign, a name never does.
  const [, name, id, material] = /^([^+]{1,255})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{1,128})$/u.exec(text) ?? [];
  if (name === undefined || id === undefined || material === undefined) {
    throw new CustodyError('log/malformed', `"${text}" is no verifier key: <name>+<8 hex digits>+<base64>.`);
  }
  const bytes = parseBase64(material, `key of "${name}"`);
  const purpose =
    bytes[0] === typeBytes.ed25519 ? 'ed25519' : bytes[0] === typeBytes.cosignature ? 'cosignature' : undefined;
  if (purpose === undefined) {
    throw new CustodyError('log/malformed', `The key "${name}" has a signature type that is not known here.`);
  }
  const key = verifierKey(name, purpose, bytes.slice(1));
  if (key.id.toString(16).padStart(8, '0') !== id) {
    throw new CustodyError(
      'log/malformed',
      `The id ${id} is not the one of the key "${name}": one of both was changed.`,
    );
  }
  return key;
}

export function sameVerifierKey(a: VerifierKey, b: VerifierKey): boolean {
  return a.name === b.name && a.purpose === b.purpose && bytesToHex(a.publicKey) === bytesToHex(b.publicKey);
}
