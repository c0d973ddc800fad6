import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CustodyError } from '@bulkhead/domain';
import { HDKey } from '@scure/bip32';
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
import { entropyBytesDefault, seedOfEntropy } from './mnemonic.ts';

/** Cost of scrypt (RFC 7914): `2^log2N` iterations over `128 * 2^log2N * r` bytes of memory. */
export type ScryptCost = { readonly log2N: number; readonly r: number; readonly p: number };

/** About half a second and 128 MiB. */
export const scryptCostDefault: ScryptCost = { log2N: 17, r: 8, p: 1 };

/** Memory that a key file may ask for when it is opened, in bytes. Somebody who can write the file could ask for more. */
export const scryptMemoryBytesMax: number = 2 ** 30;

/** UTF-16 units of a passphrase after Unicode normalisation. The file's strength is the passphrase's. */
export const passphraseLengthMin: number = 8;

export type KeyFileOptions = {
  readonly path: string;
  readonly passphrase: string;
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
  const passphrase = options.passphrase.normalize('NFKC');
  if (passphrase.length < passphraseLengthMin) {
    throw new CustodyError(
      'key/weak-passphrase',
      `The passphrase is shorter than ${passphraseLengthMin} characters. Whoever copies the key file can try passphrases at leisure: choose a long one.`,
    );
  }
  assertCost(cost, path);
  const entropy = options.entropy === undefined ? randomBytes(entropyBytesDefault) : Uint8Array.from(options.entropy);
  try {
    const header: KeyFileHeader = {
      format: formatName,
      version: 1,
      fingerprint: await fingerprintOf(entropy),
      kdf: { name: kdfName, log2N: cost.log2N, r: cost.r, p: cost.p, salt: randomBytes(saltBytes).toString('hex') },
      cipher: { name: cipherName, nonce: randomBytes(nonceBytes).toString('hex') },
    };
    await createWhole(path, writeKeyFile(await seal(header, entropy, passphrase)));
    return { fingerprint: header.fingerprint };
  } finally {
    entropy.fill(0);
  }
}

/**
 * Opens a key file and returns its entropy. The caller wipes it.
 *
 * @throws CustodyError `key/missing-file`, `key/file-access`, `key/damaged-file`, `key/wrong-passphrase`
 */
export async function openKeyFile(
  path: string,
  passphrase: string,
): Promise<{ readonly entropy: Uint8Array; readonly fingerprint: string }> {
  const file = parseKeyFile(await readPrivate(path), path);
  assertCost(file.header.kdf, path);
  const entropy = await unseal(file, passphrase.normalize('NFKC'), path);
  if ((await fingerprintOf(entropy)) !== file.header.fingerprint) {
    entropy.fill(0);
    throw new CustodyError(
      'key/damaged-file',
      `The key in ${path} is not the one whose fingerprint the file states. Restore the file from its copy.`,
    );
  }
  return { entropy, fingerprint: file.header.fingerprint };
}

async function seal(header: KeyFileHeader, entropy: Uint8Array, passphrase: string): Promise<KeyFile> {
  const key = await stretch(passphrase, header.kdf);
  try {
    const cipher = createCipheriv(cipherName, key, Buffer.from(header.cipher.nonce, 'hex'));
    cipher.setAAD(headerBytes(header));
    const ciphertext = Buffer.concat([cipher.update(entropy), cipher.final()]);
    return { header, ciphertext: ciphertext.toString('hex'), tag: cipher.getAuthTag().toString('hex') };
  } finally {
    key.fill(0);
  }
}

async function unseal(file: KeyFile, passphrase: string, path: string): Promise<Uint8Array> {
  const key = await stretch(passphrase, file.header.kdf);
  const decipher = createDecipheriv(cipherName, key, Buffer.from(file.header.cipher.nonce, 'hex'));
  decipher.setAAD(headerBytes(file.header));
  decipher.setAuthTag(Buffer.from(file.tag, 'hex'));
  const opened = decipher.update(Buffer.from(file.ciphertext, 'hex'));
  const entropy = Uint8Array.from(opened);
  opened.fill(0);
  try {
    decipher.final();
    return entropy;
  } catch {
    entropy.fill(0);
    throw new CustodyError(
      'key/wrong-passphrase',
      `The passphrase does not open ${path}. Try again with care for case and layout; if it is surely right, the file was changed by somebody: restore it from its copy.`,
    );
  } finally {
    key.fill(0);
  }
}

/** The whole header is authenticated with the ciphertext, so that no field of it can be exchanged. */
function headerBytes(header: KeyFileHeader): Buffer {
  return Buffer.from(JSON.stringify(header), 'utf8');
}

async function stretch(passphrase: string, kdf: KeyFileHeader['kdf']): Promise<Buffer> {
  const secret = Buffer.from(passphrase, 'utf8');
  const salt = Buffer.from(kdf.salt, 'hex');
  const options = { N: 2 ** kdf.log2N, r: kdf.r, p: kdf.p, maxmem: 2 * scryptMemoryBytesMax };
  try {
    return await new Promise((resolve, reject) => {
      scrypt(secret, salt, keyBytes, options, (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      });
    });
  } finally {
    secret.fill(0);
  }
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

async function fingerprintOf(entropy: Uint8Array): Promise<string> {
  const seed = await seedOfEntropy(entropy);
  const master = HDKey.fromMasterSeed(seed);
  seed.fill(0);
  master.wipePrivateData();
  return master.fingerprint.toString(16).padStart(8, '0');
}

/**
 * A temporary file is written and synced, then linked under its name. `link` fails if the name is taken, so two processes
 * that start together make one key file, and the loser learns of it. A crash before the link leaves only the temporary
 * file; after it the file is complete, because its bytes were synced first.
 */
async function createWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text, 'utf8');
      await handle.sync();
    } finally {
      await handle.close();
    }
    try {
      await link(temporary, path);
    } finally {
      await unlink(temporary);
    }
    // The name itself is durable only when its folder is.
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    throw fileFault(path, error);
  }
}

async function readPrivate(path: string): Promise<string> {
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK the opening of a named pipe would wait for ever.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw fileFault(path, error);
  }
  try {
    // Asked of the open file, not of the name, which could be given to another file in between.
    const stat = await handle.stat();
    if (!stat.isFile()) {
      throw new CustodyError('key/file-access', `${path} is not a regular file. Give the path of the key file.`);
    }
    const mode = stat.mode & 0o777;
    if ((mode & 0o077) !== 0) {
      throw new CustodyError(
        'key/file-access',
        `${path} has mode ${mode.toString(8)}: others than its owner may use it. Run chmod 600 on it, and think about who may have copied it.`,
      );
    }
    if (stat.size > keyFileBytesMax) {
      throw new CustodyError(
        'key/damaged-file',
        `${path} has ${stat.size} bytes, a key file has at most ${keyFileBytesMax}.`,
      );
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

function fileFault(path: string, error: unknown): CustodyError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new CustodyError(
        'key/missing-file',
        `There is no ${path}, or no folder for it. Check the path, or create a key file.`,
        { cause: error },
      );
    case 'EEXIST':
      return new CustodyError(
        'key/file-exists',
        `${path} exists already and is not replaced. Choose another path, or move the old file to a safe place first.`,
        { cause: error },
      );
    default:
      return new CustodyError(
        'key/file-access',
        `${path} cannot be used (${code}). Check owner, mode and file system.`,
        { cause: error },
      );
  }
}
