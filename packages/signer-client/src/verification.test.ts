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
import { parseAddress, parseChainId, parseCompartment, type SignedStatement } from '@bulkhead/domain';
import { verifyAccount, verifyDepositAddress, verifyRecord, verifyStatement, verifyWallet } from './verification.ts';

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

const address = parseAddress(`0x${'a1'.repeat(20)}`);
const elsewhere = parseAddress(`0x${'b2'.repeat(20)}`);
const pinned = { identities, deployment };

test('a wallet with a key of its own is believed for exactly what its certificate says', () => {
  const fields = { deployment, compartment: '100000', label: 'cold-1', address, residency: 'hsm' };
  const wallet = {
    compartment,
    label: 'cold-1',
    address,
    residency: 'hsm',
    certificate: signed(identity, statementText('wallet-certificate', fields)),
  } as const;
  verifyWallet(wallet, pinned);
  const others = [
    { compartment: parseCompartment(100_001) },
    { label: 'cold-2' },
    { address: elsewhere },
    { residency: 'software' },
  ] as const;
  for (const other of others) assert.throws(() => verifyWallet({ ...wallet, ...other }, pinned), refused);
  assert.throws(() => verifyWallet(wallet, { ...pinned, deployment: 'f'.repeat(32) }), refused);
});

test('a deposit address is believed for exactly the client, chain, key and address of its certificate', () => {
  const fields = { deployment, client: 'cl_1', compartment: '100000', chain: 'eip155:1', address, issuedAt: '1' };
  const place = { client: 'cl_1', chain: parseChainId('eip155:1'), address };
  const certify = (key: Readonly<Record<string, string>>): SignedStatement =>
    signed(identity, statementText('address-certificate', { ...fields, ...key }));
  const inTree = { ...place, key: { compartment, index: 3 }, certificate: certify({ path: "m/44'/60'/100000'/0/3" }) };
  const ofItsOwn = { ...place, key: { compartment, label: 'cold-1' }, certificate: certify({ label: 'cold-1' }) };
  verifyDepositAddress(inTree, pinned);
  verifyDepositAddress(ofItsOwn, pinned);
  const others = [
    { client: 'cl_2' },
    { chain: parseChainId('eip155:2') },
    { address: elsewhere },
    { key: { compartment, index: 4 } },
    { key: { compartment: parseCompartment(100_001), index: 3 } },
    { key: ofItsOwn.key },
    { certificate: ofItsOwn.certificate },
  ];
  for (const other of others) assert.throws(() => verifyDepositAddress({ ...inTree, ...other }, pinned), refused);
  assert.throws(() => verifyDepositAddress(inTree, { ...pinned, identities: [stranger.publicKey] }), refused);
  assert.throws(() => verifyDepositAddress(inTree, { ...pinned, deployment: 'f'.repeat(32) }), refused);
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
