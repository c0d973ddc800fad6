import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Address } from '@bulkhead/domain';
import fc from 'fast-check';
import { callOf, type Operation, operationArbitrary, type Queued, type Stage } from '../test/model-operation.ts';
import { type AccountKey, accountKey, chain, hashes, startVaultChain, type VaultChain } from './testing/vault-chain.ts';
import { digestOf, mint, termsOf, vaultEventsOf } from './testing/vault-terms.ts';
import type { StructCodec } from './codec.ts';
import {
  callData,
  expectedStorage,
  factoryCalls,
  heartbeatDomain,
  heartbeatForm,
  type Hex,
  type HistoryEntry,
  type InitialPolicy,
  isRefusal,
  judgeHistory,
  nativeToken,
  newVaultState,
  ruleOnCall,
  signerSetCalls,
  type Surroundings,
  typedDigest,
  vaultAddress,
  type VaultCall,
  vaultCalls,
  type VaultConfig,
  type VaultEvent,
  vaultForms,
  type VaultSide,
  type VaultState,
  type VaultTerms,
} from './index.ts';
import { keyInForce } from './vault-state.ts';

/** The long form belongs to `npm run contracts:deep`. */
const deep = process.env['BULKHEAD_DEEP'] === '1';
const sequences = deep ? 40 : 4;
const operationsEach = deep ? 250 : 80;

/** A development chain keeps the state of each of its blocks, and gets slow when it has many. */
const sequencesEach = 3n;

let world: VaultChain;
before(async () => {
  world = await startVaultChain();
});
after(async () => await world[Symbol.asyncDispose]());

const keys: readonly AccountKey[] = [0xc1, 0xc2, 0xc3, 0xe1, 0xe2, 0xe3].map(accountKey);
const balanceAtStart = 1_000_000_000n;
const balanceMin = 100_000_000n;

/** What is true in all runs together: so that a generator which never gets anywhere is no proof. */
const accepted = new Map<string, number>();
const refused = new Map<string, number>();

test('whatever is asked of a vault, the model answers as the contract does, with the same events and the same reasons', async () => {
  let number = 0n;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<VaultConfig['kind']>('individual', 'omnibus'),
      fc.array(operationArbitrary, { minLength: operationsEach, maxLength: operationsEach }),
      async (kind, operations) => {
        number += 1n;
        if (number % sequencesEach === 0n) {
          await world[Symbol.asyncDispose]();
          world = await startVaultChain();
        }
        await comparing(kind, operations, number);
      },
    ),
    { numRuns: sequences, seed: 20_261_130, endOnFailure: true },
  );
  const calls = Object.keys(vaultCalls);
  const never = calls.filter((call) => (accepted.get(call) ?? 0) < (deep ? 10 : 1));
  assert.deepEqual(never, [], 'calls that were hardly ever accepted');
  // Signatures are always right here, and nothing calls back.
  const unreached = ['WrongConfig', 'Reentered', 'NoQuorum', 'WrongKey', 'BeyondTime'];
  assert.ok(refused.size >= (deep ? 24 : 18), `only these reasons: ${[...refused.keys()].join(', ')}`);
  assert.ok(unreached.every((reason) => !refused.has(reason)));
});

async function comparing(kind: VaultConfig['kind'], operations: readonly Operation[], number: bigint): Promise<void> {
  const { config, policy } = modelTerms(kind, number);
  const vault = vaultAddress(hashes, world, config);
  const sibling = vaultAddress(hashes, world, modelTerms(kind, 10_000n).config);
  const configs = [config, modelTerms(kind, 10_000n).config];
  const { time: start } = await world.send(world.factory, callData(hashes, factoryCalls.createMany, { configs }));
  let time = start;
  let state: VaultState = newVaultState;
  let lastHeartbeat = await heartbeat((time += 1n));
  const queued: Queued = { limitRaise: [], exitDestinationChange: [], keyRotation: [] };
  const balances = new Map<Address, bigint>();
  const history: HistoryEntry[] = [];
  const before = new Map<string, bigint>();
  for (const [place, operation] of operations.entries()) {
    for (const token of [nativeToken, world.token]) {
      if ((balances.get(token) ?? 0n) >= balanceMin) continue;
      await topUp(vault, token, balances);
      time = await now();
    }
    time += operation.waitSeconds;
    const around: Surroundings = {
      hashes,
      chain,
      vault,
      config,
      time,
      lastHeartbeat,
      balanceOf: (token) => balances.get(token) ?? 0n,
      isClone: (address) => address === vault || address === sibling,
    };
    const nonce = BigInt(place);
    const stage: Stage = {
      vault,
      sibling,
      token: world.token,
      policy,
      config,
      state,
      time,
      nonce,
      keys: [...keys.map(({ id }) => id), `0x${'0'.repeat(64)}`],
      queued,
    };
    const call = callOf(operation, stage);
    if (call === undefined) {
      lastHeartbeat = await heartbeat(time);
      continue;
    }
    const ruling = ruleOnCall(state, around, call);
    const sent = await world.send(vault, await signedData(call, stage), { time });
    assert.equal(sent.time, time);
    if (isRefusal(ruling)) {
      assert.ok(!sent.succeeded, `${call.call} was refused by the model alone: ${ruling.refusal}`);
      assert.deepEqual(sent.refusal, ruling);
      refused.set(ruling.refusal, (refused.get(ruling.refusal) ?? 0) + 1);
      continue;
    }
    assert.ok(
      sent.succeeded,
      `${call.call} was refused by the contract alone: ${sent.refusal?.refusal ?? sent.output}`,
    );
    assert.deepEqual(vaultEventsOf(sent, vault), ruling.events);
    ({ state } = ruling);
    accepted.set(call.call, (accepted.get(call.call) ?? 0) + 1);
    remember(call, queued);
    for (const event of ruling.events) {
      if ('token' in event) before.set(`${time} ${event.token}`, balances.get(event.token) ?? 0n);
      history.push({ height: time, time, transaction: String(time), event });
      book(event, balances);
    }
  }
  await readingBack(vault, history, { config, policy, before, sibling });
}

type Read = {
  readonly config: VaultConfig;
  readonly policy: InitialPolicy;
  readonly before: ReadonlyMap<string, bigint>;
  readonly sibling: Address;
};

/** Whoever reads the events alone finds nothing wrong, and knows what the storage holds. */
async function readingBack(vault: Address, history: readonly HistoryEntry[], read: Read): Promise<void> {
  const { config, policy, before, sibling } = read;
  const { findings, state } = judgeHistory(history, {
    config,
    policy,
    isVault: (address) => address === vault || address === sibling,
    balanceAt: ({ time }, token) => before.get(`${time} ${token}`),
  });
  assert.deepEqual(findings, []);
  for (const { slot, name, value, bits } of expectedStorage(hashes, state, [nativeToken, world.token])) {
    const found = await world.node.call('eth_getStorageAt', vault, slot, 'latest');
    assert.equal(BigInt(String(found)) & bits, value, name);
  }
}

/** Vaults by the thousand, with keys that the model rotates and a heartbeat that it lets lapse. */
function modelTerms(kind: VaultConfig['kind'], number: bigint): VaultTerms {
  const { config, policy } = termsOf(world, kind, 0);
  const own = {
    clientId: `0x${(number + 1n).toString(16).padStart(64, '0')}`,
    clientKey: keys[0]?.id ?? '0x',
    exitKey: keys[3]?.id ?? '0x',
    heartbeatPeriod: 5_000n,
  } as const;
  return { config: { ...config, ...own }, policy };
}

function remember(call: VaultCall, queued: Queued): void {
  if (call.call === 'queueLimitRaise') queued.limitRaise.push(call.arguments.message);
  if (call.call === 'queueExitDestination') queued.exitDestinationChange.push(call.arguments.message);
  if (call.call === 'queueKeyRotation') queued.keyRotation.push(call.arguments.message);
}

function book(event: VaultEvent, balances: Map<Address, bigint>): void {
  if (event.event !== 'Withdrawn' && event.event !== 'FeeCollected' && event.event !== 'Exited') return;
  balances.set(event.token, (balances.get(event.token) ?? 0n) - event.amount);
}

async function topUp(vault: Address, token: Address, balances: Map<Address, bigint>): Promise<void> {
  const balance = balances.get(token) ?? 0n;
  if (token === nativeToken) await world.node.setBalance(vault, balanceAtStart);
  else await mint(world, vault, balanceAtStart - balance);
  balances.set(token, balanceAtStart);
}

async function now(): Promise<bigint> {
  const block = (await world.node.call('eth_getBlockByNumber', 'latest', false)) as { timestamp: Hex };
  return BigInt(block.timestamp);
}

/** Time of the heartbeat that the signer set took. */
async function heartbeat(time: bigint): Promise<bigint> {
  const block = (await world.node.call('eth_getBlockByNumber', 'latest', false)) as { number: Hex; hash: Hex };
  const beat = { blockNumber: BigInt(block.number), blockHash: block.hash, statement: `0x${'0'.repeat(64)}` } as const;
  const domain = heartbeatDomain(chain, world.signerSet);
  const signatures = await world.quorum(typedDigest(hashes, domain, { form: heartbeatForm, message: beat }));
  const sent = await world.send(world.signerSet, callData(hashes, signerSetCalls.heartbeat, { beat, signatures }), {
    time,
  });
  assert.ok(sent.succeeded);
  return time;
}

/** Call data with the signatures of whoever must sign by the model's state. */
async function signedData(call: VaultCall, { vault, config, state }: Stage): Promise<Hex> {
  const by = async <T>(side: VaultSide, form: StructCodec<T>, message: T): Promise<Hex> => {
    const digest = digestOf(vault, form, message);
    if (side === 'quorum') return await world.quorum(digest);
    const id = keyInForce(state, config, side);
    const key = keys.find((each) => each.id === id);
    assert.ok(key !== undefined);
    return await key.sign(digest);
  };
  switch (call.call) {
    case 'pay': {
      const signatures = await by('quorum', vaultForms.withdrawal, call.arguments.message);
      return callData(hashes, vaultCalls.pay, { ...call.arguments, signatures });
    }
    case 'payBatch': {
      const signatures = await by('quorum', vaultForms.withdrawalBatch, call.arguments.message);
      return callData(hashes, vaultCalls.payBatch, { ...call.arguments, signatures });
    }
    case 'payOnce': {
      const signatures = await by('quorum', vaultForms.oneOff, call.arguments.message);
      const clientSignature = await by('client', vaultForms.oneOff, call.arguments.message);
      return callData(hashes, vaultCalls.payOnce, { ...call.arguments, signatures, clientSignature });
    }
    case 'collectFee': {
      const signatures = await by('quorum', vaultForms.fee, call.arguments.message);
      return callData(hashes, vaultCalls.collectFee, { ...call.arguments, signatures });
    }
    case 'invalidate': {
      const signatures = await by('quorum', vaultForms.invalidation, call.arguments.message);
      return callData(hashes, vaultCalls.invalidate, { ...call.arguments, signatures });
    }
    case 'addDestination': {
      const signature = await by('client', vaultForms.destinationAddition, call.arguments.message);
      return callData(hashes, vaultCalls.addDestination, { ...call.arguments, signature });
    }
    case 'removeDestination': {
      const { message } = call.arguments;
      const signature = await by(message.side, vaultForms.destinationRemoval, message);
      return callData(hashes, vaultCalls.removeDestination, { ...call.arguments, signature });
    }
    case 'queueLimitRaise': {
      const signature = await by('client', vaultForms.limitRaise, call.arguments.message);
      return callData(hashes, vaultCalls.queueLimitRaise, { ...call.arguments, signature });
    }
    case 'lowerLimit': {
      const { message } = call.arguments;
      const signature = await by(message.side, vaultForms.limitLowering, message);
      return callData(hashes, vaultCalls.lowerLimit, { ...call.arguments, signature });
    }
    case 'queueExitDestination': {
      const signature = await by('client', vaultForms.exitDestinationChange, call.arguments.message);
      return callData(hashes, vaultCalls.queueExitDestination, { ...call.arguments, signature });
    }
    case 'queueKeyRotation': {
      const { message } = call.arguments;
      const signature = await by(message.side, vaultForms.keyRotation, message);
      return callData(hashes, vaultCalls.queueKeyRotation, { ...call.arguments, signature });
    }
    case 'veto': {
      const { message } = call.arguments;
      const signature = await by(message.side, vaultForms.veto, message);
      return callData(hashes, vaultCalls.veto, { ...call.arguments, signature });
    }
    case 'pause': {
      const { message } = call.arguments;
      const signature = await by(message.side, vaultForms.pause, message);
      return callData(hashes, vaultCalls.pause, { ...call.arguments, signature });
    }
    case 'requestExit': {
      const signature = await by('exit', vaultForms.exitRequest, call.arguments.message);
      return callData(hashes, vaultCalls.requestExit, { ...call.arguments, signature });
    }
    case 'cancelExit': {
      const signature = await by('exit', vaultForms.exitCancellation, call.arguments.message);
      return callData(hashes, vaultCalls.cancelExit, { ...call.arguments, signature });
    }
    case 'openPolicy':
      return callData(hashes, vaultCalls.openPolicy, call.arguments);
    case 'executeLimitRaise':
      return callData(hashes, vaultCalls.executeLimitRaise, call.arguments);
    case 'executeExitDestination':
      return callData(hashes, vaultCalls.executeExitDestination, call.arguments);
    case 'executeKeyRotation':
      return callData(hashes, vaultCalls.executeKeyRotation, call.arguments);
    case 'openExit':
      return callData(hashes, vaultCalls.openExit, call.arguments);
    case 'exit':
      return callData(hashes, vaultCalls.exit, call.arguments);
  }
}
