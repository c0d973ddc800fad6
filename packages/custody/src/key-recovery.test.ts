import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeApproval, fakeKeccak, softwareKey } from '@bulkhead/fakes';
import { callData, type ClientKey, keyId, parseWord, vaultCalls, vaultIntentMessage } from '@bulkhead/vaults';
import type { Answer } from './command.ts';
import {
  approveKeyRecovery,
  cancelKeyRecovery,
  keyRecoveryText,
  type KeyRecoveryView,
  keyRecoveryViews,
  requestKeyRecovery,
} from './key-recovery.ts';
import { refusalOf, viewOf } from './testing/bench.ts';
import {
  callFromOutside,
  clientKey,
  draftedVault,
  exitKey,
  exits,
  fundedVault,
  openVaulting,
  type VaultAccount,
  type VaultBench,
} from './testing/vaulting.ts';
import { ether, settle } from './testing/withdrawing.ts';
import { vaultViews, type VaultView } from './vault-view.ts';

const newKey = softwareKey(3).key;
const other = softwareKey(4).key;

async function asks(
  bench: VaultBench,
  { vault }: VaultAccount,
  key: ClientKey = newKey,
): Promise<Answer<KeyRecoveryView>> {
  return requestKeyRecovery(bench.custody, bench.as('olga'), { vaultId: vault.id, role: 'client', newKey: key });
}

async function approves(bench: VaultBench, id: string, person: string): Promise<Answer<KeyRecoveryView>> {
  const found = await keyRecoveryText(bench.custody, id);
  assert.ok(found !== undefined);
  return approveKeyRecovery(bench.custody, bench.as(person), { id, approval: fakeApproval(person, found.intent) });
}

async function shown(bench: VaultBench, id: string): Promise<KeyRecoveryView> {
  const [view] = await keyRecoveryViews(bench.custody.db, { id, after: null, limit: 1 });
  return view ?? assert.fail('the recovery is not there');
}

/** Approved, signed, carried and final: the vault waits. */
async function queued(bench: VaultBench, account: VaultAccount, key: ClientKey = newKey): Promise<string> {
  const { id } = viewOf(await asks(bench, account, key));
  for (const person of ['ruth', 'sam']) viewOf(await approves(bench, id, person));
  await bench.work();
  await settle(bench);
  const view = await shown(bench, id);
  assert.equal(view.state, 'queued', view.reason ?? '');
  return id;
}

async function pass(bench: VaultBench, seconds: bigint): Promise<void> {
  bench.chain.ground.skipTime(seconds);
  bench.clock.advance(Number(seconds) * 1_000);
  await settle(bench);
  await settle(bench);
}

async function onChain(bench: VaultBench, { vault }: VaultAccount): Promise<VaultView['onChain']> {
  const [view] = await vaultViews(bench.custody, bench.custody.db, { id: vault.id, after: null, limit: 1 });
  return (view ?? assert.fail('the vault is not there')).onChain;
}

test('a lost client key is replaced by people and quorum after the long delay, and the house puts it in force', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, ether);
  const { recoveryDelay } = account.vault.terms.config;
  assert.equal(refusalOf(await asks(bench, account, clientKey.key)), 'vault/recovery-without-effect');
  assert.equal(refusalOf(await asks(bench, account, exitKey.key)), 'vault/recovery-without-effect');
  const { id: drafted } = await draftedVault(bench, { clientId: await bench.client() });
  for (const [vaultId, code] of [
    ['vlt_none', 'resource/not-found'],
    [drafted, 'vault/not-issued'],
  ] as const) {
    const asked = requestKeyRecovery(bench.custody, bench.as('olga'), { vaultId, role: 'client', newKey });
    assert.equal(refusalOf(await asked), code);
  }
  const early = viewOf(await asks(bench, account));
  await bench.work();
  assert.match((await shown(bench, early.id)).reason ?? '', /approvals/u);
  assert.equal(refusalOf(await asks(bench, account)), 'vault/recovery-under-way');
  viewOf(await approves(bench, early.id, 'ruth'));
  assert.equal(refusalOf(await approves(bench, early.id, 'ruth')), 'withdrawal/already-approved');
  viewOf(await cancelKeyRecovery(bench.custody, bench.as('olga'), early.id));
  assert.equal((await shown(bench, early.id)).state, 'cancelled');
  assert.equal(refusalOf(await approves(bench, early.id, 'sam')), 'vault/wrong-state');

  const id = await queued(bench, account);
  const waiting = await shown(bench, id);
  const { queue } = await onChain(bench, account);
  assert.deepEqual(
    [waiting.role, waiting.newKey, waiting.approvals.map(({ by }) => by), queue.map(({ change }) => change)],
    ['client', keyId(fakeKeccak, newKey), ['ruth', 'sam'], [waiting.change]],
  );
  assert.equal(refusalOf(await asks(bench, account)), 'vault/recovery-under-way');
  assert.equal(refusalOf(await cancelKeyRecovery(bench.custody, bench.as('olga'), id)), 'vault/wrong-state');
  await pass(bench, recoveryDelay / 2n);
  assert.deepEqual([(await shown(bench, id)).state, (await shown(bench, id)).ended], ['queued', null]);
  await pass(bench, recoveryDelay / 2n);
  const done = await shown(bench, id);
  assert.equal(done.state, 'executed', done.reason ?? '');
  assert.match(done.ended?.transactionHash ?? '', /^0x[0-9a-f]{64}$/u);
  const { clientKey: inForce, queue: left } = await onChain(bench, account);
  assert.deepEqual([inForce, left], [keyId(fakeKeccak, newKey), []]);
  await bench.prove();
});

test('an approval that the signers have is kept, though what it is for ended while they took it', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, ether);
  const { id } = viewOf(await asks(bench, account));
  const { intent } = (await keyRecoveryText(bench.custody, id)) ?? assert.fail('the recovery is not there');
  const { signer } = bench.custody;
  const slow = {
    ...bench.custody,
    signer: new Proxy(signer, {
      get(target, name): unknown {
        const own: unknown = Reflect.get(target, name, target);
        if (name !== 'lodge') return own;
        return async (...lodged: Parameters<typeof signer.lodge>) => {
          const taken = await target.lodge(...lodged);
          viewOf(await cancelKeyRecovery(bench.custody, bench.as('olga'), id));
          return taken;
        };
      },
    }),
  };
  viewOf(await approveKeyRecovery(slow, bench.as('ruth'), { id, approval: fakeApproval('ruth', intent) }));
  const view = await shown(bench, id);
  assert.deepEqual([view.state, view.approvals.map(({ by }) => by)], ['cancelled', ['ruth']]);
  // Whoever comes after the end is refused before the signers hear of it.
  assert.equal(refusalOf(await approves(bench, id, 'sam')), 'vault/wrong-state');
});

test('the client vetoes it, a key that was queued later overtakes it, and an exit holds it up', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, ether);
  const { config } = account.vault.terms;
  const vetoed = await queued(bench, account);
  const change = parseWord((await shown(bench, vetoed)).change);
  const message = { side: 'exit', change, nonce: 7n, deadline: 2n ** 40n } as const;
  callFromOutside(
    bench,
    account.vault.address,
    callData(fakeKeccak, vaultCalls.veto, { config, message, signature: '0x' }),
  );
  await settle(bench);
  assert.deepEqual([(await shown(bench, vetoed)).state, (await onChain(bench, account)).queue], ['vetoed', []]);

  const older = await queued(bench, account);
  bench.clock.advance(1_000);
  bench.chain.ground.skipTime(10n);
  const newer = await queued(bench, account, other);
  // Whoever executes chooses when, and somebody puts the newer one in force first.
  bench.chain.ground.skipTime(config.recoveryDelay);
  const found = await keyRecoveryText(bench.custody, newer);
  assert.ok(found?.intent.kind === 'vault-key-recovery');
  const signed = vaultIntentMessage(found.intent);
  assert.ok(signed.name === 'keyRotation');
  const execution = callData(fakeKeccak, vaultCalls.executeKeyRotation, { config, message: signed.message });
  callFromOutside(bench, account.vault.address, execution);
  await pass(bench, 10n);
  assert.deepEqual([(await shown(bench, older)).state, (await shown(bench, newer)).state], ['void', 'executed']);
  assert.equal((await onChain(bench, account)).clientKey, keyId(fakeKeccak, other));

  const held = await queued(bench, account);
  await exits(bench, account.vault);
  await pass(bench, config.recoveryDelay);
  const view = await shown(bench, held);
  assert.deepEqual([view.state, /exit was asked for/u.test(view.reason ?? '')], ['queued', true]);
  assert.equal(refusalOf(await asks(bench, account, clientKey.key)), 'vault/exiting');
});
