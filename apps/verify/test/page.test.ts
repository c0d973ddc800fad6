import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, suite, test } from 'node:test';
import {
  identity,
  makeWholeProof,
  openReserveWorld,
  type ReserveWorld,
  type WholeFiles,
} from '@bulkhead/verifier/testing';
import type { Page } from 'playwright-core';
import { certificateOf, logOfOneLeaf } from './evidence.ts';
import { faintTexts } from './legibility.ts';
import { fill, oneAnswer, setStage, type Stage, verdictOf } from './stage.ts';
import { runInPage } from './suite-in-page.ts';

let stage: Stage;
let world: ReserveWorld;
let epoch: WholeFiles;

before(async () => {
  [stage, world] = await Promise.all([setStage(), openReserveWorld()]);
  epoch = await makeWholeProof(world, { epoch: 1n, tier: 'confidential' });
  await world.heartbeat();
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
    nodes: nodes(),
    client: 'ada',
    compartment: '10000',
    amount: '70',
    decimals: '0',
  };
}

/** Fields that a screen reader could not name. */
const namelessFields =
  '[...document.querySelectorAll("input, textarea")].filter((field) => field.labels.length === 0).map((field) => field.id)';

async function bring(page: Page, name = 'ada.bin'): Promise<void> {
  await drop(page, { [name]: epoch.packages.get('ada') ?? assert.fail() });
}

async function drop(page: Page, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  const brought = Object.entries(files).map(([name, bytes]) => ({
    name,
    mimeType: 'application/octet-stream',
    buffer: Buffer.from(bytes),
  }));
  await page.setInputFiles('#files', brought);
  await page.locator(`.brought li:nth-child(${brought.length})`).waitFor();
}

async function paste(page: Page, text: string, place: number): Promise<void> {
  await page.fill('#text', text);
  await page.click('#use-text');
  await page.locator(`.brought li:nth-child(${place})`).waitFor();
}

suite('verification page', { concurrency: 4 }, () => {
  test('a package that holds: the verdict comes first and is said, and nobody but the nodes was asked', async () => {
    const page = await stage.open();
    await bring(page);
    assert.match(await page.locator('.brought').innerText(), /Your package of a proof of reserves/u);
    await fill(page, known());
    const { title, text } = await verdictOf(page);
    assert.equal(title, 'What could be checked holds');
    assert.match(text, /\d+ things were checked and hold. 2 things could not be known/u);
    assert.ok(text.indexOf('What cannot be known') < text.indexOf('What was checked and holds'));
    assert.match(text, /Your whole balance is counted\s+ada\.bin\s+Holds/u);
    assert.equal(await page.evaluate('document.activeElement.id'), 'verdict');
    assert.match(
      (await page.locator('[role=status]').textContent()) ?? '',
      /^What could be checked holds\. \d+ things/u,
    );
    assert.match(await page.title(), /What could be checked holds/u);
    const [download] = await Promise.all([page.waitForEvent('download'), page.click('#save')]);
    const report = JSON.parse(await readFile(await download.path(), 'utf8'));
    assert.deepEqual(
      [report.outcome, report.heldAgainst.client, report.files[0].name],
      ['holds-so-far', 'ada', 'ada.bin'],
    );
    assert.equal(
      report.files[0].sha256,
      createHash('sha256')
        .update(epoch.packages.get('ada') ?? '')
        .digest('hex'),
    );
    await page.evaluate('print = () => { document.title = "printed" }');
    await page.click('#print');
    assert.equal(await page.title(), 'printed');
    await page.click('#change');
    assert.ok(await page.locator('#registry').isVisible(), 'what was typed is still there');
    await page.fill('#amount', '71');
    const other = await verdictOf(page);
    assert.equal(other.title, 'This does not hold');
    assert.match(other.text, /What does not hold\s+Your whole balance is counted\s+ada\.bin\s+Fails/u);
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
    assert.equal(await page.evaluate('document.activeElement.id'), 'nodes', 'the first of them on the page');
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
    await page.goto('about:blank');
    await page.goto(`${stage.page}#result`);
    assert.match(await page.locator('#place').innerText(), /Opened from a file/u);
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
    await paste(page, '<script>robbed=1</script>', 2);
    assert.match(await page.locator('.brought .odd').innerText(), /does not know what this is/u);
    assert.equal(await page.evaluate('robbed'), 0);
    // In a task of the page: what a debugger evaluates is under no policy.
    const refused = async (work: string): Promise<boolean> =>
      await page.evaluate(
        `new Promise((done) => setTimeout(async () => { try { await (${work}); done(false) } catch { done(true) } }))`,
      );
    // Another address of this machine, where a server answers whoever asks.
    const open = await oneAnswer('{}', { cors: true });
    const { port } = new URL(open.url);
    assert.equal(await refused(`fetch("http://127.0.0.1:${port}/")`), false);
    assert.ok(await refused(`fetch("http://127.0.0.2:${port}/")`), 'a node without protection');
    open.close();
    assert.ok(await refused('eval("1")'));
    assert.ok(await refused('document.body.innerHTML = "<p>x"'), 'markup out of text');
    assert.ok(await refused('new Worker(URL.createObjectURL(new Blob(["1"])))'), 'another script as a worker');
    assert.ok(
      await refused(
        '(() => { const s = document.createElement("script"); s.textContent = "robbed = 2"; document.body.append(s); if (robbed === 2) return; throw 1 })()',
      ),
    );
  });

  test('a whole proof with hidden amounts is checked beside the page, and a node that is silent can be given up', async () => {
    const page = await stage.open();
    let workers = 0;
    page.on('worker', () => (workers += 1));
    const { length } = [...epoch.files.keys()];
    await drop(page, { 'manifest.txt': epoch.manifest, ...Object.fromEntries(epoch.files) });
    assert.match(await page.locator('.brought').innerText(), /where the coins are/u);
    const { registry = '', codeHash = '' } = known();
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const address = silent.address();
    const nowhere = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    await fill(page, { registry, codeHash, nodes: nowhere, identities: identity });
    await page.click('#check');
    await page.click('#stop');
    assert.match(await page.locator('#working').innerText(), /You stopped the check/u);
    silent.closeAllConnections();
    silent.close();
    await fill(page, { nodes: nodes() });
    const { title, text } = await verdictOf(page);
    assert.equal(title, 'What could be checked holds');
    assert.match(text, /No leaf is negative, and each total is the sum of its leaves/u);
    assert.match(text, /What no proof of this kind can show\s+Whether the coins are pledged/u);
    assert.ok(text.includes('leaves.bin') && length === 5);
    assert.equal(workers, 3, 'one that looked, one that was stopped, one that checked');
  });

  test('certificates are held against pinned keys and the address that was pasted, receipts against the key of the log', async () => {
    const page = await stage.open();
    const { text: certificate, identity: key } = certificateOf('address-certificate');
    await paste(page, '0x8bfD834867107ccd3b4949a48b443305bd27b5df'.toLowerCase(), 1);
    await paste(page, certificate, 2);
    assert.match(await page.locator('#address').inputValue(), /^0x8bfd/iu);
    await fill(page, { identities: key, client: 'cl_ada' });
    const whole = await verdictOf(page);
    assert.deepEqual([whole.title, whole.text.includes('issuedAt')], ['This holds', true], whole.text);
    await page.click('#change');
    await fill(page, { address: '0x52908400098527886E0F7030069857D2E4169EE7' });
    assert.equal((await verdictOf(page)).title, 'This does not hold');
    await page.click('#anew');
    assert.equal(await page.locator('#check').isVisible(), false);
    const log = logOfOneLeaf();
    await paste(page, log.receipt, 1);
    await paste(page, log.checkpoint, 2);
    await fill(page, { logKey: log.key });
    const logged = await verdictOf(page);
    assert.equal(logged.title, 'What could be checked holds');
    assert.match(logged.text, /It stands in the log/u);
    await page.click('#change');
    await fill(page, { logKey: logOfOneLeaf().key });
    assert.equal((await verdictOf(page)).title, 'This does not hold');
  });

  test('where workers are missing, or do not start, the page checks all the same', async () => {
    const broken =
      'globalThis.Worker = class extends EventTarget { postMessage() { setTimeout(() => this.dispatchEvent(new Event("error"))) } terminate() {} }';
    for (const before of ['delete globalThis.Worker', broken]) {
      const page = await stage.open({ before });
      await bring(page);
      await fill(page, known());
      assert.equal((await verdictOf(page)).title, 'What could be checked holds', before);
    }
  });

  test('files can be put aside, two of one name stay two, and one that is too large is not read', async () => {
    const page = await stage.open({
      before: 'Object.defineProperty(Blob.prototype, "size", { get: () => globalThis.sizeNow ?? 1_000 });',
    });
    await bring(page);
    await bring(page);
    await page.locator('.file').getByText('(2) ada.bin').waitFor();
    await page.getByRole('button', { name: 'Remove (2) ada.bin' }).click();
    await page.locator('.brought li:only-child').waitFor();
    assert.equal(await page.evaluate('document.activeElement.id'), 'files');
    await page.evaluate('globalThis.sizeNow = 2 ** 30');
    await page.setInputFiles('#files', { name: 'all.bin', mimeType: 'text/plain', buffer: Buffer.from('x') });
    await page.locator('.wrong').getByText('all.bin is too large').waitFor();
    assert.equal(await page.locator('.brought li').count(), 1);
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
  const files = readdirSync(new URL('../../../packages/verifier/test/', import.meta.url))
    // How many bytes the verifier has is the same wherever it is counted.
    .filter((name) => name.endsWith('.test.ts') && name !== 'size.test.ts')
    .map((name) => `packages/verifier/test/${name}`);
  const results = await runInPage(stage.browser, files);
  for (const { file, name, error } of results) {
    await t.test(`${file}: ${name}`, () => assert.equal(error, undefined, error));
  }
  const ran = new Set(results.filter(({ name }) => !name.startsWith('(')).map(({ file }) => file));
  assert.deepEqual([...ran], files, 'every file ran tests of its own');
  assert.ok(results.length > 30, `${results.length} tests ran`);
});

test('whatever happened here, pages asked for their own file and the nodes that they were given alone', () => {
  const strangers = stage.asked.filter((url) => !/^(?:file:|blob:|http:\/\/(?:127\.0\.0\.1|localhost):)/u.test(url));
  assert.deepEqual(strangers, []);
  assert.deepEqual(
    stage.complaints.filter((text) => !/Content Security Policy|trusted|CORS|Failed to load/iu.test(text)),
    [],
  );
});
