import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import {
  chainHash,
  type Hashes,
  lineDigest,
  parseRecordLine,
  parseStatement,
  type RecordLine,
  type Statement,
} from '@bulkhead/authority';
import {
  type CertifiedAccount,
  type CertifiedDepositAddress,
  type CertifiedWallet,
  CustodyError,
  type DecisionRecord,
  type SignedStatement,
} from '@bulkhead/domain';

/** DER of a SubjectPublicKeyInfo for Ed25519 (RFC 8410) up to the 32 bytes of the key. */
const ed25519Prefix = '302a300506032b6570032100';

/** Most records after one up to its signed head. */
export const followingMax = 4_096;

/** What the caller pinned in its own configuration: who may sign, and for which installation. */
export type Pinned = { readonly identities: readonly string[]; readonly deployment: string };

/**
 * Verifies the Ed25519 signature (RFC 8032) of a statement by one of the pinned identity keys, and that each expected field, `kind`
 * among them, is exactly as expected.
 *
 * @param identities Public keys in hex. They come from the configuration, never from the database or from the signer's answer
 * @returns what the statement says
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyStatement(
  signed: SignedStatement,
  identities: readonly string[],
  expected: Readonly<Record<string, string>>,
): Statement {
  const { statement, identity, signature } = signed;
  if (!identities.includes(identity)) {
    throw invalid(
      `its key ${identity.slice(0, 64)} is not among the ${identities.length} pinned identity keys`,
      'Compare the key with the record of the ceremony before it is pinned.',
    );
  }
  const bytes = Buffer.from(signature, 'hex');
  const genuine = bytes.length === 64 && verify(null, Buffer.from(statement, 'utf8'), publicKeyOf(identity), bytes);
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
 * Verifies that a pinned identity key vouches for exactly this account of this installation. Do this before any address is
 * derived from the xpub.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyAccount(certified: CertifiedAccount, { identities, deployment }: Pinned): void {
  const { certificate, compartment, xpub, residency } = certified;
  verifyStatement(certificate, identities, {
    kind: 'account-certificate',
    deployment,
    compartment: `${compartment}`,
    path: `m/44'/60'/${compartment}'`,
    xpub,
    residency,
  });
}

/**
 * Verifies that a pinned identity vouches for the address of a key of its own.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyWallet(certified: CertifiedWallet, { identities, deployment }: Pinned): void {
  const { certificate, compartment, label, address, residency } = certified;
  verifyStatement(certificate, identities, {
    kind: 'wallet-certificate',
    deployment,
    compartment: `${compartment}`,
    label,
    address,
    residency,
  });
}

/**
 * Verifies that a pinned identity vouches for exactly this: that with this key, at this address, this client pays in on this chain.
 *
 * @throws CustodyError `signer/certificate-invalid`
 */
export function verifyDepositAddress(certified: CertifiedDepositAddress, { identities, deployment }: Pinned): void {
  const { certificate, client, chain, key, address } = certified;
  const { compartment } = key;
  const place = 'label' in key ? { label: key.label } : { path: `m/44'/60'/${compartment}'/0/${key.index}` };
  verifyStatement(certificate, identities, {
    kind: 'address-certificate',
    deployment,
    client,
    compartment: `${compartment}`,
    chain,
    address,
    ...place,
  });
}

/**
 * Verifies that a record stands in the signer's log at the position it names, below a head that a pinned identity key signed.
 *
 * @returns what the record says
 * @throws CustodyError `signer/certificate-invalid`, `signer/state-damaged`
 */
export function verifyRecord(record: DecisionRecord, identities: readonly string[]): RecordLine {
  const { sequence, line, previous, following, head } = record;
  if (following.length > followingMax) {
    throw invalid(`${following.length} lines stand between it and its head`, `At most ${followingMax} can.`);
  }
  const said = parseRecordLine(line);
  if (said.sequence !== sequence) {
    throw invalid(`its line is number ${said.sequence}, not ${sequence}`, 'It was moved.');
  }
  const hash = [lineDigest(nodeHashes, line), ...following].reduce(
    (before, digest) => chainHash(nodeHashes, before, digest),
    previous,
  );
  verifyStatement(head, identities, { kind: 'head', sequence: `${sequence + BigInt(following.length)}`, hash });
  return said;
}

/** SHA-256 alone is needed: what a log is chained with. */
const nodeHashes: Hashes = {
  sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  sha256Hex: (data) => createHash('sha256').update(data).digest('hex'),
  keccak256: () => {
    throw new CustodyError('invariant/broken', 'A statement is verified without Keccak.');
  },
};

function publicKeyOf(identity: string): KeyObject {
  if (!/^[0-9a-f]{64}$/u.test(identity)) {
    throw invalid('a pinned identity key is not 64 lower-case hex digits', 'Correct the configuration.');
  }
  return createPublicKey({ key: Buffer.from(ed25519Prefix + identity, 'hex'), format: 'der', type: 'spki' });
}

function invalid(fact: string, advice: string): CustodyError {
  return new CustodyError('signer/certificate-invalid', `This is no statement of this signer: ${fact}. ${advice}`);
}
