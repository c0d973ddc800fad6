import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { payer } from '@bulkhead/contracts';
import { addressOf, startDevelopmentChain } from '../test/development-chain.ts';
import { AddressSet } from '@bulkhead/domain';
import { startAnvil } from './anvil.ts';
import { openDevelopmentNode } from './testing/index.ts';

const directories: string[] = [];

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-anvil-'));
  directories.push(directory);
  return directory;
}

after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('a restart keeps the chain: blocks, hashes, traces, and balances of old blocks', async () => {
  const directory = freshDirectory();
  const first = await startDevelopmentChain(directory);
  const purse = await first.deploy(payer);
  const to = addressOf(1);
  const watch = new AddressSet([to]);
  const { height } = await first.call({ to: purse, artifact: payer, name: 'pay', args: [[to], [7n]], value: 7n });
  await first.node.mine(4);
  const chain = await first.open();
  const heads = await chain.heads();
  const block = await chain.block(height, watch);
  await first.stop('keep');

  const second = await startDevelopmentChain(directory);
  const again = await second.open();
  assert.deepEqual(await again.heads(), heads);
  assert.deepEqual(await again.block(height, watch), block);
  assert.ok(block !== undefined);
  const asset = block.movements[0]?.asset;
  assert.ok(asset !== undefined);
  const before = { number: height - 1n, hash: block.parentHash };
  assert.deepEqual(await again.balances([{ asset, address: to }], before), [0n]);
  assert.deepEqual(await again.balances([{ asset, address: to }], block), [7n]);
  await second.stop('keep');
});

test('a taken port is said to be taken', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const options = { directory: freshDirectory(), port: address.port, chainNumber: 31_337 };
  await assert.rejects(startAnvil(options), { code: 'platform/port-taken' });
  server.close();
});

test('a damaged state is said to be damaged, and is not overwritten', async () => {
  const directory = freshDirectory();
  const path = join(directory, 'state.json');
  writeFileSync(path, '{"block":{"number":"0x1"');
  const options = { directory, port: 0, chainNumber: 31_337 };
  await assert.rejects(startAnvil(options), { code: 'platform/damaged-state', message: /state\.json/u });
  assert.equal(readFileSync(path, 'utf8'), '{"block":{"number":"0x1"');
});

test('stopping twice is stopping once, and nothing is left', async () => {
  await using anvil = await startAnvil({ directory: freshDirectory(), port: 0, chainNumber: 31_337 });
  assert.ok(isAlive(anvil.pid));
  await Promise.all([anvil.stop(), anvil.stop()]);
  await anvil.ended;
  assert.ok(!isAlive(anvil.pid));
  await assert.rejects(fetch(anvil.url));
});

test('anvil does not outlive a process that is killed, and a start right after finds the chain as it was', async () => {
  const directory = freshDirectory();
  const program = `
    import { startAnvil } from ${JSON.stringify(new URL('anvil.ts', import.meta.url).href)};
    const anvil = await startAnvil({ directory: ${JSON.stringify(directory)}, port: 0, chainNumber: 31337 });
    process.stdout.write(anvil.pid + ' ' + anvil.port);
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [pid = '', port = ''] = await new Promise<readonly string[]>((resolve) => {
    child.stdout.once('data', (data: Buffer) => resolve(data.toString('utf8').split(' ')));
  });
  const node = openDevelopmentNode(`http://127.0.0.1:${port}`);
  await node.mine(3);
  assert.ok(isAlive(Number(pid)));
  child.kill('SIGKILL');
  await using anvil = await startAnvil({ directory, port: Number(port), chainNumber: 31_337 });
  assert.equal(anvil.port, Number(port));
  assert.notEqual(anvil.pid, Number(pid));
  assert.equal(await node.call('eth_blockNumber'), '0x3');
});

test('a state that a running chain uses is not used twice', async () => {
  const directory = freshDirectory();
  const options = { directory, port: 0, chainNumber: 31_337 };
  await using anvil = await startAnvil(options);
  let started = false;
  const second = startAnvil(options).then((other) => {
    started = true;
    return other;
  });
  await pause(500);
  assert.equal(started, false);
  await anvil.stop();
  await (await second).stop();
});
