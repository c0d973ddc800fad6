import { CustodyError, type DecisionRecord, type SignedStatement } from '@bulkhead/domain';
import { hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { chainHash, type Hashes, isHex } from './hashes.ts';
import { lineDigest, parseRecordLine, type RecordLine } from './record.ts';
import { parseStatement, type Statement } from './statement.ts';

/** Verifies an Ed25519 signature (RFC 8032): native where there is one, and the same in a browser. */
export type VerifyEd25519 = (check: {
  readonly signature: Uint8Array;
  readonly message: Uint8Array;
  readonly publicKey: Uint8Array;
}) => boolean;

/** What statements are verified with. */
export type StatementCheck = {
  readonly verify: VerifyEd25519;
  /** Public keys in hex. They come from the reader's own configuration, never from what is verified. */
  readonly identities: readonly string[];
};

/** Most records after one up to its signed head. */
export const followingMax = 4_096;

/**
 * Verifies the signature of a statement by one of the identity keys, and that each expected field, `kind` among them, is exactly as
 * expected.
 *
 * @returns what the statement says
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifySignedStatement(
  { statement, identity, signature }: SignedStatement,
  { verify, identities }: StatementCheck,
  expected: Readonly<Record<string, string>>,
): Statement {
  if (!identities.includes(identity)) {
    throw invalid(
      `its key ${identity.slice(0, 64)} is not among the ${identities.length} pinned identity keys`,
      'Compare the key with the record of the ceremony before it is pinned.',
    );
  }
  if (!isHex(identity, 32)) {
    throw invalid('a pinned identity key is not 64 lower-case hex digits', 'Correct the configuration.');
  }
  const genuine =
    isHex(signature, 64) &&
    verify({
      signature: hexToBytes(signature),
      message: utf8ToBytes(statement),
      publicKey: hexToBytes(identity),
    });
  if (!genuine) throw invalid(`its signature is not one of ${identity}`, 'Somebody changed the text or the signature.');
  const said = parseStatement(statement);
  for (const [name, value] of Object.entries(expected)) {
    const found = name === 'kind' ? said.kind : said.fields[name];
    if (found === value) continue;
    const shown = found === undefined ? 'nothing' : JSON.stringify(found).slice(0, 200);
    throw invalid(`"${name}" is ${shown} where "${value}" is expected`, 'It vouches for something else.');
  }
  return said;
}

/**
 * Verifies that a record stands in the signer's log at the position it names, below a head that an identity key signed.
 *
 * @returns what the record says
 * @throws CustodyError `signer/certificate-invalid`, `signer/state-damaged`
 */
export function verifySignedRecord(
  { sequence, line, previous, following, head }: DecisionRecord,
  check: StatementCheck,
  hashes: Pick<Hashes, 'sha256Hex'>,
): RecordLine {
  if (following.length > followingMax) {
    throw invalid(`${following.length} lines stand between it and its head`, `At most ${followingMax} can.`);
  }
  const said = parseRecordLine(line);
  if (said.sequence !== sequence) {
    throw invalid(`its line is number ${said.sequence}, not ${sequence}`, 'It was moved.');
  }
  const hash = [lineDigest(hashes, line), ...following].reduce(
    (before, digest) => chainHash(hashes, before, digest),
    previous,
  );
  verifySignedStatement(head, check, { kind: 'head', sequence: `${sequence + BigInt(following.length)}`, hash });
  return said;
}

function invalid(fact: string, advice: string): CustodyError {
  return new CustodyError('signer/certificate-invalid', `This is no statement of this signer: ${fact}. ${advice}`);
}
