import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { CustodyError } from '@bulkhead/domain';
import {
  cipherName,
  formatName,
  type KeyFile,
  type KeyFileHeader,
  kdfName,
  keyFileBytesMax,
  parseKeyFile,
  writeKeyFile,
} from './key-file-format.ts';
import { type Secret, secretOf } from './memory.ts';
import { entropyBytesDefault } from './mnemonic.ts';
import { masterFingerprint } from './tree.ts';
import { createWhole, readPrivate } from './whole-file.ts';

/** Cost of scrypt (RFC 7914): `2^log2N` iterations over `128 * 2^log2N * r` bytes of memory. */
export type ScryptCost = { readonly log2N: number; readonly r: number; readonly p: number };

/** About half a second and 128 MiB. */
export const scryptCostDefault: ScryptCost = { log2N: 17, r: 8, p: 1 };

/** Memory that a key file may ask for when it is opened, in bytes. Somebody who can write the file could ask for more. */
export const scryptMemoryBytesMax: number = 2 ** 30;

/** UTF-16 units of a passphrase after Unicode normalisation. The file's strength is the passphrase's. */
export const passphraseLengthMin: number = 8;

/**
 * Bytes (UTF-8) where the passphrase comes from a file or a terminal that gives bytes: they are moved into locked memory, and what
 * was given is zeros afterwards. A string works too, and stays in memory until the garbage collector writes over it.
 */
export type Passphrase = string | Uint8Array;

export type KeyFileOptions = {
  readonly path: string;
  readonly passphrase: Passphrase;
  /** BIP-39 entropy of 16 to 32 bytes. Fresh from the operating system if absent. The caller wipes its copy. */
  readonly entropy?: Uint8Array;
  /** Lower only where the secret is worth nothing, as in tests. */
  readonly cost?: ScryptCost;
};

const keyBytes = 32;
const nonceBytes = 12;
const saltBytes = 32;

/**
 * Creates an encrypted key file, readable by its owner alone. The file appears whole or not at all, and an existing one is
 * never replaced: a replaced key file is every coin of its wallets lost.
 *
 * @returns the BIP-32 fingerprint of the master key, eight hex digits, to compare with paper copies
 * @throws CustodyError `key/file-exists`, `key/file-access`, `key/missing-file` (the folder), `key/weak-passphrase`,
 *   `key/malformed-mnemonic`
 */
export async function createKeyFile(options: KeyFileOptions): Promise<{ readonly fingerprint: string }> {
  const { path, cost = scryptCostDefault } = options;
  using passphrase = normalizedPassphrase(options.passphrase);
  if (passphrase.characters < passphraseLengthMin) {
    throw new CustodyError(
      'key/weak-passphrase',
      `The passphrase is shorter than ${passphraseLengthMin} characters. Whoever copies the key file can try passphrases at leisure: choose a long one.`,
    );
  }
  assertCost(cost, path);
  using entropy = secretOf(
    options.entropy === undefined ? randomBytes(entropyBytesDefault) : Uint8Array.from(options.entropy),
  );
  const header: KeyFileHeader = {
    format: formatName,
    version: 1,
    fingerprint: masterFingerprint(entropy),
    kdf: { name: kdfName, log2N: cost.log2N, r: cost.r, p: cost.p, salt: randomBytes(saltBytes).toString('hex') },
    cipher: { name: cipherName, nonce: randomBytes(nonceBytes).toString('hex') },
  };
  await createWhole(path, writeKeyFile(seal(header, entropy, passphrase)));
  return { fingerprint: header.fingerprint };
}

/**
 * Opens a key file and returns its entropy in locked memory. The caller wipes it.
 *
 * @throws CustodyError `key/missing-file`, `key/file-access`, `key/damaged-file`, `key/wrong-passphrase`
 */
export async function openKeyFile(
  path: string,
  given: Passphrase,
): Promise<{ readonly entropy: Secret; readonly fingerprint: string }> {
  using passphrase = normalizedPassphrase(given);
  const file = parseKeyFile(await readPrivate(path, keyFileBytesMax), path);
  assertCost(file.header.kdf, path);
  const entropy = unseal(file, passphrase, path);
  try {
    if (masterFingerprint(entropy) === file.header.fingerprint) {
      return { entropy, fingerprint: file.header.fingerprint };
    }
  } catch (error) {
    entropy.wipe();
    throw error;
  }
  entropy.wipe();
  throw new CustodyError(
    'key/damaged-file',
    `The key in ${path} is not the one whose fingerprint the file states. Restore the file from its copy.`,
  );
}

type Normalized = Disposable & { readonly bytes: Secret | undefined; readonly characters: number };

/** Longest passphrase in bytes of UTF-8. */
const passphraseBytesMax = 2_048;

/**
 * The passphrase in the form of the format, NFKC. ASCII is its own normal form and never becomes a string; other letters do,
 * because the tables of Unicode are not to be had otherwise.
 */
function normalizedPassphrase(given: Passphrase): Normalized {
  const ascii = typeof given !== 'string' && given.every((byte) => byte < 0x80);
  const text = ascii ? undefined : textOf(given).normalize('NFKC');
  const source = text === undefined ? bytesOf(given) : Buffer.from(text, 'utf8');
  if (typeof given !== 'string' && text !== undefined) given.fill(0);
  if (source.length > passphraseBytesMax) {
    source.fill(0);
    throw new CustodyError(
      'key/wrong-passphrase',
      `The passphrase is longer than ${passphraseBytesMax} bytes. Give the passphrase, not a file of something else.`,
    );
  }
  const characters = text?.length ?? source.length;
  const bytes = source.length === 0 ? undefined : secretOf(source);
  return { bytes, characters, [Symbol.dispose]: () => bytes?.wipe() };
}

const textOf = (given: Passphrase): string => (typeof given === 'string' ? given : Buffer.from(given).toString('utf8'));
const bytesOf = (given: Passphrase): Uint8Array => (typeof given === 'string' ? Buffer.from(given, 'utf8') : given);

function seal(header: KeyFileHeader, entropy: Secret, passphrase: Normalized): KeyFile {
  using key = stretch(passphrase, header.kdf);
  return key.read((keyRead) => {
    const cipher = createCipheriv(cipherName, keyRead, Buffer.from(header.cipher.nonce, 'hex'));
    cipher.setAAD(headerBytes(header));
    const ciphertext = Buffer.concat([entropy.read((bytes) => cipher.update(bytes)), cipher.final()]);
    return { header, ciphertext: ciphertext.toString('hex'), tag: cipher.getAuthTag().toString('hex') };
  });
}

function unseal(file: KeyFile, passphrase: Normalized, path: string): Secret {
  using key = stretch(passphrase, file.header.kdf);
  return key.read((keyRead) => {
    const decipher = createDecipheriv(cipherName, keyRead, Buffer.from(file.header.cipher.nonce, 'hex'));
    decipher.setAAD(headerBytes(file.header));
    decipher.setAuthTag(Buffer.from(file.tag, 'hex'));
    const entropy = secretOf(decipher.update(Buffer.from(file.ciphertext, 'hex')));
    try {
      decipher.final();
      return entropy;
    } catch {
      entropy.wipe();
      throw new CustodyError(
        'key/wrong-passphrase',
        `The passphrase does not open ${path}. Try again with care for case and layout; if it is surely right, the file was changed by somebody: restore it from its copy.`,
      );
    }
  });
}

/** The whole header is authenticated with the ciphertext, so that no field of it can be exchanged. */
function headerBytes(header: KeyFileHeader): Buffer {
  return Buffer.from(JSON.stringify(header), 'utf8');
}

/** Half a second of the whole process: this happens at the start, and what runs aside would leave its stack behind unwiped. */
function stretch(passphrase: Normalized, kdf: KeyFileHeader['kdf']): Secret {
  const salt = Buffer.from(kdf.salt, 'hex');
  const options = { N: 2 ** kdf.log2N, r: kdf.r, p: kdf.p, maxmem: 2 * scryptMemoryBytesMax };
  const derive = (bytes: Uint8Array): Secret => secretOf(scryptSync(bytes, salt, keyBytes, options));
  return passphrase.bytes === undefined ? derive(new Uint8Array(0)) : passphrase.bytes.read(derive);
}

function assertCost(cost: ScryptCost, path: string): void {
  const whole = Number.isInteger(cost.log2N) && Number.isInteger(cost.r) && Number.isInteger(cost.p);
  const positive = cost.log2N >= 1 && cost.r >= 1 && cost.p >= 1;
  if (!whole || !positive || cost.p > 16 || 128 * 2 ** cost.log2N * cost.r > scryptMemoryBytesMax) {
    throw new CustodyError(
      'key/damaged-file',
      `The scrypt cost of ${path} is out of range: log2N ${cost.log2N}, r ${cost.r}, p ${cost.p}; at most ${scryptMemoryBytesMax} bytes of memory and p 16.`,
    );
  }
}
