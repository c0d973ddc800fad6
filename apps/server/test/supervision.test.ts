import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { checkConfiguration } from '../src/config.ts';
import { slots } from '../src/development/set-up-order.ts';
import { reachSigners } from '../src/signer.ts';
import { chain, until } from './house.ts';

test('a signer that does not come back says why once, runs again when it can, and a refused PIN is tried once', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-house-'));
  await using parts = new AsyncDisposableStack();
  parts.defer(() => rmSync(folder, { recursive: true, force: true }));
  const { configuration } = checkConfiguration({
    folder,
    environment: {},
    content: { chains: [{ id: chain, development: true }], vaultSigners: 0 },
  });
  assert.ok(configuration?.signer.kind === 'development');
  const { directory } = configuration.signer;
  const said: string[] = [];
  const { pid } = await reachSigners(configuration, {
    parts,
    nodes: new Map(),
    tell: ({ what }) => said.push(what),
  });
  assert.ok(pid !== undefined);
  const told = (what: RegExp): number => said.filter((one) => what.test(one)).length;

  const log = join(directory, 'state', 'state.log');
  const kept = readFileSync(log);
  const first = pid();
  process.kill(first, 'SIGSTOP');
  writeFileSync(log, 'no log of a signer\n');
  process.kill(first, 'SIGKILL');
  await until('the reason to be told', async () => told(/does not start/u) > 0);
  const why = said.findLast((one) => one.includes('does not start')) ?? '';
  assert.match(why, /^WARNING: the signer does not start and is tried again: .*\(signer\/state-damaged\)$/u);
  // Tries after 50, 100, 200 and 400 ms have the same reason.
  await pause(3_000);
  assert.equal(told(/does not start/u), 1, said.join('\n'));
  writeFileSync(log, kept);
  await until('the signer to run again', async () => told(/runs again/u) === 1);
  assert.notEqual(pid(), first);

  const pin = join(directory, 'hsm', slots[0], 'pin');
  if (!existsSync(pin)) return t.diagnostic('No SoftHSM: there is no PIN.');
  rmSync(pin);
  writeFileSync(pin, '0000000', { mode: 0o400 });
  process.kill(pid(), 'SIGKILL');
  await until('the PIN to be refused', async () => told(/refuses the PIN/u) === 1);
  const before = said.length;
  await pause(1_500);
  assert.deepEqual([told(/refuses the PIN/u), said.length], [1, before], said.join('\n'));
});
