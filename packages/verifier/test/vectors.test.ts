import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { vaultFactory } from '@bulkhead/contracts';
import { type Address, parseAddress } from '@bulkhead/domain';
import { buildAddresses, bytesOf } from '@bulkhead/vaults';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { examine as examineSmall, type GivenFile, type Report } from '../src/index.ts';
import { leastStep } from '../src/proof-check.ts';
import { isQuorum, recoverSigner } from '../src/recovered-signer.ts';
import { controlDigest, statementsDigest } from '../src/typed-digest.ts';
import { examine, publishedBuild } from '../src/whole.ts';

type Typed = { readonly message: Readonly<Record<string, string>>; readonly digest: string };

type Vectors = {
  readonly wallets: {
    readonly compartments: readonly { readonly wallets: readonly Readonly<Record<string, string>>[] }[];
  };
  readonly certificates: { readonly list: readonly Readonly<Record<string, string>>[] };
  readonly statements: {
    readonly root: string;
    readonly count: number;
    readonly members: readonly string[];
    readonly signatures: readonly string[];
  };
  readonly typed: readonly Typed[];
};

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../../spec/vectors/proof-files.json', import.meta.url), 'utf8'),
);
const [control, statements] = vectors.typed;
const words = (of: Typed | undefined, name: string): Uint8Array => bytesOf(of?.message[name] ?? assert.fail());

test('what keys and quorums sign has the digests of another implementation', () => {
  const wallet = {
    custodian: words(control, 'custodian'),
    context: words(control, 'context'),
    wallet: words(control, 'wallet'),
  };
  const digest = controlDigest({ chain: 1n, ...wallet });
  assert.equal(`0x${bytesToHex(digest)}`, control?.digest);
  const [pool] = vectors.wallets.compartments[0]?.wallets ?? [];
  const signature = hexToBytes(pool?.['signature'] ?? '');
  assert.equal(recoverSigner(digest, signature), pool?.['address']);
  // Another chain, custodian, context or wallet is another message.
  const others = [
    { ...wallet, chain: 2n },
    { ...wallet, chain: 1n, custodian: new Uint8Array(32) },
    { ...wallet, chain: 1n, context: new Uint8Array(32) },
    { ...wallet, chain: 1n, wallet: new Uint8Array(20) },
  ];
  for (const other of others) assert.notEqual(recoverSigner(controlDigest(other), signature), pool?.['address']);

  const { root, count, members, signatures } = vectors.statements;
  const of = { context: words(statements, 'context'), root: hexToBytes(root), count };
  const where = { chain: 1n, registry: hexToBytes('71'.repeat(20)) };
  const stated = statementsDigest(where, of);
  assert.equal(`0x${bytesToHex(stated)}`, statements?.digest);
  const set = { members: members.map(parseAddress), threshold: 2 };
  const signed = signatures.map((each) => hexToBytes(each));
  assert.ok(isQuorum(stated, signed, set));
  assert.ok(!isQuorum(statementsDigest(where, { ...of, count: count + 1 }), signed, set));
});

test('a quorum is exactly the threshold, ascending, each once, with the lower s and no other form', () => {
  const { members, signatures } = vectors.statements;
  const digest = bytesOf(statements?.digest ?? '');
  const set = { members: members.map(parseAddress), threshold: 2 };
  const [first, second] = signatures.map((each) => hexToBytes(each));
  assert.ok(first !== undefined && second !== undefined);
  const is = (list: readonly Uint8Array[], change: Partial<typeof set> = {}): boolean =>
    isQuorum(digest, list, { ...set, ...change });
  assert.ok(is([first, second]));
  assert.ok(!is([second, first]));
  assert.ok(!is([first, first]));
  assert.ok(!is([first]));
  assert.ok(!is([first, second], { threshold: 1 }));
  assert.ok(!is([], { threshold: 0 }), 'nobody is no quorum');
  assert.ok(!is([first, second], { members: set.members.slice(0, 1) }));
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const high = second.slice();
  const s = order - BigInt(`0x${bytesToHex(second.subarray(32, 64))}`);
  high.set(hexToBytes(s.toString(16).padStart(64, '0')), 32);
  high[64] = 27 + 28 - (second[64] ?? 0);
  assert.ok(!is([first, high]), 'the higher s, which a contract refuses');
  const zero = second.slice();
  zero[64] = (second[64] ?? 27) - 27;
  assert.ok(!is([first, zero]), 'v is 27 or 28');
  assert.ok(!is([first, second.subarray(0, 64)]));
  assert.equal(recoverSigner(digest, new Uint8Array(65)), undefined);
});

test('the contracts of this release are where the compiled code puts them', () => {
  assert.deepEqual(publishedBuild, buildAddresses({ keccak256: keccak_256 }, bytesOf(vaultFactory.bytecode)));
});

test('an epoch that holds much more than the least of its window is asked about', () => {
  const said = (reserves: bigint): string => leastStep({ number: 3n, leastReserves: 100n }, { reserves }).result;
  assert.deepEqual([100n, 120n, 121n].map(said), ['holds', 'holds', 'unknown']);
  assert.equal(leastStep({ number: 0n, leastReserves: 0n }, { reserves: 0n }).result, 'holds');
});

const given = (value: unknown, name = 'certificate.json'): GivenFile => ({
  name,
  bytes: utf8ToBytes(JSON.stringify(value)),
});
const results = ({ steps }: Report): readonly string[] => steps.map(({ step, result }) => `${step} ${result}`);

test('certificates and records are examined like everything else, by both entrances', async () => {
  const [certificate] = vectors.certificates.list;
  const identities = [certificate?.['identity'] ?? ''];
  const address = vectors.wallets.compartments[0]?.wallets[0]?.['address'] ?? '';
  for (const examineBy of [examineSmall, examine]) {
    const said = async (value: unknown, pins: Parameters<typeof examine>[0]['pins']): Promise<Report> =>
      await examineBy({ files: [given(value)], pins, nodes: [] });
    const proven = await said(certificate, { identities, expected: { address, compartment: '10000' } });
    assert.deepEqual(results(proven), ['certificate holds']);
    assert.match(proven.steps[0]?.reason ?? '', /^wallet-certificate, signed by [0-9a-f]{64}; address: 0x/u);
    assert.deepEqual([proven.holds, proven.limits], [true, []]);
    assert.deepEqual(results(await said(certificate, {})), ['certificate unknown']);
    const wrong = { identities, expected: { address: parseAddress(`0x${'99'.repeat(20)}`) } };
    assert.deepEqual(results(await said({ certificate }, wrong)), ['certificate fails']);
    assert.deepEqual(results(await said({ ...certificate, signature: 'ab'.repeat(64) }, { identities })), [
      'certificate fails',
    ]);
    assert.deepEqual(results(await said({ statement: 'only' }, { identities })), ['certificate fails']);
    assert.deepEqual(results(await said('words', { identities })), ['file unknown']);
  }
  const move = { kind: 'segregation-move', deployment: '' };
  const both = [
    await examineSmall({ files: [given(move)], pins: { identities }, nodes: [] }),
    await examine({ files: [given(move)], pins: { identities }, nodes: [] }),
  ];
  assert.deepEqual(both.map(results), [['file unknown'], ['certificate fails']]);
});

test('an account’s certificate says what nobody looked at where nothing here derives addresses', async () => {
  const {
    identity,
    vectors: kinds,
  }: {
    readonly identity: string;
    readonly vectors: readonly { readonly kind: string; readonly text: string; readonly signature: string }[];
  } = JSON.parse(readFileSync(new URL('../../../spec/vectors/statement.json', import.meta.url), 'utf8'));
  const account = kinds.find(({ kind }) => kind === 'account-certificate') ?? assert.fail();
  const value = { statement: account.text, identity, signature: account.signature };
  const address: Address = parseAddress(`0x${'99'.repeat(20)}`);
  const pins = { identities: [identity], expected: { address } };
  const order = { files: [given(value)], pins, nodes: [] };
  assert.deepEqual(results(await examine(order)), ['certificate holds', 'certificate unknown']);
  assert.deepEqual(results(await examine({ ...order, hasAddress: () => true })), ['certificate holds']);
  assert.deepEqual(results(await examine({ ...order, hasAddress: () => false })), ['certificate fails']);
});
