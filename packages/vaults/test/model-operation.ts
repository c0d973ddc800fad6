import type { Address } from '@bulkhead/domain';
import fc from 'fast-check';
import {
  type Bounds,
  type Hex,
  hexOf,
  type InitialPolicy,
  nativeToken,
  type VaultCall,
  vaultForms,
  type VaultMessages,
  type VaultState,
} from '../src/index.ts';
import { addressOf } from '../src/testing/example.ts';
import { digestOf } from '../src/testing/vault-terms.ts';

const kinds = [
  'pay',
  'payBatch',
  'payOnce',
  'collectFee',
  'invalidate',
  'openPolicy',
  'addDestination',
  'removeDestination',
  'queueLimitRaise',
  'executeLimitRaise',
  'lowerLimit',
  'queueExitDestination',
  'executeExitDestination',
  'queueKeyRotation',
  'executeKeyRotation',
  'veto',
  'pause',
  'requestExit',
  'cancelExit',
  'openExit',
  'exit',
  'heartbeat',
] as const satisfies readonly (VaultCall['call'] | 'heartbeat')[];

/** A wish in small numbers, which the state of the moment turns into a call: so that most of them mean something. */
export type Operation = {
  readonly kind: (typeof kinds)[number];
  /** Which token, address, side, key or queued change. */
  readonly pick: number;
  readonly amount: bigint;
  readonly waitSeconds: bigint;
  readonly oddity: 'none' | 'used-nonce' | 'expired' | 'last-second';
};

/** Waits at and around every delay of the terms. */
const waits = [
  1n,
  1n,
  1n,
  2n,
  4n,
  5n,
  6n,
  9n,
  10n,
  11n,
  20n,
  29n,
  30n,
  31n,
  40n,
  41n,
  99n,
  100n,
  101n,
  5_000n,
  3_000_000n,
];
const amounts = [0n, 1n, 10n, 49n, 50n, 51n, 99n, 100n, 101n, 500n, 999n, 1_000n, 1_001n, 5_000n, 2n ** 104n - 1n];

export const operationArbitrary: fc.Arbitrary<Operation> = fc.record({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...kinds) },
    { weight: 2, arbitrary: fc.constantFrom('pay', 'pay', 'payBatch', 'collectFee') },
    { weight: 1, arbitrary: fc.constantFrom('executeLimitRaise', 'executeExitDestination', 'executeKeyRotation') },
  ),
  pick: fc.nat({ max: 1_000 }),
  amount: fc.constantFrom(...amounts),
  waitSeconds: fc.constantFrom(...waits),
  oddity: fc.oneof(
    { weight: 12, arbitrary: fc.constant('none' as const) },
    { weight: 1, arbitrary: fc.constantFrom('used-nonce', 'expired', 'last-second') },
  ),
});

export type Queued = {
  limitRaise: VaultMessages['limitRaise'][];
  exitDestinationChange: VaultMessages['exitDestinationChange'][];
  keyRotation: VaultMessages['keyRotation'][];
};

export type Stage = {
  readonly vault: Address;
  /** A vault of the same factory, deployed. */
  readonly sibling: Address;
  readonly token: Address;
  readonly policy: InitialPolicy;
  readonly config: VaultCall['arguments']['config'];
  readonly state: VaultState;
  readonly time: bigint;
  /** Of this operation: no other has it. */
  readonly nonce: bigint;
  readonly keys: readonly Hex[];
  readonly queued: Queued;
};

/** What is worth wishing for in the state of the moment; now and then what is not stays. */
function sensible(operation: Operation, { state, queued }: Stage): Operation {
  const { kind, pick } = operation;
  if (pick % 6 === 0) return operation;
  const exiting = state.gate.exitReadyAt !== 0n;
  if (exiting && kind !== 'exit') return { ...operation, kind: pick % 3 === 0 ? 'exit' : 'cancelExit' };
  if (!exiting && (kind === 'cancelExit' || kind === 'exit')) return { ...operation, kind: 'pay' };
  if (kind === 'executeLimitRaise' && queued.limitRaise.length === 0) return { ...operation, kind: 'queueLimitRaise' };
  if (kind === 'executeKeyRotation' && queued.keyRotation.length === 0) {
    return { ...operation, kind: 'queueKeyRotation' };
  }
  if (kind === 'executeExitDestination' && queued.exitDestinationChange.length === 0) {
    return { ...operation, kind: 'queueExitDestination' };
  }
  const opened = [...state.limits.values()].some(({ written }) => written);
  return opened || kind !== 'pay' ? operation : { ...operation, kind: 'openPolicy' };
}

/** The call an operation stands for, without signatures; undefined for a heartbeat. */
export function callOf(wish: Operation, stage: Stage): VaultCall | undefined {
  const operation = sensible(wish, stage);
  const { config } = stage;
  const signed = { signatures: '0x' as Hex, signature: '0x' as Hex, config };
  const { kind, pick, amount } = operation;
  const bounds = boundsOf(operation, stage);
  const token = pick % 2 === 0 ? nativeToken : stage.token;
  const unlisted = pick % 5 === 0;
  const to = addressOfPick(pick, stage);
  const side = pick % 3 === 0 ? 'quorum' : 'client';
  // A cap above every balance would let through what then fails in the transfer, which the model does not know.
  const change = { token, cap: amount > 10_000n ? 10_000n : amount, unlisted, ...bounds };
  switch (kind) {
    case 'heartbeat':
      return undefined;
    case 'pay':
      return { call: 'pay', arguments: { ...signed, message: { token, to, amount, ...bounds } } };
    case 'payBatch': {
      const payments = Array.from({ length: pick % 5 }, (_, place) => ({
        token: (pick + place) % 3 === 0 ? nativeToken : token,
        to: addressOfPick(pick + place * 7, stage),
        // Above any balance the transfer fails before the cap is looked at.
        amount: (amount % 1_000_000n) / BigInt(place + 1),
      }));
      return { call: 'payBatch', arguments: { ...signed, message: { payments, ...bounds } } };
    }
    case 'payOnce': {
      // What is above any balance fails in the transfer, which the model does not know.
      const message = { token, to, amount: amount % 10_000n, ...bounds };
      return { call: 'payOnce', arguments: { ...signed, clientSignature: '0x', message } };
    }
    case 'collectFee':
      return { call: 'collectFee', arguments: { ...signed, message: { token, amount: amount % 5_000n, ...bounds } } };
    case 'invalidate':
      return { call: 'invalidate', arguments: { ...signed, message: bounds } };
    case 'openPolicy': {
      const policy = pick % 7 === 0 ? { ...stage.policy, destinations: [] } : stage.policy;
      return { call: 'openPolicy', arguments: { config, policy } };
    }
    case 'addDestination':
      return { call: 'addDestination', arguments: { ...signed, message: { to, ...bounds } } };
    case 'removeDestination': {
      const remover = pick % 4 === 0 ? 'exit' : side;
      return { call: 'removeDestination', arguments: { ...signed, message: { side: remover, to, ...bounds } } };
    }
    case 'queueLimitRaise':
      return { call: 'queueLimitRaise', arguments: { ...signed, message: change } };
    case 'executeLimitRaise': {
      const message = pickOf(stage.queued.limitRaise, pick) ?? change;
      return { call: 'executeLimitRaise', arguments: { config, message } };
    }
    case 'lowerLimit':
      return { call: 'lowerLimit', arguments: { ...signed, message: { side, ...change } } };
    case 'queueExitDestination':
      return { call: 'queueExitDestination', arguments: { ...signed, message: { to, ...bounds } } };
    case 'executeExitDestination': {
      const message = pickOf(stage.queued.exitDestinationChange, pick) ?? { to, ...bounds };
      return { call: 'executeExitDestination', arguments: { config, message } };
    }
    case 'queueKeyRotation':
    case 'executeKeyRotation':
    case 'veto':
    case 'pause':
    case 'requestExit':
    case 'cancelExit':
    case 'openExit':
    case 'exit':
      return keyOrExitCall({ kind, pick, bounds }, stage);
  }
}

type KeyOrExit = {
  readonly kind: Extract<Operation['kind'], `${string}KeyRotation` | 'veto' | 'pause' | `${string}Exit` | 'exit'>;
  readonly pick: number;
  readonly bounds: Bounds;
};

function keyOrExitCall({ kind, pick, bounds }: KeyOrExit, stage: Stage): VaultCall {
  const { config } = stage;
  const signed = { signature: '0x' as Hex, config };
  const side = pick % 3 === 0 ? 'quorum' : 'client';
  const role = pick % 2 === 0 ? 'client' : 'exit';
  const newKey = stage.keys[pick % stage.keys.length] ?? '0x';
  const rotator = pick % 3 === 0 ? 'quorum' : pick % 11 === 0 ? 'client' : role;
  const rotation = { side: rotator, role, newKey, ...bounds } as const;
  switch (kind) {
    case 'queueKeyRotation':
      return { call: 'queueKeyRotation', arguments: { ...signed, message: rotation } };
    case 'executeKeyRotation': {
      const message = pickOf(stage.queued.keyRotation, pick) ?? rotation;
      return { call: 'executeKeyRotation', arguments: { config, message } };
    }
    case 'veto': {
      const message = { side: role, change: changeOfPick(pick, stage), ...bounds } as const;
      return { call: 'veto', arguments: { ...signed, message } };
    }
    case 'pause':
      return { call: 'pause', arguments: { ...signed, message: { side, ...bounds } } };
    case 'requestExit':
      return { call: 'requestExit', arguments: { ...signed, message: bounds } };
    case 'cancelExit':
      return { call: 'cancelExit', arguments: { ...signed, message: bounds } };
    case 'openExit':
      return { call: 'openExit', arguments: { config } };
    case 'exit':
      return { call: 'exit', arguments: { config, token: pick % 2 === 0 ? nativeToken : stage.token } };
  }
}

function boundsOf(
  { oddity }: Operation,
  { nonce, time }: Stage,
): { readonly nonce: bigint; readonly deadline: bigint } {
  switch (oddity) {
    case 'none':
      return { nonce, deadline: 2n ** 64n - 1n };
    case 'used-nonce':
      return { nonce: nonce / 2n, deadline: 2n ** 64n - 1n };
    case 'expired':
      return { nonce, deadline: time - 1n };
    case 'last-second':
      return { nonce, deadline: time };
  }
}

/** Known destinations often; the forbidden ones now and then. */
function addressOfPick(pick: number, stage: Stage): Address {
  const [listed = stage.vault] = stage.policy.destinations;
  const addresses = [listed, listed, listed, addressOf(0xd5), addressOf(0xd6), addressOf(0xd7)];
  const odd = [nativeToken, stage.vault, stage.sibling, stage.config.feeReceiver];
  if (pick % 13 === 0) return odd[((pick / 13) % odd.length) | 0] ?? stage.vault;
  return addresses[pick % addresses.length] ?? listed;
}

function changeOfPick(pick: number, { queued, vault }: Stage): Hex {
  const raise = pickOf(queued.limitRaise, pick);
  const moved = pickOf(queued.exitDestinationChange, pick);
  const rotated = pickOf(queued.keyRotation, pick);
  if (pick % 3 === 0 && raise !== undefined) return hexOf(digestOf(vault, vaultForms.limitRaise, raise));
  if (pick % 3 === 1 && moved !== undefined) return hexOf(digestOf(vault, vaultForms.exitDestinationChange, moved));
  if (rotated !== undefined) return hexOf(digestOf(vault, vaultForms.keyRotation, rotated));
  return `0x${'ab'.repeat(32)}`;
}

/** One of the newest, because the oldest were executed. */
function pickOf<T>(list: readonly T[], pick: number): T | undefined {
  return list.at(-1 - (pick % 3)) ?? list.at(-1);
}
