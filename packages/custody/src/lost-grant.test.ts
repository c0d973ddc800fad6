import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecisionRecord } from '@bulkhead/domain';
import { addressOfKey, FakeSignerLog, foreignIdentity, signAs } from '@bulkhead/fakes';
import { lostGrants } from './lost-grant.ts';
import type { Bench } from './testing/bench.ts';
import { approve, ask, ether, funded, openWithdrawing, recipient, settle, withdrawal } from './testing/withdrawing.ts';

/** The database as a backup has it that was made before the payment: nothing of its attempts. */
async function forgets(bench: Bench): Promise<void> {
  await bench.database.admin.query(
    `do $$ begin set local session_replication_role = 'replica'; delete from custody.attempt; end $$`,
  );
}

/** A signer records the signature of a grant as well; the fake one does not by itself. */
function recordsSignature(bench: Bench, grant: DecisionRecord): void {
  const [request] = bench.signer.signed;
  assert.ok(request !== undefined);
  const { r, s, yParity } = signAs(addressOfKey(request.key), request.unsigned);
  const fields = { grant: String(grant.sequence), r: String(r), s: String(s), yParity: String(yParity) };
  bench.signer.log.append('signed', fields);
}

test('what the signer signed and the database forgot is found with its intent, its hash and the bytes to broadcast', async () => {
  await using bench = await openWithdrawing();
  const { client } = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client, amount: ether });
  await approve(bench, id);
  assert.deepEqual(await lostGrants(bench.custody), [], 'all is known');
  const grant = bench.signer.log.records(0n, 1_000).find(({ line }) => line.includes('"granted"'));
  assert.ok(grant !== undefined);
  const [known] = await bench.custody.db.query('select hash, raw from custody.attempt');
  await forgets(bench);
  const [unsigned] = await lostGrants(bench.custody);
  assert.deepEqual([unsigned?.sequence, unsigned?.intent.id, unsigned?.signed], [grant.sequence, id, undefined]);
  recordsSignature(bench, grant);
  const [lost, ...more] = await lostGrants(bench.custody);
  assert.deepEqual([lost?.intent.to, lost?.intent.amount, more], [recipient, ether, []]);
  assert.equal(lost?.signed?.hash, known?.['hash']);
  assert.equal(await bench.chain.broadcast(Buffer.from(lost?.signed?.raw ?? '', 'hex')), 'already-known');
  assert.ok(lost?.dispatch !== undefined, 'the dispatch is there, and its attempt is not');
  await settle(bench);
  assert.equal(bench.chain.ground.balance(bench.native, recipient), ether);
  assert.equal((await withdrawal(bench, id)).id, id);
});

test('records that no identity stands for are not compared', async () => {
  await using bench = await openWithdrawing();
  const foreign = new FakeSignerLog(bench.clock, foreignIdentity);
  foreign.append('granted', { unsigned: '00' });
  bench.signer.records = async (after, limit) => foreign.records(after, limit);
  await assert.rejects(lostGrants(bench.custody), { code: 'signer/certificate-invalid' });
});
