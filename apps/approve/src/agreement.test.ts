import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { test } from 'node:test';
import { clientSignatureClaim, nobleHashes } from '@bulkhead/authority';
import { parseAddress } from '@bulkhead/domain';
import { keyId, pointOfBytes, vaultConfigText } from '@bulkhead/vaults';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { addressA } from '../test/installation.ts';
import { termsFor, vault, vaultFile } from '../test/vault-terms.ts';
import { type AgreementExamination, examineAgreement, isAgreement, readAgreement } from './agreement.ts';
import { type ClientAssertion, passkeyAgreement, walletAgreement } from './agreement-signature.ts';
import { addressOfPoint, walletSignature } from './wallet-signature.ts';

const secret = Uint8Array.from({ length: 32 }, (_, at) => at + 1);
const account = addressOfPoint(secp256k1.getPublicKey(secret, false));
const accountKey = keyId(nobleHashes, { kind: 'secp256k1', address: account });

const examined = (text: string): AgreementExamination => examineAgreement(readAgreement(text));

test('a vault is told from an intent, and shown term by term with nothing left out', () => {
  const terms = termsFor(accountKey);
  const text = vaultFile(terms);
  assert.ok(isAgreement(text));
  for (const other of ['{"intent":"x"}', '#i=abc', '[]', 'null']) assert.ok(!isAgreement(other));
  const { lines, refusal, notices, digest } = examined(text);
  assert.equal(refusal, undefined);
  assert.deepEqual(
    notices.map(({ level }) => level),
    ['information'],
  );
  assert.match(digest, /^[0-9a-f]{64}$/u);
  const shown = lines.map(({ name, value }) => `${name}: ${value}`).join('\n');
  for (const wanted of [
    /An exit waits: 14 days/u,
    /account 0x[0-9a-fA-F]{40}/u,
    /Destination 1: 0x8617/u,
    /Highest fee in a year: 50 of 10,000/u,
    /Limit 1 of a window: 1 native coin/u,
  ]) {
    assert.match(shown, wanted);
  }
});

test('terms that no contract takes, or that are not what would be signed, are not signed', () => {
  const terms = termsFor(accountKey);
  const swapped = { ...vaultConfigText(terms.config), exitDestination: parseAddress(`0x${'66'.repeat(20)}`) };
  assert.match(examined(vaultFile(terms, { configuration: swapped })).refusal ?? '', /not what is shown/u);
  const policy = { destinations: [addressA], limits: [], unlisted: [] };
  assert.match(examined(vaultFile(terms, { policy })).refusal ?? '', /policyHash/u);
  const same = termsFor(accountKey, { exitKey: accountKey });
  assert.match(examined(vaultFile(same)).refusal ?? '', /clientKey and exitKey are the same/u);
  const quick = examined(vaultFile(termsFor(accountKey, { changeDelay: 5n })));
  assert.equal(quick.refusal, undefined);
  assert.match(quick.notices[0]?.title ?? '', /development chain alone/u);
  for (const broken of ['{}', '{"configuration":{},"policy":{}}', vaultFile(terms, { agreement: null })]) {
    assert.throws(() => readAgreement(broken), { name: 'CustodyError' });
  }
});

test("a wallet's signature counts where it is the account's of the configuration, over these terms", () => {
  const examination = examined(vaultFile(termsFor(accountKey)));
  const signed = (digest: string): string => {
    const bytes = secp256k1.sign(Buffer.from(digest, 'hex'), secret, {
      prehash: false,
      lowS: true,
      format: 'recovered',
    });
    return `0x${walletSignature(bytes)}`;
  };
  const signature = walletAgreement(examination, signed(examination.digest));
  const digest = Buffer.from(examination.digest, 'hex');
  assert.equal(
    clientSignatureClaim(nobleHashes, { key: accountKey, digest, signature: signature.slice(2) }).kind,
    'secp256k1',
  );
  assert.throws(() => walletAgreement(examination, signed('ab'.repeat(32))), { code: 'vault/signature' });
  assert.throws(() => walletAgreement(examination, '0x'), { code: 'vault/signature' });
});

type Passkey = { readonly key: `0x${string}`; assertion(challenge: string, flags?: number): ClientAssertion };

function passkey(): Passkey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const key = keyId(nobleHashes, { kind: 'passkey', point: pointOfBytes(pointOf(publicKey)) });
  return {
    key,
    assertion(challenge, flags = 0x05) {
      const authenticatorData = Buffer.concat([
        createHash('sha256').update('x').digest(),
        Buffer.of(flags, 0, 0, 0, 0),
      ]);
      const said = {
        type: 'webauthn.get',
        challenge: Buffer.from(challenge, 'hex').toString('base64url'),
        origin: 'x',
      };
      const clientDataJson = Buffer.from(JSON.stringify(said));
      const signed = Buffer.concat([authenticatorData, createHash('sha256').update(clientDataJson).digest()]);
      return { authenticatorData, clientDataJson, signature: sign('sha256', signed, privateKey) };
    },
  };
}

function pointOf(publicKey: KeyObject): Uint8Array {
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(-65);
}

test("a passkey's public key is worked out from its signature, and is the one that the configuration names", () => {
  const client = passkey();
  const examination = examined(vaultFile(termsFor(client.key)));
  for (let times = 0; times < 8; times++) {
    const signature = passkeyAgreement(examination, client.assertion(examination.digest));
    const digest = Buffer.from(examination.digest, 'hex');
    const claim = clientSignatureClaim(nobleHashes, { key: client.key, digest, signature: signature.slice(2) });
    assert.equal(claim.kind, 'passkey');
  }
  const refused = { code: 'vault/signature' };
  assert.throws(() => passkeyAgreement(examination, passkey().assertion(examination.digest)), refused);
  assert.throws(() => passkeyAgreement(examination, client.assertion('ab'.repeat(32))), refused);
  assert.throws(() => passkeyAgreement(examination, client.assertion(examination.digest, 0x01)), refused);
  assert.equal(examination.vault, vault);
});
