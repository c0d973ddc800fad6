import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { type CommittedEpoch, openReserveWorld, type ReserveWorld } from '@bulkhead/verifier/testing';
import type { Page } from 'playwright-core';
import { faintTexts } from './legibility.ts';
import { fill, oneAnswer, setStage, type Stage, verdictOf } from './stage.ts';
import { runInPage } from './suite-in-page.ts';

let stage: Stage;
let world: ReserveWorld;
let epoch: CommittedEpoch;

before(async () => {
  [stage, world] = await Promise.all([setStage(), openReserveWorld()]);
  epoch = await world.commit(1n, 150n);
  await world.prove(epoch);
  await world.settle();
});

after(async () => {
  await stage[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

function hex(bytes: Uint8Array): string {
  return `0x${Buffer.from(bytes).toString('hex')}`;
}

/** The same node by its two names, as if they were two. */
function nodes(): string {
  return `${world.chain.url}\n${world.chain.url.replace('127.0.0.1', 'localhost')}`;
}

function known(): Readonly<Record<string, string>> {
  const { address, chain, codeHash } = world.registry;
  return {
    registry: `eip155:${chain}:${hex(address)}`,
    codeHash: hex(codeHash),
    client: 'ada',
    compartment: '10000',
    amount: '70',
    decimals: '0',
    nodes: nodes(),
  };
}

/** Fields that a screen reader could not name. */
const namelessFields =
  '[...document.querySelectorAll("input, textarea")].filter((field) => field.labels.length === 0).map((field) => field.id)';

async function bring(page: Page, name = 'ada.bin'): Promise<void> {
  const buffer = Buffer.from(epoch.packages.get('ada') ?? assert.fail());
  await page.setInputFiles('#files', { name, mimeType: 'application/octet-stream', buffer });
  await page.locator('.brought li').waitFor();
}

suite('verification page', { concurrency: 4 }, () => {
  test('a package that holds: the verdict comes first and is said, and nobody but the nodes was asked', async () => {
    const page = await stage.open();
    await bring(page);
    assert.match(await page.locator('.brought').innerText(), /Your package of a proof of reserves/u);
    await fill(page, known());
    const { title, text } = await verdictOf(page);
    assert.equal(title, 'What could be checked holds');
    assert.match(text, /12 things were checked and hold. 1 thing could not be known/u);
    assert.ok(text.indexOf('What cannot be known') < text.indexOf('What was checked and holds'));
    assert.match(text, /You are counted with your whole amount/u);
    assert.equal(await page.evaluate('document.activeElement.id'), 'verdict');
    assert.match(
      (await page.locator('[role=status]').textContent()) ?? '',
      /^What could be checked holds\. 12 things/u,
    );
    assert.match(await page.title(), /What could be checked holds/u);
    await page.click('#change');
    assert.ok(await page.locator('#registry').isVisible(), 'what was typed is still there');
    await page.fill('#amount', '71');
    const other = await verdictOf(page);
    assert.equal(other.title, 'This does not hold');
    assert.match(other.text, /What does not hold\s+Your whole balance is counted\s+Fails\s+You are counted with/u);
    await page.goBack();
    assert.ok(await page.locator('#check').isVisible(), 'the way back of a phone leads to the question');
  });

  test('nodes that cannot be asked are named, with the reason', async () => {
    const page = await stage.open();
    await bring(page);
    const [closed, other, silent] = await Promise.all([
      oneAnswer('{}', { cors: false }),
      oneAnswer('<h1>Welcome</h1>', { cors: true }),
      oneAnswer('{"jsonrpc":"2.0","id":1,"result":"0x1"}', { cors: true }),
    ]);
    const say = async (url: string): Promise<string> => {
      await fill(page, { ...known(), nodes: url });
      const { title, text } = await verdictOf(page);
      await page.click('#change');
      return `${title} ${text}`;
    };
    assert.match(await say(closed.url), /^Nothing could be checked.*does not let web pages ask it \(CORS\)/su);
    assert.match(await say(other.url), /^Nothing could be checked.*not what a node of a chain answers/su);
    assert.match(await say(silent.url), /^This does not hold.*serves chain 1\./su);
    for (const server of [closed, other, silent]) server.close();
    assert.match(await say(closed.url), /^Nothing could be checked.*cannot be reached/su);
  });

  test('what was typed wrong is said at its field, which gets the focus, and nothing is asked', async () => {
    const page = await stage.open();
    await bring(page);
    await fill(page, { ...known(), compartment: '3', nodes: 'http://node.example' });
    const before = stage.asked.filter((url) => url.includes('node.example')).length;
    await page.click('#check');
    assert.equal(await page.evaluate('document.activeElement.id'), 'compartment');
    assert.match(await page.locator('#compartment-wrong').innerText(), /of the custodian itself/u);
    assert.match(await page.locator('#nodes-wrong').innerText(), /https/u);
    assert.equal(await page.locator('[aria-invalid=true]').count(), 2);
    await page.fill('#compartment', '10000');
    await page.fill('#registry', '');
    await page.click('#check');
    assert.match(await page.locator('#registry-wrong').innerText(), /needed/u);
    assert.equal(await page.locator('#compartment-wrong').isVisible(), false);
    assert.equal(stage.asked.filter((url) => url.includes('node.example')).length, before);
  });

  test('nothing is remembered unless somebody asks for it, and taking it back forgets', async () => {
    const page = await stage.open();
    await bring(page);
    await fill(page, known());
    await verdictOf(page);
    assert.equal(await page.evaluate('localStorage.length + sessionStorage.length + document.cookie.length'), 0);
    await page.goto(stage.page);
    assert.equal(await page.locator('#registry').inputValue(), '');
    await bring(page);
    await fill(page, known());
    await page.check('#keep');
    await page.goto(stage.page);
    await bring(page);
    assert.equal(await page.locator('#amount').inputValue(), '70');
    await page.uncheck('#keep');
    assert.equal(await page.evaluate('localStorage.length'), 0);
  });

  test('texts from outside stay texts, and the policy lets nothing else in or out', async () => {
    const page = await stage.open({ before: 'globalThis.robbed = 0' });
    await bring(page, '<img src=x onerror="robbed=1">.bin');
    await page.fill('#text', '<script>robbed=1</script>');
    await page.click('#use-text');
    assert.match(await page.locator('.brought .odd').innerText(), /does not know what this is/u);
    assert.equal(await page.evaluate('robbed'), 0);
    // In a task of the page: what a debugger evaluates is under no policy.
    const refused = async (work: string): Promise<boolean> =>
      await page.evaluate(
        `new Promise((done) => setTimeout(async () => { try { await (${work}); done(false) } catch { done(true) } }))`,
      );
    assert.ok(await refused('fetch("http://node.example/")'), 'a node without protection');
    assert.ok(await refused('eval("1")'));
    assert.ok(await refused('document.body.innerHTML = "<p>x"'), 'markup out of text');
    assert.ok(await refused('new Worker(URL.createObjectURL(new Blob(["1"])))'), 'another script as a worker');
    assert.ok(
      await refused(
        '(() => { const s = document.createElement("script"); s.textContent = "robbed = 2"; document.body.append(s); if (robbed === 2) return; throw 1 })()',
      ),
    );
  });

  test('without workers the page checks all the same', async () => {
    const page = await stage.open({ before: 'delete globalThis.Worker' });
    await bring(page);
    await fill(page, known());
    assert.equal((await verdictOf(page)).title, 'What could be checked holds');
  });

  test('everybody can read it: small screens, dark screens, screen readers, keyboards, paper', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await stage.open({ colorScheme, viewport: { width: 320, height: 640 }, reducedMotion: 'reduce' });
      const fits = async (): Promise<unknown> => await page.evaluate('document.documentElement.scrollWidth <= 320');
      await bring(page);
      await fill(page, { ...known(), compartment: '3' });
      await page.click('#check');
      assert.deepEqual(await faintTexts(page), []);
      assert.ok(await fits(), 'the question is wider than the screen');
      assert.deepEqual(await page.evaluate(namelessFields), []);
      await page.fill('#compartment', '10000');
      await page.fill('#amount', '71');
      await verdictOf(page);
      assert.deepEqual(await faintTexts(page), []);
      assert.ok(await fits(), 'the result is wider than the screen');
      await page.emulateMedia({ media: 'print' });
      assert.equal(await page.locator('.actions:visible').count(), 0);
      assert.ok(await page.locator('#verdict').isVisible());
      assert.deepEqual(await faintTexts(page), []);
    }
    const page = await stage.open();
    const roles = await page.locator('body').ariaSnapshot();
    for (const role of [
      'banner',
      'main',
      'contentinfo',
      'heading "Check it yourself" [level=1]',
      'heading "What do you want to check?" [level=2]',
    ]) {
      assert.ok(roles.includes(role), `${role} in ${roles}`);
    }
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.className'), 'skip');
    const stops: unknown[] = [];
    for (let stop = 0; stop < 3; stop += 1) {
      await page.keyboard.press('Tab');
      stops.push(await page.evaluate('document.activeElement.id'));
    }
    assert.deepEqual(stops, ['files', 'text', 'use-text']);
  });
});

test('the tests of the verifier hold in a browser as they do here', async (t) => {
  const results = await runInPage(stage.browser, [
    'packages/verifier/test/claim-check.test.ts',
    'packages/verifier/test/state-proof.test.ts',
  ]);
  for (const { file, name, error } of results) {
    await t.test(`${file}: ${name}`, () => assert.equal(error, undefined, error));
  }
  assert.ok(results.length > 10);
});

test('whatever happened here, pages asked for their own file and the nodes that they were given alone', () => {
  const strangers = stage.asked.filter((url) => !/^(?:file:|blob:|http:\/\/(?:127\.0\.0\.1|localhost):)/u.test(url));
  assert.deepEqual(strangers, []);
  assert.deepEqual(
    stage.complaints.filter((text) => !/Content Security Policy|trusted|CORS|Failed to load/iu.test(text)),
    [],
  );
});
