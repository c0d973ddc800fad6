import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import type { ApproverKey } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import { createWhole, readPrivate } from '@bulkhead/keys/whole-file';
import type { Pins } from './examination.ts';
import {
  type ApproverKeyCost,
  type ApproverKeyHeader,
  approverKeyMemoryBytesMax,
  assertCost,
  damaged,
  parseKeyFile,
  writeKeyFile,
} from './key-file-form.ts';
import { type SoftwareApprover, softwareEntry, type SoftwareKind, softwarePublic } from './software-approver.ts';

/** About half a second and 128 MiB. */
export const approverKeyCostDefault: ApproverKeyCost = { log2N: 17, r: 8, p: 1 };

/** UTF-16 units of a passphrase. */
export const approverPassphraseLengthMin: number = 8;

/** Bytes of a key file. One of today has about 900. */
export const approverKeyFileBytesMax: number = 16_384;

export type ApproverKeyRequest = {
  readonly path: string;
  readonly passphrase: string;
  readonly kind: SoftwareKind;
  readonly person: string;
  readonly key: string;
  readonly pins?: Pins;
  /** Lower only where the key is worth nothing, as in tests and demonstrations. */
  readonly cost?: ApproverKeyCost;
};

const secretBytes = 32;

/**
 * Makes a software approver key in an encrypted file (mode 0600); an existing file is never replaced.
 *
 * @returns its entry in the registry
 * @throws CustodyError `key/file-exists`, `key/missing-file` (the folder), `key/file-access`, `key/weak-passphrase`
 */
export async function createApproverKey(request: ApproverKeyRequest): Promise<ApproverKey> {
  const { path, kind, person, key, pins, cost = approverKeyCostDefault } = request;
  const passphrase = request.passphrase.normalize('NFKC');
  if (passphrase.length < approverPassphraseLengthMin) {
    throw new CustodyError(
      'key/weak-passphrase',
      `The passphrase is shorter than ${approverPassphraseLengthMin} characters. Whoever copies the key file can try passphrases at leisure: choose a long one.`,
    );
  }
  assertCost(cost, path);
  const secret = freshSecret(kind);
  try {
    const header: ApproverKeyHeader = {
      format: 'bulkhead-approver-key',
      version: 1,
      kind,
      person,
      key,
      public: softwarePublic(kind, secret),
      ...(pins === undefined ? {} : { pins }),
      kdf: { name: 'scrypt', log2N: cost.log2N, r: cost.r, p: cost.p, salt: randomBytes(32).toString('hex') },
      cipher: { name: 'aes-256-gcm', nonce: randomBytes(12).toString('hex') },
    };
    await createWhole(path, seal(header, secret, passphrase));
    return entryOf(header);
  } finally {
    secret.fill(0);
  }
}

/**
 * Opens a key file.
 *
 * @throws CustodyError `key/missing-file`, `key/file-access`, `key/damaged-file`, `key/wrong-passphrase`
 */
export async function openApproverKey(path: string, passphrase: string): Promise<SoftwareApprover> {
  const { header, ciphertext, tag } = parseKeyFile(await readPrivate(path, approverKeyFileBytesMax), path);
  const stretched = stretch(passphrase.normalize('NFKC'), header.kdf);
  const decipher = createDecipheriv('aes-256-gcm', stretched, Buffer.from(header.cipher.nonce, 'hex'));
  decipher.setAAD(Buffer.from(JSON.stringify(header), 'utf8'));
  decipher.setAuthTag(Buffer.from(tag, 'hex'));
  const secret = decipher.update(Buffer.from(ciphertext, 'hex'));
  stretched.fill(0);
  try {
    decipher.final();
  } catch (cause) {
    secret.fill(0);
    throw new CustodyError(
      'key/wrong-passphrase',
      `The passphrase does not open ${path}. Try again with care for case and layout; if it is surely right, somebody changed the file.`,
      { cause },
    );
  }
  const { kind, person, pins } = header;
  if (softwarePublic(kind, secret) !== header.public) throw damaged(path, 'its key is not the one that it names');
  return { person, entry: entryOf(header), kind, secret, ...(pins === undefined ? {} : { pins }) };
}

/** What a key file says of itself without its passphrase; nothing of it is authenticated. @throws as {@link openApproverKey} */
export async function readApproverKeyHeader(path: string): Promise<ApproverKeyHeader> {
  return parseKeyFile(await readPrivate(path, approverKeyFileBytesMax), path).header;
}

/** Wipes the key from memory. */
export function closeApproverKey(approver: SoftwareApprover): void {
  approver.secret.fill(0);
}

/** One number in 2^128 is no scalar of secp256k1; it is drawn again. */
function freshSecret(kind: SoftwareKind): Buffer {
  for (;;) {
    const secret = randomBytes(secretBytes);
    try {
      softwarePublic(kind, secret);
      return secret;
    } catch {
      secret.fill(0);
    }
  }
}

function entryOf(header: ApproverKeyHeader): ApproverKey {
  return softwareEntry(header.kind, header.key, header.public);
}

function seal(header: ApproverKeyHeader, secret: Uint8Array, passphrase: string): string {
  const stretched = stretch(passphrase, header.kdf);
  const cipher = createCipheriv('aes-256-gcm', stretched, Buffer.from(header.cipher.nonce, 'hex'));
  cipher.setAAD(Buffer.from(JSON.stringify(header), 'utf8'));
  const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]).toString('hex');
  stretched.fill(0);
  return writeKeyFile({ header, ciphertext, tag: cipher.getAuthTag().toString('hex') });
}

function stretch(passphrase: string, { salt, log2N, r, p }: ApproverKeyHeader['kdf']): Buffer {
  const options = { N: 2 ** log2N, r, p, maxmem: 2 * approverKeyMemoryBytesMax };
  return scryptSync(passphrase, Buffer.from(salt, 'hex'), 32, options);
}
