import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  type CanonicalObject,
  lineDigest,
  nobleHashes,
  recordHash,
  recordLine,
  statementText,
  vaultTermsFields,
  zeroHash,
} from '@bulkhead/authority';
import {
  type Address,
  intentText,
  parseAddress,
  parseAssetId,
  parseCompartment,
  type SignedStatement,
} from '@bulkhead/domain';
import { deriveAddress, openTree, secretOf } from '@bulkhead/keys';
import { forwarderAddress, forwarderSalt, type Hex, policyHash, vaultAddress, type VaultTerms } from '@bulkhead/vaults';
import { main } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-verify-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const identity = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex');
const deployment = '0123456789abcdef'.repeat(2);
const address = `0x${'ab'.repeat(20)}`;
const claim = { client: 'cl_ada', compartment: '100000', chain: 'eip155:1', address };
const xpub = xpubOf(100_000);

function xpubOf(compartment: number): string {
  using entropy = secretOf(new Uint8Array(32).fill(9));
  using tree = openTree(entropy);
  return tree.accountXpub(parseCompartment(compartment));
}

function signed(kind: Parameters<typeof statementText>[0], fields: CanonicalObject): SignedStatement {
  const statement = statementText(kind, { deployment, ...fields });
  return { statement, identity, signature: sign(null, Buffer.from(statement), privateKey).toString('hex') };
}

const certificate = signed('address-certificate', { ...claim, path: "m/44'/60'/100000'/0/0", issuedAt: '1790000000' });
const account = signed('account-certificate', {
  compartment: '100000',
  path: "m/44'/60'/100000'",
  xpub,
  residency: 'hsm-sealed',
});

function record(): unknown {
  const line = recordLine({ sequence: 1n, at: 1_790_000_000n, type: 'certified', fields: claim });
  const later = recordLine({ sequence: 2n, at: 1_790_000_001n, type: 'started', fields: {} });
  const hash = recordHash(nobleHashes, recordHash(nobleHashes, zeroHash, line), later);
  const head = signed('head', { sequence: '2', hash, at: '1790000001' });
  return { sequence: 1, line, previous: zeroHash, following: [lineDigest(nobleHashes, later)], head };
}

let files = 0;

async function verify(value: unknown, ...words: readonly string[]): Promise<readonly [code: number, said: string]> {
  const file = `${(files += 1)}.json`;
  writeFileSync(join(folder, file), typeof value === 'string' ? value : JSON.stringify(value));
  const said: string[] = [];
  const say = (line: string): number => said.push(line);
  const all = ['signer', 'verify', file, ...words];
  const code = await main({ words: all, folder, environment: {}, out: say, err: say });
  return [code, said.join('\n')];
}

const believed = ['--identity', identity] as const;

test('certificates and records are proven offline, with what they are about', async () => {
  const whole = ['--deployment', deployment, '--client', 'cl_ada', '--chain', 'eip155:1', '--address', address];
  const [code, said] = await verify(certificate, ...believed, ...whole);
  assert.equal(code, 0, said);
  assert.match(said, new RegExp(`^Proven: address-certificate, signed by ${identity}\\n.*  address: ${address}`, 'su'));
  assert.equal((await verify({ walletId: 'wa_1', address, certificate }, ...believed, ...whole))[0], 0);
  assert.match((await verify(record(), ...believed, ...whole))[1], /^Proven: record 1, certified, 2026-/u);
  const own = deriveAddress({ compartment: parseCompartment(100_000), xpub }, 7);
  assert.equal((await verify({ certificate: account }, ...believed, '--address', own))[0], 0);
});

test('what is not proven exits 1 and says why', async () => {
  const other = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const changed = { ...certificate, statement: certificate.statement.replaceAll('ab', 'ba') };
  const wrong: readonly (readonly [unknown, readonly string[], RegExp])[] = [
    [certificate, ['--identity', other.toString('hex')], /not among the 1 pinned/u],
    [changed, believed, /its signature is not one of/u],
    [certificate, [...believed, '--client', 'cl_bob'], /"client" is "cl_ada" where "cl_bob"/u],
    [certificate, [...believed, '--address', `0x${'cd'.repeat(20)}`], /"address" is not/u],
    [certificate, [...believed, '--deployment', '00'.repeat(16)], /"deployment" is/u],
    [account, [...believed, '--address', address], /none of the first 10000 addresses/u],
    [record(), [...believed, '--client', 'cl_bob'], /"client" is not "cl_bob"/u],
    [record(), [...believed, '--deployment', '00'.repeat(16)], /"deployment" is/u],
    [{ ...Object(record()), following: [] }, believed, /NOT PROVEN/u],
    [{ ...Object(record()), sequence: '7' }, believed, /it was moved/iu],
    [{ statement: 'only' }, believed, /has no text "identity"/u],
  ];
  for (const [value, words, message] of wrong) {
    const [code, said] = await verify(value, ...words);
    assert.equal(code, 1, said);
    assert.match(said, message);
  }
});

test('a command line or a file that cannot be used exits 2', async () => {
  assert.equal((await verify(certificate))[0], 2, 'no identity is believed because it came along');
  assert.equal((await verify(certificate, '--identity', 'aa'))[0], 2);
  assert.equal((await verify(certificate, ...believed, 'more'))[0], 2);
  assert.equal((await verify(certificate, ...believed, '--colour', 'red'))[0], 2);
  assert.equal((await verify('no json', ...believed))[0], 2);
});

test('the recipe of the specification says the same with OpenSSL alone', () => {
  const text = readFileSync(new URL('../../../spec/statement.md', import.meta.url), 'utf8');
  const line = /^openssl pkeyutl .*$/mu.exec(text)?.[0] ?? '';
  writeFileSync(join(folder, 'signature.bin'), Buffer.from(certificate.signature, 'hex'));
  const prefix = /printf ([0-9a-f]{24});/u.exec(text)?.[1] ?? '';
  writeFileSync(join(folder, 'identity.der'), Buffer.from(prefix + identity, 'hex'));
  const run = (statement: string): string => {
    writeFileSync(join(folder, 'statement.txt'), statement);
    return execFileSync('sh', ['-c', line], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  };
  assert.match(run(certificate.statement), /Verified Successfully/u);
  assert.throws(() => run(certificate.statement.replace('cl_ada', 'cl_bob')));
});

const contract = (digit: string): Address => parseAddress(`0x${digit.repeat(40)}`);
const system = {
  factory: contract('a'),
  vaultImplementation: contract('b'),
  forwarderImplementation: contract('c'),
  signerSet: contract('d'),
} as const;

function vaultTerms(): VaultTerms {
  const policy = { destinations: [], limits: [], unlisted: [] };
  const word = (digit: string): Hex => `0x${digit.repeat(64)}`;
  const config = {
    clientId: word('1'),
    signerSet: system.signerSet,
    feeReceiver: contract('1'),
    exitDestination: contract('2'),
    clientKey: word('3'),
    exitKey: word('4'),
    policyHash: policyHash(nobleHashes, policy),
    kind: 'omnibus',
    feeBpsYear: 50n,
    windowSeconds: 86_400n,
    changeDelay: 172_800n,
    recoveryDelay: 1_209_600n,
    exitDelay: 1_209_600n,
    exitChangeDelay: 1_814_400n,
    heartbeatPeriod: 3_888_000n,
    pauseSeconds: 259_200n,
  } as const;
  return { config, policy };
}

test('the address of a forwarder is proven from its salt, its vault and the contracts, and the vault with it', async () => {
  const terms = vaultTerms();
  const vault = vaultAddress(nobleHashes, system, terms.config);
  const salt = forwarderSalt(7n);
  const place = { chain: 'eip155:1', compartment: '10000', issuedAt: '1790000000' };
  const { factory, forwarderImplementation, vaultImplementation, signerSet } = system;
  const forwarder = (changes: object = {}): SignedStatement =>
    signed('forwarder-certificate', {
      ...place,
      client: 'cl_ada',
      address: forwarderAddress(nobleHashes, system, { vault, salt }),
      vault,
      salt: salt.slice(2),
      factory,
      forwarderImplementation,
      ...changes,
    });
  const vaultCertificate = (address: Address): SignedStatement =>
    signed('vault-certificate', {
      ...place,
      ...vaultTermsFields(terms),
      address,
      factory,
      vaultImplementation,
      forwarderImplementation,
      signerSet,
      codeHashes: Object.fromEntries(Object.keys(system).map((name) => [name, 'ab'.repeat(32)])),
      agreement: '01',
    });
  const file = { certificate: forwarder(), vaultCertificates: [vaultCertificate(vault)] };
  const [code, said] = await verify(file, ...believed, '--client', 'cl_ada', '--deployment', deployment);
  assert.equal(code, 0, said);
  assert.match(said, new RegExp(`^Proven: forwarder-certificate.*^Proven: vault-certificate of ${vault}`, 'msu'));
  assert.match((await verify(forwarder(), ...believed))[1], /^Not looked at: the vault that it pays/mu);

  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [forwarder({ salt: forwarderSalt(8n).slice(2) }), /leads to 0x/u],
    [forwarder({ address: contract('e') }), /leads to 0x/u],
    [{ ...file, vaultCertificates: [vaultCertificate(contract('e'))] }, /"address"|another/u],
    [{ ...file, vaultCertificates: [certificate] }, /"compartment" is "100000"/u],
    [vaultCertificate(contract('e')), /leads to 0x/u],
  ];
  for (const [value, why] of wrong) {
    const [failed, told] = await verify(value, ...believed);
    assert.equal(failed, 1, told);
    assert.match(told, why);
  }
});

const to = parseAddress(address);

function granted(own: object = {}): unknown {
  const intent = intentText({
    deployment,
    kind: 'withdrawal',
    id: 'wd_1',
    compartment: parseCompartment(10_000),
    asset: parseAssetId('eip155:1/slip44:60'),
    to,
    amount: 5n,
    feeMax: 1n,
    client: 'cl_ada',
    feePayer: 'client',
    expiresAt: 1_790_000_000n,
    ...own,
  });
  const line = recordLine({ sequence: 1n, at: 1_790_000_000n, type: 'granted', fields: { intent } });
  const head = signed('head', { sequence: '1', hash: recordHash(nobleHashes, zeroHash, line), at: '1790000000' });
  return { sequence: '1', line, previous: zeroHash, following: [], head };
}

const half = {
  withdrawal: 'wd_1',
  asset: 'eip155:1/slip44:60',
  amount: '5',
  to: address,
  transaction: `0x${'0a'.repeat(32)}`,
  granted: [granted()],
};
const moved = {
  kind: 'segregation-move',
  deployment,
  move: 'sgm_1',
  client: 'cl_ada',
  chain: 'eip155:1',
  fromCompartment: 10_000,
  toCompartment: 100_000,
  halves: [half],
  destination: { address, certificates: [certificate], vaultCertificates: [] },
};

test('a move is proven by the grants of its halves and the certificate of where it went, and says what it cannot know', async () => {
  const view = { certificate: JSON.stringify(moved), certificateDigest: '00' };
  for (const file of [moved, view]) {
    const [code, said] = await verify(file, ...believed, '--client', 'cl_ada', '--deployment', deployment);
    assert.equal(code, 0, said);
    assert.match(said, /^Proven: 1 halves of sgm_1 were granted by the signers/u);
    assert.match(said, /wd_1: 5 of eip155:1\/slip44:60, granted by 1 signers/u);
    assert.match(said, /^Not looked at: whether these transactions/mu);
  }
  const other = `0x${'cd'.repeat(20)}`;
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ ...moved, halves: [{ ...half, amount: '6' }] }, /granted "amount" 5/u],
    [{ ...moved, halves: [{ ...half, withdrawal: 'wd_2' }] }, /granted "withdrawal" wd_1/u],
    [{ ...moved, halves: [{ ...half, to: other }] }, /"to" is not/u],
    [{ ...moved, halves: [{ ...half, granted: [] }] }, /No record of a signer/u],
    [{ ...moved, halves: [{ ...half, granted: [granted({ client: 'cl_bea' })] }] }, /granted "client" cl_bea/u],
    [{ ...moved, halves: [{ ...half, granted: [granted({ to: parseAddress(other) })] }] }, /granted "to"/u],
    [{ ...moved, halves: [{ ...half, granted: [record()] }] }, /./u],
    [{ ...moved, fromCompartment: 10_001 }, /granted "fromCompartment" 10000/u],
    [{ ...moved, client: 'cl_bea' }, /"client" is not/u],
    [{ ...moved, toCompartment: 100_001 }, /"compartment" is "100000"/u],
    [{ ...moved, destination: { address: other, certificates: [certificate] } }, /"address" is/u],
  ];
  for (const [file, why] of wrong) {
    const [code, said] = await verify(file, ...believed);
    assert.notEqual(code, 0, said);
    assert.match(said, why);
  }
});
