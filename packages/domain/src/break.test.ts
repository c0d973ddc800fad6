import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type BreakAction,
  type BreakCause,
  type BreakFacts,
  type BreakState,
  type BreakType,
  type Compartment,
  type Hash,
  type TransferRequest,
  compartmentFirst,
  decideBreak,
  followBreak,
  houseFees,
  houseGas,
  isHash,
  nativeAsset,
  parseChainId,
  parseCompartment,
} from './index.ts';

function hashOf(digit: string): Hash {
  const text = `0x${digit.repeat(64)}`;
  assert.ok(isHash(text));
  return text;
}

const chain = parseChainId('eip155:1');
const asset = nativeAsset(chain);
const client = parseCompartment(compartmentFirst.individual);
const early = { number: 5n, hash: hashOf('5') };
const pinned = { number: 9n, hash: hashOf('9') };

type Shape = { difference: bigint; compartment?: Compartment; causes?: readonly BreakCause[]; type?: BreakType };

function facts({ difference, compartment = client, causes = [], type = 'shortfall' }: Shape): BreakFacts {
  return { id: 'brk_1', type, line: { compartment, wallet: 'wal_1', asset, difference, block: pinned, causes } };
}

function resolved(broken: BreakFacts, action: BreakAction): readonly (readonly TransferRequest[])[] {
  const first = decideBreak(broken, {}, { by: 'alice', action, note: 'seen' });
  assert.equal(first.status, 'decided');
  assert.deepEqual(first.transfers, [], 'one person moves nothing');
  const second = decideBreak(broken, first.state, { by: 'bob', action, note: 'agreed' });
  assert.equal(second.status, 'decided');
  assert.deepEqual(second.state.resolution, { action, note: 'seen', by: ['alice', 'bob'] });
  assert.deepEqual(second.effects, [{ type: 'resolved' }]);
  return second.transfers;
}

function shapeOf(request: TransferRequest): readonly unknown[] {
  assert.equal(request.type, 'post');
  const { compartment, debit, credit, amount, block, link } = request;
  return [compartment, debit.kind, credit.kind, amount, block?.number, link];
}

test('a loss of a client is a receivable there and an obligation of the house, in one linked group', () => {
  const [group, ...more] = resolved(facts({ difference: -7n }), 'book-loss');
  assert.deepEqual(more, []);
  assert.deepEqual(group?.map(shapeOf), [
    [client, 'loss', 'wallet', 7n, 9n, 'brk_1'],
    [houseFees, 'equity', 'obligation', 7n, undefined, 'brk_1'],
  ]);
  assert.equal(new Set(group?.map(({ key }) => key)).size, 2);
});

test('a loss that is made of seen outflows is booked at their blocks, each with its obligation', () => {
  const causes: readonly BreakCause[] = [
    { kind: 'out', reference: 'mov_1', amount: 5n, block: early },
    { kind: 'fee', reference: '0x1', amount: 2n, block: pinned },
    { kind: 'out', reference: 'mov_2', amount: 0n, block: pinned },
  ];
  const [group] = resolved(facts({ difference: -7n, causes, type: 'missing-movement' }), 'book-loss');
  assert.deepEqual(group?.map(shapeOf), [
    [client, 'loss', 'wallet', 5n, 5n, 'brk_1'],
    [houseFees, 'equity', 'obligation', 5n, undefined, 'brk_1'],
    [client, 'loss', 'wallet', 2n, 9n, 'brk_1'],
    [houseFees, 'equity', 'obligation', 2n, undefined, 'brk_1'],
  ]);
  assert.equal(new Set(group?.map(({ key }) => key)).size, 4);
});

test('causes that do not add up to the difference, or go both ways, are booked whole at the pinned block', () => {
  const out: BreakCause = { kind: 'out', reference: 'mov_1', amount: 5n, block: early };
  const back: BreakCause = { kind: 'in', reference: 'mov_2', amount: 1n, block: early };
  for (const [difference, causes] of [
    [-7n, [out]],
    [-4n, [out, back]],
  ] as const) {
    const [group] = resolved(facts({ difference, causes }), 'book-loss');
    assert.deepEqual(group?.map(shapeOf)[0], [client, 'loss', 'wallet', -difference, 9n, 'brk_1']);
  }
});

test('a loss of the house lowers its equity and owes nobody anything', () => {
  for (const compartment of [houseGas, houseFees]) {
    const [group] = resolved(facts({ difference: -7n, compartment }), 'book-loss');
    assert.deepEqual(group?.map(shapeOf), [[compartment, 'equity', 'wallet', 7n, 9n, undefined]]);
  }
});

test('a company of the group is owed its loss as a client is', () => {
  const compartment = parseCompartment(compartmentFirst.group);
  const [group] = resolved(facts({ difference: -7n, compartment }), 'book-loss');
  assert.deepEqual(
    group?.map((one) => shapeOf(one).slice(0, 3)),
    [
      [compartment, 'loss', 'wallet'],
      [houseFees, 'equity', 'obligation'],
    ],
  );
});

test('value that no book knows goes to suspense', () => {
  const causes: readonly BreakCause[] = [{ kind: 'in', reference: 'mov_1', amount: 7n, block: early }];
  assert.deepEqual(
    resolved(facts({ difference: 7n, type: 'unknown-deposit', causes }), 'book-suspense')
      .flat()
      .map(shapeOf),
    [[client, 'wallet', 'suspense', 7n, 5n, undefined]],
  );
  assert.deepEqual(
    resolved(facts({ difference: 7n, type: 'excess' }), 'book-suspense')
      .flat()
      .map(shapeOf),
    [[client, 'wallet', 'suspense', 7n, 9n, undefined]],
  );
});

test('an action that does not fit the type and the direction is refused, and a hole is never acknowledged away', () => {
  const fitting: readonly (readonly [BreakType, bigint, readonly BreakAction[]])[] = [
    ['pending', -7n, ['acknowledge']],
    ['fee', -7n, ['book-loss']],
    ['missing-movement', -7n, ['book-loss']],
    ['shortfall', -7n, ['book-loss']],
    ['missing-movement', 7n, ['book-suspense']],
    ['unknown-deposit', 7n, ['book-suspense']],
    ['excess', 7n, ['book-suspense']],
  ];
  for (const [type, difference, actions] of fitting) {
    for (const action of ['book-loss', 'book-suspense', 'acknowledge'] as const) {
      const answer = decideBreak(facts({ type, difference }), {}, { by: 'alice', action, note: '' });
      const expected = actions.includes(action) ? 'decided' : 'break/wrong-type';
      assert.equal(
        answer.status === 'refused' ? answer.code : answer.status,
        expected,
        `${type} ${difference} ${action}`,
      );
    }
  }
  assert.deepEqual(resolved({ id: 'brk_2', type: 'reorg' }, 'acknowledge'), []);
});

test('one person alone never resolves, and a break that changed since needs two again', () => {
  const before = facts({ difference: -7n });
  const first = decideBreak(before, {}, { by: 'alice', action: 'book-loss', note: 'seen' });
  assert.equal(first.status, 'decided');
  const again = decideBreak(before, first.state, { by: 'alice', action: 'book-loss', note: 'really' });
  assert.equal(again.status === 'refused' && again.code, 'four-eyes/second-person-needed');
  for (const changed of [facts({ difference: -70n }), facts({ difference: -7n, type: 'missing-movement' })]) {
    const other = decideBreak(changed, first.state, { by: 'bob', action: 'book-loss', note: 'hm' });
    assert.equal(other.status, 'decided');
    assert.equal(other.state.resolution, undefined);
    assert.equal(other.state.proposal?.by, 'bob');
    assert.deepEqual(other.transfers, []);
  }
});

test('a resolved break takes nothing more', () => {
  const state: BreakState = { resolution: { action: 'book-loss', note: '', by: ['alice', 'bob'] } };
  const answer = decideBreak(facts({ difference: -7n }), state, { by: 'carol', action: 'book-loss', note: '' });
  assert.equal(answer.status === 'refused' && answer.code, 'break/already-resolved');
});

test('a reconciliation opens, keeps, reclassifies or ends the break it knows', () => {
  assert.equal(followBreak(undefined, undefined), 'none');
  assert.equal(followBreak(undefined, 'shortfall'), 'open');
  assert.equal(followBreak('shortfall', 'shortfall'), 'keep');
  assert.equal(followBreak('shortfall', 'missing-movement'), 'reclassify');
  assert.equal(followBreak('shortfall', undefined), 'vanish');
});
