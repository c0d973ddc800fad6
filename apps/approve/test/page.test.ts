import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { approverKeyOf, nobleHashes, parseCanonicalJson, readAssertion, type WebauthnKey } from '@bulkhead/authority';
import { checksumAddress, type Intent, intentBytes, intentDigest } from '@bulkhead/domain';
import type { Page } from 'playwright-core';
import { approvalLink, buildApprovalPage } from '../src/index.ts';
import { builtText, isOwnFile, plugIn, qrPicture, setStage, type Stage } from './browser.ts';
import { type HostileApi, startHostileApi } from './hostile-api.ts';
import {
  addressA,
  addressB,
  addressLikeB,
  briefFor,
  canonical,
  chain,
  compartment,
  deployment,
  identity,
  listChange,
  nowSeconds,
  signedBrief,
  withdrawal,
} from './installation.ts';

const truth = withdrawal();
const other = withdrawal({ id: 'wd_0002', amount: 10n ** 18n, to: addressA });
const label = '<img src=x onerror="globalThis.robbed=1">';
const enrolment = listChange([
  { item: 'client', client: 'cl_0001', compartment },
  { item: 'destination', client: 'cl_0001', compartment, chain, address: addressB, label },
]);
const otherList = listChange([
  { item: 'destination', client: 'cl_0001', compartment, chain, address: addressA, label: 'A' },
]);

let stage: Stage;
let api: HostileApi;

before(async () => {
  stage = await setStage(approvalLink(canonical(truth), {}, 'http://localhost'));
  const { identity: signer } = stage;
  api = await startHostileApi({
    other: { intent: truth, brief: signedBrief(signer, briefFor(truth)) },
    stranger: { intent: truth, brief: signedBrief(identity(), briefFor(truth)) },
    exchanged: { intent: truth, brief: signedBrief(signer, briefFor(other)) },
    old: { intent: truth, brief: signedBrief(signer, briefFor(truth, { at: nowSeconds() - 3_600n })) },
    silent: { intent: truth },
    enrolment: { ...enrolment, brief: signedBrief(signer, briefFor(enrolment.intent)) },
    substituted: { intent: enrolment.intent, list: otherList.list },
    withheld: { intent: enrolment.intent },
  });
});

after(async () => {
  await api.close();
  await stage.strike();
});

/** What a person does with the file that the server gave. */
async function bring(page: Page, name: string): Promise<void> {
  const buffer = Buffer.from(await api.answer(name));
  await page.setInputFiles('#file', { name: 'request.json', mimeType: 'application/json', buffer });
  await page.locator('.head').waitFor();
}

const text = async (page: Page): Promise<string> => page.locator('main').innerText();

async function fillIn(page: Page): Promise<void> {
  await page.fill('#person', 'approver-1');
  await page.fill('#key', 'key-1');
}

async function assertTruth(page: Page): Promise<void> {
  assert.match(await page.locator('#amount').innerText(), /^100 /u);
  const shown = await page.locator('.head .blocks').getAttribute('aria-label');
  assert.equal(shown, checksumAddress(addressB));
  const whole = await page.locator('main').innerHTML();
  assert.ok(!whole.toLowerCase().includes(addressA.slice(2)), 'the address of the lie is shown');
  assert.ok(whole.includes(intentDigest(truth)), 'the digest is not that of the bytes');
}

/** Registers, and gives back the entry of the registry. */
async function register(page: Page): Promise<WebauthnKey> {
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
function verified(approvalText: string, entry: WebauthnKey, intent: Intent): number {
  const approval = JSON.parse(approvalText);
  assert.deepEqual([approval.person, approval.key, approval.kind], ['approver-1', 'key-1', 'webauthn']);
  const assertion = readAssertion(nobleHashes, approval);
  assert.equal(assertion.challenge, createHash('sha256').update(intentBytes(intent)).digest('hex'));
  assert.equal(assertion.origin, stage.origin);
  assert.equal(assertion.relyingPartyHash, createHash('sha256').update('localhost').digest('hex'));
  assert.ok(assertion.userPresent && assertion.userVerified);
  const point = Buffer.from(entry.publicKey, 'hex');
  const [x, y] = [point.subarray(1, 33).toString('base64url'), point.subarray(33).toString('base64url')];
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  assert.ok(verify('sha256', assertion.signed, key, Buffer.from(approval.signature, 'hex')), 'P-256');
  return assertion.signCount;
}

test('a passkey is registered, signs the digest of the bytes with its user verified, and counts', async () => {
  const page = await stage.open('/');
  const authenticator = await plugIn(page);
  const entry = await register(page);
  assert.deepEqual([entry.id, entry.relyingParty, entry.origin], ['key-1', 'localhost', stage.origin]);
  const counts: number[] = [];
  for (const intent of [truth, other]) {
    const brief = signedBrief(stage.identity, briefFor(intent));
    await page.goto(approvalLink(canonical(intent), { brief }, stage.origin));
    // Person, key and credential were remembered.
    assert.equal(await page.locator('#credential').inputValue(), entry.credential);
    await page.click('#sign-passkey');
    counts.push(verified(await page.locator('#answer').inputValue(), entry, intent));
  }
  const [first = 0, second = 0] = counts;
  assert.ok(first > 0 && second > first, `the counter stood at ${counts.join(', ')}`);
  assert.equal(await authenticator.signCount(entry.credential), second);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Save as file').click()]);
  assert.equal(download.suggestedFilename(), 'approval-wd_0002.json');
  assert.equal((await readFile(await download.path(), 'utf8')).trim(), await page.locator('#answer').inputValue());
});

test('an authenticator that does not verify its user approves nothing, and registers nothing', async () => {
  const page = await stage.open('/#register');
  await plugIn(page, false);
  await fillIn(page);
  await page.click('#register');
  await page.getByText('No passkey was made').waitFor();
  assert.equal(await page.locator('#answer').count(), 0);
});

test('a server that says 1 ETH to A while the bytes say 100 ETH to B: the page shows the bytes, and signs them', async () => {
  const page = await stage.open('/');
  await plugIn(page);
  const entry = await register(page);
  await page.click('#to-approve');
  await bring(page, 'other');
  await assertTruth(page);
  const whole = await text(page);
  for (const fact of ['850 ETH', '1 of 2: approver-1', 'Treasury of the client', 'cl_0001', '12 times', 'individual']) {
    assert.ok(whole.includes(fact), `${fact} is missing in ${whole}`);
  }
  assert.ok(!/\b1 ETH\b/u.test(whole));
  assert.equal(await page.locator('.banner').count(), 0);
  await page.click('#sign-passkey');
  verified(await page.locator('#answer').inputValue(), entry, truth);
});

test('a brief of another identity, of another intent or of an hour ago is not believed, and none is missed', async () => {
  const page = await stage.open('/');
  const cases = [
    ['stranger', 'danger', 'not signed by an identity key of this installation'],
    ['exchanged', 'danger', 'about another intent'],
    ['old', 'warning', 'minutes ago'],
    ['silent', 'warning', 'No brief of the signer came along'],
  ] as const;
  for (const [name, level, sentence] of cases) {
    await page.goto(`${stage.origin}/#`);
    await page.reload();
    await bring(page, name);
    await assertTruth(page);
    const banner = await page.locator(`.banner.${level}`).innerText();
    assert.ok(banner.includes(sentence), banner);
    assert.ok(banner.includes('are unknown'), banner);
    const whole = await text(page);
    assert.ok(
      !whole.includes('850') && !whole.includes('Treasury') && !whole.includes('What the signer says\n'),
      whole,
    );
    // Of a lie, people say that they read it before they can sign.
    assert.equal(await page.locator('#sign-passkey').isDisabled(), level === 'danger');
    if (level === 'danger') await page.check('#read');
    assert.ok(await page.locator('#sign-passkey').isEnabled());
  }
});

test('a list is shown item by item if it is the one that the digest names, and cannot be signed if not', async () => {
  const page = await stage.open('/');
  await bring(page, 'enrolment');
  const whole = await text(page);
  assert.ok(whole.includes(checksumAddress(addressB)) && whole.includes('Enrol client cl_0001'), whole);
  assert.ok(await page.locator('#sign-passkey').isEnabled());
  for (const [name, sentence] of [
    ['substituted', 'is not the one that would be approved'],
    ['withheld', 'The list of changes is missing'],
  ] as const) {
    await page.goto(`${stage.origin}/#`);
    await page.reload();
    await bring(page, name);
    assert.ok((await page.locator('.banner.danger').first().innerText()).includes(sentence));
    assert.equal(await page.locator('#sign-passkey').count(), 0);
    assert.ok(!(await page.locator('main').innerHTML()).includes(checksumAddress(addressA)));
  }
});

test('long lists are turned page by page, with counts by kind', async () => {
  const items = Array.from({ length: 120 }, (_, at) => ({
    item: 'destination' as const,
    client: 'cl_0001',
    compartment,
    chain,
    address: at === 119 ? addressLikeB : at === 118 ? addressB : addressA,
    label: `Place ${at + 1}`,
  }));
  const { intent, list } = listChange([{ item: 'client', client: 'cl_0001', compartment }, ...items]);
  const page = await stage.open('/');
  await page.fill('#link', JSON.stringify({ intent: canonical(intent), list }));
  await page.click('#read-link');
  await page.locator('.head').waitFor();
  assert.match(await text(page), /120 destination/u);
  assert.match(await text(page), /Items 1 to 50 of 121/u);
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('Items 51 to 100 of 121').waitFor();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('Items 101 to 121 of 121').waitFor();
  assert.ok((await text(page)).includes('Place 120'));
  assert.ok(await page.getByRole('button', { name: 'Next' }).isDisabled());
  assert.ok((await text(page)).includes('Two destinations of the list look alike'));
});

test('what is unusual stands out: new, cooling, never used, look-alike, above half, refused', async () => {
  const brief = briefFor(truth, {
    destination: {
      timesUsed: 0n,
      usableFrom: nowSeconds() + 7_200n,
      lookAlikes: [{ address: addressLikeB, label: 'Treasury (cl_0001)' }],
    },
    rule: {
      tier: 'hot',
      destination: 'enrolled',
      amountMax: 200n * 10n ** 18n,
      windowSeconds: 86_400n,
      windowMax: 200n * 10n ** 18n,
      spent: 50n * 10n ** 18n,
      left: 150n * 10n ** 18n,
    },
    refusal: { code: 'signer/unknown-destination', message: 'This destination is not enrolled.' },
  });
  const page = await stage.open('/');
  await page.goto(approvalLink(canonical(truth), { brief: signedBrief(stage.identity, brief) }, stage.origin));
  const whole = await text(page);
  for (const fact of [
    'The signer would refuse it now (signer/unknown-destination)',
    'looks like another address',
    'not enrolled for this client',
    'still cooling',
    'Nothing was ever paid',
    'More than half of what the limit leaves',
  ]) {
    assert.ok(whole.includes(fact), `${fact} is missing in ${whole}`);
  }
  const marks = await page.locator('.banner .blocks').first().locator('mark').allInnerTexts();
  const differing = addressB.split('').filter((digit, at) => digit !== addressLikeB.charAt(at));
  assert.equal(marks.join('').toLowerCase(), differing.join(''));
  assert.ok(await page.locator('#sign-passkey').isDisabled());
});

test('damaged, cut, foreign, oversized and expired input gives a sentence and nothing to sign', async () => {
  const page = await stage.open('/');
  const link = approvalLink(canonical(truth), {}, stage.origin);
  const encoded = (bytes: Buffer): string => `${stage.origin}/#i=${bytes.toString('base64url')}`;
  const foreign = approvalLink(canonical(withdrawal({ deployment: 'ff'.repeat(16) })), {}, stage.origin);
  const cases: readonly (readonly [string, RegExp])[] = [
    [`${link}AA`, /not in its canonical form|not an intent/u],
    [encoded(Buffer.concat([intentBytes(truth), Buffer.from('\n')])), /canonical/u],
    [encoded(Buffer.concat([intentBytes(truth), Buffer.from([0])])), /not an intent/u],
    [link.slice(0, -7), /not an intent|damaged/u],
    [`${link}&i=${Buffer.from(canonical(other)).toString('base64url')}`, /twice/u],
    [`${link}&x=AAAA`, /damaged/u],
    [`${link}&b=AAAA`, /UTF-8|JSON/u],
    [foreign, new RegExp(`installation ${'ff'.repeat(16)}`, 'u')],
    [encoded(Buffer.alloc(5_000, 0x41)), /5000 bytes/u],
    [`${stage.origin}/#i=${'A'.repeat(70_000)}`, /longer than 65536/u],
  ];
  for (const [address, sentence] of cases) {
    await page.goto(address);
    assert.match(await page.locator('.banner.danger').innerText(), sentence);
    assert.equal(await page.locator('#sign-passkey, .head').count(), 0);
  }
  await page.goto(approvalLink(canonical(withdrawal({ expiresAt: nowSeconds() - 1n })), {}, stage.origin));
  await page.getByText('Its time is over').waitFor();
  assert.equal(await page.locator('#sign-passkey').count(), 0);
});

test('a brief that grows old while the page is open is noticed before the signature', async () => {
  const page = await stage.open('/');
  await plugIn(page);
  await register(page);
  const brief = signedBrief(stage.identity, briefFor(truth));
  await page.goto(approvalLink(canonical(truth), { brief }, stage.origin));
  await page.locator('#sign-passkey').waitFor();
  await page.clock.setFixedTime(Date.now() + 20 * 60_000);
  await page.click('#sign-passkey');
  await page.getByText('What the signer said is too old').waitFor();
  assert.equal(await page.locator('#answer').count(), 0);
});

test('labels and names are text, never markup; characters that nobody sees are refused with the list', async () => {
  const page = await stage.open('/');
  await bring(page, 'enrolment');
  assert.ok((await text(page)).includes(label));
  const named = briefFor(truth, {
    destination: { label, timesUsed: 1n, lookAlikes: [{ address: addressLikeB, label }] },
  });
  await page.goto(approvalLink(canonical(truth), { brief: signedBrief(stage.identity, named) }, stage.origin));
  await page.getByText('Enrolled as').waitFor();
  assert.ok((await text(page)).includes(label));
  assert.equal(await page.locator('main img').count(), 0);
  assert.equal(await page.evaluate('globalThis.robbed'), undefined);
  const bidi = enrolment.list.replace(JSON.stringify(label), '"abc\u202etxt"');
  const digest = createHash('sha256').update(bidi).digest('hex');
  assert.ok('digest' in enrolment.intent);
  await page.goto(approvalLink(canonical({ ...enrolment.intent, digest }), { list: bidi }, stage.origin));
  await page.getByText('a character that people cannot see').waitFor();
  assert.equal(await page.locator('#sign-passkey').count(), 0);
});
