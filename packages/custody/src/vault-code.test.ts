import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeKeccak, fakeVaultSystem } from '@bulkhead/fakes';
import { text } from '@bulkhead/postgres';
import { callData, factoryCalls } from '@bulkhead/vaults';
import { breakViews, type BreakView, resolveBreak } from './break.ts';
import { frozenBy } from './freeze.ts';
import { checkVault } from './vault-code.ts';
import { behindAtTimes, withPort } from './testing/port.ts';
import { refusalOf } from './testing/bench.ts';
import { reconciled } from './testing/desk.ts';
import { approve, ask, ether, settle, withdrawal } from './testing/withdrawing.ts';
import {
  callFromOutside,
  fundedVault,
  listed,
  openVaulting,
  type VaultAccount,
  type VaultBench,
} from './testing/vaulting.ts';

/** Approved, and as far as it goes without another block. */
async function asked(bench: VaultBench, { client }: VaultAccount): Promise<string> {
  const { id } = await ask(bench, { client, amount: ether, destination: listed });
  await approve(bench, id);
  return id;
}

async function paid(bench: VaultBench, account: VaultAccount): Promise<string> {
  const id = await asked(bench, account);
  await settle(bench);
  await settle(bench);
  return id;
}

async function openBreaks(bench: VaultBench): Promise<readonly BreakView[]> {
  return breakViews(bench.custody.db, { state: 'open', after: null, limit: 10 }, bench.clock.now());
}

/** What the owner of the tables can do, and nobody else. */
async function alter(bench: VaultBench, sql: string, values: readonly string[]): Promise<void> {
  await bench.database.admin.transaction(async (tx) => {
    await tx.query('set local session_replication_role = replica');
    await tx.query(sql, [...values]);
  });
}

async function creation(bench: VaultBench, { vault }: VaultAccount): Promise<{ id: string; explained: unknown }> {
  const [row] = await bench.database.owner.query(
    `select id, explained from custody.vault_event where topics ->> 1 = $1`,
    [`0x${vault.address.slice(2).padStart(64, '0')}`],
  );
  assert.ok(row !== undefined, 'the vault was created');
  return { id: text(row, 'id'), explained: row['explained'] };
}

test('a vault whose code and event are those of its certificate is found right once, with the block of its creation', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 5n * ether);
  await paid(bench, account);
  assert.equal((await creation(bench, account)).explained, account.vault.id);
  assert.deepEqual(await openBreaks(bench), []);
  const [row] = await bench.database.admin.query(
    `select count(*)::int as count from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
     where t.identifier = 'check-vault'`,
  );
  assert.equal((await withdrawal(bench, await paid(bench, account))).state, 'settled');
  assert.equal(row?.['count'], 0, 'it is not looked at again');
});

test('other code at the address of a vault freezes its compartment alone, no word of people ends that, and the right code does', async () => {
  let swapped: string | undefined;
  await using bench = await openVaulting({
    port: (chain) =>
      withPort(chain, {
        codeHash: async (address, at) => (address === swapped ? 'ab'.repeat(32) : chain.codeHash(address, at)),
      }),
  });
  const account = await fundedVault(bench, 5n * ether);
  const other = await fundedVault(bench, 5n * ether);
  const first = await asked(bench, account);
  swapped = account.vault.address;
  await settle(bench);
  await settle(bench);
  assert.equal((await withdrawal(bench, first)).state, 'settled', 'what the chain did is booked');
  const [found, ...more] = await openBreaks(bench);
  assert.ok(found !== undefined && more.length === 0);
  const { type, freezes, compartment, walletId, asset, detail } = found;
  assert.deepEqual(
    [type, freezes, compartment, walletId, asset],
    ['vault-code', true, account.vault.compartment, account.vault.wallet, null],
  );
  assert.match(detail ?? '', /the Keccak-256 of its code is (?:ab){32}, and must be [0-9a-f]{64}/u);
  assert.deepEqual(await frozenBy(bench.custody.db, account.vault.compartment), [found.id]);
  assert.deepEqual(await frozenBy(bench.custody.db, other.vault.compartment), []);
  assert.equal((await withdrawal(bench, await paid(bench, other))).state, 'settled');
  await assert.rejects(paid(bench, account), new RegExp(`frozen by ${found.id}`, 'u'));
  for (const action of ['acknowledge', 'book-loss', 'book-suspense'] as const) {
    const refused = await resolveBreak(bench.custody, bench.as('ruth'), {
      breakId: found.id,
      action,
      note: 'It is fine.',
    });
    assert.equal(refusalOf(refused), 'break/wrong-type');
  }
  await reconciled(bench);
  assert.equal((await openBreaks(bench)).length, 1, 'a reconciliation that finds the books right does not end it');
  await checkVault(bench.custody, account.vault.id);
  assert.equal((await openBreaks(bench)).length, 1, 'looked at again it is the same break');

  swapped = undefined;
  await checkVault(bench.custody, account.vault.id);
  assert.deepEqual(await openBreaks(bench), []);
  assert.deepEqual(await frozenBy(bench.custody.db, account.vault.compartment), []);
  assert.equal((await withdrawal(bench, await paid(bench, account))).state, 'settled');
  // Something stands at the address of a vault that was never deployed: nobody signs a first payment for it.
  const third = await fundedVault(bench, 5n * ether);
  swapped = third.vault.address;
  const before = bench.quorum.signed.length;
  const unsigned = await paid(bench, third);
  assert.deepEqual([bench.quorum.signed.length, (await openBreaks(bench)).length], [before, 1]);
  assert.match((await withdrawal(bench, unsigned)).reason ?? '', /not final and checked yet/u);
  await bench.prove();
});

test('a source that is behind the creation of a vault, where it has no code, is no word against it', async () => {
  const source = behindAtTimes();
  await using bench = await openVaulting({ port: source.port });
  const account = await fundedVault(bench, 5n * ether);
  await paid(bench, account);
  source.isBehind = true;
  await assert.rejects(checkVault(bench.custody, account.vault.id), { code: 'chain/behind-books' });
  assert.deepEqual(await openBreaks(bench), []);
  assert.deepEqual(await frozenBy(bench.custody.db, account.vault.compartment), []);
  source.isBehind = false;
  await checkVault(bench.custody, account.vault.id);
  assert.deepEqual(await openBreaks(bench), []);
});

test('nothing more is signed for a vault that is being deployed, or was by somebody else, before code and event are checked', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 5n * ether);
  const reason = async (id: string): Promise<string> => (await withdrawal(bench, id)).reason ?? '';
  const [first, second] = [await asked(bench, account), await asked(bench, account)];
  assert.equal(bench.quorum.signed.length, 1);
  assert.match(await reason(second), /deploys the vault/u);
  for (let turn = 0; turn < 3; turn += 1) await settle(bench);
  for (const id of [first, second]) assert.equal((await withdrawal(bench, id)).state, 'settled', await reason(id));

  const other = await fundedVault(bench, 5n * ether);
  const { config } = other.vault.terms;
  callFromOutside(bench, fakeVaultSystem.factory, callData(fakeKeccak, factoryCalls.create, { config }));
  // Final on the chain, and not booked here yet: that no event is known says nothing.
  for (let block = 0; block < 10; block += 1) bench.chain.mine();
  const third = await asked(bench, other);
  assert.deepEqual(await openBreaks(bench), []);
  assert.equal(bench.quorum.signed.length, 2);
  assert.match(await reason(third), /not final and checked yet/u);
  for (let turn = 0; turn < 3; turn += 1) await settle(bench);
  assert.equal((await withdrawal(bench, third)).state, 'settled', await reason(third));
  await bench.prove();
});

test('an event of the creation that is missing, or tells of another configuration, freezes as well', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 5n * ether);
  const other = await fundedVault(bench, 5n * ether);
  await paid(bench, account);
  await paid(bench, other);
  const { id } = await creation(bench, account);
  const details = async (): Promise<readonly string[]> => (await openBreaks(bench)).map(({ detail }) => detail ?? '');
  const own = 'select data from custody.vault_event where id = $1';
  const [kept] = await bench.database.owner.query(own, [id]);
  await alter(
    bench,
    `update custody.vault_event set explained = null, data = o.data from custody.vault_event o where custody.vault_event.id = $1 and o.id = $2`,
    [id, (await creation(bench, other)).id],
  );
  await checkVault(bench.custody, account.vault.id);
  assert.match(
    (await details())[0] ?? '',
    /the configuration that the factory told of is 0x[0-9a-f]{64}, and must be 0x/u,
  );
  await alter(bench, `update custody.vault_event set removed_at = now(), data = $2 where id = $1`, [
    id,
    text(kept ?? {}, 'data'),
  ]);
  await checkVault(bench.custody, account.vault.id);
  assert.match((await details())[0] ?? '', /told of is no event, and must be/u);
  await alter(bench, `update custody.vault_event set removed_at = null where id = $1`, [id]);
  await checkVault(bench.custody, account.vault.id);
  assert.deepEqual(await details(), []);
});

test('a row that is not what the certificate says is no ground to find the chain right', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 5n * ether);
  await paid(bench, account);
  const swap = `update custody.vault set config_hash = $2 where id = $1`;
  await alter(bench, swap, [account.vault.id, `0x${'cd'.repeat(32)}`]);
  await checkVault(bench.custody, account.vault.id);
  const [found] = await openBreaks(bench);
  assert.match(found?.detail ?? '', /what is stored of it is 0x[0-9a-f]{64}, and must be 0x(?:cd){32}/u);
});
