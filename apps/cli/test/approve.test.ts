import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { approvalLink } from '@bulkhead/approve';
import { type Brief, briefFields, ed25519Message, nobleHashes, statementText } from '@bulkhead/authority';
import {
  intentBytes,
  intentDigest,
  type MovementIntent,
  parseAddress,
  parseAssetId,
  parseCompartment,
  type SignedStatement,
} from '@bulkhead/domain';
import { policyHash } from '@bulkhead/vaults';
import { main } from '../src/index.ts';
import { endAll, launcher, ownEnvironment, run, type Said } from './shell.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-approve-command-'));
after(() => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});

const shell = { folder };
const deployment = '00112233445566778899aabbccddeeff';
const signer = generateKeyPairSync('ed25519');
const identity = Buffer.from(signer.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex');
const to = parseAddress('0x8617e340b3d01fa5f11f306f4090fd50e238070d');
const like = parseAddress('0x8617aaaa0000111122223333444455556666070d');
const asset = parseAssetId('eip155:1/slip44:60');
const now = BigInt(Math.floor(Date.now() / 1_000));

const intent: MovementIntent = {
  kind: 'withdrawal',
  deployment,
  id: 'wd_0001',
  compartment: parseCompartment(100_001),
  asset,
  to,
  amount: 100n * 10n ** 18n,
  feeMax: 10n ** 16n,
  client: 'cl_0001',
  feePayer: 'client',
  expiresAt: now + 3_600n,
};
const digest = intentDigest(intent);
const canonical = Buffer.from(intentBytes(intent)).toString('utf8');

function briefSigned(changes: Partial<Brief>): SignedStatement {
  const brief: Brief = {
    deployment,
    digest,
    at: now,
    registryVersion: 3n,
    approvalsNeeded: 2,
    requestNeeded: true,
    approvedBy: ['approver-2'],
    asset: { asset, symbol: 'ETH', decimals: 18 },
    ...changes,
  };
  const statement = statementText('brief', briefFields(brief));
  return { statement, identity, signature: sign(null, Buffer.from(statement), signer.privateKey).toString('hex') };
}

let entry: { readonly id: string; readonly kind: string; readonly publicKey: string };
const yes = ['--key', 'key.json', '--passphrase-file', 'passphrase', '--yes', '--digest', digest];

before(async () => {
  writeFileSync(join(folder, 'passphrase'), 'five random words of mine\n', { mode: 0o600 });
  writeFileSync(join(folder, 'request.json'), JSON.stringify({ intent: canonical }));
  const pins = ['--deployment', deployment, '--identity', identity];
  const made = await run(
    shell,
    'approve',
    '--new-key',
    'key.json',
    '--kind',
    'ed25519',
    '--person',
    'approver-1',
    '--passphrase-file',
    'passphrase',
    ...pins,
  );
  assert.equal(made.code, 0, made.err);
  entry = JSON.parse(made.out);
  assert.deepEqual([entry.id, entry.kind], ['file', 'ed25519']);
  assert.equal(statSync(join(folder, 'key.json')).mode & 0o777, 0o600);
});

function assertApproval(text: string): void {
  const approval = JSON.parse(text);
  assert.deepEqual([approval.person, approval.key, approval.kind], ['approver-1', 'file', 'ed25519']);
  const key = createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(entry.publicKey, 'hex').toString('base64url') },
    format: 'jwk',
  });
  assert.ok(verify(null, ed25519Message(digest), key, Buffer.from(approval.signature, 'hex')));
}

/** The command within this process, which has no terminal: what a program of its own would say, without its start. */
async function here(...words: readonly string[]): Promise<Said> {
  assert.ok(!process.stdin.isTTY, 'run this by "node --test", which gives its tests no terminal');
  const out: string[] = [];
  const err: string[] = [];
  const told = { out: (line: string) => out.push(line), err: (line: string) => err.push(line) };
  const code = await main({ words: ['approve', ...words], folder, environment: {}, ...told });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

/** Types a command with something in the pipe. */
async function piped(input: string, ...words: readonly string[]): Promise<Said> {
  const child = spawn(process.execPath, [launcher, ...words], {
    cwd: folder,
    env: ownEnvironment,
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString('utf8')));
  child.stdin.end(input);
  await once(child, 'close');
  return { code: child.exitCode, out, err };
}

test('a program that knows the digest signs a file, a link and what comes by the pipe', async () => {
  const brief = briefSigned({ destination: { timesUsed: 0n, lookAlikes: [{ address: like, label: 'Treasury' }] } });
  const link = approvalLink(canonical, { brief }, 'https://approve.example');
  for (const said of [
    await run(shell, 'approve', 'request.json', ...yes),
    await here(link, ...yes),
    await piped(JSON.stringify({ intent: { canonical }, brief, amount: '1' }), 'approve', '-', ...yes),
  ]) {
    assert.equal(said.code, 0, said.err);
    assertApproval(said.out);
    assert.ok(said.err.includes('0x 8617 E340 B3D0 1FA5 F11F 306F 4090 FD50 E238 070D'), said.err);
    assert.ok(said.err.includes(digest));
  }
  const shown = await here(link, ...yes, '--out', 'approval.json');
  assert.equal(shown.out, '');
  assertApproval(readFileSync(join(folder, 'approval.json'), 'utf8'));
  for (const fact of ['100 ETH', '1 of 2: approver-2', 'LOOKS LIKE ANOTHER ADDRESS', '^^^^', 'Nothing was ever paid']) {
    assert.ok(shown.err.includes(fact), shown.err);
  }
  const again = await here(link, ...yes, '--out', 'approval.json');
  assert.equal(again.code, 2);
});

test('what cannot be signed is refused with 1: another digest, another installation, expired, a lie', async () => {
  const other = { ...intent, deployment: 'ff'.repeat(16) };
  const late = { ...intent, expiresAt: now - 1n };
  const bundle = (asked: MovementIntent): string =>
    JSON.stringify({ intent: Buffer.from(intentBytes(asked)).toString('utf8') });
  const cases: readonly (readonly [string, RegExp])[] = [
    [bundle({ ...intent, amount: 1n }), /The digest is [0-9a-f]{64}, and .* was expected/u],
    [bundle(other), /belongs to the installation ff/u],
    [bundle(late), /Its time is over/u],
    [JSON.stringify({ intent: `${canonical} ` }), /canonical/u],
    [JSON.stringify({ intent: '\u001b[2Jclear' }), /not an intent/u],
    ['{}', /no "intent"/u],
  ];
  for (const [input, sentence] of cases) {
    writeFileSync(join(folder, 'wrong.json'), input);
    const said = await here('wrong.json', ...yes);
    assert.deepEqual([said.code, said.out], [1, ''], said.err);
    assert.match(said.err, sentence);
    assert.ok(!said.err.includes('\u001b'));
  }
  const forged = { ...briefSigned({}), signature: 'ab'.repeat(64) };
  writeFileSync(join(folder, 'wrong.json'), JSON.stringify({ intent: canonical, brief: forged }));
  const lie = await here('wrong.json', ...yes);
  assert.match(lie.err, /NOT TO BE BELIEVED/u);
});

test('nobody signs unseen: a command line that leaves the reading out exits 2', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['request.json'], /needs --key/u],
    [['request.json', '--key', 'key.json'], /Nobody is at the keyboard/u],
    [['request.json', '--key', 'key.json', '--yes'], /--yes needs --digest/u],
    [['request.json', '--key', 'key.json', '--yes', '--digest', digest], /--passphrase-file/u],
    [['request.json', '--key', 'key.json', '--digest', digest], /Nobody is at the keyboard/u],
    [['request.json', ...yes.slice(0, -1), 'abc'], /64 lower-case hex/u],
    [['request.json', ...yes, '--deployment', deployment], /names its installation/u],
    [['none.json', ...yes], /none\.json cannot be read/u],
    [[...yes], /one file, link/u],
    [['--new-key', 'x', '--kind', 'rsa', '--person', 'p'], /--kind ed25519 or eip712/u],
    [['--new-key', 'x', '--kind', 'eip712', '--person', 'Not An Id'], /--person: /u],
  ];
  for (const [words, sentence] of cases) {
    const said = await here(...words);
    assert.deepEqual([words, said.code, said.out], [words, 2, '']);
    assert.match(said.err, sentence);
  }
  writeFileSync(join(folder, 'wrong'), 'another passphrase', { mode: 0o600 });
  const wrong = await here('request.json', ...yes.map((word) => (word === 'passphrase' ? 'wrong' : word)));
  assert.equal(wrong.code, 3);
  assert.match(wrong.err, /The passphrase does not open/u);
});

test('at a terminal the passphrase is not echoed, --yes is refused, and only the digits of the digest sign', async () => {
  const typed = async (lines: readonly (readonly [RegExp, string])[], words: string): Promise<string> => {
    const command = `${process.execPath} ${launcher} approve request.json --key key.json ${words}`;
    const child = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: folder,
      env: ownEnvironment,
    });
    let screen = '';
    const waiting = [...lines];
    child.stdout.on('data', (chunk: Buffer) => {
      screen += chunk.toString('utf8');
      const [next] = waiting;
      if (next?.[0].test(screen) === true) {
        waiting.shift();
        child.stdin.write(`${next[1]}\r`);
      }
    });
    await once(child, 'close');
    assert.deepEqual(waiting, [], screen);
    return `${screen}\nexit ${child.exitCode}`;
  };
  const secret: readonly [RegExp, string] = [/Passphrase of .*: $/u, 'five random words of mine'];
  // The line editor wipes its line: the question must come after that.
  const confirm = /0JType the last 6 digits of the digest to sign, anything else to stop: /u;
  const signed = await typed([secret, [confirm, digest.slice(-6)]], '--out typed.json');
  assert.match(signed, /exit 0$/u);
  assert.ok(!signed.includes('five random'), signed);
  assertApproval(readFileSync(join(folder, 'typed.json'), 'utf8'));
  const stopped = await typed([secret, [confirm, 'yes']], '--out none.json');
  assert.match(stopped, /Those are not the digits[^]*exit 1$/u);
  assert.match(await typed([], `--yes --digest ${digest} --passphrase-file passphrase`), /for programs[^]*exit 2$/u);
});

test('the terms of a vault are shown to whoever is to agree to them, and nothing is signed', async () => {
  const word = (byte: string): `0x${string}` => `0x${byte.repeat(32)}`;
  const policy = { destinations: [to], limits: [], unlisted: [] };
  const terms = {
    clientId: word('c1'),
    signerSet: like,
    feeReceiver: like,
    exitDestination: to,
    clientKey: word('0a'),
    exitKey: word('0b'),
    policyHash: policyHash(nobleHashes, policy),
    kind: 'individual',
    feeBpsYear: '500',
    windowSeconds: '86400',
    changeDelay: '172800',
    recoveryDelay: '1209600',
    exitDelay: '1209600',
    exitChangeDelay: '1814400',
    heartbeatPeriod: '5184000',
    pauseSeconds: '604800',
  };
  const file = (configuration: object): string =>
    JSON.stringify({
      chain: 'eip155:1',
      configuration,
      policy,
      agreement: { typedData: { domain: { verifyingContract: like } } },
    });
  writeFileSync(join(folder, 'vault.json'), file(terms));
  const shown = await run(shell, 'approve', '--agreement', 'vault.json');
  assert.equal(shown.code, 0, shown.err);
  assert.match(shown.out, /An exit waits +14 days/u);
  assert.match(shown.out, /! {2}A high fee/u);
  assert.match(shown.out, /which the key of the client signs +[0-9a-f]{64}/u);
  writeFileSync(join(folder, 'swapped.json'), file({ ...terms, policyHash: word('0c') }));
  const refused = await run(shell, 'approve', '--agreement', 'swapped.json');
  assert.equal(refused.code, 1);
  assert.match(refused.err, /must not be signed: .*policyHash/u);
});
