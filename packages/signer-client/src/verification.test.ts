import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import {
  lineDigest,
  nobleHashes,
  recordHash,
  recordLine,
  type RecordType,
  statementText,
  zeroHash,
} from '@bulkhead/authority';
import { parseCompartment, type SignedStatement } from '@bulkhead/domain';
import { verifyAccount, verifyRecord, verifyStatement } from './verification.ts';

type Identity = { readonly publicKey: string; readonly privateKey: KeyObject };

function makeIdentity(): Identity {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex'), privateKey };
}

function signed({ publicKey, privateKey }: Identity, statement: string): SignedStatement {
  return { statement, identity: publicKey, signature: sign(null, Buffer.from(statement), privateKey).toString('hex') };
}

const identity = makeIdentity();
const stranger = makeIdentity();
const identities = [identity.publicKey];
const deployment = '00112233445566778899aabbccddeeff';
const refused = { code: 'signer/certificate-invalid' };

const compartment = parseCompartment(100_000);
const account = { deployment, compartment: '100000', path: "m/44'/60'/100000'", xpub: 'xpub1', residency: 'software' };
const certificate = signed(identity, statementText('account-certificate', account));
const certified = { compartment, xpub: 'xpub1', residency: 'software', certificate } as const;

test('an account is believed for exactly what its certificate says', () => {
  verifyAccount(certified, { identities, deployment });
  assert.throws(() => verifyAccount({ ...certified, xpub: 'xpub2' }, { identities, deployment }), refused);
  assert.throws(() => verifyAccount({ ...certified, residency: 'hsm' }, { identities, deployment }), refused);
  const other = parseCompartment(100_001);
  assert.throws(() => verifyAccount({ ...certified, compartment: other }, { identities, deployment }), refused);
  assert.throws(() => verifyAccount(certified, { identities, deployment: 'f'.repeat(32) }), refused);
});

test('only a pinned identity counts, and only over the very text', () => {
  assert.throws(() => verifyStatement(certificate, [stranger.publicKey], {}), refused);
  assert.throws(() => verifyStatement(signed(stranger, certificate.statement), identities, {}), refused);
  const pretended = { ...signed(stranger, certificate.statement), identity: identity.publicKey };
  assert.throws(() => verifyStatement(pretended, identities, {}), refused);
  const text = certificate.statement.replace('xpub1', 'xpub2');
  assert.throws(() => verifyStatement({ ...certificate, statement: text }, identities, {}), refused);
  assert.throws(() => verifyStatement({ ...certificate, signature: '' }, identities, {}), refused);
  assert.throws(() => verifyStatement(certificate, identities, { kind: 'head' }), refused);
});

function line(sequence: bigint, type: RecordType): string {
  return recordLine({ sequence, at: 1n, type, fields: {} });
}

test('a record is believed where hashes lead from it to a signed head', () => {
  const lines = [line(1n, 'opened'), line(2n, 'granted'), line(3n, 'refused')] as const;
  const [first, second, third] = lines;
  const before = recordHash(nobleHashes, zeroHash, first);
  const hash = recordHash(nobleHashes, recordHash(nobleHashes, before, second), third);
  const head = signed(identity, statementText('head', { deployment, sequence: '3', hash, at: '1' }));
  const record = {
    sequence: 2n,
    line: second,
    previous: before,
    following: [lineDigest(nobleHashes, third)],
    head,
  };
  assert.equal(verifyRecord(record, identities).type, 'granted');
  assert.throws(() => verifyRecord(record, [stranger.publicKey]), refused);
  assert.throws(() => verifyRecord({ ...record, sequence: 3n }, identities), refused);
  assert.throws(() => verifyRecord({ ...record, line: line(2n, 'refused') }, identities), refused);
  assert.throws(() => verifyRecord({ ...record, previous: zeroHash }, identities), refused);
  assert.throws(() => verifyRecord({ ...record, following: [] }, identities), refused);
});
