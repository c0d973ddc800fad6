import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { type HistoryKnowledge, type HistoryTopic, judgeHistory, nativeToken, type VaultEvent } from './index.ts';
import { addressOf, exampleTerms, wordOfByte } from './testing/example.ts';

const { config, policy } = exampleTerms({ keccak256: keccak_256 });
const [listed = nativeToken] = policy.destinations;
const other = addressOf(0xd9);
const token = nativeToken;
const start = 1_700_000_000n;
const year = 365n * 86_400n;

type Told = readonly [time: bigint, transaction: string, event: VaultEvent];

const opened: readonly Told[] = [
  [start, 'open', { event: 'DestinationAdded', to: listed, activeFrom: start }],
  [start, 'open', { event: 'LimitSet', token, cap: 10n ** 19n, unlisted: false }],
  [start, 'open', { event: 'PolicyOpened' }],
];

function paid(time: bigint, to = listed, more: Partial<Extract<VaultEvent, { event: 'Withdrawn' }>> = {}): Told {
  const nonce = time - start;
  return [time, `pay ${time}`, { event: 'Withdrawn', token, to, amount: 5n, nonce, authority: 'listed', ...more }];
}

function judged(
  told: readonly Told[],
  more: Partial<HistoryKnowledge> = {},
): readonly (readonly [HistoryTopic, string])[] {
  const entries = told.map(([time, transaction, event]) => ({ height: time, time, transaction, event }));
  const knowledge = { config, policy, isVault: () => false, balanceAt: () => 1_000_000n, ...more };
  return judgeHistory(entries, knowledge).findings.map(({ topic, fact }) => [topic, fact]);
}

test('what contracts allow has no findings', () => {
  const later = start + config.changeDelay;
  const told: readonly Told[] = [
    ...opened,
    paid(start + 1n),
    [start + 2n, 'add', { event: 'DestinationAdded', to: other, activeFrom: later + 2n }],
    [
      start + 3n,
      'queue',
      {
        event: 'LimitQueued',
        change: wordOfByte(1),
        token,
        cap: 2n * 10n ** 19n,
        unlisted: false,
        readyAt: later + 3n,
      },
    ],
    paid(later + 2n, other),
    [later + 3n, 'raise', { event: 'LimitSet', token, cap: 2n * 10n ** 19n, unlisted: false }],
    [later + 4n, 'lower', { event: 'LimitSet', token, cap: 7n, unlisted: false }],
    [later + 5n, 'clock', { event: 'FeeCollected', token, amount: 0n, nonce: 70_001n, from: 0n, to: later + 5n }],
    [
      later + 5n + year,
      'fee',
      { event: 'FeeCollected', token, amount: 424n, nonce: 70_002n, from: later + 5n, to: later + 5n + year },
    ],
    [later + year + 6n, 'exit', { event: 'ExitRequested', readyAt: later + year + 6n + config.exitDelay }],
    [later + year + 6n + config.exitDelay, 'leave', { event: 'Exited', token, to: config.exitDestination, amount: 9n }],
  ];
  assert.deepEqual(judged(told), []);
});

test('each thing that no vault does is found, under its topic', () => {
  const soon = start + 10n;
  const exit: Told = [soon, 'exit', { event: 'ExitRequested', readyAt: soon + config.exitDelay }];
  const clock: Told = [soon, 'clock', { event: 'FeeCollected', token, amount: 0n, nonce: 900n, from: 0n, to: soon }];
  const pause: Told = [soon, 'pause', { event: 'Paused', side: 'client', until: soon + config.pauseSeconds }];
  const cases: readonly (readonly [HistoryTopic, RegExp, readonly Told[]])[] = [
    ['destinations', /was no active destination/u, [paid(soon, other)]],
    ['destinations', /paid in a pause/u, [pause, paid(soon + 1n)]],
    ['destinations', /before the delay/u, [[soon, 'add', { event: 'DestinationAdded', to: other, activeFrom: soon }]]],
    ['destinations', /no omnibus/u, [paid(soon, other, { authority: 'unlisted' })]],
    [
      'destinations',
      /was no active destination/u,
      [[soon, 'remove', { event: 'DestinationRemoved', to: listed, side: 'client' }], paid(soon + 1n)],
    ],
    ['limits', /above the limit/u, [paid(soon, listed, { amount: 10n ** 19n + 1n })]],
    [
      'limits',
      /above the limit/u,
      [paid(soon, listed, { amount: 10n ** 19n }), paid(soon + 1n, listed, { amount: 1n })],
    ],
    ['changes', /had not waited/u, [[soon, 'raise', { event: 'LimitSet', token, cap: 10n ** 20n, unlisted: false }]]],
    [
      'changes',
      /for less than/u,
      [[soon, 'queue', { event: 'ExitDestinationQueued', change: wordOfByte(1), to: other, readyAt: soon }]],
    ],
    ['changes', /had not waited/u, [[soon, 'move', { event: 'ExitDestinationChanged', to: other }]]],
    ['changes', /had not waited/u, [[soon, 'rotate', { event: 'KeyRotated', role: 'exit', newKey: wordOfByte(2) }]]],
    [
      'changes',
      /had not waited/u,
      [
        [
          soon,
          'queue',
          { event: 'ExitDestinationQueued', change: wordOfByte(1), to: other, readyAt: soon + config.exitChangeDelay },
        ],
        [soon + 1n, 'veto', { event: 'Vetoed', change: wordOfByte(1), side: 'exit' }],
        [soon + config.exitChangeDelay, 'move', { event: 'ExitDestinationChanged', to: other }],
      ],
    ],
    [
      'changes',
      /older than what was in force/u,
      [
        [
          soon,
          'one',
          { event: 'ExitDestinationQueued', change: wordOfByte(1), to: other, readyAt: soon + config.exitChangeDelay },
        ],
        [
          soon + 1n,
          'two',
          {
            event: 'ExitDestinationQueued',
            change: wordOfByte(2),
            to: listed,
            readyAt: soon + 1n + config.exitChangeDelay,
          },
        ],
        [soon + 1n + config.exitChangeDelay, 'newer', { event: 'ExitDestinationChanged', to: listed }],
        [soon + 1n + config.exitChangeDelay, 'older', { event: 'ExitDestinationChanged', to: other }],
      ],
    ],
    [
      'changes',
      /not as agreed/u,
      [
        pause,
        [
          soon + config.pauseSeconds,
          'again',
          { event: 'Paused', side: 'client', until: soon + 2n * config.pauseSeconds },
        ],
      ],
    ],
    [
      'fees',
      /at most 424 was due/u,
      [
        clock,
        [soon + year, 'fee', { event: 'FeeCollected', token, amount: 425n, nonce: 901n, from: soon, to: soon + year }],
      ],
    ],
    [
      'fees',
      /before the clock/u,
      [[soon, 'fee', { event: 'FeeCollected', token, amount: 1n, nonce: 901n, from: 0n, to: soon }]],
    ],
    [
      'fees',
      /its clock stood at/u,
      [
        clock,
        [soon + year, 'fee', { event: 'FeeCollected', token, amount: 1n, nonce: 901n, from: 1n, to: soon + year }],
      ],
    ],
    [
      'exits',
      /no exit was open/u,
      [[soon, 'leave', { event: 'Exited', token, to: config.exitDestination, amount: 1n }]],
    ],
    [
      'exits',
      /the exit destination was/u,
      [exit, [soon + config.exitDelay, 'leave', { event: 'Exited', token, to: other, amount: 1n }]],
    ],
    ['exits', /paid after an exit/u, [exit, paid(soon + 1n)]],
    [
      'exits',
      /changed something after/u,
      [exit, [soon + 1n, 'add', { event: 'DestinationAdded', to: other, activeFrom: soon + 1n + config.changeDelay }]],
    ],
    ['exits', /not as agreed/u, [[soon, 'exit', { event: 'ExitRequested', readyAt: soon + 1n }]]],
    ['exits', /not silent for long enough/u, [[soon, 'silence', { event: 'ExitOpened', lastHeartbeat: soon - 1n }]]],
    ['nonces', /used the nonce 3 of/u, [paid(start + 3n), paid(soon, listed, { nonce: 3n })]],
  ];
  for (const [topic, message, told] of cases) {
    const findings = judged([...opened, ...told]);
    assert.equal(findings.length, 1, `${String(message)}: ${findings.map(([, fact]) => fact).join(' | ')}`);
    assert.equal(findings[0]?.[0], topic);
    assert.match(findings[0]?.[1] ?? '', message);
  }
  const vaults = judged([...opened, paid(soon)], { isVault: (address) => address === listed });
  assert.deepEqual(
    vaults.map(([topic]) => topic),
    ['vaults'],
  );
  const free = judged([...opened, paid(soon, other, { authority: 'one-off' })], { isVault: () => true });
  assert.deepEqual(free, [], 'the client signed a one-off payment itself');
});

test('what was opened is what was agreed, where somebody shows it', () => {
  const agreed = { ...policy, destinations: [other], limits: [] };
  assert.deepEqual(
    judged(opened, { policy: agreed }).map(([topic]) => topic),
    ['destinations', 'limits'],
  );
  assert.deepEqual(judged(opened, { policy: undefined }), []);
});

test('a fee of a block whose balance nobody knows is counted, and is no finding', () => {
  const told: readonly Told[] = [
    [start, 'clock', { event: 'FeeCollected', token, amount: 0n, nonce: 1n, from: 0n, to: start }],
    [
      start + year,
      'fee',
      { event: 'FeeCollected', token, amount: 10n ** 30n, nonce: 2n, from: start, to: start + year },
    ],
  ];
  const entries = told.map(([time, transaction, event]) => ({ height: time, time, transaction, event }));
  const { findings, feesUnknown } = judgeHistory(entries, {
    config,
    policy,
    isVault: () => false,
    balanceAt: () => undefined,
  });
  assert.deepEqual([findings, feesUnknown], [[], 1]);
});
