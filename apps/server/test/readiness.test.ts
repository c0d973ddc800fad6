import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { admit, chain, coin, deposit, openHouse, until } from './house.ts';

type Ready = { readonly status: number; readonly reasons: readonly string[] };

type Shown = {
  readonly signers: readonly {
    readonly name: string;
    readonly condition: string;
    readonly reason: string | null;
    readonly identities: readonly string[];
    readonly registryHash: string;
  }[];
  readonly quorums: readonly { readonly signing: number; readonly sufficient: boolean }[];
};

async function readiness(url: string): Promise<Ready> {
  const response = await fetch(`${url}/readyz`);
  const body: unknown = await response.json();
  assert.ok(typeof body === 'object' && body !== null && 'reasons' in body && Array.isArray(body.reasons));
  return { status: response.status, reasons: body.reasons.map(String) };
}

test('a chain that breaks its finality stands still, and readiness says so in a sentence', async () => {
  await using house = await openHouse();
  const { desk, node, server } = house;
  const client = await admit(desk, 'C-reorg');
  await deposit(house, client, coin);
  assert.deepEqual(await readiness(server.url), { status: 200, reasons: [] });
  await node.reorganise(5);
  const told = await until('readiness to turn red', async () => {
    await node.mine(1);
    const ready = await readiness(server.url);
    return ready.status === 503 && ready;
  });
  assert.match(told.reasons.join(' '), /eip155:31337 stands still: Final blocks from .* are no longer on the chain/u);
  const view = await desk.get(`/v1/chains/${chain}`);
  assert.equal(view.state, 'stalled');
  assert.match(
    await (await fetch(`${server.url}/metrics`)).text(),
    /bulkhead_chain_stalled\{chain="eip155:31337"\} 1\n/u,
  );
  const breaks = await desk.get('/v1/breaks?state=open');
  assert.deepEqual(
    breaks.items.map((one) => one.type),
    ['reorg'],
  );
});

test('a source that goes away makes readiness red, and the server goes on answering', async () => {
  await using house = await openHouse();
  const { desk, server } = house;
  // The node is alone in its process group.
  const group = -Number(
    readFileSync(join(house.configuration.dataDirectory, 'chain-eip155-31337', 'anvil.pid'), 'utf8'),
  );
  process.kill(group, 'SIGSTOP');
  try {
    const told = await until('readiness to turn red', async () => {
      const ready = await readiness(server.url);
      return ready.status === 503 && ready;
    });
    assert.match(told.reasons.join(' '), /eip155:31337 (?:does not answer|stands still)/u);
    assert.equal((await desk.get('/v1/clients')).items.length, 0);
  } finally {
    process.kill(group, 'SIGCONT');
  }
  await until('readiness to turn green again', async () => (await readiness(server.url)).status === 200);
});

test('a signer that is stopped and says nothing does not make readiness silent', async () => {
  await using house = await openHouse();
  const pid = house.server.reached.pid?.();
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGSTOP');
  try {
    const began = Date.now();
    const told = await readiness(house.server.url);
    assert.ok(Date.now() - began < 10_000);
    assert.equal(told.status, 200);
    assert.match(told.reasons.join(' '), /Withdrawals wait: The signer did not answer/u);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
});

test('a signer that came back on an older state answers and signs nothing: readiness and the signer view say why', async () => {
  await using house = await openHouse();
  const { desk, server, configuration } = house;
  const { signer } = configuration;
  const pid = server.reached.pid?.();
  assert.ok(pid !== undefined && signer.kind === 'development');
  const log = join(signer.directory, 'state', 'state.log');
  process.kill(pid, 'SIGSTOP');
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  writeFileSync(log, `${lines.slice(0, -1).join('\n')}\n`);
  process.kill(pid, 'SIGKILL');
  const told = await until('the signer to be back', async () => {
    const ready = await readiness(server.url);
    return ready.reasons.join(' ').includes('signs nothing') && ready;
  });
  assert.equal(told.status, 200, 'deposits, books and API go on');
  // Beside it the audit log may say that it has no new checkpoint.
  const reason = told.reasons.find((sentence) => sentence.startsWith('Withdrawals wait'));
  assert.match(reason ?? '', /^Withdrawals wait: the signer answers and signs nothing\. /u);
  const view: Readonly<Record<string, unknown>> = { ...(await desk.get('/v1/signer')) };
  assert.deepEqual([view['reachable'], view['reason']], [true, reason]);
  assert.match(await (await fetch(`${server.url}/metrics`)).text(), /^bulkhead_signer_reachable 1$/mu);
});

test('of three signers each is shown, and readiness says when fewer than two would sign', async () => {
  await using house = await openHouse({ vaultSigners: 2 });
  const { desk, server } = house;
  const all = [server.reached, ...server.reached.vaultSigners];
  const shown = async (): Promise<Shown> => {
    const view: Shown = JSON.parse(JSON.stringify(await desk.get('/v1/signer')));
    return view;
  };
  const before = await shown();
  assert.deepEqual(
    before.signers.map(({ name, condition, reason, identities }) => [name, condition, reason, identities]),
    all.map(({ name, pinned }) => [name, 'signing', null, pinned.identities]),
  );
  assert.equal(new Set(before.signers.map(({ registryHash }) => registryHash)).size, 1);
  assert.deepEqual(
    before.quorums.map(({ signing, sufficient }) => [signing, sufficient]),
    [[3, true]],
  );
  assert.deepEqual(await readiness(server.url), { status: 200, reasons: [] });
  const stopped: number[] = [];
  const stop = (at: number): void => {
    const pid = all[at]?.pid?.();
    assert.ok(pid !== undefined);
    process.kill(pid, 'SIGSTOP');
    stopped.push(pid);
  };
  try {
    stop(1);
    const one = await shown();
    assert.deepEqual(
      one.signers.map(({ condition }) => condition),
      ['signing', 'silent', 'signing'],
    );
    assert.deepEqual(
      one.quorums.map(({ signing, sufficient }) => [signing, sufficient]),
      [[2, true]],
    );
    const enough = await readiness(server.url);
    assert.deepEqual(enough, { status: 200, reasons: ['Vault signer 2: The signer did not answer within 2000 ms.'] });
    stop(2);
    const told = await readiness(server.url);
    assert.equal(told.status, 200, 'deposits, books and API go on');
    assert.match(
      told.reasons.join(' '),
      /^Vaults of eip155:31337 pay nothing: 1 of their signers would sign now, and 2 must\./u,
    );
    const scraped = await (await fetch(`${server.url}/metrics`)).text();
    for (const line of [
      'bulkhead_signer_reachable 1',
      'bulkhead_signer_signs{signer="the signer"} 1',
      'bulkhead_signer_signs{signer="vault signer 2"} 0',
      'bulkhead_signers_needed{chain="eip155:31337"} 2',
      'bulkhead_signers_signing{chain="eip155:31337"} 1',
    ]) {
      assert.ok(scraped.split('\n').includes(line), line);
    }
    assert.match(scraped, /^bulkhead_signer_registry_version\{signer="the signer"\} \d+$/mu);
    assert.doesNotMatch(scraped, /bulkhead_signer_registry_version\{signer="vault signer 2"\}/u);
  } finally {
    for (const pid of stopped) process.kill(pid, 'SIGCONT');
  }
});
