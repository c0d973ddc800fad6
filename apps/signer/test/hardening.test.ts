import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { SignerClient } from '@bulkhead/signer-client';
import { checkConfiguration } from '../src/process/configuration.ts';
import { nodeOptions, startSigner } from '../src/process/launch.ts';
import { beneficiary, entropy, gasGrant, passphrase, prepareStage } from './process-stage.ts';

const modules = resolve(import.meta.dirname, '../../..');

function statusLine(pid: number, name: string): string {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim() ?? '';
}

test('the running process is what its hardening says, seen from outside', async () => {
  await using stage = await prepareStage();
  const { pid, endpoint } = await stage.start();
  await using client = new SignerClient({ endpoint });
  const { xpub } = await client.account(beneficiary);
  await client.sign(gasGrant(xpub, 1));
  assert.equal(statusLine(pid, 'NoNewPrivs'), '1');
  assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +0 +0 /mu);
  assert.ok(Number.parseInt(statusLine(pid, 'VmLck'), 10) >= 4, 'keys are in locked memory');
  const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n');
  assert.deepEqual(
    maps.filter((line) => /^\S+ .w.?x/u.test(line) || /^\S+ .wx/u.test(line)),
    [],
    'no memory is both written and run',
  );
  // What is run comes from files that the loader mapped: nothing was made at run time.
  const made = maps.filter((line) => / r-xp /u.test(line) && !/ \/|\[vdso\]|\[vsyscall\]/u.test(line));
  assert.deepEqual(made, []);
  const process_ = (await client.status()).slots.find(({ name }) => name === 'process');
  assert.match(process_?.detail ?? '', /no writable code/u);
  const sockets = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  assert.ok(!sockets.some((target) => /\/(?:passphrase|keys\.json)$/u.test(target)), 'no file of a secret stays open');
});

test('its memory belongs to root, so that a process of the same user cannot read it', async () => {
  await using stage = await prepareStage();
  const own = process.getuid?.() ?? 0;
  // Linux gives the files of a process that is not dumpable to root, whoever runs it. Where the test is root itself, the signer runs
  // as nobody to show it.
  const nobody = 65_534;
  const user = own === 0 ? { user: { uid: nobody, gid: nobody } } : {};
  const { directory, configuration } = stage;
  mkdirSync(join(directory, 'run'), { mode: 0o700 });
  if (own === 0) execFileSync('chown', ['-R', `${nobody}:${nobody}`, directory]);
  const socket = { path: join(directory, 'run', 'signer.sock'), users: [own] };
  const running = await startSigner({ directory, configuration: { ...configuration, socket }, ...user });
  try {
    await using client = new SignerClient({ endpoint: running.endpoint });
    await client.status();
    assert.match(statusLine(running.pid, 'Uid'), own === 0 ? /^65534\b/u : new RegExp(`^${own}\\b`, 'u'));
    assert.equal(statSync(`/proc/${running.pid}/mem`).uid, 0);
  } finally {
    await running.stop();
  }
});

test('under the options of the signer a script reads, writes and starts nothing else', async () => {
  await using stage = await prepareStage();
  const configuration = checkConfiguration(stage.configuration);
  const program = join(stage.directory, 'probe.mjs');
  const outside = mkdtempSync(join(tmpdir(), 'outside-'));
  const forbidden = join(outside, 'shadow');
  writeFileSync(forbidden, 'root:*:');
  writeFileSync(
    program,
    `import fs from 'node:fs';
     import { spawnSync } from 'node:child_process';
     import { Worker } from 'node:worker_threads';
     const attempts = {
       readOutside: () => fs.readFileSync(${JSON.stringify(forbidden)}),
       readShadow: () => fs.readFileSync('/etc/shadow'),
       readProc: () => fs.readFileSync('/proc/self/environ'),
       writeOutside: () => fs.writeFileSync(${JSON.stringify(join(outside, 'x'))}, ''),
       writeKeys: () => fs.writeFileSync(${JSON.stringify(join(stage.directory, 'keys.json'))}, ''),
       writeProgram: () => fs.writeFileSync(${JSON.stringify(program)}, ''),
       child: () => spawnSync('/bin/true'),
       worker: () => new Worker('0', { eval: true }),
       code: () => new Function('return 1')(),
       web: () => WebAssembly.compile(new Uint8Array()),
       state: () => fs.writeFileSync(${JSON.stringify(join(configuration.state, 'probe'))}, ''),
     };
     const outcome = {};
     for (const [name, attempt] of Object.entries(attempts)) {
       try { attempt(); outcome[name] = 'done'; } catch (error) { outcome[name] = error.code ?? error.name; }
     }
     console.log(JSON.stringify(outcome));`,
  );
  const options = nodeOptions({
    configuration,
    program,
    configurationFile: join(stage.directory, 'signer.json'),
    modules,
  });
  const { stdout } = spawnSync(process.execPath, [...options, program], { encoding: 'utf8', env: {} });
  rmSync(outside, { recursive: true });
  assert.deepEqual(JSON.parse(stdout), {
    readOutside: 'ERR_ACCESS_DENIED',
    readShadow: 'ERR_ACCESS_DENIED',
    readProc: 'ERR_ACCESS_DENIED',
    writeOutside: 'ERR_ACCESS_DENIED',
    writeKeys: 'ERR_ACCESS_DENIED',
    writeProgram: 'ERR_ACCESS_DENIED',
    child: 'ERR_ACCESS_DENIED',
    worker: 'ERR_ACCESS_DENIED',
    code: 'EvalError',
    web: 'ReferenceError',
    state: 'done',
  });
});

test('without any one of its options, or with an environment that undoes them, it does not start', async () => {
  await using stage = await prepareStage();
  const { sha256 } = await stage.start().then(async (running) => {
    await running.stop();
    return running;
  });
  assert.match(sha256, /^[0-9a-f]{64}$/u);
  const configuration = checkConfiguration(stage.configuration);
  const program = join(stage.directory, 'signer.mjs');
  const configurationFile = join(stage.directory, 'signer.json');
  const options = nodeOptions({ configuration, program, configurationFile, modules });
  const attempt = (given: readonly string[], env: NodeJS.ProcessEnv): string =>
    spawnSync(
      process.execPath,
      [...given, program, `--configuration=${configurationFile}`, `--modules=${modules}`],
      // The pipe closes at once: a signer that starts all the same ends by itself.
      { encoding: 'utf8', env, input: '', timeout: 20_000 },
    ).stdout;
  for (const flag of [
    '--jitless',
    '--disallow-code-generation-from-strings',
    '--disable-proto=delete',
    '--disable-sigusr1',
  ]) {
    const said = attempt(
      options.filter((option) => option !== flag),
      {},
    );
    assert.match(said, /"code":"signer\/hardening"/u, `without ${flag}: ${said}`);
    assert.ok(said.includes(flag));
  }
  const open = options.filter((option) => !/^--(?:permission|allow-|disable-warning)/u.test(option));
  assert.match(attempt(open, {}), /signer\/hardening.*--permission/u);
  assert.match(attempt([...options, '--allow-child-process'], {}), /signer\/hardening.*leaves child open/u);
  assert.match(attempt([...options, '--allow-fs-read=*'], {}), /signer\/hardening.*leaves fs\.read open/u);
  assert.match(attempt(options, { NODE_OPTIONS: '--no-warnings' }), /signer\/hardening.*NODE_OPTIONS is set/u);
  assert.match(attempt(options, {}), /"ready"/u);
});

test('no secret is in log, program or configuration', async () => {
  await using stage = await prepareStage();
  const { logFile, endpoint } = await stage.start();
  await using client = new SignerClient({ endpoint });
  const { xpub } = await client.account(beneficiary);
  await client.sign(gasGrant(xpub, 1));
  await assert.rejects(client.sign(gasGrant(xpub, 1, 5)));
  const bytes = Buffer.from(entropy);
  const forms = [passphrase, bytes.toString('hex'), bytes.toString('base64'), bytes.toString('latin1'), xpub];
  const places = [logFile, join(stage.directory, 'signer.json'), join(stage.directory, 'signer.mjs')];
  for (const place of places) {
    const text = readFileSync(place, 'utf8');
    for (const form of forms) assert.ok(!text.includes(form), `${place} holds a secret`);
  }
  const lines = readFileSync(logFile, 'utf8');
  assert.match(lines, /"intent":"gg_1"/u);
  assert.ok(!/"amount"|1000000001/u.test(lines), 'an intent is logged by its id alone');
  assert.equal(statSync(logFile).mode & 0o077, 0);
});
