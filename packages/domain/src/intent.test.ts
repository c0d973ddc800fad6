import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress } from './address.ts';
import { amountMax } from './amount.ts';
import { nativeAsset, parseChainId } from './asset.ts';
import { compartmentMax, parseCompartment } from './compartment.ts';
import {
  canonicalIntent,
  type Intent,
  intentBytes,
  intentBytesMax,
  intentDigest,
  isAuthority,
  isMovement,
  isProof,
  isReserveMatter,
  isVaultMatter,
  parseIntent,
} from './intent.ts';
import { isLogOrigin, logSizeMax, reserveHeaderBytesMax } from './proof-intent.ts';
import { membersOf, setMembersMax } from './vault-intent.ts';

type Vector = { readonly intent: Record<string, string>; readonly canonical: string; readonly digest: string };
type Vectors = { readonly vectors: Vector[]; readonly refused: { readonly why: string; readonly text: string }[] };

const { vectors, refused }: Vectors = JSON.parse(
  readFileSync(new URL('../../../spec/vectors/intent.json', import.meta.url), 'utf8'),
);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const strings = (intent: Intent): Record<string, string> =>
  Object.fromEntries(Object.entries(intent).map(([name, value]) => [name, String(value)]));

test('there is a vector for every kind of intent', () => {
  const kinds: Record<Intent['kind'], true> = {
    withdrawal: true,
    'deposit-return': true,
    sweep: true,
    'gas-grant': true,
    'fee-payment': true,
    cancel: true,
    relay: true,
    delegation: true,
    'vault-withdrawal': true,
    'vault-fee': true,
    'vault-invalidation': true,
    'vault-pause': true,
    'vault-limit-lowering': true,
    'vault-destination-removal': true,
    'vault-key-recovery': true,
    'signer-set-change': true,
    'signer-set-heartbeat': true,
    'reserve-commitment': true,
    'reserve-proof': true,
    'balance-statements': true,
    'wallet-control': true,
    'log-checkpoint': true,
    enrolment: true,
    'policy-change': true,
    'state-recovery': true,
  };
  assert.deepEqual(new Set(vectors.map(({ intent }) => intent['kind'])), new Set(Object.keys(kinds)));
});

test('intents are read, written and digested as the specification says', () => {
  for (const { intent: fields, canonical, digest } of vectors) {
    const intent = parseIntent(bytesOf(canonical));
    assert.deepEqual(strings(intent), fields);
    assert.equal(textOf(intentBytes(intent)), canonical);
    assert.equal(intentDigest(intent), digest);
  }
});

test('bytes that are not the canonical form of an intent are refused', () => {
  assert.ok(refused.length >= 88);
  for (const { why, text } of refused) {
    const codes =
      /^(?:intent\/malformed|amount\/(?:malformed|out-of-range)|compartment\/out-of-range|asset\/malformed|address\/(?:malformed|checksum))$/u;
    assert.throws(() => parseIntent(bytesOf(text)), { name: 'CustodyError', code: codes }, why);
  }
});

test('no single changed, missing or added byte gives the same intent', () => {
  const [first] = vectors;
  assert.ok(first !== undefined);
  const bytes = bytesOf(first.canonical);
  fc.assert(
    fc.property(
      fc.nat(bytes.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.constantFrom('flip', 'cut', 'insert'),
      (at, by, how) => {
        const edited = [...bytes];
        if (how === 'flip') edited[at] = (edited[at] ?? 0) ^ by;
        else edited.splice(at, how === 'cut' ? 1 : 0, ...(how === 'cut' ? [] : [by]));
        let digest: string;
        try {
          digest = intentDigest(parseIntent(Uint8Array.from(edited)));
        } catch {
          return;
        }
        assert.equal(textOf(Uint8Array.from(edited)) === first.canonical, digest === first.digest);
      },
    ),
    { numRuns: 1_000 },
  );
});

const long = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const hex = (digits: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`, 'u'));
const asked = { deployment: hex(32), id: fc.stringMatching(/^[a-z]{1,16}_[0-9a-z-]{1,64}$/u) };
const effect = {
  ...asked,
  compartment: fc.integer({ min: 0, max: compartmentMax }).map(parseCompartment),
  asset: fc.integer({ min: 1, max: 2 ** 31 }).map((chain) => nativeAsset(parseChainId(`eip155:${chain}`))),
  to: fc.stringMatching(/^0x[0-9a-f]{40}$/u).map(parseAddress),
  amount: fc.bigInt({ min: 1n, max: amountMax }),
  feeMax: fc.bigInt({ min: 0n, max: amountMax }),
};

const address = fc.stringMatching(/^0x[0-9a-f]{40}$/u).map(parseAddress);
const ofVault = {
  client: asked.id,
  vault: address,
  vaultNonce: fc.bigInt({ min: 0n, max: amountMax }),
  deadline: long,
};
const matter = {
  ...asked,
  ...ofVault,
  chain: fc.integer({ min: 1, max: 2 ** 31 }).map((chain) => parseChainId(`eip155:${chain}`)),
  compartment: effect.compartment,
  expiresAt: long,
};
const matters = fc.oneof(
  fc.record({
    ...effect,
    ...ofVault,
    kind: fc.constant('vault-withdrawal' as const),
    authorisation: fc.constantFrom('listed' as const, 'unlisted', 'one-off'),
    expiresAt: long,
  }),
  fc.record({ ...matter, kind: fc.constant('vault-destination-removal' as const), to: address }),
  fc.record({
    ...matter,
    kind: fc.constant('vault-limit-lowering' as const),
    asset: effect.asset,
    cap: fc.bigInt({ min: 0n, max: 2n ** 104n - 1n }),
    window: fc.constantFrom('listed' as const, 'unlisted'),
  }),
  fc
    .record({ set: fc.uniqueArray(address, { minLength: 1, maxLength: setMembersMax }), ...asked, expiresAt: long })
    .map(({ set, ...rest }) => ({
      ...rest,
      kind: 'signer-set-change' as const,
      signerSet: parseAddress(`0x${'5e'.repeat(20)}`),
      number: 2n,
      members: [...set].sort().join(','),
      threshold: BigInt(set.length),
    })),
);

const proofs = fc.oneof(
  fc.record({
    ...asked,
    kind: fc.constant('reserve-commitment' as const),
    chain: matter.chain,
    registry: address,
    header: fc
      .uint8Array({ minLength: 1, maxLength: reserveHeaderBytesMax })
      .map((bytes) => Buffer.from(bytes).toString('hex')),
    record: hex(64),
    reserves: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
  }),
  fc.record({
    ...asked,
    kind: fc.constant('wallet-control' as const),
    chain: matter.chain,
    compartment: effect.compartment,
    wallet: address,
    custodian: hex(64),
    context: hex(64),
  }),
  fc.record({
    ...asked,
    kind: fc.constant('log-checkpoint' as const),
    origin: fc
      .string({
        unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
        minLength: 1,
        maxLength: 255,
      })
      .filter(isLogOrigin),
    size: fc.bigInt({ min: 1n, max: logSizeMax }),
    root: hex(64),
  }),
);

test('a change of signers has its members one by one', () => {
  const [change] = vectors.filter(({ intent }) => intent['kind'] === 'signer-set-change');
  assert.ok(change !== undefined);
  const intent = parseIntent(bytesOf(change.canonical));
  assert.ok(intent.kind === 'signer-set-change');
  assert.equal(membersOf(intent).join(','), intent.members);
  assert.equal(membersOf(intent).length, 3);
});

test('each kind belongs to one of four groups', () => {
  const groups = [isMovement, isVaultMatter, isProof, isAuthority];
  for (const { canonical } of vectors) {
    const intent = parseIntent(bytesOf(canonical));
    assert.equal(groups.filter((belongs) => belongs(intent)).length, 1, intent.kind);
  }
});

test('what a proof registry is told belongs to one group, and none of it names a compartment', () => {
  const told = vectors.map(({ canonical }) => parseIntent(bytesOf(canonical))).filter(isReserveMatter);
  assert.deepEqual(
    told.map(({ kind }) => kind),
    ['reserve-commitment', 'reserve-proof', 'balance-statements'],
  );
  assert.ok(told.every((intent) => isProof(intent) && !('compartment' in intent)));
});

test('every intent survives the way to its bytes and back', () => {
  const any = fc.oneof(
    matters,
    proofs,
    fc.record({
      ...effect,
      kind: fc.constantFrom('withdrawal' as const, 'deposit-return' as const),
      client: asked.id,
      feePayer: fc.constantFrom('client' as const, 'house' as const),
      expiresAt: long,
    }),
    fc.record({ ...effect, kind: fc.constant('sweep' as const) }),
    fc.record({
      ...effect,
      kind: fc.constant('cancel' as const),
      amount: fc.constant(0n),
      cancels: asked.id,
      nonce: long,
    }),
    fc.record({
      ...asked,
      kind: fc.constantFrom('enrolment' as const, 'policy-change' as const),
      before: long,
      items: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
      digest: hex(64),
      expiresAt: long,
    }),
    fc.record({
      ...asked,
      kind: fc.constant('state-recovery' as const),
      sequence: long,
      head: hex(64),
      expiresAt: long,
    }),
  );
  fc.assert(
    fc.property(any, (intent: Intent) => {
      const bytes = intentBytes(intent);
      assert.ok(bytes.length <= intentBytesMax);
      assert.deepEqual(strings(parseIntent(bytes)), strings({ ...intent }));
    }),
  );
});

test('an object that is no intent at run time gets no bytes', () => {
  const [first] = vectors;
  assert.ok(first !== undefined);
  const intent = parseIntent(bytesOf(first.canonical));
  const broken: [string, Record<string, unknown>][] = [
    ['negative amount', { amount: -1n }],
    ['amount above 2^256 - 1', { amount: 2n ** 256n }],
    ['address in upper case', { to: `0x${'AB'.repeat(20)}` }],
    ['fraction of a compartment', { compartment: 1.5 }],
    ['id with a quote', { id: 'wd_"' }],
    ['id that is not ASCII', { id: 'wd_ä' }],
    ['unknown kind', { kind: 'gift' }],
    ['missing client', { client: undefined }],
    ['no deployment', { deployment: undefined }],
    ['deployment of another length', { deployment: 'ab' }],
    ['expiry of 65 bits', { expiresAt: 2n ** 64n }],
  ];
  for (const [why, change] of broken) {
    assert.throws(() => intentBytes({ ...intent, ...change }), { name: 'CustodyError' }, why);
  }
});

test('a property that came along on the object is no part of the intent', () => {
  const [first] = vectors;
  assert.ok(first !== undefined);
  const intent = parseIntent(bytesOf(first.canonical));
  const laden = { ...intent, requestedBy: 'somebody' };
  assert.equal(intentDigest(laden), first.digest);
  assert.deepEqual(canonicalIntent(laden), intent);
});

test('an intent that was read cannot change under the text that is remembered of it', () => {
  for (const { canonical, digest } of vectors) {
    const intent = parseIntent(bytesOf(canonical));
    assert.equal(canonicalIntent(intent), intent);
    assert.throws(() => Object.assign(intent, { id: 'wd_other' }), TypeError);
    intentBytes(intent).fill(0);
    assert.equal(intentDigest(intent), digest);
    assert.notEqual(intentDigest({ ...intent, id: 'wd_other' }), digest);
  }
});

test('more bytes than an intent has are refused before they are read', () => {
  assert.throws(() => parseIntent(new Uint8Array(intentBytesMax + 1)), { code: 'intent/malformed' });
  assert.throws(() => parseIntent(new Uint8Array(2 ** 22)), { code: 'intent/malformed' });
  assert.throws(() => parseIntent(new Uint8Array(0)), { code: 'intent/malformed' });
});
