import assert from 'node:assert/strict';
import { listText, type RegistryItem } from '@bulkhead/authority';
import { nativeAsset, parseChainId, parseCompartment } from '@bulkhead/domain';
import { secretOf, splitEntropy } from '@bulkhead/keys';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { migrationSources } from '@bulkhead/custody';
import { testDatabase } from '@bulkhead/postgres/testing';
import { main } from '../src/index.ts';
import { type Seat, takeSeat } from './seat.ts';
import { endAll, run, type Said } from './shell.ts';
import { makeTestToken, slotWord, type TestToken } from './softhsm-token.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-ceremony-'));
after(() => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});

const witnesses = ['Wanda', 'Wim'] as const;
const holders = ['Hana', 'Hugo', 'Hille'] as const;
const list = join(folder, 'registry.txt');
const planFile = join(folder, 'plan.json');
const bundleFile = join(folder, 'out', 'bundle.json');
/** Public keys of RFC 8032, section 7.1, tests 1 and 2. */
const robots = [
  'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
] as const;

let tokens: readonly [TestToken, TestToken];
let planHash = '';
/** What the holders wrote on paper, by holder. */
const papers = new Map<string, string>();

before(() => {
  tokens = [makeTestToken(folder, 'site-a'), makeTestToken(folder, 'site-b')];
  writeFileSync(list, listText(openingItems()));
});

function openingItems(): readonly RegistryItem[] {
  const chain = parseChainId('eip155:1');
  const asset = nativeAsset(chain);
  const person = (id: string, at: number): RegistryItem => ({
    item: 'person',
    id,
    name: id,
    roles: ['approver', 'operational', 'requester', 'root'],
    keys: [{ id: 'robot', kind: 'ed25519', publicKey: robots[at] ?? '' }],
  });
  const limits = { amountMax: 100n, windowSeconds: 86_400n, windowMax: 1_000n };
  return [
    { item: 'chain', chain, development: false, feeMax: 1_000n, feeWindowSeconds: 3_600n, feeWindowMax: 2_500n },
    { item: 'asset', asset, symbol: 'ETH', decimals: 18, codeHash: '' },
    { item: 'wallet', compartment: parseCompartment(1), key: '0', tier: 'hot', purpose: 'gas' },
    person('ada', 0),
    person('bea', 1),
    {
      item: 'policy',
      coolingSeconds: 3_600n,
      operationalQuorum: 2,
      rootQuorum: 2,
      rules: [
        {
          kind: 'withdrawal',
          compartments: 'individual',
          tier: 'hot',
          asset,
          approvals: 1,
          destination: 'enrolled',
          ...limits,
        },
      ],
    },
  ];
}

/** What asks nobody needs no process of its own. */
async function typed(...words: readonly string[]): Promise<Said> {
  return typedIn({}, ...words);
}

async function typedIn(environment: Readonly<Record<string, string>>, ...words: readonly string[]): Promise<Said> {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = {
    folder,
    environment,
    out: (line: string) => out.push(`${line}\n`),
    err: (line: string) => err.push(`${line}\n`),
  };
  const code = await main({ ...terminal, words: ['ceremony', ...words] });
  return { code, out: out.join(''), err: err.join('') };
}

const slotWords = ([one, two]: readonly [TestToken, TestToken]): readonly string[] => [
  '--slot',
  slotWord('hsm_slot_1', one),
  '--slot',
  slotWord('hsm_slot_2', two),
  '--pin-file',
  `hsm_slot_1=${one.pinFile}`,
  '--pin-file',
  `hsm_slot_2=${two.pinFile}`,
];

test('a plan is written once, and its hash is that of its bytes', async () => {
  const people = ['--performer', 'Petra', ...witnesses.flatMap((name) => ['--witness', name])];
  const shares = ['--threshold', '2', ...holders.flatMap((name) => ['--holder', name])];
  const slots = slotWords(tokens).slice(0, 4);
  const words = ['plan', '--out', planFile, '--name', 'First', ...people, '--confirmations', '2', ...slots, ...shares];
  const rest = ['--compartments', '1,10000,100000', '--registry', list, '--dice'];
  const made = await typed(...words, ...rest);
  assert.deepEqual([made.code, made.out.length], [0, 65], made.err);
  planHash = made.out.trim();
  assert.equal(createHash('sha256').update(readFileSync(planFile)).digest('hex'), planHash);
  const again = await typed(...words, ...rest);
  assert.equal(again.code, 2);
  assert.match(again.err, /is not replaced/u);
  const alone = await typed(...words.map((word) => (word === 'Wim' ? 'Wanda' : word)), ...rest, '--out', 'other.json');
  assert.match(alone.err, /a person stands twice/u);
});

test('without a terminal nothing is performed', async () => {
  const said = await run({ folder }, 'ceremony', 'run', planFile, '--registry', list, '--out', 'out');
  assert.equal(said.code, 2);
  assert.match(said.err, /is for people at a terminal/u);
});

const begin = (name: string): Seat =>
  takeSeat({
    name,
    folder,
    words: [
      'ceremony',
      'run',
      planFile,
      '--registry',
      list,
      '--out',
      'out',
      '--program',
      'signer.mjs',
      ...slotWords(tokens).slice(4),
    ],
  });

async function confirm(seat: Seat, what: string): Promise<void> {
  await seat.answer(new RegExp(`^Performer, type your name to ${what}:$`, 'u'), 'petra');
  await seat.answer(new RegExp(`^Witness 1 of 2, type your name to ${what}:$`, 'u'), 'Wanda');
  await seat.answer(new RegExp(`^Witness 2 of 2, type your name to ${what}:$`, 'u'), 'Wim');
  if (what.startsWith('confirm')) await seat.answer(/^Anything out of the ordinary.*:$/u, '');
}

const step = (seat: Seat, id: string): Promise<void> => confirm(seat, `confirm step "${id}"`);

async function throwDice(seat: Seat): Promise<void> {
  await seat.answer(/^100 to go>$/u, '12345678');
  await seat.answer(/^100 to go>$/u, '3141526535'.replace(/[^1-6]/gu, '6').repeat(10));
}

function wordsOn(screen: string): string {
  const rows = screen.split('\n').filter((line) => /^ +\d/u.test(line));
  const found = [...rows.join('\n').matchAll(/ (\d{1,2}) ([a-z]{3,})/gu)];
  return found.map(([, , word]) => word).join(' ');
}

/** One holder: alone at the screen, writes, and types back. */
async function takePaper(seat: Seat, at: number): Promise<void> {
  const holder = holders[at] ?? '';
  await seat.answer(new RegExp(`is for ${holder}\\. Alone`, 'u'), holder);
  const words = wordsOn(await seat.asked(/^Press Enter when they are on paper/u));
  assert.equal(words.split(' ').length, 33);
  papers.set(holder, words);
  await seat.answer(/^Press Enter/u, '');
}

test('a run that is killed while shares are written gives up the seed, and the next one says so', async () => {
  using seat = begin('first');
  await seat.answer(/^Last 8 digits/u, '00000000');
  await seat.answer(/^Type "again"/u, 'again');
  await seat.answer(/^Last 8 digits/u, planHash.slice(-8));
  await step(seat, 'plan');
  await step(seat, 'program');
  await step(seat, 'slots');
  await throwDice(seat);
  await step(seat, 'entropy');
  await step(seat, 'seal');
  await step(seat, 'identity');
  await takePaper(seat, 0);
  const paper = papers.get('Hana') ?? '';
  await seat.answer(/^1>$/u, paper.replace(/ \S+$/u, ' academic'));
  await seat.answer(/^1>$/u, paper);
  await seat.asked(/^Share 2 of 3 is for Hugo/u);
  assert.match(seat.screen(), /Word 33 of 33 is not the one that was printed/u);
  assert.match(seat.screen(), /Share 1 of 3 was read back/u);
  assert.ok(!seat.scrollback().includes(paper.split(' ').slice(0, 3).join(' ')));
  seat.kill();
  assert.equal(await seat.ended(), 137);
});

test('gone on with, the ceremony ends with a bundle', async () => {
  const lost = papers.get('Hana') ?? '';
  using seat = begin('second');
  await confirm(seat, 'continue with "entropy"');
  await throwDice(seat);
  for (const id of ['entropy', 'seal', 'identity']) await step(seat, id);
  for (const at of holders.keys()) {
    await takePaper(seat, at);
    await seat.answer(/^1>$/u, papers.get(holders[at] ?? '') ?? '');
  }
  assert.notEqual(papers.get('Hana'), lost);
  for (const id of ['shares', 'certificates', 'registry', 'drill', 'bundle']) await step(seat, id);
  assert.equal(await seat.ended(), 0);
  const record = readFileSync(join(folder, 'out', 'record.jsonl'), 'utf8');
  assert.match(record, /"exceptions":\["ceremony\/interrupted: /u);
  assert.match(record, /is not the end of the SHA-256 of this plan/u);
  for (const file of ['record.jsonl', 'bundle.json', 'accounts.json', join('state', 'state.log')]) {
    const text = readFileSync(join(folder, 'out', file), 'utf8');
    const words = new Set([lost, ...papers.values()].flatMap((paper) => threesOf(paper)));
    assert.deepEqual(
      [...words].filter((three) => text.includes(three)),
      [],
      file,
    );
  }
});

/** Each three words that stand together: one alone may be in any text. */
function threesOf(paper: string): readonly string[] {
  const words = paper.split(' ');
  return words.slice(2).map((word, at) => `${words[at]} ${words[at + 1]} ${word}`);
}

test('a ceremony that is the one of the papers becomes facts, once, and nobody is named by them', async () => {
  await using db = await testDatabase({ migrations: migrationSources });
  const order = ['import', bundleFile, '--plan-hash', planHash];
  const keys = bundle().signatures.flatMap(({ identity }) => ['--identity', identity]);
  const environment = { DATABASE_URL: db.urls.app, DATABASE_OWNER_URL: db.urls.owner };
  assert.equal((await typedIn(environment, ...order)).code, 2, 'without the keys of the papers');
  const other = await typedIn(environment, ...order, '--identity', 'ab'.repeat(32));
  assert.deepEqual(
    [other.code, /BAD {3}signatures: .* none of those that were written down/u.test(other.out)],
    [1, true],
  );
  const facts = async () =>
    db.app.query(`select content from custody.facts where kind = 'ceremony-step' order by position`);
  assert.deepEqual(await facts(), []);
  assert.match((await typedIn(environment, ...order, ...keys)).out, /^16 steps are in the journal\.$/mu);
  assert.match((await typedIn(environment, ...order, ...keys)).out, /^The journal has this ceremony already\.$/mu);
  const contents = (await facts()).map((row) => String(row['content']));
  assert.equal(contents.length, 16);
  assert.ok(
    contents.every((content) => /"line": "[0-9a-f]{64}"/u.test(content)),
    contents[0],
  );
  const named = [...witnesses, ...holders].filter((name) => contents.some((content) => content.includes(name)));
  assert.deepEqual(named, []);
});

test('the bundle verifies offline, and a byte that was changed is named', async () => {
  const { signatures } = bundle();
  const keys = signatures.flatMap(({ identity }) => ['--identity', identity]);
  const sound = await typed('verify', bundleFile, '--plan-hash', planHash.slice(-8), ...keys);
  assert.deepEqual([sound.code, sound.err], [0, ''], sound.out);
  assert.equal(sound.out.match(/^good /gmu)?.length, 7);
  const changes: readonly (readonly [(text: string) => string, RegExp])[] = [
    [(text) => text.replace('"bulkhead-ceremony-plan-v1\\",\\n  \\"name\\": \\"First', '$&'), /^good {2}plan/mu],
    [(text) => text.replace('\\"name\\": \\"First\\"', '\\"name\\": \\"Fir5t\\"'), /^BAD {3}plan: its SHA-256 is/mu],
    [
      (text) => text.replace('\\"throws\\":\\"100\\"', '\\"throws\\":\\"101\\"'),
      /^BAD {3}record: line 5 of the record was changed/mu,
    ],
    [
      (text) => text.replace('\\"lines\\":\\"16\\"', '\\"lines\\":\\"14\\"'),
      /^BAD {3}record: line 16 of the record, its last/mu,
    ],
    [
      (text) => text.replace('\\"compartment\\":\\"10000\\"', '\\"compartment\\":\\"10001\\"'),
      /^BAD {3}certificates: certificate 1 of compartment 10000: /mu,
    ],
    [(text) => text.replace(/(\\"ciphertext\\": \\")./u, '$1g'), /^BAD {3}envelope: it is not/mu],
    [(text) => text.replace('\\"name\\":\\"bea\\"', '\\"name\\":\\"eve\\"'), /^BAD {3}registry: /mu],
    [
      (text) => text.replace(/("signature": ")(..)([0-9a-f]{126}"\n {4}\}\n {2}\]\n)/u, '$100$3'),
      /^BAD {3}signatures: the signature of hsm_slot_2/mu,
    ],
    [
      (text) => text.replace(/("manifest": ".*\\"deployment\\":\\")./u, '$1x'),
      /^BAD {3}signatures: the signature of hsm_slot_1/mu,
    ],
    [(text) => text.replace('"format"', ' "format"'), /not in its canonical form/u],
  ];
  const text = readFileSync(bundleFile, 'utf8');
  for (const [change, named] of changes) {
    const file = join(folder, 'changed.json');
    writeFileSync(file, change(text));
    const said = await typed('verify', file, '--plan-hash', planHash, ...keys);
    assert.match(said.out + said.err, named);
    assert.equal(said.code, change(text) === text ? 0 : 1, `${named.source}: ${said.out}`);
  }
});

function bundle(): { readonly signatures: readonly { readonly identity: string }[] } {
  const read: unknown = JSON.parse(readFileSync(bundleFile, 'utf8'));
  assert.ok(typeof read === 'object' && read !== null && 'signatures' in read && Array.isArray(read.signatures));
  const list_: readonly unknown[] = read.signatures;
  return {
    signatures: list_.map((signed) => {
      assert.ok(typeof signed === 'object' && signed !== null && 'identity' in signed);
      return { identity: String(signed.identity) };
    }),
  };
}

test('the seed is restored from shares into two fresh tokens, and every address is found again', async () => {
  const fresh = [makeTestToken(folder, 'new-a'), makeTestToken(folder, 'new-b')] as const;
  using entropy = secretOf(Uint8Array.from({ length: 32 }, (_, at) => at));
  const [foreign = ''] = await splitEntropy({ entropy, threshold: 2, count: 3 });
  const [hana = '', hugo = ''] = [papers.get('Hana'), papers.get('Hugo')];
  const words = ['ceremony', 'restore', '--bundle', bundleFile, '--out', 'restored', ...slotWords(fresh)];
  words.push('--performer', 'Petra', '--witness', 'Wim');
  {
    using seat = takeSeat({ name: 'restore-killed', folder, words });
    await seat.asked(/^1>$/u);
    seat.kill();
    assert.equal(await seat.ended(), 137);
  }
  {
    using seat = takeSeat({ name: 'restore-stopped', folder, words });
    await seat.asked(/^1>$/u);
    seat.stop();
    assert.equal(await seat.ended(), 1);
  }
  {
    using seat = takeSeat({ name: 'restore', folder, words: [...words, '--registry', list] });
    await seat.answer(/^1>$/u, hana.replace(/^\S+/u, 'bitcoin'));
    await seat.answer(/^1>$/u, `${hana.split(' ').slice(0, 32).join(' ')} academic`);
    await seat.answer(/^1>$/u, foreign);
    await seat.answer(/^1>$/u, '');
    await seat.answer(/^1>$/u, hana);
    await seat.answer(/^1>$/u, hana);
    await seat.answer(/^1>$/u, '');
    await seat.answer(/^1>$/u, hugo);
    assert.equal(await seat.ended(), 0, seat.screen());
    const shown = seat.scrollback();
    for (const complaint of [
      /Word 1 of share 1 is not in the list/u,
      /Share 1 has 33 words and a wrong checksum/u,
      /Share 1 is of set \d+ .* it belongs to another seed/u,
      /0 shares were given and 2 are needed/u,
      /Share 2 was given already, as share 1/u,
      /1 shares were given and 2 are needed/u,
      /hsm_slot_2: sealed, and opened again/u,
      /Restored: seed [0-9a-f]{8}/u,
      /^Deployment [0-9a-f]{32}, state in \S+restored.state$/mu,
    ]) {
      assert.match(shown, complaint);
    }
  }
  const record = readFileSync(join(folder, 'restored', 'restoration.jsonl'), 'utf8');
  const lines = [...record.matchAll(/"step":"(\w+)","type":"(\w+)","witnesses":\[([^\]]*)\]/gu)];
  assert.deepEqual(
    lines.map(([, id, type]) => `${id} ${type}`),
    [
      'plan step',
      'slots step',
      'slots interrupted',
      'plan step',
      'slots step',
      'shares interrupted',
      ...['plan', 'slots', 'shares', 'seal', 'drill', 'identity', 'certificates', 'registry'].map((id) => `${id} step`),
    ],
  );
  assert.equal(lines.at(-1)?.[3], '"Wim"');
  assert.deepEqual(
    threesOf(`${hana} ${hugo}`).filter((three) => record.includes(three)),
    [],
  );
  const wanted = ['--compartments', '1,10000,100000', '--count', '20'];
  const certified = await typed('addresses', '--bundle', bundleFile, ...wanted);
  const found = await typed('addresses', '--envelope', 'restored/seed.json', ...slotWords(fresh), ...wanted);
  assert.deepEqual([certified.code, found.code], [0, 0], found.err);
  assert.equal(certified.out.trim().split('\n').length, 60);
  assert.equal(found.out, certified.out);
});

test('a drill appends a line that the slot signed', async () => {
  const slot = ['--slot', slotWord('hsm_slot_2', tokens[1]), '--pin-file', `hsm_slot_2=${tokens[1].pinFile}`];
  const people = ['--performer', 'Petra', '--witness', 'Wim'];
  for (let count = 1; count <= 2; count++) {
    const said = await typed('drill', '--bundle', bundleFile, ...slot, ...people);
    assert.deepEqual([said.code, said.err], [0, '']);
    assert.match(said.out, /^hsm_slot_2: passed\. /u);
    const lines = readFileSync(join(folder, 'out', 'drills.jsonl'), 'utf8')
      .trim()
      .split('\n');
    assert.equal(lines.length, count);
    assert.ok(lines.at(-1)?.includes(bundle().signatures[1]?.identity ?? 'none'));
  }
});

test('the record of drills is judged, and a line that was changed is named', async () => {
  const sound = await typed('drills', '--bundle', bundleFile);
  assert.deepEqual([sound.code, sound.out.match(/^good /gmu)?.length], [0, 3], sound.out);
  assert.match(sound.out, /^good {2}hsm_slot_2: the newest drill is of \S+, 0 days ago$/mu);
  const path = join(folder, 'out', 'drills.jsonl');
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace('Petra', 'Pedro'));
  const changed = await typed('drills', '--bundle', bundleFile);
  assert.deepEqual([changed.code, /^BAD {3}drills: line 1 was changed/mu.test(changed.out)], [1, true], changed.out);
  writeFileSync(path, text);
  const half = await typed('drills', '--bundle', bundleFile, '--identity', `hsm_slot_1=${robots[0]}`);
  assert.equal(half.code, 2);
});

test('a lost slot is sealed to a fresh token, and what must follow is said', async () => {
  const fresh = makeTestToken(folder, 'site-c');
  const slots = slotWords([tokens[0], fresh]);
  const people = ['--performer', 'Petra', '--witness', 'Wim'];
  const unnamed = await typed('reseal', '--bundle', bundleFile, ...slots, ...people);
  assert.deepEqual([unnamed.code, /needs --lost/u.test(unnamed.err)], [2, true]);
  const done = await typed('reseal', '--bundle', bundleFile, '--lost', 'hsm_slot_2', ...slots, ...people);
  assert.deepEqual([done.code, done.err], [0, '']);
  assert.match(done.out, /^hsm_slot_2: sealed from hsm_slot_1, and opened again/u);
  assert.match(done.out, /^Both tokens remember record 1 of the signer\.$/mu);
  assert.match(
    done.out,
    /policy-change with \{"item":"identities","publicKeys":\["[0-9a-f]{64}","[0-9a-f]{64}"\]\}$/mu,
  );
  const judged = await typed('drills', '--bundle', bundleFile);
  assert.deepEqual([judged.code, judged.out.match(/^good /gmu)?.length], [0, 3], judged.out);
  const wanted = ['--compartments', '1', '--count', '3'];
  const certified = await typed('addresses', '--bundle', bundleFile, ...wanted);
  const found = await typed('addresses', '--envelope', 'out/seed.json', ...slots, ...wanted);
  assert.equal(found.out, certified.out);
});
