import { createHash } from 'node:crypto';
import { CustodyError } from '@bulkhead/domain';

export const formatName = 'bulkhead-key-file' as const;
export const kdfName = 'scrypt' as const;
export const cipherName = 'aes-256-gcm' as const;

/** Bytes of a key file. One of today has about 700. */
export const keyFileBytesMax: number = 16_384;

/** What of a key file is public, and authenticated as one with the ciphertext. Byte strings are lower-case hex. */
export type KeyFileHeader = {
  readonly format: typeof formatName;
  readonly version: 1;
  /** BIP-32 fingerprint of the master key, eight hex digits. */
  readonly fingerprint: string;
  readonly kdf: {
    readonly name: typeof kdfName;
    readonly log2N: number;
    readonly r: number;
    readonly p: number;
    readonly salt: string;
  };
  readonly cipher: { readonly name: typeof cipherName; readonly nonce: string };
};

export type KeyFile = {
  readonly header: KeyFileHeader;
  readonly ciphertext: string;
  readonly tag: string;
};

/** The text of a key file: JSON with a checksum, which tells damage from a wrong passphrase before the passphrase is tried. */
export function writeKeyFile(file: KeyFile): string {
  return `${JSON.stringify({ ...file, checksum: checksumOf(file) }, null, 2)}\n`;
}

/**
 * Reads the text of a key file. Only text that {@link writeKeyFile} would have written is accepted.
 *
 * @throws CustodyError `key/damaged-file`
 */
export function parseKeyFile(text: string, path: string): KeyFile {
  const root = record(parseJson(text, path), path);
  const header = record(root['header'], path);
  const kdf = record(header['kdf'], path);
  const cipher = record(header['cipher'], path);
  if (header['format'] !== formatName) throw damaged(path, 'its format is not bulkhead-key-file');
  if (header['version'] !== 1) throw damaged(path, 'its version is not 1, the only one this release reads');
  if (kdf['name'] !== kdfName) throw damaged(path, 'its key derivation is not scrypt');
  if (cipher['name'] !== cipherName) throw damaged(path, 'its cipher is not aes-256-gcm');
  const file: KeyFile = {
    header: {
      format: formatName,
      version: 1,
      fingerprint: hex(header['fingerprint'], { bytes: 4, path }),
      kdf: {
        name: kdfName,
        log2N: integer(kdf['log2N'], path),
        r: integer(kdf['r'], path),
        p: integer(kdf['p'], path),
        salt: hex(kdf['salt'], { bytes: 32, path }),
      },
      cipher: { name: cipherName, nonce: hex(cipher['nonce'], { bytes: 12, path }) },
    },
    ciphertext: hex(root['ciphertext'], { path }),
    tag: hex(root['tag'], { bytes: 16, path }),
  };
  if (writeKeyFile(file) !== text) throw damaged(path, 'its checksum or layout is wrong');
  return file;
}

function checksumOf(file: KeyFile): string {
  const { header, ciphertext, tag } = file;
  return createHash('sha256').update(JSON.stringify({ header, ciphertext, tag })).digest('hex');
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(path, 'it is not JSON');
  }
}

function record(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw damaged(path, 'a part of it is missing');
  }
  return Object.fromEntries(Object.entries(value));
}

function integer(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) {
    throw damaged(path, 'a number in it is missing');
  }
  return value;
}

function hex(value: unknown, expected: { readonly bytes?: number; readonly path: string }): string {
  if (typeof value !== 'string' || !/^(?:[0-9a-f]{2})+$/u.test(value)) {
    throw damaged(expected.path, 'a byte string in it is missing or not lower-case hex');
  }
  if (expected.bytes !== undefined && value.length !== 2 * expected.bytes) {
    throw damaged(expected.path, `a byte string in it does not have ${expected.bytes} bytes`);
  }
  return value;
}

function damaged(path: string, fact: string): CustodyError {
  return new CustodyError('key/damaged-file', `${path} is damaged or no key file: ${fact}. Restore it from its copy.`);
}
