import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '@bulkhead/postgres';
import { killedWhilePublishing } from './killed-publishing.ts';
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
  // A slow machine is told about long work in between.
  assert.deepEqual([first.code, first.err.replaceAll(/^\S+ … \d+ s\n/gmu, '')], [0, ''], first.out);
  for (const line of [
    /Embedded PostgreSQL.*\n +127\.0\.0\.1:\d+/u,
    /embedded anvil, a real EVM node.*\n +http:\/\/127\.0\.0\.1:\d+/u,
    /Signer, for development: separate process \d+, .*registry version 1\n +unix:\/\S+signer\.sock/u,
    /people of the root quorum sign bUSD and its limits, registry version 2\./u,
    /Vault signer 3, for development: separate process \d+/u,
    /enrolled with the signers in one list, .*: registry version 3\./u,
    /hold the certificate before anybody\nsees the address\. No vault is deployed yet\./u,
    /the signer refuses \(signer\/approval-invalid\)\./u,
    /A token stands on it: bUSD, an ERC-20 by OpenZeppelin, at 0x/u,
    /Approval page, for development: separate process \d+\n +http:\/\/localhost:\d+/u,
    /API, documented at \/docs\n +http:\/\/127\.0\.0\.1:\d+/u,
    /1 ETH of Aurora settled, 2500 bUSD of Celsus from the pool settled; 1 ETH of Delphi rejected/u,
    /^4 sweeps brought the pool's coins from its clients' addresses to its wallet; the house granted the gas/mu,
    /0\.5 ETH of Delphi to a contract that refused it when it was mined: failed and returned;/u,
    /The pool moves to a vault as well, .*registry version 4/u,
    /0\.5 ETH of Delphi .*: the signers take back the nonce: cancelled\./u,
    /an address that its vault does not list: refused \(vault\/destination-not-listed\)\./u,
    /asks the signers for it: refused by each \(signer\/unknown-destination\)\./u,
    /PIN of one signer signs it himself, .*: the vault refuses \(NoQuorum\)\./u,
    /With two of the three, .*: refused \(NotADestination\)\./u,
    /0\.3 ETH of Boreas, once, .* with its passkey: settled\./u,
    /^The custodian stops: server, signers and database are gone\./mu,
    /^\$ npx bulkhead vault exit request --certificate \.bulkhead\/clients\/boreas-certificate\.json --rpc http:/mu,
    /^\$ npx bulkhead vault exit pay .*\n(?:    .*\n)*    Sent the exit of native coin: 0x/mu,
    /waited for the delay that was agreed, and has 1\.7 ETH at 0x/u,
    /found the exit on the chain and booked it: Boreas has no claim any more\./u,
    /Reconciliation rec_\S+ at a pinned final block: 0 breaks\./u,
    /^Proof of reserves of ETH, epoch 1: \d\S* ETH in compartments of clients, each covered; plain tier,/mu,
    /^Proof of reserves of bUSD, epoch 1: 14500 bUSD .*; confidential tier,/mu,
    /verify \.bulkhead\/clients\/celsus\.package .*\n(?:    .*\n)*    holds {3}balance: .*\n(?:    .*\n)*    Everything that was checked holds\./u,
    /verify \.bulkhead\/clients\/forged\.package .*\n(?:    .*\n)*    FAILS   record: .*\n(?:    .*\n)*    This does not hold\./u,
    /^The next epoch of ETH cannot be proven: The chain has less than the books: compartment 10000 .*chain-has-less\)$/mu,
    /^Proof of reserves of ETH: epoch 1 at block \d+, proven by 0x[0-9a-f]{64}$/mu,
    /finds a break of type missing-movement, difference -0\.2\d* ETH/u,
    /Withdrawals of the pool are stopped \(compartment\/frozen\); Aurora's go on \(HTTP 201\)/u,
    /Every invariant of the books holds/u,
  ]) {
    assert.match(first.out, line);
  }
  const rows = fences(tableOf(first.out));
  assert.ok(rows.length >= 6, rows.join('\n'));
  const [robbed, ...more] = rows.filter((row) => !/ 0(?: +frozen)?$/u.test(row));
  assert.match(robbed ?? '', /^pool .* -0\.2\d* ETH +frozen$/u);
  assert.match(
    rows.join('\n'),
    /^Boreas Capital .* 0 ETH +0 ETH +0$/mu,
    'who left has no claim, and the vault is empty',
  );
  assert.deepEqual(more, [], 'books and chain agree everywhere else');

  // A backup of the database, as cold ones are made: nobody runs on it.
  const database = join(folder, '.bulkhead', 'postgres');
  const backup = join(folder, 'backup');
  execFileSync('cp', ['-a', database, backup]);

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
  assert.deepEqual(count(deposits, 'disposition'), { client: 9, dust: 1, 'house-funding': 1, unassigned: 1 });
  assert.equal(count(deposits, 'movementKind')['internal'], 1, 'one came by a call inside a contract');
  const { settled, failed, rejected, cancelled } = count(await list('withdrawals'), 'state');
  assert.deepEqual({ settled, failed, rejected, cancelled }, { settled: 3, failed: 1, rejected: 1, cancelled: 1 });
  assert.deepEqual(count(await list('vaults'), 'state'), { issued: 3 });
  assert.deepEqual(
    count(await list('sweeps'), 'state'),
    { settled: 6 },
    'to the wallet of the pool, and on to its vault',
  );
  assert.deepEqual(count(await list('breaks'), 'type'), { 'missing-movement': 1 });
  const rpc = /embedded anvil, a real EVM node.*\n +(http:\/\/127\.0\.0\.1:\d+)/u.exec(again.said().out)?.[1] ?? '';
  const operator = tokens.find(({ name }) => name === 'operator')?.token ?? '';
  await proofsServed(url, { auditor: token, operator, rpc });
  await strangerPays({ url, out: again.said().out });
  const known = await run(shell, 'signer', 'compare');
  assert.deepEqual([known.code, known.out], [0, 'The database knows every transaction that the signer granted.\n']);
  await changeBalance();
  again.child.kill('SIGINT');
  assert.equal((await again.ended).code, 0);

  const damaged = await run(shell, 'start', '--exit');
  assert.equal(damaged.code, 1, damaged.err);
  assert.match(damaged.out, /^balance-not-history: .*\n2 invariants are broken\. Stop withdrawals/mu);

  // The backup is put back: what was paid since is known to the signer alone.
  rmSync(database, { recursive: true });
  execFileSync('mv', [backup, database]);
  const lost = await run(shell, 'signer', 'compare');
  assert.equal(lost.code, 1, lost.err);
  assert.match(
    lost.out,
    /^Record \d+: relay dsp_\S+, 0 of eip155:31337\/slip44:60 from compartment 1 to 0x[0-9a-f]{40}$/mu,
    'what the house carried to the vault',
  );
  assert.match(lost.out, /^  no dispatch of it is here\n  hash 0x[0-9a-f]{64}\n  signed 0x02/mu);
  assert.match(lost.out, /^4 transactions that the signer granted are not here/mu);
});

/** What everybody may read of the proofs, what one client is given, and what is shown to nobody. */
async function proofsServed(
  url: string,
  { auditor, operator, rpc }: { readonly auditor: string; readonly operator: string; readonly rpc: string },
): Promise<void> {
  const read = async (path: string): Promise<Proofs> => {
    const answer = await fetch(`${url}/v1/${path}`, { headers: { authorization: `Bearer ${auditor}` } });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    const read: Proofs = JSON.parse(text);
    return read;
  };
  const { items } = await read('proofs');
  assert.deepEqual(items.map(({ state, tier }) => `${state} ${tier}`).toSorted(), [
    'proven confidential',
    'proven plain',
  ]);
  for (const { asset, epoch, context, chain, registry } of items) {
    const id = encodeURIComponent(asset);
    const { files, manifest } = await read(`proofs/${id}/${epoch}`);
    const folderOf = files.find(({ path }) => path !== null)?.path?.replace(/[^/]+$/u, '') ?? '';
    const shown = await fetch(`${url}${folderOf}manifest.txt`);
    const text = await shown.text();
    assert.equal(`0x${createHash('sha256').update(text).digest('hex')}`, manifest);
    assert.ok(text.startsWith(`# bulkhead/manifest/v1 ${context.slice(2)}\n`));
    for (const { name, path, sha256 } of files) {
      if (name === 'certificates.bin') assert.equal(path, null);
      else {
        const bytes = Buffer.from(await (await fetch(url + path)).arrayBuffer());
        assert.equal(`0x${createHash('sha256').update(bytes).digest('hex')}`, sha256, name);
      }
    }
    // With a folder on a web server, an address of a contract and a node: every coin is where it is said to be.
    const token = /erc20:(0x[0-9a-f]{40})$/u.exec(asset)?.[1];
    const known = [
      '--registry',
      `${chain}:${registry}`,
      '--rpc',
      rpc,
      ...(token === undefined ? [] : ['--token', `${token}=0`]),
    ];
    const whole = await run(shell, 'verify', 'proof', url + folderOf, ...known);
    assert.equal(whole.code, 0, whole.out + whole.err);
    for (const line of [
      /^holds {3}window: /mu,
      /^holds {3}reserves: [1-9][0-9]* wallets of [23] compartments had at least what the proof says/mu,
      /^holds {3}vault-code: [1-9][0-9]* vaults and forwarders have the code of the release\./mu,
      ...(token === undefined
        ? [/^holds {3}control: The keys of /mu]
        : [/^holds {3}token-layout: .* where you said\.$/mu]),
    ]) {
      assert.match(whole.out, line);
    }
    if (token !== undefined) {
      // The custodian names the place, too, which nobody has to believe.
      const told = await run(shell, 'verify', 'proof', url + folderOf, ...known.slice(0, 4));
      assert.match(told.out, /^unknown token-layout: .* is the custodian’s word/mu);
      assert.match(told.out, /^holds {3}token-answers: .* answers the same at that block/mu);
      await layoutFound(asset, { rpc, vaults: (await read('vaults')).items });
    }
    for (const name of ['certificates.bin', 'packages.bin', '..%2f..%2f..%2fprivate%2fpackages.bin', 'x.txt']) {
      assert.equal((await fetch(`${url}${folderOf}${name}`)).status, 404, name);
    }
  }
  const token = items.find(({ asset }) => asset.includes('erc20'))?.asset ?? '';
  await killedWhilePublishing(shell, { asset: token, read });
  const coin = encodeURIComponent('eip155:31337/slip44:60');
  const clientOf = async (name: string): Promise<string> =>
    (await read(`clients?reference=${encodeURIComponent(name)}`)).items[0]?.id ?? '';
  const [aurora, celsus] = [await clientOf('Aurora Pension'), await clientOf('Celsus Trading')];
  const pool = await read(`clients/${celsus}/proof?asset=${coin}`);
  assert.deepEqual(
    pool.claims.map(({ compartment, kind }) => [compartment, kind]),
    [[10_000, 'client']],
  );
  assert.ok(pool.claims.every((claim) => claim.package !== '' && claim.statement !== null));
  assert.deepEqual((await read(`clients/${celsus}/proof-of-segregation?asset=${coin}`)).compartments, []);
  const alone = (await read(`clients/${aurora}/proof-of-segregation?asset=${coin}`)).compartments;
  assert.deepEqual(
    alone.map(({ compartment }) => compartment),
    [100_000],
  );
  const [wallet] = (await read(`clients/${aurora}/wallets`)).items;
  const headers = { authorization: `Bearer ${operator}`, 'idempotency-key': 'certificate' };
  const asked = await fetch(`${url}/v1/wallets/${wallet?.id}/certificate`, { method: 'POST', headers });
  assert.equal(asked.status, 200, await asked.text());
  const certified = await read(`addresses/${wallet?.address}/certificate`);
  assert.deepEqual([certified.clientId, certified.compartment], [aurora, 100_000]);
  const again = await run(shell, 'proof', 'publish', '--asset', 'eip155:31337/slip44:60', '--now');
  assert.equal(again.code, 1, again.out + again.err);
  assert.match(again.out, /^The chain has less than the books: compartment 10000 /mu);
  const ready = await (await fetch(`${url}/readyz`)).text();
  assert.match(ready, /The proofs of eip155:31337\/slip44:60 do not go on: The chain has less/u);
  const scraped = await (await fetch(`${url}/metrics`)).text();
  assert.match(scraped, /^bulkhead_proof_trouble\{asset="eip155:31337\/slip44:60"\} 1$/mu);
  assert.match(scraped, /^bulkhead_proof_fresh\{asset="eip155:31337\/erc20:0x[0-9a-f]{40}"\} 1$/mu);
}

/** By the vaults that have something, and by the account that the token was minted for. */
async function layoutFound(
  asset: string,
  { rpc, vaults }: { readonly rpc: string; readonly vaults: Proofs['items'] },
): Promise<void> {
  const minter = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266';
  const layout = async (holders: readonly string[]): ReturnType<typeof run> =>
    run(shell, 'proof', 'layout', '--asset', asset, '--rpc', rpc, ...holders.flatMap((one) => ['--holder', one]));
  const found = await layout([minter, ...vaults.map(({ address }) => address)]);
  assert.equal(found.code, 0, found.out + found.err);
  assert.match(found.out, /: "balances": "0"\. .* --token 0x[0-9a-f]{40}=0$/mu);
  const alone = await layout([minter]);
  assert.deepEqual([alone.code, /Name two holders or more/u.test(alone.err)], [2, true]);
}

type Proofs = {
  readonly items: readonly {
    readonly id: string;
    readonly address: string;
    readonly asset: string;
    readonly epoch: string;
    readonly context: string;
    readonly chain: string;
    readonly registry: string;
    readonly state: string;
    readonly tier: string;
  }[];
  readonly files: readonly { readonly name: string; readonly path: string | null; readonly sha256: string }[];
  readonly manifest: string;
  readonly claims: readonly {
    readonly compartment: number;
    readonly kind: string;
    readonly package: string;
    readonly statement: string | null;
  }[];
  readonly compartments: readonly { readonly compartment: number }[];
  readonly clientId: string;
  readonly compartment: number;
};

/** Puts one unit more into an account, with the rights of the owner of the tables and past every trigger. */
async function changeBalance(): Promise<void> {
  const running: { readonly database: { readonly ownerUrl: string } } = JSON.parse(
    readFileSync(join(folder, '.bulkhead', 'running.json'), 'utf8'),
  );
  await using owner = openDatabase({ url: running.database.ownerUrl, connections: 1 });
  await owner.query('alter table ledger.account disable trigger all');
  await owner.query(
    'update ledger.account set posted = posted + 1 where number = (select min(number) from ledger.account where posted > 0)',
  );
  await owner.query('alter table ledger.account enable trigger all');
}

/** What docs/approving.md has a stranger do: ask for a payment, and have three people sign it with the command. */
async function strangerPays({ url, out }: { readonly url: string; readonly out: string }): Promise<Answered> {
  const people = join(folder, '.bulkhead', 'people');
  const tokens: readonly { readonly name: string; readonly token: string }[] = JSON.parse(
    readFileSync(join(folder, '.bulkhead', 'tokens.json'), 'utf8'),
  );
  let calls = 0;
  const call = async (who: string, path: string, body?: object): Promise<Answered> => {
    calls += 1;
    const answer = await fetch(url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${tokens.find(({ name }) => name === who)?.token ?? ''}`,
        'idempotency-key': `stranger-${calls}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    assert.ok(answer.ok, text);
    const answered: Answered = JSON.parse(text);
    return answered;
  };
  const { items } = await call('auditor', '/v1/clients?reference=Aurora%20Pension');
  const wanted = {
    clientId: items[0]?.id,
    asset: 'eip155:31337/slip44:60',
    amount: '10000000000000000',
    destination: '0x90F79bf6EB2c4f870365E785982E1f101E93b906',
  };
  const path = `/v1/withdrawals/${(await call('operator', '/v1/withdrawals', wanted)).id}`;
  const reached = async (state: string): Promise<void> => {
    let now = '';
    for (let waitedMs = 0; now !== state && waitedMs < 30_000; waitedMs += 100) {
      await sleep(100);
      ({ state: now } = await call('auditor', path));
    }
    assert.equal(now, state);
  };
  await reached('screened');
  const release = await fetch(`${url}${path}/release`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${tokens.find(({ name }) => name === 'approver-1')?.token ?? ''}`,
      'idempotency-key': 'stranger-release',
    },
  });
  assert.equal(release.status, 200, await release.text());
  const asked = await call('operator', `${path}/intent`);
  await pageOpens({ url, out, link: asked.intent.approvalLink });
  writeFileSync(join(folder, 'intent.json'), JSON.stringify(asked));
  const words = ['--passphrase-file', join(people, 'passphrase'), '--yes', '--digest', asked.intent.digest];
  for (const who of ['operator', 'approver-1', 'approver-2']) {
    const said = await run(shell, 'approve', 'intent.json', '--key', join(people, `${who}.key`), ...words);
    assert.equal(said.code, 0, said.err);
    const approval: object = JSON.parse(said.out);
    await call(who, `${path}/${who === 'operator' ? 'signature' : 'approvals'}`, { approval });
  }
  await reached('settled');
  return call('auditor', path);
}

type Answered = {
  readonly id: string;
  readonly state: string;
  readonly asset: string;
  readonly amount: string;
  readonly destination: string;
  readonly transactionHash: string;
  readonly items: readonly { readonly id: string }[];
  readonly intent: { readonly digest: string; readonly approvalLink: string };
};

/** The link leads to the page that was told, of another origin than the API, which is pinned to this signer alone. */
async function pageOpens({ url, out, link }: { url: string; out: string; link: string }): Promise<void> {
  const origin = /Approval page, for development.*\n +(http:\/\/localhost:\d+)\n/u.exec(out)?.[1] ?? '';
  assert.ok(link.startsWith(`${origin}/#i=`), `${origin} ${link}`);
  assert.notEqual(new URL(url).port, new URL(origin).port);
  assert.match(await (await fetch(link)).text(), /<title>Approve/u);
  const script = await (await fetch(`${origin}/approve.js`)).text();
  const made: { readonly deployment: string; readonly identities: readonly string[] } = JSON.parse(
    readFileSync(join(folder, '.bulkhead', 'signer', 'development.json'), 'utf8'),
  );
  for (const pin of [made.deployment, ...made.identities, origin]) assert.ok(script.includes(pin), pin);
  assert.equal((await fetch(`${origin}/v1/clients`)).status, 404);
}
