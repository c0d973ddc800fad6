import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseCompartment } from '@bulkhead/domain';
import { concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { confidentialEpoch, confidentialWork, group } from '../test/confidential-epoch.ts';
import { client, headerOf, plainEpoch, pools, workOf } from '../test/epoch.ts';
import {
  allClaims,
  certificateOf,
  type CertificateWords,
  compartmentsOf,
  type CompartmentWords,
  hexOf,
  statementAt,
  statementEpoch,
} from '../test/proof-files.ts';
import { tamperedCopies } from '../test/tamper.ts';
import {
  certificateDigest,
  certificatesFile,
  type CompartmentWallets,
  confidentialSegregation,
  type Manifest,
  makeStatementTree,
  manifestDigest,
  manifestText,
  openStatement,
  plainSegregation,
  proofFiles,
  readCertificatesFile,
  readManifest,
  readPackage,
  readSegregation,
  readStatement,
  readStatementsFile,
  readWalletsFile,
  type Refutation,
  type SegregationParts,
  statementsFile,
  verifySegregation,
  type Wallet,
  walletsFile,
} from './index.ts';

type Vectors = {
  readonly wallets: { readonly compartments: readonly CompartmentWords[]; readonly bytes: string };
  readonly certificates: { readonly list: readonly CertificateWords[]; readonly bytes: string };
  readonly statements: { readonly root: string; readonly signatures: readonly string[]; readonly bytes: string };
  readonly statement: readonly { readonly claim: number; readonly bytes: string }[];
  readonly manifest: { readonly text: string; readonly digest: string };
  readonly segregation: { readonly plain: string; readonly confidential: string };
};

const read = (name: string): string => readFileSync(new URL(`../../../spec/${name}`, import.meta.url), 'utf8');
const vectors: Vectors = JSON.parse(read('vectors/proof-files.json'));
const epochs: {
  readonly plain: { readonly packages: readonly { readonly bytes: string }[] };
  readonly confidential: { readonly packages: readonly { readonly bytes: string }[] };
} = JSON.parse(read('vectors/reserves.json'));
const deep = process.env['BULKHEAD_DEEP'] === '1' ? 100 : 1;
const refused = { code: 'proof/malformed' };

const plain = plainEpoch();
const confidential = confidentialEpoch(confidentialWork());
const stated = statementEpoch(vectors.statements.signatures.map((signature) => hexToBytes(signature)));
const compartments = compartmentsOf(vectors.wallets.compartments);
const certificates = vectors.certificates.list.map(certificateOf);

function fileOf(list: readonly CompartmentWallets[], count: number = list.length): Uint8Array {
  const { header } = plain.work;
  return concatBytes(...walletsFile({ header, balances: { form: 'account' }, count, compartments: list }));
}

function walletsOf(compartment: number): readonly Wallet[] {
  return compartments.find((each) => each.compartment === compartment)?.wallets ?? [];
}

/** The proof of the last pool, in which one client is alone. */
const parts: SegregationParts = {
  claims: pools[2]?.claims ?? [],
  wallets: walletsOf(100_007),
  certificates: certificates.slice(1, 2),
};
const gil = { compartment: parseCompartment(100_007), holder: utf8ToBytes('gil'), group };
const pins = {
  plain: { context: plain.work.context, record: plain.plain.book.record },
  confidential: { context: confidential.work.context, record: confidential.book.book.record },
};

function plainTree(at: number): Parameters<typeof plainSegregation>[2]['tree'] {
  return plain.trees[at] ?? assert.fail();
}

function confidentialTree(at: number): Parameters<typeof confidentialSegregation>[2]['tree'] {
  return confidential.trees[at] ?? assert.fail();
}

test('every file of the vectors comes out byte for byte, and is read back', () => {
  const { wallets, certificates: certified, statements, manifest, segregation } = vectors;
  assert.equal(hexOf(fileOf(compartments)), wallets.bytes);
  assert.deepEqual(readWalletsFile(hexToBytes(wallets.bytes))?.compartments, compartments);
  assert.equal(hexOf(certificatesFile(certificates)), certified.bytes);
  assert.equal(readCertificatesFile(hexToBytes(certified.bytes))?.length, certificates.length);
  assert.equal(hexOf(stated.tree.root), statements.root);
  assert.equal(hexOf(statementsFile(stated.signed)), statements.bytes);
  assert.deepEqual(readStatementsFile(hexToBytes(statements.bytes))?.root, stated.tree.root);
  for (const { claim, bytes } of vectors.statement) assert.equal(hexOf(statementAt(stated, claim)), bytes);
  const listed = readManifest(utf8ToBytes(manifest.text));
  assert.ok(listed !== undefined);
  assert.equal(manifestText(listed), manifest.text);
  assert.equal(hexOf(manifestDigest(listed)), manifest.digest);
  assert.equal(hexOf(plainSegregation(plain.work, plain.plain, { tree: plainTree(2), ...parts })), segregation.plain);
  assert.equal(
    hexOf(confidentialSegregation(confidential.work, confidential.book, { tree: confidentialTree(2), ...parts })),
    segregation.confidential,
  );
  assert.ok(read('proof-files.md').includes(`\n${manifest.text}`));
});

test('a wallet names the statement that certifies it', () => {
  const named = compartments.flatMap(({ wallets }) => wallets.flatMap(({ certificate }) => certificate ?? []));
  const digests = new Set(certificates.map((certificate) => hexOf(certificateDigest(certificate))));
  assert.equal(named.length, 3);
  for (const digest of named) assert.ok(digests.has(hexOf(digest)));
});

test('what a package says of itself can be read before anything is checked', () => {
  for (const { bytes } of [...epochs.plain.packages, ...epochs.confidential.packages]) {
    const said = readPackage(hexToBytes(bytes));
    const claim = allClaims.find(
      ({ compartment, holder }) => compartment === said?.compartment && hexOf(holder) === hexOf(said.holder),
    );
    assert.equal(said?.units, claim?.amount);
    assert.equal(readPackage(hexToBytes(`${bytes}00`)), undefined);
  }
});

test('wallets that come twice, out of order, from the house or in another number make no file, and are not read', () => {
  const [pool, own, last] = compartments;
  assert.ok(pool !== undefined && own !== undefined && last !== undefined);
  const reversed = { ...own, wallets: own.wallets.toReversed() };
  assert.throws(() => fileOf([pool, reversed, last]), refused);
  assert.throws(() => fileOf([pool, last, own]), refused);
  assert.throws(() => fileOf([pool, pool]), refused);
  assert.throws(() => fileOf([{ ...pool, compartment: 4_999 }]), refused);
  assert.throws(() => fileOf([pool], 2), refused);
  const [first, second] = own.wallets;
  assert.ok(first !== undefined && second !== undefined);
  assert.throws(() => fileOf([{ ...own, wallets: [first, first] }]), refused);
  // One address in two compartments: nothing refuses it where it is written, so whoever reads does.
  const twice = [own, { compartment: 100_007, wallets: [first] }];
  assert.equal(readWalletsFile(fileOf(twice)), undefined);
  assert.ok(readWalletsFile(fileOf([own, { compartment: 100_007, wallets: [] }])) !== undefined);
  const short = { ...first, certificate: new Uint8Array(31) };
  assert.throws(() => fileOf([{ ...own, wallets: [short] }]), refused);
});

test('where balances lie is said in one form', () => {
  const { header } = plain.work;
  const placed = (balances: Parameters<typeof walletsFile>[0]['balances']): Uint8Array =>
    concatBytes(...walletsFile({ header, balances, count: 0, compartments: [] }));
  for (const balances of [
    { form: 'account' },
    { form: 'unknown' },
    { form: 'key-slot', slot: 9n },
    { form: 'slot-key', slot: 2n ** 256n - 1n },
  ] as const) {
    assert.deepEqual(readWalletsFile(placed(balances))?.balances, balances);
  }
  const bytes = placed({ form: 'account' });
  bytes[bytes.length - 5] = 1;
  assert.equal(readWalletsFile(bytes), undefined, 'a slot of the native coin');
});

test('certificates stand once and in their order, whatever order they are given in', () => {
  assert.deepEqual(certificatesFile(certificates.toReversed()), certificatesFile(certificates));
  const [first] = certificates;
  assert.ok(first !== undefined);
  assert.throws(() => certificatesFile([first, first]), refused);
  const other = { ...first, identity: new Uint8Array(32).fill(9) };
  assert.equal(readCertificatesFile(certificatesFile([first, other]))?.length, 2);
});

test('a manifest lists known files once, in their order, and has one text', () => {
  const { text } = vectors.manifest;
  const [head = '', first = '', second = '', ...rest] = text.split('\n');
  const wrong = [
    [head, second, first, ...rest],
    [head, first, first, second, ...rest],
    [head, first.replace('publication', 'other'), ...rest],
    [head, first.toUpperCase(), ...rest],
    [head.slice(0, -1), first, ...rest],
    [first, second, ...rest],
    [head, ''],
    [head, first, second, ...rest, ''],
    [head, `${first} `, ...rest],
  ];
  for (const lines of wrong) assert.equal(readManifest(utf8ToBytes(lines.join('\n'))), undefined, lines.join('|'));
  assert.equal(readManifest(utf8ToBytes(text.slice(0, -1))), undefined);
  assert.equal(readManifest(concatBytes(utf8ToBytes(text), new Uint8Array(2_000).fill(0x0a))), undefined);
  const whole: Manifest = {
    context: new Uint8Array(32),
    files: new Map(proofFiles.map((name) => [name, new Uint8Array(32)])),
  };
  assert.deepEqual(readManifest(utf8ToBytes(manifestText(whole))), whole);
  assert.throws(() => manifestText({ ...whole, files: new Map() }), refused);
  assert.throws(() => manifestText({ ...whole, context: new Uint8Array(31) }), refused);
});

test('every claim has a statement of its exact amount, that leads to the one root', () => {
  allClaims.forEach((own, at) => {
    const opened = openStatement(statementAt(stated, at), { context: plain.work.context, own });
    assert.ok(opened.holds);
    assert.equal(opened.amount, own.amount);
    assert.deepEqual(opened.signed.root, stated.tree.root);
    assert.equal(opened.signed.signatures.length, 2);
  });
});

function objection(bytes: Uint8Array, change: Partial<Parameters<typeof openStatement>[1]> = {}): Refutation | 'holds' {
  const [own] = allClaims;
  assert.ok(own !== undefined);
  const verdict = openStatement(bytes, { context: plain.work.context, own, ...change });
  return verdict.holds ? 'holds' : verdict.refutation;
}

test('a statement of another claim, epoch or tree is none', () => {
  const bytes = statementAt(stated, 0);
  const [own, bob] = allClaims;
  assert.ok(own !== undefined && bob !== undefined);
  assert.equal(objection(bytes), 'holds');
  assert.equal(objection(bytes, { own: bob }), 'other-holder');
  assert.equal(objection(bytes, { own: { ...own, kind: 'suspense' } }), 'other-holder');
  assert.equal(objection(bytes, { own: { ...own, compartment: gil.compartment } }), 'other-compartment');
  assert.equal(objection(bytes, { context: new Uint8Array(32) }), 'other-context');
  const next = workOf(headerOf({ epoch: 8n, previous: plain.work.context }));
  const later = statementEpoch([], plainEpoch(next));
  assert.equal(objection(statementAt(later, 0)), 'other-context');
  assert.notDeepEqual(later.tree.root, stated.tree.root);
  assert.notEqual(readStatement(statementAt(later, 0))?.index, undefined);
  // A quorum that signed fewer statements than the tree has: what stands behind the last of them is none.
  const fewer = { ...stated, signed: { ...stated.signed, count: allClaims.length - 1 } };
  allClaims.forEach((claim, at) => {
    const one = statementAt(fewer, at);
    const behind = readStatement(one)?.index === allClaims.length - 1;
    assert.equal(objection(one, { own: claim }), behind ? 'other-record' : 'holds');
  });
});

test('statements of claims that come twice, out of order, negative or in another number are not made', () => {
  const make = (claims: typeof allClaims, count: number = claims.length): unknown =>
    makeStatementTree(plain.work, { claims, count });
  const [ada, bob] = allClaims;
  assert.ok(ada !== undefined && bob !== undefined);
  assert.throws(() => make([ada, ada]), refused);
  assert.throws(() => make([bob, ada]), refused);
  assert.throws(() => make([{ ...ada, compartment: gil.compartment }, bob]), refused);
  assert.throws(() => make([{ ...ada, amount: -1n }]), refused);
  assert.throws(() => make([{ ...ada, amount: 2n ** 256n }]), refused);
  assert.throws(() => make([]), refused);
  assert.throws(() => make([ada], 2), refused);
  assert.throws(() => make([ada, bob], 1), refused);
  assert.throws(() => statementsFile({ ...stated.signed, count: 0 }), refused);
  assert.throws(() => statementsFile({ ...stated.signed, signatures: [new Uint8Array(64)] }), refused);
  make([{ ...ada, amount: 2n ** 256n - 1n }]);
});

test('a client alone in its compartment sees that it is, in both tiers', () => {
  for (const tier of ['plain', 'confidential'] as const) {
    const verdict = verifySegregation(hexToBytes(vectors.segregation[tier]), { ...gil, pin: pins[tier] });
    assert.ok(verdict.holds, tier);
    assert.deepEqual([verdict.liabilities, verdict.reserves, verdict.empty], [2n ** 90n, 2n ** 90n, 0]);
    assert.deepEqual(
      verdict.claims
        .map(({ kind, units }) => [kind, units])
        .sort(([a], [b]) => (a === b ? 0 : String(a) < String(b) ? -1 : 1)),
      [
        ['client', 2n ** 90n - 5n],
        ['fee-payable', 5n],
      ],
    );
    assert.deepEqual(verdict.wallets, walletsOf(100_007));
    assert.equal(verdict.certificates.length, 1);
  }
});

test('a compartment with another client in it, or one that is shared, has no proof of segregation', () => {
  const two = [
    { compartment: 100_007, reserves: 9n, claims: [client('gil', 5n), client('hal', 4n)] },
    ...pools.slice(0, 0),
  ];
  const epoch = plainEpoch(plain.work, two);
  const tree = epoch.trees[0] ?? assert.fail();
  const shown = plainSegregation(epoch.work, epoch.plain, { tree, ...parts, claims: two[0]?.claims ?? [] });
  const pin = { context: epoch.work.context, record: epoch.plain.book.record };
  const said = (
    bytes: Uint8Array,
    change: Partial<Parameters<typeof verifySegregation>[1]> = {},
  ): Refutation | 'holds' => {
    const verdict = verifySegregation(bytes, { ...gil, pin, ...change });
    return verdict.holds ? 'holds' : verdict.refutation;
  };
  assert.equal(said(shown), 'other-holder');
  // The other client's leaf shown as nobody's: its balance is not zero, so the root is another.
  const hidden = plainSegregation(epoch.work, epoch.plain, { tree, ...parts, claims: [client('gil', 5n)] });
  assert.equal(said(hidden), 'other-record');
  // A compartment in which nobody but the house is owed anything is no client's.
  const fees = [{ compartment: 100_007, reserves: 9n, claims: (pools[2]?.claims ?? []).slice(1) }];
  const empty = plainEpoch(plain.work, fees);
  const nobody = { tree: empty.trees[0] ?? assert.fail(), ...parts, claims: fees[0]?.claims ?? [] };
  const lonely = { context: empty.work.context, record: empty.plain.book.record };
  assert.equal(said(plainSegregation(empty.work, empty.plain, nobody), { pin: lonely }), 'other-holder');
  const proof = hexToBytes(vectors.segregation.plain);
  const own = pins.plain;
  assert.equal(said(proof, { pin: own }), 'holds');
  assert.equal(said(proof, { pin: own, holder: utf8ToBytes('hal') }), 'other-holder');
  assert.equal(said(proof, { pin: own, compartment: parseCompartment(100_000) }), 'other-compartment');
  assert.equal(said(proof, { pin: { ...own, context: pins.confidential.context } }), 'other-context');
  assert.equal(said(proof, { pin: { ...own, record: pins.confidential.record } }), 'other-record');
  const pool = { tree: plainTree(0), claims: pools[0]?.claims ?? [], wallets: [], certificates: [] };
  assert.throws(() => plainSegregation(plain.work, plain.plain, pool), refused);
});

test('of a compartment that does not hold what it owes the proof says so', () => {
  const holed = pools.map((pool) => ({ ...pool, reserves: pool.compartment === 100_007 ? 1n : pool.reserves }));
  const epoch = plainEpoch(plain.work, holed);
  const bytes = plainSegregation(epoch.work, epoch.plain, { tree: epoch.trees[2] ?? assert.fail(), ...parts });
  const pin = { context: epoch.work.context, record: epoch.plain.book.record };
  assert.deepEqual(verifySegregation(bytes, { ...gil, pin }), { holds: false, refutation: 'insolvent' });
});

test('a leaf of nobody with a negative balance in the confidential tier is another leaf', () => {
  // Its commitment would be to -5; what is shown of it is the blinding alone, and the balance that is committed to is 0.
  const bytes = hexToBytes(vectors.segregation.confidential);
  const last = bytes.length - 32;
  const blinding = bytes.slice(last);
  blinding[0] = (blinding[0] ?? 0) ^ 1;
  bytes.set(blinding, last);
  assert.deepEqual(verifySegregation(bytes, { ...gil, pin: pins.confidential }), {
    holds: false,
    refutation: 'other-record',
  });
  bytes.fill(0xff, last);
  assert.deepEqual(verifySegregation(bytes, { ...gil, pin: pins.confidential }), {
    holds: false,
    refutation: 'malformed',
  });
});

test('of 10,000 tampered copies of a statement and of a proof of segregation none holds with what is known', () => {
  const copies = 10_000 * deep;
  const bytes = statementAt(stated, 3);
  const own = allClaims[3] ?? assert.fail();
  const signed = statementsFile(stated.signed);
  for (const copy of tamperedCopies(bytes, { copies, seed: 11, elements: [32, 65] })) {
    const verdict = openStatement(copy, { context: plain.work.context, own });
    // Signatures are not looked at here: whoever does wants those of the file.
    if (!verdict.holds) continue;
    assert.deepEqual([verdict.amount, verdict.signed.root], [own.amount, stated.tree.root]);
    assert.notDeepEqual(statementsFile(verdict.signed), signed);
  }
  const proof = hexToBytes(vectors.segregation.plain);
  for (const copy of tamperedCopies(proof, { copies, seed: 12, elements: [32, 48, 16] })) {
    const verdict = verifySegregation(copy, { ...gil, pin: pins.plain });
    if (!verdict.holds) continue;
    // Wallets and certificates prove themselves: the chain, and who signed.
    const untouched = [verdict.claims, verdict.liabilities, verdict.reserves];
    const was = verifySegregation(proof, { ...gil, pin: pins.plain });
    assert.ok(was.holds);
    assert.deepEqual(untouched, [was.claims, was.liabilities, was.reserves]);
    assert.notDeepEqual([verdict.wallets, verdict.certificates], [was.wallets, was.certificates]);
  }
});

test('of 10,000 tampered copies of the lists each is refused, or read as another list', () => {
  const copies = 10_000 * deep;
  const wallets = hexToBytes(vectors.wallets.bytes);
  for (const copy of tamperedCopies(wallets, { copies, seed: 13, elements: [86, 32, 20] })) {
    const found = readWalletsFile(copy);
    if (found === undefined) continue;
    const { header, balances, compartments: list } = found;
    const again = concatBytes(...walletsFile({ header, balances, count: list.length, compartments: list }));
    assert.equal(hexOf(again), hexOf(copy));
  }
  const certified = hexToBytes(vectors.certificates.bytes);
  for (const copy of tamperedCopies(certified, { copies, seed: 14, elements: [96, 32, 4] })) {
    const list = readCertificatesFile(copy);
    if (list !== undefined) assert.equal(hexOf(certificatesFile(list)), hexOf(copy));
  }
  const manifest = utf8ToBytes(vectors.manifest.text);
  for (const copy of tamperedCopies(manifest, { copies, seed: 15, elements: [81, 64, 2] })) {
    const listed = readManifest(copy);
    if (listed !== undefined) assert.notEqual(hexOf(manifestDigest(listed)), vectors.manifest.digest);
  }
});

test('numbers that are said and not true cost nothing', () => {
  const many = fileOf([]);
  many.set([0xff, 0xff, 0xff, 0xff], many.length - 4);
  assert.equal(readWalletsFile(many), undefined);
  const none = certificatesFile([]);
  none.set([0xff, 0xff, 0xff, 0xff], none.length - 4);
  assert.equal(readCertificatesFile(none), undefined);
  const proof = hexToBytes(vectors.segregation.plain);
  const { header } = readSegregation(proof) ?? {};
  assert.equal(header?.epoch, 7n);
});
