import type { MovementIntent } from '@bulkhead/domain';
import * as registry from '../../src/core/testing/registry.ts';
import {
  call,
  encode,
  encodeAs,
  encodeLegacy,
  integer,
  partsOf,
  type TransactionParts,
} from '../../src/core/testing/transaction.ts';
import { change, request, withdrawal, type World } from '../../src/core/testing/world.ts';
import { type Attack, asking } from './attack.ts';

const { first, second, gas, fees } = registry.compartments;

type Crafter = (intent: MovementIntent, world: World) => Partial<TransactionParts>;

/** A transaction that is not the one of an intent that everybody approved. */
function crafted(
  name: string,
  parts: Crafter,
  own: Partial<ReturnType<typeof withdrawal>> = {},
  code: Attack['code'] = 'signer/malformed-transaction',
): Attack {
  return asking(name, code, {
    attack: (world) => request(world, withdrawal(world, own), { parts: parts(withdrawal(world, own), world) }),
    honest: (world) => request(world, withdrawal(world, own)),
  });
}

function enveloped(name: string, unsigned: (parts: TransactionParts) => Uint8Array): Attack {
  return asking(name, 'signer/malformed-transaction', {
    attack: (world) => {
      const intent = withdrawal(world);
      return request(world, intent, { unsigned: unsigned(partsOf({ ...intent, nonce: 0n })) });
    },
    honest: (world) => request(world, withdrawal(world)),
  });
}

const token = { asset: registry.token } as const;
const withToken = (name: string, parts: Crafter): Attack => crafted(name, parts, token);

type Effect = {
  readonly deployment: string;
  readonly id: string;
  readonly asset: MovementIntent['asset'];
  readonly amount: bigint;
  readonly feeMax: bigint;
};

const effect: Effect = {
  deployment: registry.deployment,
  id: 'sw_one',
  asset: registry.ether,
  amount: registry.oneEther / 100n,
  feeMax: 1_000_000n,
};

const sweep = (world: World): MovementIntent => ({
  ...effect,
  kind: 'sweep',
  compartment: first,
  to: world.address(first, 0),
});
const gasGrant = (world: World): MovementIntent => ({
  ...effect,
  kind: 'gas-grant',
  compartment: gas,
  beneficiary: first,
  to: world.address(first, 5),
});
const feePayment = (world: World): MovementIntent => ({
  ...effect,
  kind: 'fee-payment',
  compartment: first,
  client: registry.clientOne,
  to: world.address(fees, 0),
});

type Unattended = {
  readonly honest: (world: World) => MovementIntent;
  readonly attack: (world: World) => MovementIntent;
  readonly code?: Attack['code'];
};

/** What moves without people, to where it must not go. */
function unattended(name: string, { honest, attack, code = 'signer/unknown-destination' }: Unattended): Attack {
  return asking(name, code, {
    attack: (world) => request(world, attack(world)),
    honest: (world) => request(world, honest(world)),
  });
}

const cancelOf = (world: World, id: string, nonce: bigint): Extract<MovementIntent, { readonly kind: 'cancel' }> => ({
  ...effect,
  kind: 'cancel',
  id: 'cn_one',
  amount: 0n,
  compartment: first,
  to: world.address(first, 0),
  cancels: id,
  nonce,
});

const signed =
  (id: string, nonce: bigint) =>
  async (world: World): Promise<unknown> =>
    world.core().sign(request(world, withdrawal(world, { id }), { nonce }));

export const transactionAttacks: readonly Attack[] = [
  crafted('pays somebody else', () => ({ to: Buffer.from(registry.thief.slice(2), 'hex') })),
  crafted('pays more', () => ({ value: 2n * registry.oneEther })),
  crafted('is for another chain', () => ({ chain: 10 })),
  crafted('a native payment with call data', () => ({ data: Buffer.from('00', 'hex') })),
  crafted('an access list', () => ({ accessList: [[Buffer.from(registry.thief.slice(2), 'hex'), []]] })),
  crafted('the creation of a contract', () => ({ to: new Uint8Array(), data: Buffer.from('6000', 'hex') })),
  crafted('priority fee above the highest fee', () => ({ priority: 11n })),
  crafted('price of gas without limit', () => ({ maxFee: 2n ** 96n }), {}, 'signer/fee-above-limit'),
  crafted('limit of gas without limit', () => ({ gasLimit: 2n ** 60n }), {}, 'signer/fee-above-limit'),
  withToken('approve instead of transfer', ({ amount }) => ({ data: call('095ea7b3', registry.thief, amount) })),
  withToken('approve for the right recipient', ({ to, amount }) => ({ data: call('095ea7b3', to, amount) })),
  withToken('transferFrom', ({ to, amount }, world) => ({
    data: Buffer.concat([
      Buffer.from(`23b872dd${world.address(first, 0).slice(2).padStart(64, '0')}`, 'hex'),
      call('', to, amount),
    ]),
  })),
  withToken('a second call behind the first', ({ to, amount }) => ({
    data: Buffer.concat([call('a9059cbb', to, amount), call('a9059cbb', registry.thief, amount)]),
  })),
  withToken('call data cut short', ({ to, amount }) => ({ data: call('a9059cbb', to, amount).subarray(0, 67) })),
  withToken('a recipient with dirt in its upper bytes', ({ to, amount }) => {
    const data = Buffer.from(call('a9059cbb', to, amount));
    data[4] = 1;
    return { data };
  }),
  withToken('a token transfer that carries ether', () => ({ value: 1n })),
  withToken('the call goes to another contract', () => ({ to: Buffer.from(registry.thief.slice(2), 'hex') })),
  withToken('the amount in the call data raised', ({ to }) => ({ data: call('a9059cbb', to, 2n * registry.oneEther) })),
  enveloped('a legacy transaction', encodeLegacy),
  enveloped('a transaction of type 1', (parts) => encodeAs(1, parts)),
  enveloped('a blob transaction', (parts) => encodeAs(3, parts)),
  enveloped('a set-code transaction', (parts) => encodeAs(4, parts)),
  enveloped('bytes behind the transaction', (parts) => Buffer.concat([encode(parts), Buffer.of(0)])),
  enveloped('no transaction at all', () => integer(2n ** 255n)),
  asking('key path of another compartment', 'signer/malformed-transaction', {
    attack: (world) => request(world, withdrawal(world), { key: { compartment: second, index: 0 } }),
    honest: (world) => request(world, withdrawal(world)),
  }),
  unattended('sweep to somebody else', {
    honest: sweep,
    attack: (world) => ({ ...sweep(world), to: registry.thief }),
  }),
  unattended('sweep to the pool of another compartment', {
    honest: sweep,
    attack: (world) => ({ ...sweep(world), to: world.address(second, 0) }),
  }),
  unattended('sweep to an enrolled destination', {
    honest: sweep,
    attack: (world) => ({ ...sweep(world), to: registry.exchange }),
  }),
  unattended('sweep to an address that is no listed wallet', {
    honest: sweep,
    attack: (world) => ({ ...sweep(world), to: world.address(first, 9) }),
  }),
  asking('sweep to a listed address of one client', 'signer/unknown-destination', {
    before: async (world) => {
      const deposit = { item: 'wallet', compartment: first, key: '9', tier: 'hot', purpose: 'deposit' } as const;
      const pool = { ...deposit, key: '8', purpose: 'pool' } as const;
      const items = [deposit, pool];
      await world.core().change(change(world, { kind: 'policy-change', id: 'pc_listed', before: 2n, items }));
    },
    attack: (world) => request(world, { ...sweep(world), to: world.address(first, 9) }),
    honest: (world) => request(world, { ...sweep(world), to: world.address(first, 8) }),
  }),
  unattended('fee payment to another compartment of the house', {
    honest: feePayment,
    attack: (world) => ({ ...feePayment(world), to: world.address(gas, 0) }),
  }),
  unattended('fee payment to somebody else', {
    honest: feePayment,
    attack: (world) => ({ ...feePayment(world), to: registry.thief }),
  }),
  unattended('gas grant to somebody else', {
    honest: gasGrant,
    attack: (world) => ({ ...gasGrant(world), to: registry.thief }),
  }),
  unattended('gas grant to an address of another compartment', {
    honest: gasGrant,
    attack: (world) => ({ ...gasGrant(world), to: world.address(second, 5) }),
  }),
  unattended('gas grant above its limit', {
    honest: gasGrant,
    attack: (world) => ({ ...gasGrant(world), amount: registry.oneEther }),
    code: 'signer/amount-above-limit',
  }),
  unattended('gas grant out of the fees of the house', {
    honest: gasGrant,
    attack: (world) => ({ ...gasGrant(world), compartment: fees }),
    code: 'signer/unknown-wallet',
  }),
  unattended('cancel that pays somebody', {
    honest: (world) => cancelOf(world, 'wd_one', 0n),
    attack: (world) => ({ ...cancelOf(world, 'wd_one', 0n), to: registry.thief }),
  }),
  unattended('cancel that moves value', {
    honest: (world) => cancelOf(world, 'wd_one', 0n),
    attack: (world) => ({ ...cancelOf(world, 'wd_one', 0n), amount: 1n }),
    code: 'intent/malformed',
  }),
  asking('cancel whose transaction moves value', 'signer/malformed-transaction', {
    attack: (world) => request(world, cancelOf(world, 'wd_one', 0n), { parts: { value: 1n } }),
    honest: (world) => request(world, cancelOf(world, 'wd_one', 0n)),
  }),
  asking("cancel of somebody else's nonce", 'signer/nonce-taken', {
    before: signed('wd_one', 0n),
    attack: (world) => request(world, cancelOf(world, 'wd_other', 0n)),
    honest: (world) => request(world, { ...cancelOf(world, 'wd_one', 0n), id: 'cn_two' }),
  }),
  asking('cancel at another nonce than that of the intent', 'signer/intent-spent', {
    before: signed('wd_one', 0n),
    attack: (world) => request(world, cancelOf(world, 'wd_one', 1n)),
    honest: (world) => request(world, { ...cancelOf(world, 'wd_one', 0n), id: 'cn_two' }),
  }),
  asking('the same intent at a second nonce', 'signer/intent-spent', {
    before: signed('wd_one', 0n),
    attack: (world) => request(world, withdrawal(world), { nonce: 1n }),
    honest: (world) => request(world, withdrawal(world), { nonce: 0n, parts: { maxFee: 12n } }),
  }),
  asking('the same id with another content, approved anew', 'signer/intent-spent', {
    before: signed('wd_one', 0n),
    attack: (world) => request(world, withdrawal(world, { amount: 1n })),
    honest: (world) => request(world, withdrawal(world, { id: 'wd_two', amount: 1n }), { nonce: 1n }),
  }),
  asking('the same intent from a second wallet', 'signer/intent-spent', {
    before: signed('wd_one', 0n),
    attack: (world) => request(world, withdrawal(world), { key: { compartment: first, index: 3 } }),
    honest: (world) => request(world, withdrawal(world), { parts: { maxFee: 12n } }),
  }),
  asking('the nonce of another intent', 'signer/nonce-taken', {
    before: signed('wd_one', 0n),
    attack: (world) => request(world, withdrawal(world, { id: 'wd_two' }), { nonce: 0n }),
    honest: (world) => request(world, withdrawal(world, { id: 'wd_two' }), { nonce: 1n }),
  }),
];
