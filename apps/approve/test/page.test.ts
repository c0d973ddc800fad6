import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { eip712Digest, nobleHashes, typedIntent } from '@bulkhead/authority';
import { checksumAddress, intentBytes, intentDigest } from '@bulkhead/domain';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import type { Page } from 'playwright-core';
import { approvalLink, buildApprovalPage, serveApprovalPage } from '../src/index.ts';
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
import { fillIn, installWallet, register, text, verified } from './person.ts';

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

async function assertTruth(page: Page): Promise<void> {
  assert.match(await page.locator('#amount').innerText(), /^100 /u);
  const shown = await page.locator('.head .blocks').getAttribute('aria-label');
  assert.equal(shown, checksumAddress(addressB));
  const whole = await page.locator('main').innerHTML();
  assert.ok(!whole.toLowerCase().includes(addressA.slice(2)), 'the address of the lie is shown');
  assert.ok(whole.includes(intentDigest(truth)), 'the digest is not that of the bytes');
}

// Pages wait for the browser more than they work: several at once are open in it.
suite('approval page', { concurrency: 4 }, () => {
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
    for (const fact of [
      '850 ETH',
      '1 of 2: approver-1',
      'Treasury of the client',
      'cl_0001',
      '12 times',
      'individual',
    ]) {
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

  test('a browser wallet signs the typed intent, and one that signs something else approves nothing', async () => {
    for (const lies of [false, true]) {
      const page = await stage.open('/');
      const { asked, address } = await installWallet(page, lies ? withdrawal({ amount: 10n ** 21n }) : truth);
      await page.goto(approvalLink(canonical(truth), {}, stage.origin));
      await page.reload();
      await fillIn(page);
      await page.click('#sign-wallet');
      if (lies) {
        await page.getByText('The wallet signed something else').waitFor();
        assert.equal(await page.locator('#answer').count(), 0);
        continue;
      }
      const approval = JSON.parse(await page.locator('#answer').inputValue());
      const { domain, types, primaryType, message } = typedIntent(truth);
      const typed = JSON.parse(asked[0] ?? '');
      assert.deepEqual([typed.domain, typed.primaryType, typed.message], [domain, primaryType, message]);
      assert.deepEqual(typed.types[primaryType], types[primaryType]);
      assert.deepEqual(typed.types.EIP712Domain, [
        { name: 'name', type: 'string' },
        { name: 'version', type: 'string' },
        { name: 'salt', type: 'bytes32' },
      ]);
      const bytes = Buffer.from(approval.signature, 'hex');
      assert.ok(approval.kind === 'eip712' && bytes.length === 65 && [27, 28].includes(bytes[64] ?? 0));
      const signature = secp256k1.Signature.fromBytes(bytes.subarray(0, 64), 'compact').addRecoveryBit(
        (bytes[64] ?? 0) - 27,
      );
      const point = signature.recoverPublicKey(eip712Digest(nobleHashes, truth)).toBytes(false);
      const signer = Buffer.from(nobleHashes.keccak256(point.subarray(1)))
        .toString('hex')
        .slice(24);
      assert.equal(`0x${signer}`, address);
    }
  });

  test('a QR code is read from a picture and through the camera, and the answer is a QR code too', async () => {
    const page = await stage.open('/');
    const link = approvalLink(canonical(truth), {}, 'https://anything.example');
    await page.setInputFiles('#qr-file', { name: 'code.bmp', mimeType: 'image/bmp', buffer: qrPicture(link) });
    await page.locator('.head').waitFor();
    await assertTruth(page);
    await page.getByText('Open another request').click();
    await page.setInputFiles('#qr-file', {
      name: 'code.bmp',
      mimeType: 'image/bmp',
      buffer: qrPicture('https://x.example/#i=AAAA'),
    });
    await page.getByText('There is nothing to sign').waitFor();
    await page.click('#camera');
    await page.locator('.head').waitFor();
    await assertTruth(page);
    await plugIn(page);
    const entry = await register(page);
    await page.getByText('Show as QR code').click();
    const picture = await page.locator('svg.qr').screenshot();
    await page.click('#to-approve');
    await page.setInputFiles('#qr-file', { name: 'answer.png', mimeType: 'image/png', buffer: picture });
    // The page read the text of its own answer: JSON, and nothing that could be approved.
    await page.getByText('The file has no "intent"').waitFor();
    assert.equal(entry.id, 'key-1');
  });

  test('the page asks nobody but its own origin for its own files, and runs no other script', async () => {
    const page = await stage.open('/#register');
    await page.locator('#register').waitFor();
    const inside: readonly (readonly [string, unknown])[] = [
      ["fetch('/approve.css').then(() => 'reached', () => 'refused')", 'refused'],
      ["fetch('https://thief.example/').then(() => 'reached', () => 'refused')", 'refused'],
      [
        "(() => { try { const s = document.createElement('script'); s.textContent = 'globalThis.robbed = 1'; document.head.append(s); } catch {} return globalThis.robbed; })()",
        undefined,
      ],
      [
        "(() => { try { document.body.innerHTML = '<p onclick=1>'; return 'written'; } catch { return 'refused'; } })()",
        'refused',
      ],
    ];
    for (const [script, outcome] of inside) assert.equal(await page.evaluate(script), outcome, script);
    // A page that the thief's server would have to serve: inline script under the same policy.
    const inline = await page.evaluate(
      "new Promise((resolve) => { addEventListener('securitypolicyviolation', (e) => resolve(e.effectiveDirective)); try { document.body.insertAdjacentHTML('beforeend', '<b>'); } catch {} })",
    );
    assert.match(String(inline), /trusted-types|script/u);
  });

  test('an inline script in the page itself would not run', async () => {
    const folder = join(stage.folder, 'tampered');
    const evil = '<script>globalThis.robbed = 1</script><img src="x" onerror="globalThis.robbed = 2">';
    await buildApprovalPage(folder, {
      relyingParty: 'localhost',
      origin: stage.origin,
      identities: ['ab'.repeat(32)],
      deployment,
      name: 'T',
    });
    await writeFile(
      join(folder, 'index.html'),
      builtText(stage, 'index.html').replace('</body>', () => `${evil}</body>`),
    );
    const server = await serveApprovalPage({ directory: folder, host: '127.0.0.1', port: 0 });
    const page = await stage.browser.newPage();
    await page.goto(`http://localhost:${server.port}/`);
    await page.locator('main').waitFor();
    assert.equal(await page.evaluate('globalThis.robbed'), undefined);
    await page.close();
    await server.close();
  });

  test('opened at another address, the page shows nothing to sign', async () => {
    const page = await stage.browser.newPage();
    const link = approvalLink(canonical(truth), {}, stage.origin.replace('localhost', '127.0.0.1'));
    await page.goto(link);
    await page.getByText('This is not the approval page').waitFor();
    assert.equal(await page.locator('.head, #sign-passkey').count(), 0);
    await page.close();
  });

  test('on a phone nothing is cut off, in light and dark, and everything has a name', async () => {
    const brief = signedBrief(
      stage.identity,
      briefFor(truth, { destination: { timesUsed: 0n, lookAlikes: [{ address: addressLikeB, label: 'x' }] } }),
    );
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await stage.open('/', { colorScheme, viewport: { width: 360, height: 740 } });
      for (const path of ['/#', '/#register', approvalLink(canonical(truth), { brief }, '')]) {
        await page.goto(stage.origin + path);
        await page.locator('h1').waitFor();
        assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360);
        const nameless = await page.evaluate(
          "[...document.querySelectorAll('input, textarea, button')].filter((e) => !(e.labels?.length > 0) && !e.getAttribute('aria-label') && !e.textContent.trim()).length",
        );
        assert.equal(nameless, 0);
      }
    }
  });
});

test('in all of this, no page asked for anything but its own three files', () => {
  assert.ok(stage.asked.length > 50);
  assert.deepEqual(
    stage.asked.filter((url) => !isOwnFile(url, stage.origin)),
    [],
  );
});
