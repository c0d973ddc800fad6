import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { artefactHead, openArtefact } from './artefact.ts';
import { exactly, type FieldReader, joined, malformed, unsignedBytes, wordBytes } from './fixed-width.ts';

/** A statement of a signer (spec/statement.md) with its signature: Ed25519, key of 32 bytes, signature of 64. */
export type SignedCertificate = {
  readonly statement: string;
  readonly identity: Uint8Array;
  readonly signature: Uint8Array;
};

export const ed25519SignatureBytes = 64;

/** Bytes of one statement that are read at most: 32,768 characters of three bytes. */
export const statementBytesMax = 98_304;

/** What a wallet names its certificate by: SHA-256 of the statement's text. */
export function certificateDigest({ statement }: Pick<SignedCertificate, 'statement'>): Uint8Array {
  return sha256(utf8ToBytes(statement));
}

/**
 * The file of all certificates: several signers may certify the same.
 *
 * @throws CustodyError `proof/malformed` for two of one signer over one statement
 */
export function certificatesFile(certificates: readonly SignedCertificate[]): Uint8Array {
  return concatBytes(artefactHead('certificates'), encodeCertificates(certificates));
}

/** Reads the file back; undefined for anything that {@link certificatesFile} does not write. */
export function readCertificatesFile(bytes: Uint8Array): readonly SignedCertificate[] | undefined {
  const fields = openArtefact('certificates', bytes);
  const list = fields === undefined ? undefined : readCertificates(fields);
  return fields?.ended() === true ? list : undefined;
}

/** Ascending by digest of the statement, then by identity, each pair once. @throws CustodyError `proof/malformed` */
export function encodeCertificates(certificates: readonly SignedCertificate[]): Uint8Array {
  const sorted = certificates
    .map((certificate) => ({ certificate, key: orderKey(certificate) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  sorted.forEach(({ key, certificate }, at) => {
    if (sorted[at - 1]?.key === key) {
      throw malformed(`two certificates of ${bytesToHex(certificate.identity)} say the same`);
    }
  });
  return joined([
    unsignedBytes(sorted.length, 4),
    ...sorted.flatMap(({ certificate: { statement, identity, signature } }) => {
      const text = utf8ToBytes(statement);
      if (text.length > statementBytesMax) throw malformed(`a statement has more than ${statementBytesMax} bytes`);
      return [
        exactly(identity, wordBytes, 'an identity'),
        exactly(signature, ed25519SignatureBytes, 'a signature'),
        unsignedBytes(text.length, 4),
        text,
      ];
    }),
  ]);
}

/** Reads what {@link encodeCertificates} writes; undefined for anything else. */
export function readCertificates(fields: FieldReader): readonly SignedCertificate[] | undefined {
  const count = fields.number(4);
  if (count === undefined) return undefined;
  const certificates: SignedCertificate[] = [];
  let before = '';
  for (let at = 0; at < count; at += 1) {
    const certificate = readCertificate(fields);
    if (certificate === undefined) return undefined;
    const key = orderKey(certificate);
    if (key <= before) return undefined;
    before = key;
    certificates.push(certificate);
  }
  return certificates;
}

function readCertificate(fields: FieldReader): SignedCertificate | undefined {
  const identity = fields.bytes(wordBytes);
  const signature = fields.bytes(ed25519SignatureBytes);
  const length = fields.number(4);
  if (length === undefined || length > statementBytesMax) return undefined;
  const text = fields.bytes(length);
  if (identity === undefined || signature === undefined || text === undefined) return undefined;
  try {
    const statement = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text);
    return { statement, identity, signature };
  } catch {
    return undefined;
  }
}

function orderKey(certificate: SignedCertificate): string {
  return bytesToHex(concatBytes(certificateDigest(certificate), certificate.identity));
}
