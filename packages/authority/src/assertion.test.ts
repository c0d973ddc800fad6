import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  assertAssertion,
  authenticatorDataBytesMax,
  clientDataBytesMax,
  readAssertion,
  type WebauthnApproval,
  type WebauthnKey,
} from './assertion.ts';
import { nobleHashes } from './noble-hashes.ts';
import { ed25519Message } from './typed-intent.ts';

type Vector = {
  readonly digest: string;
  readonly approval: WebauthnApproval;
  readonly key: WebauthnKey;
  readonly challenge: string;
  readonly relyingPartyHash: string;
  readonly signCount: number;
  readonly signed: string;
};

type Vectors = {
  readonly digest: string;
  readonly vectors: readonly Vector[];
  readonly ed25519: { readonly publicKey: string; readonly message: string; readonly signature: string };
};

const {
  vectors,
  ed25519,
  digest: vectorDigest,
}: Vectors = JSON.parse(readFileSync(new URL('../../../spec/vectors/approval.json', import.meta.url), 'utf8'));
const hex = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('hex');
const digest = 'd1'.repeat(32);
const key: WebauthnKey = {
  id: 'passkey',
  kind: 'webauthn',
  credential: 'c0ffee',
  publicKey: `04${'5'.repeat(128)}`,
  relyingParty: 'approve.example',
  origin: 'https://approve.example',
};
const relyingPartyHash = createHash('sha256').update(key.relyingParty).digest('hex');
const challenge = Buffer.from(digest, 'hex').toString('base64url');
const client = { type: 'webauthn.get', challenge, origin: key.origin, crossOrigin: false };

/** An assertion of which a test changes one thing. */
function made(change: {
  readonly data?: string;
  readonly client?: unknown;
  readonly text?: string | Uint8Array;
}): WebauthnApproval {
  return {
    person: 'anna',
    key: 'passkey',
    kind: 'webauthn',
    authenticatorData: change.data ?? authenticatorData(0x05),
    clientDataJson: hex(change.text ?? JSON.stringify(change.client ?? client)),
    signature: '30'.repeat(70),
  };
}

function authenticatorData(flags: number, tail = ''): string {
  return `${relyingPartyHash}${flags.toString(16).padStart(2, '0')}00000007${tail}`;
}

function refused(why: string, approval: WebauthnApproval, message?: RegExp): void {
  const expected = { code: 'signer/approval-invalid', ...(message === undefined ? {} : { message }) };
  assert.throws(() => assertAssertion(nobleHashes, { approval, key, digest }), expected, why);
}

test('assertions of a browser are read as the specification says', () => {
  assert.ok(vectors.length >= 1);
  for (const vector of vectors) {
    const read = assertAssertion(nobleHashes, vector);
    assert.equal(read.challenge, vector.challenge);
    assert.equal(read.challenge, vector.digest);
    assert.equal(read.relyingPartyHash, vector.relyingPartyHash);
    assert.equal(read.signCount, vector.signCount);
    assert.equal(hex(read.signed), vector.signed);
    const point = Buffer.from(vector.key.publicKey, 'hex');
    const [x, y] = [point.subarray(1, 33).toString('base64url'), point.subarray(33).toString('base64url')];
    const publicKey = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
    assert.ok(verify('sha256', read.signed, publicKey, Buffer.from(vector.approval.signature, 'hex')));
  }
});

test('the message of a robot verifies under its key', () => {
  const message = ed25519Message(vectorDigest);
  assert.equal(hex(message), ed25519.message);
  const x = Buffer.from(ed25519.publicKey, 'hex').toString('base64url');
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  assert.ok(verify(null, message, publicKey, Buffer.from(ed25519.signature, 'hex')));
});

test('an assertion says what was signed, by whom verified, and how often the key has signed', () => {
  const approval = made({});
  const read = readAssertion(nobleHashes, approval);
  assert.deepEqual(
    { ...read, signed: hex(read.signed) },
    {
      challenge: digest,
      origin: key.origin,
      relyingPartyHash,
      userPresent: true,
      userVerified: true,
      signCount: 7,
      signed:
        approval.authenticatorData +
        createHash('sha256').update(Buffer.from(approval.clientDataJson, 'hex')).digest('hex'),
    },
  );
  const silent = readAssertion(nobleHashes, made({ data: authenticatorData(0x00) }));
  assert.deepEqual([silent.userPresent, silent.userVerified], [false, false]);
});

test('an assertion is about this intent, made on the registered page by a verified person', () => {
  refused(
    'another digest',
    made({ client: { ...client, challenge: Buffer.alloc(32, 1).toString('base64url') } }),
    /not about the intent/u,
  );
  refused(
    'another origin',
    made({ client: { ...client, origin: 'https://evil.example' } }),
    /not on the approval page/u,
  );
  refused(
    'an origin in another case',
    made({ client: { ...client, origin: 'https://APPROVE.example' } }),
    /approval page/u,
  );
  refused('another relying party', made({ data: `${'ab'.repeat(32)}0500000007` }), /another relying party/u);
  refused('nobody there', made({ data: authenticatorData(0x04) }), /nobody touched/u);
  refused('nobody verified', made({ data: authenticatorData(0x01) }), /did not verify/u);
});

test('client data: its type, its frame, its encoding', () => {
  refused('a registration', made({ client: { ...client, type: 'webauthn.create' } }), /type is not webauthn.get/u);
  refused('a payment', made({ client: { ...client, type: 'payment.get' } }), /type/u);
  refused('in a frame', made({ client: { ...client, crossOrigin: true } }), /frame/u);
  refused('a frame as text', made({ client: { ...client, crossOrigin: 'false' } }), /frame/u);
  refused('below another page', made({ client: { ...client, topOrigin: 'https://evil.example' } }), /frame/u);
  refused('no challenge', made({ client: { ...client, challenge: undefined } }), /missing/u);
  refused('no origin', made({ client: { ...client, origin: undefined } }), /missing/u);
  refused('padding', made({ client: { ...client, challenge: `${challenge}=` } }), /base64url/u);
  refused(
    'base64',
    made({ client: { ...client, challenge: Buffer.alloc(32, 0xff).toString('base64') } }),
    /base64url/u,
  );
  refused(
    'unused bits',
    made({ client: { ...client, challenge: `${challenge.slice(0, -1)}${challenge.endsWith('E') ? 'F' : 'Z'}` } }),
  );
  refused('one digit too many', made({ client: { ...client, challenge: `${challenge}AA` } }));
  refused('an array', made({ client: [client] }), /no object/u);
  refused('no JSON', made({ text: 'type=webauthn.get' }), /no JSON/u);
  refused('text behind it', made({ text: `${JSON.stringify(client)}{}` }), /no JSON/u);
  refused('a mark of byte order', made({ text: `\ufeff${JSON.stringify(client)}` }), /no JSON/u);
  refused(
    'no UTF-8',
    made({ text: Buffer.concat([Buffer.from('{"x":"'), Buffer.of(0xff), Buffer.from('"}')]) }),
    /no JSON/u,
  );
  const { challenge: _, ...others } = client;
  const twice = JSON.stringify(others).replace('{', `{"challenge":"AAAA","challenge":"${challenge}",`);
  refused('a challenge twice', made({ text: twice }), /stands twice/u);
  const escaped = JSON.stringify(client).replace('{', '{"\\u0063hallenge":"AAAA",');
  refused('a challenge twice, once escaped', made({ text: escaped }), /stands twice/u);
  const nested = JSON.stringify(client).replace('{', '{"x":{"a":1,"a":2},');
  refused('a nested name twice', made({ text: nested }), /stands twice/u);
  refused('too long', made({ client: { ...client, filler: 'x'.repeat(clientDataBytesMax) } }), /longer than 2048/u);
});

test('client data: names nobody knows are skipped, also with braces and quotes in their values', () => {
  const strange = {
    ...client,
    other_keys_can_be_added_here: 'do not compare clientDataJSON against a template {"challenge":"',
    a: [{ origin: 'x' }, { origin: 'y\\"' }],
    b: { challenge: '}' },
  };
  const read = assertAssertion(nobleHashes, { approval: made({ client: strange }), key, digest });
  assert.equal(read.challenge, digest);
  const { crossOrigin: _, ...older } = client;
  assert.equal(readAssertion(nobleHashes, made({ client: older })).challenge, digest);
});

test('authenticator data: flags, extensions, and nothing besides', () => {
  refused('too short', made({ data: authenticatorData(0x05).slice(2) }), /36 bytes/u);
  refused('bytes behind it', made({ data: authenticatorData(0x05, '00') }), /bytes follow/u);
  refused('a new credential', made({ data: authenticatorData(0x45, '00'.repeat(30)) }), /new credential/u);
  refused('backed up and not eligible', made({ data: authenticatorData(0x15) }), /backed up/u);
  refused('extensions announced and missing', made({ data: authenticatorData(0x85) }), /no CBOR map/u);
  refused('extensions that are no map', made({ data: authenticatorData(0x85, '80') }), /no CBOR map/u);
  refused('extensions of another length', made({ data: authenticatorData(0x85, 'a16161') }), /no CBOR map/u);
  refused('a text beyond the end', made({ data: authenticatorData(0x85, 'a161617a7fffffff61') }), /no CBOR map/u);
  refused('indefinite length', made({ data: authenticatorData(0x85, 'bf6161f5ff') }), /no CBOR map/u);
  refused('a reserved length', made({ data: authenticatorData(0x85, `a161611c${'00'.repeat(16)}`) }), /no CBOR map/u);
  refused('nested too deep', made({ data: authenticatorData(0x85, `a16161${'81'.repeat(9)}01`) }), /no CBOR map/u);
  refused('a map and more', made({ data: authenticatorData(0x85, 'a06161') }), /bytes follow/u);
  refused(
    'too long',
    made({ data: authenticatorData(0x05, '00'.repeat(authenticatorDataBytesMax)) }),
    /longer than 512/u,
  );
  refused('upper case', made({ data: authenticatorData(0x05).toUpperCase() }), /no lower-case hex/u);
  refused('nothing', made({ data: '' }), /no lower-case hex/u);
  refused('a long signature', { ...made({}), signature: '30'.repeat(73) }, /longer than 72/u);
  // {"credProps": {"rk": true}, "x": [1, -2, 1.5, h'00', null]}: what nobody asked for is skipped.
  const extensions = 'a26963726564'.concat(
    '50726f7073',
    'a162726bf5',
    '6178',
    '85',
    '01',
    '21',
    'f93e00',
    '4100',
    'f6',
  );
  for (const tail of ['a0', extensions]) {
    const read = assertAssertion(nobleHashes, { approval: made({ data: authenticatorData(0x9d, tail) }), key, digest });
    assert.equal(read.signed.length, 37 + tail.length / 2 + 32);
  }
});
