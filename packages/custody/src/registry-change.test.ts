import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { intentDigest, parseIntent } from '@bulkhead/domain';
import { fakeApproval } from '@bulkhead/fakes';
import {
  applyRegistryChange,
  approveRegistryChange,
  proposeRegistryChange,
  registryChangeTtlMs,
  tendRegistryChanges,
} from './registry-change.ts';
import { type RegistryChangeView, registryChangeText, registryChangeViews } from './registry-change-view.ts';
import { pullSignerRecords } from './signer-record.ts';
import { type Bench, openBench, refusalOf, viewOf } from './testing/bench.ts';

const open = (): Promise<Bench> => openBench({ workers: { 'apply-registry-change': applyRegistryChange } });

async function propose(bench: Bench, list = 'a canonical list'): Promise<RegistryChangeView> {
  const listDigest = createHash('sha256').update(list).digest('hex');
  const request = { kind: 'enrolment', list, listDigest, items: 2 } as const;
  return viewOf(await proposeRegistryChange(bench.custody, bench.as('olga'), request));
}

async function approve(
  bench: Bench,
  id: string,
  person: string,
  key?: string,
): ReturnType<typeof approveRegistryChange> {
  const shown = await registryChangeText(bench.custody.db, id);
  assert.ok(shown !== undefined);
  const approval = fakeApproval(person, shown.intent);
  return approveRegistryChange(bench.custody, bench.as(person, key), { id, approval });
}

async function change(bench: Bench, id: string): Promise<RegistryChangeView> {
  const [view] = await registryChangeViews(bench.custody.db, { id, after: null, limit: 1 });
  assert.ok(view !== undefined);
  return view;
}

test('a change is proposed for the version of now, approved by people, and applied with the last one needed', async () => {
  await using bench = await open();
  const proposed = await propose(bench);
  assert.deepEqual(
    [proposed.state, proposed.before, proposed.itemsCount, proposed.requestedBy, proposed.version],
    ['open', '1', 2, 'olga', null],
  );
  const text = await registryChangeText(bench.custody.db, proposed.id);
  assert.ok(text !== undefined);
  assert.deepEqual(parseIntent(Buffer.from(text.canonical, 'utf8')), text.intent);
  assert.deepEqual([text.digest, text.list], [intentDigest(text.intent), 'a canonical list']);
  assert.equal(proposed.intentDigest, text.digest);
  viewOf(await approve(bench, proposed.id, 'ruth'));
  await bench.work();
  const half = await change(bench, proposed.id);
  assert.deepEqual([half.state, half.reason], ['open', null]);
  viewOf(await approve(bench, proposed.id, 'sam'));
  await bench.work();
  const done = await change(bench, proposed.id);
  assert.deepEqual([done.state, done.version, done.approvals.map(({ by }) => by)], ['applied', '2', ['ruth', 'sam']]);
  const [record] = await bench.custody.db.query('select line from custody.signer_record order by sequence desc');
  assert.match(String(record?.['line']), /a canonical list/u);
  assert.equal(refusalOf(await approve(bench, proposed.id, 'tom')), 'registry-change/wrong-state');
  const filters = await registryChangeViews(bench.custody.db, { state: 'open', after: null, limit: 10 });
  assert.deepEqual(filters, []);
  await assert.rejects(
    bench.database.owner.query(`update custody.registry_change set state = 'open', version = null`),
    /written once|for ever/u,
  );
});

test('each approval is the own signature of a person who has not approved yet', async () => {
  await using bench = await open();
  const { id } = await propose(bench);
  const other = await propose(bench, 'another list');
  const text = await registryChangeText(bench.custody.db, other.id);
  assert.ok(text !== undefined);
  const stray = { id, approval: fakeApproval('ruth', text.intent) };
  await assert.rejects(approveRegistryChange(bench.custody, bench.as('ruth'), stray), {
    code: 'signer/approval-invalid',
  });
  const foreign = { id: other.id, approval: stray.approval };
  assert.equal(
    refusalOf(await approveRegistryChange(bench.custody, bench.as('sam'), foreign)),
    'approval/of-another-person',
  );
  viewOf(await approve(bench, id, 'ruth', 'the-key'));
  assert.equal((await approve(bench, id, 'ruth', 'the-key')).hit, true);
  assert.equal(refusalOf(await approve(bench, id, 'ruth')), 'registry-change/already-approved');
  const nobody = { ...stray, id: 'chg_nobody' };
  assert.equal(refusalOf(await approveRegistryChange(bench.custody, bench.as('ruth'), nobody)), 'resource/not-found');
});

test('without the signer nothing is proposed or approved, and what has its approvals waits and is applied once', async () => {
  await using bench = await open();
  const { id } = await propose(bench);
  viewOf(await approve(bench, id, 'ruth'));
  viewOf(await approve(bench, id, 'sam'));
  bench.signer.down = true;
  await assert.rejects(propose(bench), { code: 'signer/unavailable' });
  await assert.rejects(approve(bench, id, 'tom'), { code: 'signer/unavailable' });
  await bench.work();
  const held = await change(bench, id);
  assert.equal(held.state, 'open');
  assert.match(held.reason ?? '', /signer\/unavailable/u);
  bench.signer.down = false;
  await tendRegistryChanges(bench.custody);
  await tendRegistryChanges(bench.custody);
  await Promise.all([applyRegistryChange(bench.custody, id), applyRegistryChange(bench.custody, id)]);
  await bench.work();
  assert.equal((await change(bench, id)).version, '2');
  assert.equal((await bench.signer.status()).registryVersion, 2n);
});

test('a crash between the change of the signer and its storing leads to the same version', async () => {
  for (const repetition of ['answered', 'refused'] as const) {
    await using bench = await open();
    const { id } = await propose(bench);
    viewOf(await approve(bench, id, 'ruth'));
    viewOf(await approve(bench, id, 'sam'));
    const apply = bench.signer.change.bind(bench.signer);
    bench.signer.change = async (asked) => {
      await apply(asked);
      throw new Error('the process ends here');
    };
    await assert.rejects(bench.work(), /ends here/u);
    assert.equal((await change(bench, id)).state, 'open');
    bench.signer.change = apply;
    if (repetition === 'refused') {
      // A signer that would not remember: the record that was fetched says what happened.
      await pullSignerRecords(bench.custody);
      bench.signer.change = async ({ evidence, ...asked }) =>
        apply({ ...asked, evidence, intent: { ...asked.intent, id: 'chg_other' } });
    }
    // Its time may be over by then: what was made was made.
    bench.clock.advance(registryChangeTtlMs + 1_000);
    await tendRegistryChanges(bench.custody);
    await bench.work();
    const done = await change(bench, id);
    assert.deepEqual([done.state, done.version], ['applied', '2'], repetition);
    assert.equal((await bench.signer.status()).registryVersion, 2n);
  }
});

test('of two changes of one version the second is refused by the signer, for ever, with its reason', async () => {
  await using bench = await open();
  const [first, second] = [await propose(bench), await propose(bench, 'another list')];
  for (const person of ['ruth', 'sam']) {
    viewOf(await approve(bench, first.id, person));
    viewOf(await approve(bench, second.id, person));
  }
  await bench.work();
  const late = await change(bench, second.id);
  assert.equal((await change(bench, first.id)).state, 'applied');
  assert.equal(late.state, 'refused');
  assert.match(late.reason ?? '', /signer\/registry-version/u);
});

test('a refusal that people can still mend leaves the change open with its reason', async () => {
  await using bench = await open();
  const { id } = await propose(bench);
  viewOf(await approve(bench, id, 'ruth'));
  viewOf(await approve(bench, id, 'sam'));
  bench.signer.rules.refuse = () => ({ code: 'signer/person-not-entitled', message: 'sam has another role' });
  await bench.work();
  const held = await change(bench, id);
  assert.equal(held.state, 'open');
  assert.match(held.reason ?? '', /signer\/person-not-entitled/u);
  bench.signer.rules.refuse = undefined;
  viewOf(await approve(bench, id, 'tom'));
  await bench.work();
  assert.deepEqual([(await change(bench, id)).state, (await change(bench, id)).reason], ['applied', null]);
});

test('a change that too few approve in time expires, and is approved by nobody afterwards', async () => {
  await using bench = await open();
  const [none, one] = [await propose(bench), await propose(bench, 'another list')];
  viewOf(await approve(bench, one.id, 'ruth'));
  await bench.work();
  bench.clock.advance(registryChangeTtlMs - 1_000);
  await tendRegistryChanges(bench.custody);
  await bench.work();
  assert.equal((await change(bench, none.id)).state, 'open');
  bench.clock.advance(2_000);
  assert.equal(refusalOf(await approve(bench, none.id, 'sam')), 'registry-change/wrong-state');
  await tendRegistryChanges(bench.custody);
  await bench.work();
  assert.deepEqual([(await change(bench, none.id)).state, (await change(bench, one.id)).state], ['expired', 'expired']);
});
