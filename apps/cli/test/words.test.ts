import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openKeyFile } from '@bulkhead/keys';
import { commandHelp } from '../src/help.ts';
import { main, type Terminal } from '../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-words-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function typed(
  words: readonly string[],
  environment: Terminal['environment'] = {},
): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await main({ words, folder, environment, out: (line) => out.push(line), err: (line) => err.push(line) });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

test('help and version are told, and every command explains itself', async () => {
  for (const words of [[], ['help'], ['--help']]) {
    const said = await typed(words);
    assert.equal(said.code, 0);
    for (const name of Object.keys(commandHelp)) assert.match(said.out, new RegExp(`^  ${name} `, 'mu'));
    assert.match(said.out, /Exit codes: 0 /u);
  }
  assert.deepEqual(await typed(['--version']), { code: 0, out: '0.1.0', err: '' });
  for (const name of Object.keys(commandHelp)) {
    assert.match((await typed(['help', name])).out, new RegExp(`bulkhead ${name}`, 'u'));
    if (name !== 'help') assert.match((await typed([name, '--help'])).out, new RegExp(`bulkhead ${name}`, 'u'));
  }
});

test('a command line that cannot be used is told in one sentence, and exits 2', async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['strat'], /There is no command "strat"/u],
    [['help', 'strat'], /There is no command "strat"/u],
    [['start', '--prot', '1'], /--prot/u],
    [['start', 'now'], /now/u],
    [['start', '--port'], /--port/u],
    [['start', '--port', '70000'], /from 0 to 65535/u],
    [['address'], /needs --client/u],
    [['address', '--client', 'C-1'], /needs --chain/u],
    [['address', '--client', 'C-1', '--chain', 'mainnet'], /CAIP-2/u],
    [['reconcile'], /needs --chain/u],
    [['signer'], /signer knows: status, records, build/u],
    [['signer', 'sign'], /signer knows: status, records, build/u],
    [['signer', 'status', '--all'], /--all/u],
    [['signer', 'records', '--limit', '501'], /--limit needs a whole number from 0 to 500/u],
    [['signer', 'records', '--after', '-1'], /--after/u],
    [['signer', 'build', 'now'], /now/u],
    [['check', '--all'], /--all/u],
    [['migrate', 'down'], /down/u],
  ];
  for (const [words, sentence] of wrong) {
    const said = await typed(words);
    assert.deepEqual([words, said.code, said.out], [words, 2, '']);
    assert.match(said.err, sentence);
    assert.equal(said.err.split('\n').length, 1, said.err);
    assert.ok(said.err.startsWith('bulkhead: '));
  }
});

test('a wrong configuration is told whole, and exits 2', async () => {
  writeFileSync(join(folder, 'bulkhead.config.json'), JSON.stringify({ http: { port: -1 }, policy: { quorum: 0 } }));
  const said = await typed(['check'], { BULKHEAD_PORT: 'x' });
  rmSync(join(folder, 'bulkhead.config.json'));
  assert.equal(said.code, 2);
  for (const place of ['/http/port', '/policy/quorum', 'BULKHEAD_PORT']) {
    assert.ok(said.err.includes(`  ${place}: `), said.err);
  }
});

test('a database that does not answer exits 3; with BULKHEAD_DEBUG the stack is shown, and without it none', async () => {
  const environment = { DATABASE_URL: 'postgres://nobody:secret-of-nobody@127.0.0.1:1/none' };
  for (const command of ['migrate', 'check']) {
    const said = await typed([command], environment);
    assert.equal(said.code, 3);
    assert.match(said.err, /The database does not answer/u);
    assert.ok(!said.err.includes('    at '), said.err);
    assert.ok(!said.err.includes('secret-of-nobody'));
  }
  assert.match((await typed(['check'], { ...environment, BULKHEAD_DEBUG: '1' })).err, /\n    at /u);
});

test('keys init makes a key file once, that its passphrase opens', async () => {
  const words = ['keys', 'init', '--file', join(folder, 'made.key'), '--passphrase-file', join(folder, 'passphrase')];
  writeFileSync(join(folder, 'passphrase'), 'correct horse battery staple\n', { mode: 0o600 });
  const made = await typed(words);
  assert.deepEqual([made.code, made.out.includes('correct horse')], [0, false]);
  const { entropy, fingerprint } = await openKeyFile(join(folder, 'made.key'), 'correct horse battery staple');
  entropy.wipe();
  assert.match(made.out, new RegExp(`fingerprint ${fingerprint}\\. DEVELOPMENT ONLY`, 'u'));
  const again = await typed(words);
  assert.deepEqual([again.code, again.out], [3, '']);
  assert.match(again.err, /exists already and is not replaced/u);
  assert.match((await typed(['keys'])).err, /one action: init/u);
});

test('the program of the signer is built to the same bytes in any folder', async () => {
  const [first, second] = [await typed(['signer', 'build']), await typed(['signer', 'build', '--out', 'elsewhere'])];
  const pattern = /^([0-9a-f]{64}) {2}\S+signer\.mjs$/u;
  assert.deepEqual([first.code, second.code], [0, 0]);
  assert.match(first.out, pattern);
  assert.equal(pattern.exec(first.out)?.[1], pattern.exec(second.out)?.[1]);
});
