import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, parseChainId } from '@bulkhead/domain';
import {
  fakeApproval,
  fakeKeccak,
  fakeMembers,
  fakeSetChangeDelay,
  fakeVaultSystem,
  memberSignature,
  namedAddress,
  quorumSignature,
} from '@bulkhead/fakes';
import {
  agreementDigest,
  callData,
  setChangeDomain,
  setChangeForm,
  signerSetCalls,
  typedDigest,
} from '@bulkhead/vaults';
import type { Answer } from './command.ts';
import { dispatchViews } from './dispatch.ts';
import { keepSignerSet } from './signer-set-carrying.ts';
import {
  approveSetChange,
  cancelSetChange,
  requestSetChange,
  sendSetChange,
  setChangeText,
} from './signer-set-change.ts';
import { type SetChangeView, setChangeViews } from './signer-set-view.ts';
import { signerSetNow } from './signer-set.ts';
import { refusalOf, viewOf } from './testing/bench.ts';
import { behindAtTimes } from './testing/port.ts';
import { Interrupter, interruptible, type Interruption } from './testing/faulty-database.ts';
import {
  callFromOutside,
  draftedVault,
  fundedVault,
  list,
  listed,
  openVaulting,
  signedBy,
  type VaultBench,
} from './testing/vaulting.ts';
import { approve, ask, ether, settle, withdrawal } from './testing/withdrawing.ts';
import { agreeVault, certifyVault } from './vault-issue.ts';
import type { VaultView } from './vault-view.ts';

const { signerSet } = fakeVaultSystem;
const [one, two] = fakeMembers;
const newcomer = namedAddress('member four');
assert.ok(one !== undefined && two !== undefined);
/** The third member left, and somebody else came. */
const next: readonly Address[] = [one, two, newcomer].toSorted();

async function asks(bench: VaultBench, members = next, threshold = 2n): Promise<Answer<SetChangeView>> {
  return requestSetChange(bench.custody, bench.as('olga'), { chain: bench.id, members, threshold });
}

async function approves(bench: VaultBench, id: string, person: string): Promise<Answer<SetChangeView>> {
  const found = await setChangeText(bench.custody, id);
  assert.ok(found !== undefined);
  return approveSetChange(bench.custody, bench.as(person), { id, approval: fakeApproval(person, found.intent) });
}

async function shown(bench: VaultBench, id: string): Promise<SetChangeView> {
  const [view] = await setChangeViews(bench.custody, bench.custody.db, { id, after: null, limit: 1 });
  return view ?? assert.fail('the change is not there');
}

/** Approved by as many people as the signers want; everybody is there, the newcomer too. */
async function approved(bench: VaultBench, members = next, threshold = 2n): Promise<string> {
  bench.quorum.awake = [...fakeMembers, newcomer];
  const { id } = viewOf(await asks(bench, members, threshold));
  for (const person of ['ruth', 'sam']) viewOf(await approves(bench, id, person));
  await bench.work();
  return id;
}

/** Time passes for chain and server alike, and the schedule looks. */
async function pass(bench: VaultBench, seconds: bigint = fakeSetChangeDelay): Promise<void> {
  bench.chain.ground.skipTime(seconds);
  bench.clock.advance(Number(seconds) * 1_000);
  await settle(bench);
}

const standing = async (bench: VaultBench, id: string): Promise<string | undefined> =>
  (await shown(bench, id)).chains[0]?.state;

const now = async (bench: VaultBench): Promise<readonly Address[]> =>
  (await signerSetNow(bench.custody.db, bench.id, fakeVaultSystem)).members;

test('a source that is behind does not bring those back who have left', async () => {
  const source = behindAtTimes();
  await using bench = await openVaulting({ port: source.port });
  const id = await approved(bench);
  await settle(bench);
  await pass(bench);
  assert.deepEqual(await now(bench), next);
  source.isBehind = true;
  await keepSignerSet(bench.custody, bench.id);
  assert.deepEqual([await now(bench), await standing(bench, id)], [next, 'in-force']);
  source.isBehind = false;
  await keepSignerSet(bench.custody, bench.id);
  const told = await bench.database.admin.query(`select from custody.journal where event = 'signer-set-changed'`);
  assert.equal(told.length, 1);
});

test('a change that its newcomers never sign is over after its time, and another one follows', async () => {
  await using bench = await openVaulting();
  const { id } = viewOf(await asks(bench, [newcomer], 1n));
  for (const person of ['ruth', 'sam']) viewOf(await approves(bench, id, person));
  await bench.work();
  assert.deepEqual(
    [(await shown(bench, id)).state, refusalOf(await asks(bench))],
    ['signing', 'signer-set/change-under-way'],
  );
  bench.clock.advance(86_400_000 * 8);
  bench.signer.down = true;
  await sendSetChange(bench.custody, id);
  assert.equal((await shown(bench, id)).state, 'signing', 'whoever does not answer may have signed');
  bench.signer.down = false;
  await sendSetChange(bench.custody, id);
  assert.equal((await shown(bench, id)).state, 'expired');
  assert.equal(viewOf(await asks(bench)).number, '2');
});

test('people approve another set, both sides sign it, the house carries it, and after its delay its quorum pays', async () => {
  await using bench = await openVaulting();
  const account = await fundedVault(bench, 3n * ether);
  const early = viewOf(await asks(bench));
  assert.deepEqual([early.state, early.number, early.chains], ['awaiting-approval', '2', []]);
  assert.equal(refusalOf(await asks(bench)), 'signer-set/change-under-way');
  viewOf(await cancelSetChange(bench.custody, bench.as('olga'), early.id));
  assert.equal((await shown(bench, early.id)).state, 'cancelled');
  assert.equal(refusalOf(await approves(bench, early.id, 'ruth')), 'vault/wrong-state');
  const late = viewOf(await asks(bench));
  bench.clock.advance(86_400_000 * 8);
  await sendSetChange(bench.custody, late.id);
  assert.equal((await shown(bench, late.id)).state, 'expired');

  const asked = viewOf(await asks(bench, [two, newcomer]));
  await bench.work();
  assert.match((await shown(bench, asked.id)).reason ?? '', /approvals/u);
  viewOf(await approves(bench, asked.id, 'ruth'));
  assert.equal(refusalOf(await approves(bench, asked.id, 'ruth')), 'withdrawal/already-approved');
  await bench.work();
  assert.equal(bench.quorum.signed.length, 0, 'one of two people');
  viewOf(await approves(bench, asked.id, 'sam'));
  await bench.work();
  const waiting = await shown(bench, asked.id);
  assert.deepEqual([waiting.state, /signer\/not-a-member/u.test(waiting.reason ?? '')], ['signing', true]);
  bench.quorum.awake = [...fakeMembers, newcomer];
  await sendSetChange(bench.custody, asked.id);
  await bench.work();
  const signed = await shown(bench, asked.id);
  assert.deepEqual(
    [signed.state, signed.approvals.map(({ by }) => by), signed.chains[0]?.state],
    ['signed', ['ruth', 'sam'], 'missing'],
  );
  assert.equal(refusalOf(await approves(bench, asked.id, 'tina')), 'vault/wrong-state');
  assert.equal(refusalOf(await cancelSetChange(bench.custody, bench.as('olga'), asked.id)), 'vault/wrong-state');
  await settle(bench);
  const [queued] = (await shown(bench, asked.id)).chains;
  assert.deepEqual([queued?.state, queued?.chain], ['queued', bench.id]);
  assert.match(queued?.transactionHash ?? '', /^0x[0-9a-f]{64}$/u);
  assert.ok(Date.parse(queued?.activeFrom ?? '') > 0);
  assert.deepEqual(await now(bench), fakeMembers, 'until its time those before sign');
  await pass(bench);
  assert.equal(await standing(bench, asked.id), 'in-force');
  const next = [two, newcomer].toSorted();
  assert.deepEqual(await now(bench), next);
  // The registry lists them, too: what they sign the contract counts by the new set.
  bench.quorum.members = next;
  const paid = await ask(bench, { client: account.client, amount: ether, destination: listed });
  await approve(bench, paid.id);
  await settle(bench);
  assert.equal((await withdrawal(bench, paid.id)).state, 'settled');
  assert.equal(refusalOf(await asks(bench, next)), 'signer-set/without-effect');
  const { vaults, ...bare } = bench.custody;
  assert.ok(vaults !== undefined);
  const none = await requestSetChange(bare, bench.as('olga'), { chain: bench.id, members: next, threshold: 2n });
  assert.equal(refusalOf(none), 'vault/no-system');
  await bench.prove();
});

/** Drafted, agreed to and listed; only the certificate is missing. */
async function certifiable(bench: VaultBench): Promise<() => Promise<Answer<VaultView>>> {
  const { id } = await draftedVault(bench, { clientId: await bench.client() });
  const signature = await signedBy(bench, id, (vault) => agreementDigest(fakeKeccak, vault.address, vault.terms));
  viewOf(await agreeVault(bench.custody, bench.as('olga'), { vaultId: id, signature }));
  await list(bench, id);
  return async () => certifyVault(bench.custody, bench.as('olga'), id);
}

test('a chain that is behind issues no address, and is brought up to date with what was signed, one after the other', async () => {
  await using bench = await openVaulting();
  const certifies = await certifiable(bench);
  const first = await approved(bench);
  const [relay] = bench.chain.ground.mempool.ready();
  assert.ok(relay !== undefined);
  bench.chain.ground.mempool.withhold(relay.hash);
  // Elsewhere the change is in force, and this chain has not even heard of it.
  await bench.database.admin.query(
    `insert into custody.signer_set_standing (chain, signer_set, current_number, newest_number, newest_from, looked_at)
     values ($1, $2, 2, 2, 1, now())`,
    [parseChainId('eip155:10'), signerSet],
  );
  await assert.rejects(certifies, { code: 'vault/system-differs', message: /version 1.*version 2.*it is behind/u });
  // The next one is signed by those whom the first one makes members. Somebody else carries the first.
  const second = await approved(bench, [two, newcomer].toSorted());
  assert.equal((await shown(bench, second)).number, '3');
  callFromOutside(bench, signerSet, `0x${relay.transaction.data.slice(2)}`);
  await settle(bench);
  bench.chain.ground.mempool.release(relay.hash);
  await settle(bench);
  await keepSignerSet(bench.custody, bench.id);
  await bench.work();
  await settle(bench);
  assert.deepEqual([await standing(bench, first), await standing(bench, second)], ['queued', 'queued']);
  assert.equal(bench.quorum.signed.length, 2, 'each signed once');
  await assert.rejects(certifies, { code: 'vault/system-differs' }, 'it is queued and not in force');
  await pass(bench);
  assert.deepEqual(await now(bench), [two, newcomer].toSorted());
  viewOf(await certifies());

  const other = { number: 4n, members: [newcomer], threshold: 1n };
  const digest = typedDigest(fakeKeccak, setChangeDomain(signerSet), { form: setChangeForm, message: other });
  const memberSignatures = memberSignature(newcomer, digest);
  const quorumSignatures = quorumSignature(digest, [two, newcomer]);
  const data = callData(fakeKeccak, signerSetCalls.changeSet, { change: other, quorumSignatures, memberSignatures });
  callFromOutside(bench, signerSet, data);
  await settle(bench);
  await pass(bench);
  await assert.rejects(await certifiable(bench), {
    code: 'vault/system-differs',
    message: /version 4.*another one than the configuration and the changes made here/u,
  });
});

test('killed before or after any step, a change is signed once and carried once', async () => {
  const interrupter = new Interrupter();
  await using bench = await openVaulting({ database: (db) => interruptible(db, interrupter) });
  bench.quorum.awake = [...fakeMembers, newcomer];
  let ends = 0;
  for (const [kind, members] of [
    ['before', [two, newcomer]],
    ['after', [one, newcomer]],
  ] satisfies [Interruption, Address[]][]) {
    const { id } = viewOf(await asks(bench, members));
    for (const person of ['ruth', 'sam']) viewOf(await approves(bench, id, person));
    const killed = async (step: () => Promise<void>): Promise<void> => {
      for (let at = 0; ; at += 1) {
        interrupter.arm(at, kind);
        const ended = await step().then(
          () => false,
          () => true,
        );
        interrupter.disarm();
        if (!ended) break;
        ends += 1;
      }
    };
    await killed(async () => sendSetChange(bench.custody, id));
    await killed(async () => keepSignerSet(bench.custody, bench.id));
    await bench.work();
    await settle(bench);
    assert.equal(await standing(bench, id), 'queued');
    bench.chain.ground.skipTime(fakeSetChangeDelay);
    bench.chain.mine();
    bench.chain.settle();
    await killed(async () => keepSignerSet(bench.custody, bench.id));
    assert.equal(await standing(bench, id), 'in-force');
  }
  const told = await bench.database.admin.query(`select from custody.journal where event = 'signer-set-changed'`);
  assert.equal(told.length, 2, 'whoever waited for another set hears of it, once');
  assert.ok(ends > 16, `${ends} steps were killed`);
  assert.equal((await dispatchViews(bench.custody.db, { after: null, limit: 9 })).length, 2);
  await bench.prove();
});
