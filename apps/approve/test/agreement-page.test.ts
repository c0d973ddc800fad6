import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { after, before, test } from 'node:test';
import { clientSignatureClaim, nobleHashes } from '@bulkhead/authority';
import { checksumAddress, parseAddress } from '@bulkhead/domain';
import { keyId, pointOfBytes, vaultConfigText } from '@bulkhead/vaults';
import type { Page } from 'playwright-core';
import { approvalLink, examineAgreement, readAgreement } from '../src/index.ts';
import { plugIn, setStage, type Stage } from './browser.ts';
import { addressB, canonical, withdrawal } from './installation.ts';
import { register, text } from './person.ts';
import { termsFor, vault, vaultFile } from './vault-terms.ts';

let stage: Stage;

before(async () => {
  stage = await setStage(approvalLink(canonical(withdrawal()), {}, 'http://localhost'));
});

after(async () => {
  await stage.strike();
});

async function bring(page: Page, file: string): Promise<void> {
  await page.goto(`${stage.origin}/`);
  await page.setInputFiles('#file', { name: 'vault.json', mimeType: 'application/json', buffer: Buffer.from(file) });
  await page.getByText('Every term').waitFor();
}

test('a client reads every term of a vault, and its passkey signs these terms as a contract takes it', async () => {
  const page = await stage.open('/');
  await plugIn(page);
  const entry = await register(page);
  const point = pointOfBytes(Buffer.from(entry.publicKey, 'hex'));
  const key = keyId(nobleHashes, { kind: 'passkey', point });
  const file = vaultFile(termsFor(key));
  await bring(page, file);
  const shown = await text(page);
  for (const wanted of ['An exit waits', '14 days', 'Highest fee in a year', checksumAddress(addressB), key]) {
    assert.ok(shown.includes(wanted), wanted);
  }
  assert.ok((await page.locator('main').innerHTML()).includes(checksumAddress(vault)));
  await page.click('#agree-passkey');
  const { signature }: { readonly signature: string } = JSON.parse(await page.locator('#answer').inputValue());
  const { digest } = examineAgreement(readAgreement(file));
  const claim = clientSignatureClaim(nobleHashes, {
    key,
    digest: Buffer.from(digest, 'hex'),
    signature: signature.slice(2),
  });
  assert.ok(claim.kind === 'passkey');
  const [x, y] = [point.x, point.y].map((value) =>
    Buffer.from(value.toString(16).padStart(64, '0'), 'hex').toString('base64url'),
  );
  const jwk = { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' };
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  assert.ok(verify('sha256', claim.signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, claim.signature), 'P-256');
});

test('terms that are not what would be signed cannot be signed, and a key that is another signs nothing', async () => {
  const page = await stage.open('/');
  await plugIn(page);
  const entry = await register(page);
  const key = keyId(nobleHashes, { kind: 'passkey', point: pointOfBytes(Buffer.from(entry.publicKey, 'hex')) });
  const terms = termsFor(key);
  const swapped = { ...vaultConfigText(terms.config), exitDestination: parseAddress(`0x${'66'.repeat(20)}`) };
  await bring(page, vaultFile(terms, { configuration: swapped }));
  assert.match(await text(page), /This cannot be signed/u);
  assert.equal(await page.locator('#agree-passkey').count(), 0);
  await bring(page, vaultFile(termsFor(`0x${'ab'.repeat(32)}`)));
  await page.click('#agree-passkey');
  await page.getByText('Nothing was signed').waitFor();
  assert.match(await text(page), /not the key that the configuration names/u);
});
