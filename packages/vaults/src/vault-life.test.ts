import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import {
  asked,
  mint,
  termsOf,
  client,
  exitKey,
  deadline,
  destination,
  digestOf,
  vaultEventsOf,
} from './testing/vault-terms.ts';
import type { Address } from '@bulkhead/domain';
import { addressOf } from './testing/example.ts';
import {
  accountKey,
  hashes,
  passkey,
  type Sent,
  type SoftwareKey,
  startVaultChain,
  type VaultChain,
} from './testing/vault-chain.ts';
import type { StructCodec } from './codec.ts';
import {
  callData,
  factoryCalls,
  type Hex,
  hexOf,
  nativeToken,
  parseVaultCall,
  signerSetQuestions,
  vaultCalls,
  type VaultConfig,
  type VaultEvent,
  vaultForms,
  vaultQuestions,
  type QuestionForm,
} from './index.ts';

let world: VaultChain;
before(async () => {
  world = await startVaultChain();
});
after(async () => await world[Symbol.asyncDispose]());

const fresh = addressOf(0xd7);

type Signer = <T>(form: StructCodec<T>, message: T) => Promise<Hex>;

type Step<T> = {
  readonly call: {
    readonly name: string;
    readonly form: StructCodec<{ readonly config: VaultConfig; readonly message: T; readonly signature: Hex }>;
  };
  readonly form: StructCodec<T>;
  readonly message: T;
  readonly time: bigint;
};

test('each payment, change and exit that is signed here is accepted there, and each event is read', async () => {
  const { config, policy, vault } = termsOf(world, 'omnibus', 5);
  const { token } = world;
  await world.node.setBalance(vault, 10_000n);
  await mint(world, vault, 10_000n);
  let nonce = 0n;
  const bounds = (): { nonce: bigint; deadline: bigint } => ({ nonce: nonce++, deadline });
  const seen: VaultEvent[] = [];
  const run = async (data: Hex, time?: bigint): Promise<Sent> => {
    const result = await world.send(vault, data, time === undefined ? {} : { time });
    assert.ok(result.succeeded, inspect(result.refusal));
    // What is encoded is decoded, and is the same again.
    assert.equal(reencoded(data), data);
    seen.push(...vaultEventsOf(result, vault));
    return result;
  };
  const quorum: Signer = async (form, message) => await world.quorum(digestOf(vault, form, message));
  const byKey =
    (key: SoftwareKey): Signer =>
    async (form, message) =>
      await key.sign(digestOf(vault, form, message));
  const [byClient, byExit] = [byKey(client), byKey(exitKey)];
  /** What one side signs and anybody sends. */
  const agree = async <T>(sign: Signer, step: Step<T>): Promise<Sent> => {
    const { call, form, message, time } = step;
    return await run(callData(hashes, call, { config, message, signature: await sign(form, message) }), time);
  };

  // The first payment deploys, opens the policy and pays, in one transaction.
  const first = { token: nativeToken, to: destination, amount: 7n, ...bounds() };
  const calls = [
    callData(hashes, vaultCalls.openPolicy, { config, policy }),
    callData(hashes, vaultCalls.pay, {
      config,
      message: first,
      signatures: await quorum(vaultForms.withdrawal, first),
    }),
  ];
  const deployed = await world.send(world.factory, callData(hashes, factoryCalls.createAndCall, { config, calls }));
  assert.ok(deployed.succeeded);
  const start = deployed.time;
  assert.deepEqual(vaultEventsOf(deployed, vault), [
    { event: 'DestinationAdded', to: destination, activeFrom: start },
    ...policy.limits.map((limit) => ({ event: 'LimitSet', ...limit, unlisted: false })),
    ...policy.unlisted.map((limit) => ({ event: 'LimitSet', ...limit, unlisted: true })),
    { event: 'PolicyOpened' },
    { event: 'Withdrawn', token: nativeToken, to: destination, amount: 7n, nonce: 0n, authority: 'listed' },
  ]);

  const batch = {
    payments: [
      { token, to: destination, amount: 5n },
      { token, to: fresh, amount: 6n },
    ],
    ...bounds(),
  };
  const batchSignatures = await quorum(vaultForms.withdrawalBatch, batch);
  await run(callData(hashes, vaultCalls.payBatch, { config, message: batch, signatures: batchSignatures }));
  const oneOff = { token, to: addressOf(0xd8), amount: 5_000n, ...bounds() };
  const signatures = await quorum(vaultForms.oneOff, oneOff);
  const clientSignature = await byClient(vaultForms.oneOff, oneOff);
  await run(callData(hashes, vaultCalls.payOnce, { config, message: oneOff, signatures, clientSignature }));
  for (const [amount, time] of [
    [0n, start + 100n],
    [1n, start + 10_000_000n],
  ] as const) {
    const fee = { token, amount, ...bounds() };
    const data = callData(hashes, vaultCalls.collectFee, {
      config,
      message: fee,
      signatures: await quorum(vaultForms.fee, fee),
    });
    // A year of ten percent on 4,989 is 498; of the 31 days that count, 42.
    await run(data, time);
  }
  const invalid = bounds();
  const invalidSignatures = await quorum(vaultForms.invalidation, invalid);
  await run(callData(hashes, vaultCalls.invalidate, { config, message: invalid, signatures: invalidSignatures }));

  const now = start + 10_000_100n;
  const addition = { to: fresh, ...bounds() };
  await agree(byClient, {
    call: vaultCalls.addDestination,
    form: vaultForms.destinationAddition,
    message: addition,
    time: now,
  });
  const removal = { side: 'exit', to: fresh, ...bounds() } as const;
  await agree(byExit, {
    call: vaultCalls.removeDestination,
    form: vaultForms.destinationRemoval,
    message: removal,
    time: now + 1n,
  });
  const raise = { token, cap: 2_000n, unlisted: false, ...bounds() };
  await agree(byClient, {
    call: vaultCalls.queueLimitRaise,
    form: vaultForms.limitRaise,
    message: raise,
    time: now + 2n,
  });
  await run(callData(hashes, vaultCalls.executeLimitRaise, { config, message: raise }), now + 12n);
  const lowering = { side: 'quorum', token, cap: 50n, unlisted: true, ...bounds() } as const;
  await agree(quorum, {
    call: vaultCalls.lowerLimit,
    form: vaultForms.limitLowering,
    message: lowering,
    time: now + 13n,
  });
  const moved = { to: addressOf(0xe9), ...bounds() };
  await agree(byClient, {
    call: vaultCalls.queueExitDestination,
    form: vaultForms.exitDestinationChange,
    message: moved,
    time: now + 14n,
  });
  await run(callData(hashes, vaultCalls.executeExitDestination, { config, message: moved }), now + 54n);
  const other = accountKey(0xc9);
  const rotation = { side: 'quorum', role: 'client', newKey: other.id, ...bounds() } as const;
  await agree(quorum, {
    call: vaultCalls.queueKeyRotation,
    form: vaultForms.keyRotation,
    message: rotation,
    time: now + 55n,
  });
  await run(callData(hashes, vaultCalls.executeKeyRotation, { config, message: rotation }), now + 75n);
  assert.deepEqual(await ask(vault, vaultQuestions.roles, { config }), {
    clientKey: other.id,
    exitKey: exitKey.id,
    exitDestination: moved.to,
  });
  const again = { side: 'exit', role: 'exit', newKey: accountKey(0xca).id, ...bounds() } as const;
  await agree(byExit, {
    call: vaultCalls.queueKeyRotation,
    form: vaultForms.keyRotation,
    message: again,
    time: now + 76n,
  });
  const change = hexOf(digestOf(vault, vaultForms.keyRotation, again));
  assert.equal(await ask(vault, vaultQuestions.queued, { change }), now + 86n);
  const refusal = { side: 'exit', change, ...bounds() } as const;
  await agree(byExit, { call: vaultCalls.veto, form: vaultForms.veto, message: refusal, time: now + 77n });
  const stop = { side: 'client', ...bounds() } as const;
  await agree(byKey(other), { call: vaultCalls.pause, form: vaultForms.pause, message: stop, time: now + 78n });
  const wish = bounds();
  await agree(byExit, { call: vaultCalls.requestExit, form: vaultForms.exitRequest, message: wish, time: now + 79n });
  const back = bounds();
  await agree(byExit, {
    call: vaultCalls.cancelExit,
    form: vaultForms.exitCancellation,
    message: back,
    time: now + 80n,
  });
  const lastHeartbeat = await ask(world.signerSet, signerSetQuestions.lastHeartbeat, {});
  await run(callData(hashes, vaultCalls.openExit, { config }), now + 20_000n);
  await run(callData(hashes, vaultCalls.exit, { config, token }), now + 20_001n);

  const change2 = hexOf(digestOf(vault, vaultForms.limitRaise, raise));
  const expected: VaultEvent[] = [
    { event: 'Withdrawn', token, to: destination, amount: 5n, nonce: batch.nonce, authority: 'listed' },
    { event: 'Withdrawn', token, to: fresh, amount: 6n, nonce: batch.nonce, authority: 'unlisted' },
    { event: 'Withdrawn', token, to: oneOff.to, amount: 5_000n, nonce: oneOff.nonce, authority: 'one-off' },
    { event: 'FeeCollected', token, amount: 0n, nonce: 3n, from: 0n, to: start + 100n },
    { event: 'FeeCollected', token, amount: 1n, nonce: 4n, from: start + 100n, to: start + 10_000_000n },
    { event: 'NonceInvalidated', nonce: invalid.nonce },
    { event: 'DestinationAdded', to: fresh, activeFrom: now + 10n },
    { event: 'DestinationRemoved', to: fresh, side: 'exit' },
    { event: 'LimitQueued', change: change2, token, cap: 2_000n, unlisted: false, readyAt: now + 12n },
    { event: 'LimitSet', token, cap: 2_000n, unlisted: false },
    { event: 'LimitSet', token, cap: 50n, unlisted: true },
    {
      event: 'ExitDestinationQueued',
      change: hexOf(digestOf(vault, vaultForms.exitDestinationChange, moved)),
      to: moved.to,
      readyAt: now + 54n,
    },
    { event: 'ExitDestinationChanged', to: moved.to },
    {
      event: 'KeyRotationQueued',
      change: hexOf(digestOf(vault, vaultForms.keyRotation, rotation)),
      side: 'quorum',
      role: 'client',
      newKey: other.id,
      readyAt: now + 75n,
    },
    { event: 'KeyRotated', role: 'client', newKey: other.id },
    { event: 'KeyRotationQueued', change, side: 'exit', role: 'exit', newKey: again.newKey, readyAt: now + 86n },
    { event: 'Vetoed', change, side: 'exit' },
    { event: 'Paused', side: 'client', until: now + 83n },
    { event: 'ExitRequested', readyAt: now + 109n },
    { event: 'ExitCancelled' },
    { event: 'ExitOpened', lastHeartbeat },
    { event: 'Exited', token, to: moved.to, amount: 4_988n },
  ];
  assert.deepEqual(seen, expected);
  const used = await Promise.all(
    [0n, 5n, 6n].map(async (each) => await ask(vault, vaultQuestions.nonceUsed, { side: 'quorum', nonce: each })),
  );
  assert.deepEqual(used, [true, true, false]);
  const gate = await ask(vault, vaultQuestions.gate, {});
  assert.deepEqual(gate, { exitReadyAt: now + 20_000n, quorumPauseUntil: 0n, clientPauseUntil: now + 83n });
  assert.equal(await ask(vault, vaultQuestions.destinations, { to: destination }), start);
  assert.equal(await ask(vault, vaultQuestions.feeClocks, { token }), start + 10_000_000n);
  assert.equal(await ask(vault, vaultQuestions.loweredAt, { token, unlisted: true }), now + 13n);
  assert.equal((await ask(vault, vaultQuestions.limits, { token })).cap, 2_000n);
  assert.equal((await ask(vault, vaultQuestions.unlistedLimits, { token })).written, true);
});

async function ask<T, A>(to: Address, question: QuestionForm<T, A>, values: T): Promise<A> {
  return await asked(world, to, { question, values });
}

/** A call as it is written after it was read. */
function reencoded(data: Hex): Hex {
  const { call, arguments: values } = parseVaultCall(hashes, data);
  const form: StructCodec<unknown> = vaultCalls[call].form;
  return callData(hashes, { name: call, form }, values);
}

test('a passkey signs where the chain does not verify P-256 itself', async () => {
  await using old = await startVaultChain('prague');
  const { config, vault } = termsOf(old, 'individual', 9);
  await old.send(old.factory, callData(hashes, factoryCalls.create, { config }));
  const message = { to: fresh, nonce: 1n, deadline };
  const add = async (signature: Hex): Promise<Sent> =>
    await old.send(vault, callData(hashes, vaultCalls.addDestination, { config, message, signature }));
  const other = await add(await passkey().sign(digestOf(vault, vaultForms.destinationAddition, message)));
  assert.equal(other.refusal?.refusal, 'WrongKey');
  const added = await add(await client.sign(digestOf(vault, vaultForms.destinationAddition, message)));
  assert.deepEqual(vaultEventsOf(added, vault), [
    { event: 'DestinationAdded', to: fresh, activeFrom: added.time + config.changeDelay },
  ]);
});
