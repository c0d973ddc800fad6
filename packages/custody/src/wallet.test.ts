import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Compartment,
  compartmentFirst,
  houseFees,
  houseGas,
  parseAddress,
  parseChainId,
  parseCompartment,
} from '@bulkhead/domain';
import { addressOfPath } from '@bulkhead/fakes';
import { type Bench, openBench, pool, refusalOf, viewOf } from './testing/bench.ts';
import { Interrupter, interruptible, type Interruption } from './testing/faulty-database.ts';
import {
  compartmentWallets,
  findWallet,
  findWalletByAddress,
  houseWallet,
  type WalletPurpose,
  type ListedWalletView,
  walletViews,
} from './wallet.ts';
import { issueClientWallet, issueCompartmentWallet } from './wallet-issue.ts';

async function allWallets(bench: Bench): Promise<readonly ListedWalletView[]> {
  return walletViews(bench.custody, { after: null, limit: 1_000 });
}

const indexOf = (view: Pick<ListedWalletView, 'derivationPath'>): number =>
  Number(view.derivationPath?.split('/').at(-1));

/** What must hold of all wallets together, however they came about. */
async function checkWallets(bench: Bench): Promise<readonly ListedWalletView[]> {
  const views = await allWallets(bench);
  assert.equal(new Set(views.map(({ address }) => address)).size, views.length, 'no address is shared');
  for (const view of views) {
    const path = { compartment: parseCompartment(view.compartment), index: indexOf(view) };
    assert.equal(parseAddress(view.address ?? ''), addressOfPath(path), 'the address is that of its path');
    assert.equal(view.derivationPath, `m/44'/60'/${view.compartment}'/0/${path.index}`);
  }
  for (const compartment of new Set(views.map((view) => view.compartment))) {
    const indexes = views.filter((view) => view.compartment === compartment).map(indexOf);
    assert.deepEqual(
      indexes.toSorted((a, b) => a - b),
      indexes.map((_, n) => n),
      'indexes follow each other without a gap',
    );
  }
  return views;
}

test('a hundred requests at once with one key, in one process or two, are one address', async () => {
  await using bench = await openBench();
  const clientId = await bench.client();
  const other = { ...bench.custody };
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      issueClientWallet(n % 2 === 0 ? bench.custody : other, bench.as('ann', 'key'), { clientId, chain: bench.id }),
    ),
  );
  const [first] = answers;
  assert.ok(first !== undefined);
  for (const answer of answers) assert.deepEqual(viewOf(answer), viewOf(first));
  assert.equal((await checkWallets(bench)).length, 1);
});

test('a hundred requests at once with a hundred keys are a hundred addresses of that client', async () => {
  await using bench = await openBench();
  const clientId = await bench.client();
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => issueClientWallet(bench.custody, bench.as('ann'), { clientId, chain: bench.id })),
  );
  const views = await checkWallets(bench);
  assert.equal(views.length, 100);
  assert.deepEqual(new Set(answers.map((answer) => viewOf(answer).id)), new Set(views.map(({ id }) => id)));
  assert.deepEqual(new Set(views.map((view) => view.clientId)), new Set([clientId]));
});

test('a hundred requests at once of ten clients are a hundred addresses, each in the compartment of its client', async () => {
  await using bench = await openBench();
  const clients = await Promise.all(
    Array.from({ length: 10 }, (_, n) => bench.client(n % 2 === 0 ? 'individual' : 'omnibus')),
  );
  await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      issueClientWallet(bench.custody, bench.as('ann'), { clientId: clients[n % 10] ?? '', chain: bench.id }),
    ),
  );
  const views = await checkWallets(bench);
  assert.equal(views.length, 101, 'and the wallet of the pool');
  for (const [n, clientId] of clients.entries()) {
    const own = views.filter((view) => view.clientId === clientId);
    assert.equal(own.length, 10);
    assert.equal(new Set(own.map(({ compartment }) => compartment)).size, 1);
    assert.equal(
      own.every(({ compartment }) => compartment === pool),
      n % 2 === 1,
    );
  }
  assert.deepEqual(
    views.filter(({ clientId }) => clientId === null).map(({ compartment, purpose }) => [compartment, purpose]),
    [[pool, 'pool']],
  );
});

test('the pool of an omnibus compartment and the wallets of the house are issued once', async () => {
  await using bench = await openBench();
  // With the compartment there already, nothing but the lock of the duty makes the requests wait for each other.
  viewOf(
    await issueCompartmentWallet(bench.custody, bench.as('ann'), {
      compartment: pool,
      chain: bench.id,
      purpose: 'unassigned',
    }),
  );
  for (const [purpose, compartment] of [
    ['pool', pool],
    ['gas', houseGas],
    ['fees', houseFees],
  ] as const) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () =>
        issueCompartmentWallet(bench.custody, bench.as('ann'), { compartment, chain: bench.id, purpose }),
      ),
    );
    assert.equal(new Set(answers.map((answer) => viewOf(answer).id)).size, 1, purpose);
    const wallets = await compartmentWallets(bench.custody.db, bench.id, compartment);
    assert.deepEqual(
      wallets.map((wallet) => wallet.purpose),
      purpose === 'pool' ? ['unassigned', 'pool'] : [purpose],
    );
    if (purpose !== 'pool') assert.deepEqual(await houseWallet(bench.custody.db, bench.id, purpose), wallets[0]);
  }
  assert.equal((await checkWallets(bench)).length, 4);
});

test('addresses that are assigned later may be many, also at once and beside those of clients', async () => {
  await using bench = await openBench();
  const group = parseCompartment(compartmentFirst.group);
  const clientId = await bench.client('omnibus');
  await bench.wallet(clientId);
  const unassigned = (compartment: Compartment): ReturnType<typeof issueCompartmentWallet> =>
    issueCompartmentWallet(bench.custody, bench.as('ann'), { compartment, chain: bench.id, purpose: 'unassigned' });
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => [
      unassigned(pool),
      unassigned(group),
      issueClientWallet(bench.custody, bench.as('ann'), { clientId, chain: bench.id }),
    ]).flat(),
  );
  const views = await checkWallets(bench);
  assert.equal(views.length, 62);
  assert.equal(new Set(answers.map((answer) => viewOf(answer).id)).size, 60);
  for (const view of views) assert.equal(view.clientId, view.purpose === 'deposit' ? clientId : null);
  assert.equal(
    views.filter(({ compartment, purpose }) => compartment === group && purpose === 'unassigned').length,
    20,
  );
});

test('a purpose in a compartment that it does not belong to is refused, by the code and by the schema', async () => {
  await using bench = await openBench();
  const { compartment: individual } = await bench.wallet(await bench.client());
  const group = parseCompartment(compartmentFirst.group);
  const house = parseCompartment(7);
  const fitting: Readonly<Record<Exclude<WalletPurpose, 'deposit'>, readonly number[]>> = {
    gas: [houseGas],
    fees: [houseFees],
    pool: [pool],
    unassigned: [pool, group],
  };
  const purposes = ['gas', 'fees', 'pool', 'unassigned'] as const;
  for (const compartment of [houseGas, houseFees, house, group, pool, individual]) {
    for (const purpose of purposes) {
      const fits = fitting[purpose].includes(compartment);
      const before = await allWallets(bench);
      const answer = await issueCompartmentWallet(bench.custody, bench.as('ann'), {
        compartment,
        chain: bench.id,
        purpose,
      });
      assert.equal(refusalOf(answer), fits ? 'done' : 'compartment/wrong-kind', `${purpose} in ${compartment}`);
      if (fits) continue;
      assert.deepEqual(await allWallets(bench), before);
      const planted = bench.database.owner.query(
        `with row as (insert into custody.compartment (number, owner, created_at) values ($1, null, now()) on conflict do nothing)
         insert into custody.wallet (id, chain, compartment, key_index, address, purpose, residency, created_at)
         values ('wal_planted', $2, $1, 99, $3, $4, 'software', now())`,
        [compartment, bench.id, `0x${'ee'.repeat(20)}`, purpose],
      );
      await assert.rejects(planted, /check constraint/u, `${purpose} in ${compartment}`);
    }
  }
});

test('a client that is not there, and a chain that is not configured, get no address', async () => {
  await using bench = await openBench();
  const clientId = await bench.client();
  const nobody = await issueClientWallet(bench.custody, bench.as('ann'), { clientId: 'cl_nobody', chain: bench.id });
  assert.equal(refusalOf(nobody), 'resource/not-found');
  const chain = parseChainId('eip155:10');
  await assert.rejects(issueClientWallet(bench.custody, bench.as('ann', 'key'), { clientId, chain }), {
    code: 'chain/unknown',
  });
  await assert.rejects(
    issueCompartmentWallet(bench.custody, bench.as('ann'), { compartment: houseGas, chain, purpose: 'gas' }),
    {
      code: 'chain/unknown',
    },
  );
  const right = await issueClientWallet(bench.custody, bench.as('ann', 'key'), { clientId, chain: bench.id });
  assert.deepEqual([right.hit, refusalOf(right)], [false, 'done'], 'a malformed request uses up no key');
});

test('a wallet is found by id and by address, on its chain only, and listed by whose and what it is', async () => {
  await using bench = await openBench();
  const [one, two] = [await bench.client('omnibus'), await bench.client('individual')];
  const [first, second] = [await bench.wallet(one), await bench.wallet(two)];
  const found = await findWallet(bench.custody.db, first.id);
  assert.deepEqual(
    [found?.address, found?.client, found?.purpose, found?.nextNonce],
    [first.address, one, 'deposit', undefined],
  );
  assert.deepEqual(await findWalletByAddress(bench.custody.db, bench.id, first.address), found);
  assert.equal(await findWalletByAddress(bench.custody.db, parseChainId('eip155:10'), first.address), undefined);
  const ids = async (filter: Partial<Parameters<typeof walletViews>[1]>): Promise<readonly string[]> =>
    (await walletViews(bench.custody, { after: null, limit: 10, ...filter })).map(({ id }) => id);
  assert.deepEqual(await ids({ client: one }), [first.id]);
  assert.deepEqual(await ids({ compartment: second.compartment }), [second.id]);
  assert.equal((await ids({ compartment: pool })).length, 2);
  assert.deepEqual(await ids({ purpose: 'deposit', chain: bench.id }), [first.id, second.id].toSorted());
  assert.deepEqual(await ids({ chain: 'eip155:10' }), []);
  const everything = await ids({});
  assert.deepEqual(await ids({ limit: 1, after: everything[0] ?? '' }), everything.slice(1, 2));
});

test('a connection that is lost at any statement or commit of an issue, and a retry, are one address without a gap', async () => {
  const interrupter = new Interrupter();
  await using bench = await openBench({ database: (db) => interruptible(db, interrupter) });
  const clientId = await bench.client('omnibus');
  const issue = (key: string): ReturnType<typeof issueClientWallet> =>
    issueClientWallet(bench.custody, bench.as('ann', key), { clientId, chain: bench.id });
  let cut = 0;
  for (const kind of ['after', 'before'] satisfies Interruption[]) {
    for (let step = 0; ; step += 1) {
      const key = `${kind} ${step}`;
      interrupter.arm(step, kind);
      const interrupted = await issue(key).then(
        () => false,
        () => true,
      );
      interrupter.disarm();
      const retry = viewOf(await issue(key));
      assert.deepEqual(viewOf(await issue(key)), retry);
      if (!interrupted) break;
      cut += 1;
    }
  }
  assert.ok(cut > 20, `${cut} places to be interrupted at`);
  assert.equal((await checkWallets(bench)).length, cut + 3, 'one for each key, and the pool');
});

test('a signer that does not answer once is asked again, and no index is lost', async () => {
  await using bench = await openBench();
  // In a compartment that stays the same when the first request is undone.
  const clientId = await bench.client('omnibus');
  bench.signer.down = true;
  const issue = (): ReturnType<typeof issueClientWallet> =>
    issueClientWallet(bench.custody, bench.as('ann', 'key'), { clientId, chain: bench.id });
  await assert.rejects(issue(), { code: 'signer/unavailable' });
  bench.signer.down = false;
  const view = viewOf(await issue());
  assert.deepEqual([view.compartment, indexOf(view)], [pool, 1]);
  assert.equal((await checkWallets(bench)).length, 2, 'and the wallet of the pool');
});
