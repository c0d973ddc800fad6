import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { migrationSources } from '@bulkhead/custody';
import {
  askWitness,
  logMigrations,
  newKeyPem,
  Sequencer,
  signHead,
  softwareSigner,
  verifyEd25519,
} from '@bulkhead/log';
import { testDatabase, type TestDatabase } from '@bulkhead/postgres/testing';
import { formatVerifierKey, openReceipt, parseReceipt, parseVerifierKey, type ReceiptJson } from '@bulkhead/tlog';
import { main } from '../src/index.ts';
import { endAll, type } from './shell.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-audit-'));
const pem = newKeyPem();
const log = softwareSigner(pem, 'custody.example.com/log', 'ed25519');
let db: TestDatabase;

before(async () => {
  db = await testDatabase({ migrations: [...migrationSources, logMigrations] });
  mkdirSync(join(folder, '.bulkhead'));
  writeFileSync(join(folder, '.bulkhead', 'log-key.pem'), pem, { mode: 0o600 });
  const configuration = { log: { keyFile: '.bulkhead/log-key.pem' } };
  writeFileSync(join(folder, 'bulkhead.config.json'), JSON.stringify(configuration));
});
after(async () => {
  endAll();
  await db[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function typed(...words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const environment = { DATABASE_URL: db.urls.app, DATABASE_OWNER_URL: db.urls.owner };
  const code = await main({ words, folder, environment, out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

/** Facts are written until there are so many, and the log takes them and signs. */
async function grow(size: number): Promise<void> {
  await db.app.query(
    `insert into custody.journal (at, actor, subject, event, data)
     select now(), 'ann', 'wd_' || n, 'requested', '{}' from generate_series((select count(*) + 1 from custody.journal), $1::bigint) n`,
    [size],
  );
  const sequencer = new Sequencer(db.app, { views: ['ledger.facts', 'custody.facts'], leaseMs: 1 });
  for (let n = 0; n < 200; n += 1) {
    const step = await sequencer.step();
    if (step.status === 'sequenced' && step.size >= size) break;
    await sleep(25);
  }
  assert.equal(await signHead(db.app, log, new Date()), size);
}

const key = formatVerifierKey(log.key);

test('the log is verified, written as files and verified against them, and receipts prove their facts', async () => {
  assert.match((await typed('audit', 'verify')).out, /Nothing was signed yet/u);
  await grow(300);
  const sound = await typed('audit', 'verify');
  assert.deepEqual([sound.code, sound.err], [0, ''], sound.out);
  assert.match(sound.out, /^300 leaves are what their facts say, .* each of 1 checkpoints\.$/u);
  assert.equal((await typed('audit', 'export', '--out', 'public')).code, 0);
  const kept = join(folder, 'public', 'checkpoint');
  writeFileSync(join(folder, 'kept'), readFileSync(kept));
  await grow(600);
  const more = await typed('audit', 'export', '--out', 'public');
  assert.match(more.out, /^600 leaves, \d+ files written below /u);
  assert.equal(statSync(join(folder, 'public/tile/0/001')).size, 8192);
  const files = await typed('audit', 'verify', '--files', 'public', '--key', key);
  assert.equal(files.code, 0, files.out);
  await goesOn();
  const receipt = await typed('audit', 'receipt', '--id', 'wd_42');
  const [first] = JSON.parse(receipt.out) as readonly ReceiptJson[];
  assert.ok(first !== undefined);
  const trust = { log: log.key, witnesses: [], witnessesMin: 0, verify: verifyEd25519 };
  assert.match(openReceipt(parseReceipt(first), trust).content ?? '', /"subject": "wd_42"/u);
  assert.equal((await typed('audit', 'receipt', '--id', 'wd_none')).code, 1);
  await offline(first);
});

/** A checkpoint that was kept, and the log as it is now: by a proof in a file, and by the tiles. */
async function goesOn(): Promise<void> {
  const proof = await typed('audit', 'consistency', '--from', 'kept', '--files', 'public');
  assert.equal(proof.code, 0, proof.out);
  writeFileSync(join(folder, 'proof'), `${proof.out}\n`);
  const pin = ['--log-key', key];
  const shown = await typed('verify', 'kept', 'proof', ...pin);
  assert.match(shown.out, /holds {3}consistent: The 600 leaves of proof go on from the 300 of kept/u);
  const tiles = await typed('verify', 'kept', 'public/checkpoint', ...pin, '--log-tiles', 'public');
  assert.match(tiles.out, /holds {3}consistent: The 600 leaves of checkpoint go on from the 300 of kept/u);
  const bare = await typed('verify', 'kept', 'public/checkpoint', ...pin);
  assert.match(bare.out, /unknown consistent: /u);
  const back = await typed('audit', 'consistency', '--from', 'public/checkpoint', '--to', 'kept', '--files', 'public');
  assert.match(back.err, /600 leaves, more than the 300 of the other/u);
}

/** Receipts of a file, without database and configuration. */
async function offline(sound: ReceiptJson): Promise<void> {
  const elsewhere = join(folder, 'elsewhere');
  mkdirSync(elsewhere);
  const judged = async (content: unknown, ...words: readonly string[]): Promise<readonly [number, string]> => {
    const out: string[] = [];
    writeFileSync(join(elsewhere, 'receipt.json'), JSON.stringify(content));
    const terminal = {
      folder: elsewhere,
      environment: {},
      out: (line: string) => out.push(line),
      err: (line: string) => out.push(line),
    };
    const code = await main({ words: ['audit', 'receipt', '--verify', 'receipt.json', ...words], ...terminal });
    return [code, out.join('\n')];
  };
  const [code, said] = await judged(sound, '--key', key);
  assert.deepEqual(
    [code, /^good  leaf 41 of the 600 of custody.example.com\/log: withdrawal-step wd_42/u.test(said)],
    [0, true],
    said,
  );
  const page = {
    items: [
      { fact: '42', receipt: sound },
      { fact: '43', receipt: null },
    ],
    nextCursor: null,
  };
  assert.equal((await judged(page, '--key', key))[0], 0);
  const changed = { ...sound, opening: { salt: sound.opening?.salt ?? '', content: '{}' } };
  const stranger = formatVerifierKey(softwareSigner(newKeyPem(), log.key.name, 'ed25519').key);
  const witness = formatVerifierKey(softwareSigner(newKeyPem(), 'w.example.com', 'cosignature').key);
  for (const [content, words, sentence] of [
    [changed, ['--key', key], /commits to another content/u],
    [{ ...sound, index: 40 }, ['--key', key], /does not stand at 40/u],
    [[sound, { ...sound, path: sound.path.slice(1) }], ['--key', key], /BAD   receipt 2/u],
    [sound, ['--key', stranger], /None of the keys that are trusted here/u],
    [sound, ['--key', key, '--witness', witness], /0 of the trusted witnesses cosigned/u],
    [[], ['--key', key], /has no receipt/u],
  ] as const) {
    const [wrong, told] = await judged(content, ...words);
    assert.deepEqual([wrong, sentence.test(told)], [1, true], told);
  }
  assert.equal((await judged(sound, '--key', key, '--witness', witness, '--witnesses-min', '0'))[0], 0);
  assert.match((await judged({ leaf: 'x' }, '--key', key))[1], /This is no receipt/u);
  assert.equal((await judged(sound))[0], 2);
}

test('a leaf that was changed is named, in the database and in the files', async () => {
  const path = join(folder, 'public/tile/entries/000');
  const bundle = readFileSync(path);
  const changed = Uint8Array.from(bundle);
  changed[50] = (changed[50] ?? 0) ^ 1;
  writeFileSync(path, changed);
  const files = await typed('audit', 'verify', '--files', 'public');
  assert.equal(files.code, 1);
  assert.match(files.out, /^leaf 0: The entry that others read is another one/mu);
  writeFileSync(path, bundle);
  await db.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(`update custody.journal set actor = 'bob' where subject = 'wd_42'`);
  });
  const edited = await typed('audit', 'verify');
  assert.deepEqual([edited.code, /The first leaf that differs is 41\./u.test(edited.out)], [1, true], edited.out);
  await db.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(`update custody.journal set actor = 'ann' where subject = 'wd_42'`);
  });
  const stranger = formatVerifierKey(softwareSigner(newKeyPem(), log.key.name, 'ed25519').key);
  assert.match((await typed('audit', 'verify', '--key', stranger)).out, /None of the keys that are trusted here/u);
});

test('a client is erased by its id when retention is over, and the log accounts for it', async () => {
  const named = await db.app.transaction(async (tx) => {
    const id = 'cl_01931d5c-6f3a-7cc3-98c4-dc0c0c07398f';
    await tx.query(`insert into custody.client values ($1, 'natural', 'individual', 'ann', '2001-01-01')`, [id]);
    await tx.query(
      `insert into custody.personal (id, client, commitment, salt, content, created_at)
       select $1, $1, custody.personal_commitment(s, c), s, c, now() from (values (custody.new_salt(), '{"reference": "R"}'::jsonb)) v (s, c)`,
      [id],
    );
    return id;
  });
  assert.match((await typed('audit', 'verify')).out, /is another one than the journal says, or was never in it/u);
  await db.app.query(
    `insert into custody.journal (at, actor, subject, event, data) select now(), 'ann', id, 'client-created', jsonb_build_object('personal', encode(commitment, 'hex'))
     from custody.personal`,
  );
  assert.equal((await typed('audit', 'verify')).code, 0);
  const order = ['audit', 'erase', '--client', named, '--reason', 'asked for'];
  assert.equal((await typed('audit', 'retain', '--years', '50', '--reason', 'a law')).code, 0);
  const kept = await typed(...order);
  assert.deepEqual([kept.code, /under legal retention/u.test(kept.err)], [1, true], kept.err);
  await db.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(`delete from log.retention where period > interval '6 years'`);
  });
  assert.match(
    (await typed(...order)).out,
    /^What names cl_\S+ is destroyed: 1 rows, and the openings of 0 leaves\.$/u,
  );
  assert.equal((await typed(...order)).code, 1);
  assert.match((await typed('audit', 'erase', '--client', 'cl_none', '--reason', 'x')).out, /There is no client/u);
  assert.equal((await typed('audit', 'verify')).code, 0);
  // What the commands wrote down is in the log as well.
  await grow(603);
});

test('what is under retention is not erased', async () => {
  const said = await typed('audit', 'erase', '--leaf', '41', '--reason', 'asked for');
  assert.equal(said.code, 1);
  assert.match(said.err, /under legal retention/u);
});

test('a witness of its own process cosigns the log, goes on after a restart, and begins anew only when told to', async () => {
  const made = await typed('witness', 'new-key', '--name', 'witness.example.com', '--out', 'witness.pem');
  const witnessKey = parseVerifierKey(made.out);
  assert.equal(statSync(join(folder, 'witness.pem')).mode & 0o777, 0o600);
  assert.equal((await typed('witness', 'new-key', '--name', 'w', '--out', 'witness.pem')).code, 3, 'none is replaced');
  const words = ['witness', 'serve', '--log', key, '--name', 'witness.example.com', '--key', 'witness.pem'];
  const all = [...words, '--state', 'witness.state', '--port', '0'];
  const refused = await typed(...all);
  assert.match(refused.err, /would cosign a log that was rewound/u);
  for (const [options, stood] of [
    [['--new'], 0],
    [[], 603],
  ] as const) {
    const served = type({ folder }, [...all, ...options]);
    let url: string | undefined;
    for (let n = 0; n < 400 && url === undefined; n += 1) {
      url = /http:\/\/127\.0\.0\.1:\d+/u.exec(served.said().out)?.[0];
      await sleep(25);
    }
    assert.ok(url !== undefined, served.said().err);
    assert.match(served.said().out, new RegExp(`stands at ${stood} leaves`, 'u'));
    const size = stood === 0 ? 603 : 700;
    if (stood > 0) await grow(size);
    const answer = await askWitness(db.app, { key: witnessKey, url }, { size, now: () => new Date() });
    assert.deepEqual(answer, { status: 'cosigned', size });
    served.child.kill('SIGTERM');
    assert.equal((await served.ended).code, 0);
  }
});

test('a command line of audit or witness that cannot be used exits 2', async () => {
  for (const [words, sentence] of [
    [['audit'], /audit knows: verify, export, receipt, consistency, erase, retain/u],
    [['audit', 'erase', '--reason', 'r'], /needs --leaf or --client/u],
    [['audit', 'retain', '--years', 'x', '--reason', 'r'], /--years needs/u],
    [['audit', 'verify', '--rpc', 'http://127.0.0.1:1'], /needs --signer-set/u],
    [['audit', 'export'], /needs --out/u],
    [['audit', 'receipt'], /needs --id/u],
    [['audit', 'erase', '--leaf', 'x', '--reason', 'r'], /--leaf needs/u],
    [['audit', 'erase', '--leaf', '1'], /needs --reason/u],
    [['audit', 'receipt', '--verify', 'x'], /needs --key/u],
    [['audit', 'receipt', '--verify', 'x', '--key', key], /cannot be read/u],
    [['witness'], /witness knows: new-key, serve/u],
    [['witness', 'serve'], /needs --port/u],
    [['witness', 'serve', '--port', '99999'], /from 0 to 65535/u],
  ] as const) {
    const said = await typed(...words);
    assert.deepEqual([words, said.code], [words, 2], said.err);
    assert.match(said.err, sentence);
  }
});
