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
  await grow(600);
  const more = await typed('audit', 'export', '--out', 'public');
  assert.match(more.out, /^600 leaves, \d+ files written below /u);
  assert.equal(statSync(join(folder, 'public/tile/0/001')).size, 8192);
  const files = await typed('audit', 'verify', '--files', 'public', '--key', key);
  assert.equal(files.code, 0, files.out);
  const receipt = await typed('audit', 'receipt', '--id', 'wd_42');
  const [first] = JSON.parse(receipt.out) as readonly ReceiptJson[];
  assert.ok(first !== undefined);
  const trust = { log: log.key, witnesses: [], witnessesMin: 0, verify: verifyEd25519 };
  assert.match(openReceipt(parseReceipt(first), trust).content ?? '', /"subject": "wd_42"/u);
  assert.equal((await typed('audit', 'receipt', '--id', 'wd_none')).code, 1);
});

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
    [[], 600],
  ] as const) {
    const served = type({ folder }, [...all, ...options]);
    let url: string | undefined;
    for (let n = 0; n < 400 && url === undefined; n += 1) {
      url = /http:\/\/127\.0\.0\.1:\d+/u.exec(served.said().out)?.[0];
      await sleep(25);
    }
    assert.ok(url !== undefined, served.said().err);
    assert.match(served.said().out, new RegExp(`stands at ${stood} leaves`, 'u'));
    const size = stood === 0 ? 600 : 700;
    if (stood > 0) await grow(size);
    const answer = await askWitness(db.app, { key: witnessKey, url }, { size, now: () => new Date() });
    assert.deepEqual(answer, { status: 'cosigned', size });
    served.child.kill('SIGTERM');
    assert.equal((await served.ended).code, 0);
  }
});

test('a command line of audit or witness that cannot be used exits 2', async () => {
  for (const [words, sentence] of [
    [['audit'], /audit knows: verify, export, receipt, erase/u],
    [['audit', 'export'], /needs --out/u],
    [['audit', 'receipt'], /needs --id/u],
    [['audit', 'erase', '--leaf', 'x', '--reason', 'r'], /--leaf needs/u],
    [['audit', 'erase', '--leaf', '1'], /needs --reason/u],
    [['witness'], /witness knows: new-key, serve/u],
    [['witness', 'serve'], /needs --port/u],
    [['witness', 'serve', '--port', '99999'], /from 0 to 65535/u],
  ] as const) {
    const said = await typed(...words);
    assert.deepEqual([words, said.code], [words, 2], said.err);
    assert.match(said.err, sentence);
  }
});
