import { personIdOf } from '@bulkhead/authority';
import { CustodyError } from '@bulkhead/domain';
import type { Pins } from './examination.ts';
import type { SoftwareKind } from './software-approver.ts';

/** Cost of scrypt (RFC 7914): `2^log2N` iterations over `128 * 2^log2N * r` bytes of memory. */
export type ApproverKeyCost = { readonly log2N: number; readonly r: number; readonly p: number };

/** Memory that a key file may ask for when it is opened, in bytes. */
export const approverKeyMemoryBytesMax: number = 2 ** 30;

/** Identity keys that one installation pins: its signers, and those before them. */
export const identitiesMax: number = 32;

/** What of a key file everybody may know. It is authenticated as one with the key. Byte strings are lower-case hex. */
export type ApproverKeyHeader = {
  readonly format: 'bulkhead-approver-key';
  readonly version: 1;
  readonly kind: SoftwareKind;
  readonly person: string;
  /** Id of the key in the registry, under the person. */
  readonly key: string;
  /** Ed25519 public key, or the address of an EIP-712 key. */
  readonly public: string;
  /** The installation the key approves for, and its identity keys. Absent where whoever opens it has to say them. */
  readonly pins?: Pins;
  readonly kdf: { readonly name: 'scrypt'; readonly salt: string } & ApproverKeyCost;
  readonly cipher: { readonly name: 'aes-256-gcm'; readonly nonce: string };
};

type KeyFile = { readonly header: ApproverKeyHeader; readonly ciphertext: string; readonly tag: string };

/** The text of a key file. */
export function writeKeyFile({ header, ciphertext, tag }: KeyFile): string {
  return `${JSON.stringify({ header, ciphertext, tag }, null, 2)}\n`;
}

/**
 * Reads the text of a key file; a text that {@link writeKeyFile} would not have written is refused.
 *
 * @throws CustodyError `key/damaged-file`
 */
export function parseKeyFile(text: string, path: string): KeyFile {
  const root = fieldsOf(jsonOf(text, path), path);
  const header = fieldsOf(root['header'], path);
  const kdf = fieldsOf(header['kdf'], path);
  const cipher = fieldsOf(header['cipher'], path);
  const { kind } = header;
  if (header['format'] !== 'bulkhead-approver-key' || header['version'] !== 1) {
    throw damaged(path, 'its format is not bulkhead-approver-key, version 1');
  }
  if (kind !== 'ed25519' && kind !== 'eip712') throw damaged(path, 'its kind is unknown');
  const file: KeyFile = {
    header: {
      format: 'bulkhead-approver-key',
      version: 1,
      kind,
      person: personIdOf(textOf(header['person'], path)),
      key: personIdOf(textOf(header['key'], path)),
      public: textOf(header['public'], path),
      ...(header['pins'] === undefined ? {} : { pins: pinsOf(fieldsOf(header['pins'], path), path) }),
      kdf: {
        name: 'scrypt',
        log2N: integerOf(kdf['log2N'], path),
        r: integerOf(kdf['r'], path),
        p: integerOf(kdf['p'], path),
        salt: hexOf(kdf['salt'], 32, path),
      },
      cipher: { name: 'aes-256-gcm', nonce: hexOf(cipher['nonce'], 12, path) },
    },
    ciphertext: hexOf(root['ciphertext'], 32, path),
    tag: hexOf(root['tag'], 16, path),
  };
  if (writeKeyFile(file) !== text) throw damaged(path, 'its layout is another');
  assertCost(file.header.kdf, path);
  return file;
}

/** @throws CustodyError `key/damaged-file`: whoever can write the file could ask for any amount of memory */
export function assertCost({ log2N, r, p }: ApproverKeyCost, path: string): void {
  const positive = log2N >= 1 && r >= 1 && p >= 1;
  if (!positive || p > 16 || 128 * 2 ** log2N * r > approverKeyMemoryBytesMax) {
    throw damaged(path, `its scrypt cost is out of range (log2N ${log2N}, r ${r}, p ${p})`);
  }
}

export function damaged(path: string, fact: string): CustodyError {
  return new CustodyError(
    'key/damaged-file',
    `${path} is damaged or no approver key: ${fact}. Restore it from its copy.`,
  );
}

function pinsOf(fields: Fields, path: string): Pins {
  const { identities } = fields;
  if (!Array.isArray(identities) || identities.length > identitiesMax) {
    throw damaged(path, 'its identities are no list');
  }
  const list: readonly unknown[] = identities;
  return {
    deployment: hexOf(fields['deployment'], 16, path),
    identities: list.map((identity) => hexOf(identity, 32, path)),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw damaged(path, 'it is no JSON');
  }
}

function fieldsOf(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw damaged(path, 'a part is missing');
  return Object.fromEntries(Object.entries(value));
}

function textOf(value: unknown, path: string): string {
  if (typeof value !== 'string') throw damaged(path, 'a text is missing');
  return value;
}

function integerOf(value: unknown, path: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw damaged(path, 'a number is missing');
  return value;
}

function hexOf(value: unknown, bytes: number, path: string): string {
  if (typeof value !== 'string' || value.length !== bytes * 2 || !/^[0-9a-f]+$/u.test(value)) {
    throw damaged(path, `hex of ${bytes} bytes is missing`);
  }
  return value;
}
