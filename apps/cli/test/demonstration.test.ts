import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endAll, run, type Shell, type, type Typed } from './shell.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-demonstration-'));
// The embedded database runs as another account when we are root: it has to reach its folder.
chmodSync(folder, 0o755);
after(() => {
  endAll();
  rmSync(folder, { recursive: true, force: true });
});
/** An empty folder and no configuration: what a stranger has after `npm ci`. */
const shell: Shell = { folder, environment: { BULKHEAD_PORT: '0' } };

/** The table from its headings to the empty line behind it. */
function tableOf(out: string): readonly string[] {
  const [, table] = /^(client +compartment +books +chain +difference.*?)\n\n/msu.exec(out) ?? [];
  assert.ok(table !== undefined, out);
  return table.split('\n');
}

/** Rows of ring-fences, without those of the claims inside a pool. */
function fences(table: readonly string[]): readonly string[] {
  return table.filter((row) => /\d+ \((?:house|omnibus|individual)\)/u.test(row));
}

async function served(typed: Typed): Promise<string> {
  for (let waitedMs = 0; waitedMs < 120_000; waitedMs += 50) {
    const url = /The API answers at (http:\/\/[^,\s]+),/u.exec(typed.said().out)?.[1];
    if (url !== undefined) return url;
    assert.equal(typed.child.exitCode, null, typed.said().err);
    await sleep(50);
  }
  assert.fail(`Not served: ${typed.said().out} ${typed.said().err}`);
}

type Item = Readonly<Record<string, unknown>>;

test('npm start in an empty folder plays the main job, and a second start goes on with it and serves', async () => {
  const first = await run(shell, 'start', '--exit');
  assert.deepEqual([first.code, first.err], [0, ''], first.out);
  for (const line of [
    /Embedded PostgreSQL.*\n +127\.0\.0\.1:\d+/u,
    /embedded anvil, a real EVM node.*\n +http:\/\/127\.0\.0\.1:\d+/u,
    /Signer, for development: separate process \d+, .*registry version 1\n +unix:\/\S+signer\.sock/u,
    /people of the root quorum sign bUSD and its limits, registry version 2\./u,
    /enrolled with the signer in one list, .*: registry version 3\./u,
    /the signer refuses \(signer\/approval-invalid\)\./u,
    /A token stands on it: bUSD, an ERC-20 by OpenZeppelin, at 0x/u,
    /API, documented at \/docs\n +http:\/\/127\.0\.0\.1:\d+/u,
    /1 ETH of Aurora settled, 2500 bUSD of Celsus from the pool settled; 1 ETH of Delphi rejected/u,
    /refused it when it was mined: failed/u,
    /Reconciliation rec_\S+ at a pinned final block: 0 breaks\./u,
    /finds a break of type missing-movement, difference -0\.2\d* ETH/u,
    /Withdrawals of Boreas are stopped \(compartment\/frozen\); Aurora's go on \(HTTP 201\)/u,
    /Every invariant of the books holds/u,
  ]) {
    assert.match(first.out, line);
  }
  const rows = fences(tableOf(first.out));
  assert.ok(rows.length >= 6, rows.join('\n'));
  const [robbed, ...more] = rows.filter((row) => !row.endsWith(' 0'));
  assert.match(robbed ?? '', /^Boreas Capital .* -0\.2\d* ETH +frozen$/u);
  assert.deepEqual(more, [], 'books and chain agree everywhere else');

  const again = type(shell, ['start']);
  const url = await served(again);
  assert.match(again.said().out, /was played on this data before/u);
  assert.equal(fences(tableOf(again.said().out)).length, rows.length, 'nothing was played twice');
  const tokens: readonly { readonly name: string; readonly token: string }[] = JSON.parse(
    readFileSync(join(folder, '.bulkhead', 'tokens.json'), 'utf8'),
  );
  const token = tokens.find(({ name }) => name === 'auditor')?.token ?? '';
  const list = async (path: string): Promise<readonly Item[]> => {
    const answer = await fetch(`${url}/v1/${path}`, { headers: { authorization: `Bearer ${token}` } });
    const page: { readonly items: readonly Item[] } = JSON.parse(await answer.text());
    return page.items;
  };
  const count = (items: readonly Item[], field: string): Record<string, number> => {
    const counted: Record<string, number> = {};
    for (const item of items) counted[String(item[field])] = (counted[String(item[field])] ?? 0) + 1;
    return counted;
  };
  assert.deepEqual(count(await list('clients'), 'segregation'), { individual: 2, omnibus: 2 });
  const deposits = await list('deposits?limit=200');
  assert.deepEqual(count(deposits, 'disposition'), { client: 7, dust: 1, 'house-funding': 1, unassigned: 1 });
  assert.equal(count(deposits, 'movementKind')['internal'], 1, 'one came by a call inside a contract');
  const { settled, rejected, failed } = count(await list('withdrawals'), 'state');
  assert.deepEqual({ settled, rejected, failed }, { settled: 2, rejected: 1, failed: 1 });
  assert.deepEqual(count(await list('sweeps'), 'state'), { settled: 5 });
  assert.deepEqual(count(await list('breaks'), 'type'), { 'missing-movement': 1 });
  again.child.kill('SIGINT');
  assert.equal((await again.ended).code, 0);
});
