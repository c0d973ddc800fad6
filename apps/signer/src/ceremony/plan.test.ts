import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listText } from '@bulkhead/authority';
import { genesisItems } from '../core/testing/registry.ts';
import { assertList, parsePlan, type PlanOrder, planText } from './plan.ts';
import { mixEntropy } from './entropy.ts';

const place = { library: '/opt/vendor/lib.so', environment: {} };
const order: PlanOrder = {
  name: 'Opening',
  performer: 'Petra',
  witnesses: ['Wanda', 'Wim'],
  confirmations: 2,
  slots: [
    { ...place, name: 'hsm_slot_1', label: 'custody-a' },
    { ...place, name: 'hsm_slot_2', label: 'custody-b' },
  ],
  program: 'ab'.repeat(32),
  dice: false,
  threshold: 2,
  holders: ['Hana', 'Hugo', 'Hille'],
  compartments: [1, 2, 10_000],
  list: listText(genesisItems),
};

test('a plan is read back as it was made, and its deployment is random', () => {
  const text = planText(order);
  const plan = parsePlan(text);
  assert.deepEqual(plan.shares, { threshold: '2', count: '3', holders: ['Hana', 'Hugo', 'Hille'] });
  assert.notEqual(plan.deployment, parsePlan(planText(order)).deployment);
  assertList(plan, order.list);
  assert.throws(() => assertList(plan, `${order.list} `), { code: 'ceremony/malformed-plan' });
});

test('what contradicts itself is no plan, and the message says why', () => {
  const wrong: readonly (readonly [Partial<PlanOrder>, RegExp])[] = [
    [{ witnesses: ['Petra'] }, /stands twice among performer and witnesses/u],
    [{ witnesses: [] }, /witnesses/u],
    [{ confirmations: 3 }, /3 of 2 witnesses cannot confirm/u],
    [{ confirmations: 0 }, /0 of 2 witnesses cannot confirm/u],
    [{ threshold: 1 }, /1 of 3 is no quorum/u],
    [{ threshold: 4 }, /4 of 3 is no quorum/u],
    [{ holders: ['Hana', 'Hana'] }, /would hold two shares/u],
    [{ slots: [order.slots[0], { ...order.slots[0], name: 'hsm_slot_2' }] }, /both are one token/u],
    [{ compartments: [1, 1] }, /one stands twice/u],
    [{ compartments: [2 ** 31] }, /is not a compartment/u],
    [{ program: 'AB'.repeat(32) }, /program/u],
    [{ name: ' Opening' }, /name/u],
    [{ deployment: 'x' }, /deployment/u],
  ];
  for (const [change, why] of wrong) {
    assert.throws(
      () => planText({ ...order, ...change }),
      (error: unknown) =>
        error instanceof Error &&
        'code' in error &&
        error.code === 'ceremony/malformed-plan' &&
        why.test(error.message),
      why.source,
    );
  }
});

test('a plan in another writing, with another order of steps or more members is refused', () => {
  const text = planText(order);
  for (const changed of [
    text.trimEnd(),
    text.replace('"format"', '"Format"'),
    text.replaceAll('"id": "seal"', '"id": "entropy"'),
    text.replace('"hsm": "true"', '"hsm": "false"'),
    text.replace('"dice": "false"', '"dice": false'),
  ]) {
    assert.notEqual(changed, text);
    assert.throws(() => parsePlan(changed), { code: 'ceremony/malformed-plan' });
  }
});

test('entropy is mixed as the specification says, and the sources are wiped', () => {
  const random = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  using entropy = mixEntropy({ random, dice: '123456' });
  const hex = entropy.read((bytes) => Buffer.from(bytes).toString('hex'));
  // SHA-256 of the same bytes by coreutils' sha256sum.
  assert.equal(hex, 'f69b29267ae55364d2b20a33f4f105fc936b026c29e66f9533823f7edb32df51');
  assert.ok(random.every((bytes) => bytes.every((byte) => byte === 0)));
  assert.throws(() => mixEntropy({ random: random.slice(1), dice: '' }), { code: 'invariant/broken' });
  assert.throws(() => mixEntropy({ random, dice: '7' }), { code: 'invariant/broken' });
});
