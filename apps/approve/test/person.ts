import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import {
  approverKeyOf,
  eip712Digest,
  nobleHashes,
  parseCanonicalJson,
  readAssertion,
  type WebauthnKey,
} from '@bulkhead/authority';
import { type Intent, intentBytes } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import type { Page } from 'playwright-core';

/** What a person reads. */
export const text = async (page: Page): Promise<string> => page.locator('main').innerText();

export async function fillIn(page: Page): Promise<void> {
  await page.fill('#person', 'approver-1');
  await page.fill('#key', 'key-1');
}

/** Registers, and gives back the entry of the registry. */
export async function register(page: Page): Promise<WebauthnKey> {
  await page.click('#to-register');
  await fillIn(page);
  await page.click('#register');
  const fields = parseCanonicalJson(await page.locator('#answer').inputValue());
  assert.ok(typeof fields === 'object' && !Array.isArray(fields));
  const entry = approverKeyOf(Object.fromEntries(Object.entries(fields)));
  assert.ok(entry.kind === 'webauthn');
  return entry;
}

/** Verifies an approval as the signer does, with OpenSSL. */
export function verified(approvalText: string, entry: WebauthnKey, intent: Intent): number {
  const approval = JSON.parse(approvalText);
  assert.deepEqual([approval.person, approval.key, approval.kind], ['approver-1', 'key-1', 'webauthn']);
  const assertion = readAssertion(nobleHashes, approval);
  assert.equal(assertion.challenge, createHash('sha256').update(intentBytes(intent)).digest('hex'));
  assert.equal(assertion.origin, entry.origin);
  assert.equal(assertion.relyingPartyHash, createHash('sha256').update('localhost').digest('hex'));
  assert.ok(assertion.userPresent && assertion.userVerified);
  const point = Buffer.from(entry.publicKey, 'hex');
  const [x, y] = [point.subarray(1, 33).toString('base64url'), point.subarray(33).toString('base64url')];
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  assert.ok(verify('sha256', assertion.signed, key, Buffer.from(approval.signature, 'hex')), 'P-256');
  return assertion.signCount;
}

/** A wallet that other software put into the browser. Whatever it is asked, it signs this. */
export async function installWallet(
  page: Page,
  signed: Intent,
): Promise<{ readonly asked: string[]; readonly address: string }> {
  const secret = Uint8Array.from({ length: 32 }, () => 7);
  const address = `0x${Buffer.from(nobleHashes.keccak256(secp256k1.getPublicKey(secret, false).subarray(1)))
    .toString('hex')
    .slice(24)}`;
  const asked: string[] = [];
  await page.exposeFunction('walletRequest', (method: string, params: readonly string[]) => {
    if (method === 'eth_requestAccounts') return [address];
    asked.push(params[1] ?? '');
    const recovered = secp256k1.sign(eip712Digest(nobleHashes, signed), secret, {
      prehash: false,
      format: 'recovered',
    });
    // As some wallets do: v is 0 or 1.
    return `0x${Buffer.from(recovered.subarray(1)).toString('hex')}0${recovered[0]}`;
  });
  await page.addInitScript(
    'globalThis.ethereum = { request: ({ method, params }) => globalThis.walletRequest(method, params) };',
  );
  return { asked, address };
}
