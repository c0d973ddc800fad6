import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { encodeAbiParameters, keccak256 } from 'viem';
import { addressOf } from './testing/example.ts';
import { accountKey, hashes } from './testing/vault-chain.ts';
import {
  accountOf,
  accountSignature,
  type Hex,
  hexOf,
  keyId,
  parsePasskeySignature,
  passkeySignature,
  pointOfBytes,
  quorumSignatures,
  walletAnswerSignature,
} from './index.ts';

const point = { x: 5n, y: 2n ** 255n };
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const client = `{"type":"webauthn.get","challenge":"AAAA","origin":"https://approve.example"}`;
const clientDataJson = hexOf(new TextEncoder().encode(client));

/** ASN.1 DER of two numbers, in the bytes given for each. */
function der(r: string, s: string): Hex {
  const part = (hex: string): string => `02${(hex.length / 2).toString(16).padStart(2, '0')}${hex}`;
  const body = part(r) + part(s);
  return `0x30${(body.length / 2).toString(16).padStart(2, '0')}${body}`;
}

test('a key has one id, and that of an account is told from that of a passkey', () => {
  const account = keyId(hashes, { kind: 'secp256k1', address: addressOf(0xa1) });
  assert.equal(account, `0x${'0'.repeat(24)}${'a1'.repeat(20)}`);
  assert.equal(accountOf(account), addressOf(0xa1));
  const passkey = keyId(hashes, { kind: 'passkey', point });
  assert.equal(passkey, keccak256(encodeAbiParameters([{ type: 'uint256' }, { type: 'uint256' }], [point.x, point.y])));
  assert.equal(accountOf(passkey), undefined);
});

test('an assertion becomes the eight values that contracts read, with the lower s', () => {
  const high = (order - 3n).toString(16).padStart(64, '0');
  const signature = passkeySignature(point, {
    authenticatorData: '0xaabb',
    clientDataJson,
    signature: der('07', `00${high}`),
  });
  const values = parsePasskeySignature(signature);
  assert.deepEqual(values, {
    ...point,
    authenticatorData: '0xaabb',
    clientDataJSON: clientDataJson,
    challengeIndex: BigInt(client.indexOf('"challenge"')),
    typeIndex: BigInt(client.indexOf('"type"')),
    r: 7n,
    s: 3n,
  });
  const parameters = ['uint256', 'uint256', 'bytes', 'bytes', 'uint256', 'uint256', 'uint256', 'uint256'];
  const encoded = encodeAbiParameters(
    parameters.map((type) => ({ type })),
    Object.values(values),
  );
  assert.equal(signature, encoded);
});

test('what is no signature of P-256 in its one form is refused', () => {
  const wrong: [Hex, RegExp][] = [
    ['0x', /no sequence/u],
    ['0x3004020101', /no sequence/u],
    ['0x3003020101', /not two numbers/u],
    [der('01', ''), /not two numbers/u],
    [der('0001', '01'), /shortest form/u],
    [der('80', '01'), /shortest form/u],
    [`0x3009${der('01', '01').slice(6)}020101`, /bytes follow/u],
    [der(`00${order.toString(16)}`, '01'), /not on the curve/u],
    [der('00', '01'), /zero/u],
    [der('01', '00'), /zero/u],
  ];
  for (const [signature, message] of wrong) {
    const make = (): Hex => passkeySignature(point, { authenticatorData: '0x', clientDataJson, signature });
    assert.throws(make, { code: 'vault/signature', message }, signature);
  }
  const odd = (text: string): Hex => hexOf(new TextEncoder().encode(text));
  const clients: [Hex, RegExp][] = [
    [odd('{"type":"webauthn.create","challenge":"AA"}'), /lacks "type"/u],
    [odd('{"type":"webauthn.get"}'), /lacks "challenge"/u],
    [odd('{"ü":1,"type":"webauthn.get","challenge":"AA"}'), /something else than ASCII/u],
  ];
  for (const [json, message] of clients) {
    const assertion = { authenticatorData: '0x' as Hex, clientDataJson: json, signature: der('01', '01') };
    assert.throws(() => passkeySignature(point, assertion), { code: 'vault/signature', message });
  }
});

test('a public key is the point that a passkey signs with', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const bytes = Uint8Array.from([4, ...Buffer.from(x, 'base64url'), ...Buffer.from(y, 'base64url')]);
  const found = pointOfBytes(bytes);
  assert.equal(found.x, BigInt(`0x${Buffer.from(x, 'base64url').toString('hex')}`));
  assert.equal(found.y, BigInt(`0x${Buffer.from(y, 'base64url').toString('hex')}`));
  assert.throws(() => pointOfBytes(bytes.subarray(1)), { code: 'vault/signature' });
});

test('what a wallet answered becomes what contracts take', async () => {
  const signature = await accountKey(7).sign(new Uint8Array(32).fill(3));
  assert.equal(walletAnswerSignature(signature), signature);
  const v = Number.parseInt(signature.slice(-2), 16);
  const short: Hex = `0x${signature.slice(2, -2)}0${v - 27}`;
  assert.equal(walletAnswerSignature(short), signature);
  const accountOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  const high = (accountOrder - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0');
  const other = v === 27 ? '1c' : '1b';
  assert.equal(walletAnswerSignature(`0x${signature.slice(2, 66)}${high}${other}`), signature);
  assert.throws(() => walletAnswerSignature('0x00'), { code: 'vault/signature', message: /1 bytes, not 65/u });
  assert.throws(() => walletAnswerSignature(`0x${signature.slice(2, -2)}25`), { message: /its v is 37/u });
});

test('signatures of a quorum ascend by signer, and of nobody there are two', async () => {
  const keys = [accountKey(1), accountKey(2), accountKey(3)];
  const digest = new Uint8Array(32).fill(7);
  const signatures = new Map(
    await Promise.all(keys.map(async (key) => [key.address, await key.sign(digest)] as const)),
  );
  const sorted = keys.map(({ address }) => address).toSorted();
  const wanted = sorted.map((address) => signatures.get(address)?.slice(2) ?? '').join('');
  assert.equal(quorumSignatures(signatures), `0x${wanted}`);
  assert.throws(() => quorumSignatures(new Map([[addressOf(1), '0xab']])), { code: 'vault/signature' });
  const wrong: [bigint, bigint, RegExp][] = [
    [0n, 1n, /its r/u],
    [1n, 0n, /its s/u],
    [1n, 2n ** 255n, /its s is not the lower one/u],
  ];
  for (const [r, s, message] of wrong) {
    assert.throws(() => accountSignature({ r, s, yParity: 0 }), { code: 'vault/signature', message });
  }
  assert.equal(accountSignature({ r: 1n, s: 2n, yParity: 1 }).slice(-2), '1c');
});
