import { createHash } from 'node:crypto';
import { nobleHashes } from '@bulkhead/authority';
import { type Address, type Compartment, type MovementIntent, parseAddress } from '@bulkhead/domain';
import {
  callData,
  factoryCalls,
  type Hex,
  proofRegistryCalls,
  signerSetCalls,
  standardAddress,
  standardDeployment,
  standardFactory,
  sweepDelegateCreationCode,
  vaultCalls,
  vaultIntentCall,
} from '@bulkhead/vaults';
import * as registry from '../../src/core/testing/registry.ts';
import {
  encodeAuthorization,
  encodeSetCode,
  partsOf,
  type TransactionParts,
} from '../../src/core/testing/transaction.ts';
import { accountKey, signerSet, vaultOf, vaultSystem } from '../../src/core/testing/vault.ts';
import { vaultFee, vaultRequest, vaultWithdrawal } from '../../src/core/testing/vault-intent.ts';
import { request, withdrawal, type World } from '../../src/core/testing/world.ts';
import { acting, asking, type Attack } from './attack.ts';

const { first, second, gas, fees } = registry.compartments;
const { vaults, mainChain, thief, ether } = registry;
const system = vaultSystem(mainChain);
type Relay = Extract<MovementIntent, { readonly kind: 'relay' }>;
type Request = ReturnType<typeof request>;

/** Signatures of a quorum, as far as a relay can tell: whether they are right is the contract's business. */
const signatures: Hex = `0x${'11'.repeat(130)}`;

type Relayed = {
  readonly to?: Address;
  readonly call: Hex;
  readonly own?: Partial<Relay>;
  readonly beneficiary?: Compartment;
  readonly parts?: Partial<TransactionParts>;
  /** What the intent's digest is of, where that is not what is called. */
  readonly digestOf?: Hex;
};

function bytesOf(hex: Hex): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.slice(2), 'hex'));
}

function relay(world: World, relayed: Relayed): Request {
  const { to = vaults.first.address, call, own = {}, beneficiary = first, parts = {}, digestOf = call } = relayed;
  const intent: Relay = {
    deployment: registry.deployment,
    kind: 'relay',
    id: 'rel_one',
    compartment: gas,
    asset: ether,
    to,
    amount: 0n,
    feeMax: 10_000_000n,
    relays: 'wd_vault',
    beneficiary,
    callDigest: createHash('sha256').update(bytesOf(digestOf)).digest('hex'),
    ...own,
  };
  return request(world, intent, { parts: { data: bytesOf(call), gasLimit: 300_000n, ...parts } });
}

type Withdrawal = Parameters<typeof vaultWithdrawal>[1];

function payment(world: World, own: Withdrawal = {}, vault = vaults.first): Hex {
  const { config } = vault;
  return vaultIntentCall(nobleHashes, vaultWithdrawal(world, own, vault), { config, signatures });
}

function deployment(calls: readonly Hex[], vault = vaults.first): Hex {
  return callData(nobleHashes, factoryCalls.createAndCall, { config: vault.config, calls });
}

function policyOf(vault = vaults.first): Hex {
  return callData(nobleHashes, vaultCalls.openPolicy, { config: vault.config, policy: vault.policy });
}

/** A relay that the honest one differs from in one thing. */
function relaying(name: string, code: Attack['code'], attack: (world: World) => Relayed): Attack {
  return asking(name, code, {
    attack: (world) => relay(world, attack(world)),
    honest: (world) => relay(world, { call: payment(world) }),
  });
}

const wrong = 'signer/malformed-transaction';
const stranger = vaultOf({ chain: mainChain, compartment: first, client: 'cl_one', key: accountKey('stranger') });
const set = { to: signerSet, beneficiary: gas };
const proofs = { to: registry.proofRegistry, beneficiary: gas, own: { relays: 'proof_one' } };
const factory = { to: system.factory };

const calls: readonly Attack[] = [
  relaying('a relay with coins', wrong, (world) => ({ call: payment(world), parts: { value: 1n } })),
  relaying('a relay to a stranger', 'signer/unknown-destination', (world) => ({ to: thief, call: payment(world) })),
  relaying('a relay to a token', 'signer/unknown-destination', (world) => ({
    to: parseAddress(`0x${'70'.repeat(20)}`),
    call: payment(world),
  })),
  relaying('a relay to another contract than its intent names', wrong, (world) => ({
    call: payment(world),
    parts: { to: bytesOf(thief) },
  })),
  relaying('a relay of a function that no vault has', wrong, () => ({ call: `0xdeadbeef${'00'.repeat(64)}` })),
  relaying('a relay of the transfer of a token', wrong, () => ({ call: `0xa9059cbb${'00'.repeat(64)}` })),
  relaying('a relay of a call with bytes behind it', wrong, (world) => ({ call: `${payment(world)}00` })),
  relaying('a relay without a call', wrong, () => ({ call: '0x' })),
  relaying('a relay of another call than its intent names', wrong, (world) => ({
    call: payment(world),
    digestOf: payment(world, { amount: 1n }),
  })),
  relaying('a call with the configuration of another vault', wrong, (world) => ({
    call: payment(world, {}, vaults.second),
  })),
  relaying('a relay for the vault of another client', wrong, (world) => ({
    call: payment(world),
    beneficiary: second,
  })),
  relaying('a deployment that pays twice, once by the intent', wrong, (world) => ({
    ...factory,
    call: deployment([policyOf(), payment(world), payment(world, { vaultNonce: 1n })]),
  })),
  relaying('a deployment of a vault that no list names', wrong, (world) => ({
    ...factory,
    call: deployment([payment(world, {}, stranger)], stranger),
  })),
  relaying('a deployment that calls with the configuration of another vault', wrong, (world) => ({
    ...factory,
    call: deployment([payment(world, {}, vaults.second)]),
  })),
  relaying('a deployment whose call no vault has', wrong, () => ({ ...factory, call: deployment(['0xdeadbeef']) })),
  relaying('several vaults made under the name of one client', wrong, () => ({
    ...factory,
    call: callData(nobleHashes, factoryCalls.createMany, { configs: [vaults.first.config, vaults.second.config] }),
  })),
  relaying('a flush of forwarders of a vault that no list names', wrong, () => ({
    ...factory,
    call: callData(nobleHashes, factoryCalls.flush, { vault: stranger.address, salts: [], token: thief }),
  })),
  relaying('a function that the set of signers does not have', wrong, (world) => ({ ...set, call: payment(world) })),
  relaying('a relay that could burn more than its intent allows', 'signer/fee-above-limit', (world) => ({
    call: payment(world),
    own: { feeMax: 2_999_999n },
  })),
  relaying('a relay from another compartment of the house', 'signer/unknown-wallet', (world) => ({
    call: payment(world),
    own: { compartment: fees },
  })),
];

const grant = async (world: World): Promise<unknown> =>
  world.core().signVault(vaultRequest(world, vaultWithdrawal(world)));

const granted: readonly Attack[] = [
  asking('a relay of a higher amount than was granted', wrong, {
    before: grant,
    attack: (world) => relay(world, { call: payment(world, { amount: 2n }) }),
    honest: (world) => relay(world, { ...factory, call: deployment([policyOf(), payment(world)]) }),
  }),
  asking('a relay of something else under the id of what was granted', wrong, {
    before: grant,
    attack: (world) =>
      relay(world, {
        call: vaultIntentCall(nobleHashes, vaultFee(world), { config: vaults.first.config, signatures }),
      }),
    honest: (world) => relay(world, { call: payment(world) }),
  }),
  asking('a relay of nothing under the id of what was granted', wrong, {
    before: grant,
    attack: (world) => relay(world, { ...factory, call: deployment([policyOf()]) }),
    honest: (world) => relay(world, { ...factory, call: deployment([payment(world)]) }),
  }),
];

/** Where the delegate of the compartment's own pool wallet is. */
function delegateFor(wallet: Address): Address {
  return standardAddress(nobleHashes, sweepDelegateCreationCode(bytesOf(`0x${system.delegateCode}`), wallet));
}

type Delegation = Extract<MovementIntent, { readonly kind: 'delegation' }>;

type Delegated = {
  readonly own?: Partial<Delegation>;
  readonly chain?: number;
  readonly nonce?: bigint;
  readonly index?: number;
};

function delegation(world: World, { own = {}, chain = 1, nonce, index = 7 }: Delegated = {}): Request {
  const wallet = world.address(first, 0);
  const intent: Delegation = {
    deployment: registry.deployment,
    kind: 'delegation',
    id: 'dlg_one',
    compartment: first,
    asset: ether,
    to: delegateFor(wallet),
    amount: 0n,
    feeMax: 0n,
    wallet,
    nonce: 0n,
    ...own,
  };
  const unsigned = encodeAuthorization({ chain, delegate: intent.to, nonce: nonce ?? intent.nonce });
  return request(world, intent, { unsigned, key: { compartment: first, index } });
}

function delegating(name: string, code: Attack['code'], attack: (world: World) => Delegated): Attack {
  return asking(name, code, {
    attack: (world) => delegation(world, attack(world)),
    honest: (world) => delegation(world),
  });
}

const zero = parseAddress(`0x${'0'.repeat(40)}`);

const delegations: readonly Attack[] = [
  delegating('a delegation to a stranger', wrong, () => ({ own: { to: thief } })),
  delegating('a delegation to the delegate of another wallet', wrong, () => ({ own: { to: delegateFor(thief) } })),
  delegating('a delegation that pays the wallet of another client', 'signer/unknown-destination', (world) => ({
    own: { wallet: world.address(second, 0), to: delegateFor(world.address(second, 0)) },
  })),
  delegating('a delegation for every chain', wrong, () => ({ chain: 0 })),
  delegating('a delegation for another chain', wrong, () => ({ chain: 10 })),
  delegating('a delegation of another nonce than its intent has', wrong, () => ({ nonce: 1n })),
  delegating('a delegation of the wallet that all sweeps go to', 'signer/unknown-wallet', () => ({ index: 0 })),
  asking('the bytes of a transaction in the place of a delegation', wrong, {
    attack: (world) => ({ ...delegation(world), unsigned: request(world, withdrawal(world)).unsigned }),
    honest: (world) => delegation(world, { own: { to: zero } }),
  }),
  asking('a delegation with the nonce of another intent', 'signer/nonce-taken', {
    before: async (world) => world.core().sign(delegation(world)),
    attack: (world) => delegation(world, { own: { id: 'dlg_two', to: zero } }),
    honest: (world) => delegation(world, { own: { id: 'dlg_two', to: zero, nonce: 1n } }),
  }),
  asking('authorisations in a withdrawal', wrong, {
    attack: (world) => {
      const intent = withdrawal(world);
      const parts = partsOf({ ...intent, nonce: 0n });
      const authorizations = [{ chain: 1, delegate: thief, nonce: 0n }];
      return request(world, intent, { unsigned: encodeSetCode(parts, authorizations) });
    },
    honest: (world) => request(world, withdrawal(world)),
  }),
  acting('a relay whose authorisation is for another chain', wrong, {
    attack: async (world) => world.core().sign(carrying(world, 10)),
    honest: async (world) => world.core().sign(carrying(world, 1)),
  }),
];

/** The house has the delegate of a wallet made, as anybody can. */
function making(
  world: World,
  wallet: Address,
  own: { readonly beneficiary?: Compartment; readonly code?: string } = {},
): Request {
  const code = own.code ?? system.delegateCode;
  const call = standardDeployment(sweepDelegateCreationCode(bytesOf(`0x${code}`), wallet));
  const { beneficiary = first } = own;
  return relay(world, { to: standardFactory, call, beneficiary, own: { relays: 'wal_one' } });
}

const made: readonly Attack[] = [
  asking('a delegate that pays a stranger', wrong, {
    attack: (world) => making(world, thief),
    honest: (world) => making(world, world.address(first, 0)),
  }),
  asking('a delegate for the wallet of another client', wrong, {
    attack: (world) => making(world, world.address(second, 0)),
    honest: (world) => making(world, vaults.first.address),
  }),
  asking('another contract made by the standard factory, at the cost of the house', wrong, {
    attack: (world) => making(world, world.address(first, 0), { code: `${system.delegateCode}00` }),
    honest: (world) => making(world, world.address(first, 0)),
  }),
  asking('nothing at all made by the standard factory', wrong, {
    attack: (world) => relay(world, { to: standardFactory, call: '0x00', own: { relays: 'wal_one' } }),
    honest: (world) => making(world, world.address(first, 0)),
  }),
];

/** The house carries the delegation of a client's address, and takes its tokens to the pool in the same transaction. */
function carrying(world: World, chain: number): Request {
  const delegate = delegateFor(world.address(first, 0));
  const to = world.address(first, 7);
  const sweep: Hex = `0x01681a62${'70'.repeat(20).padStart(64, '0')}`;
  const plain = relay(world, { to, call: sweep, own: { relays: 'dlg_one' } });
  const parts = { ...partsOf({ asset: ether, to, amount: 0n, nonce: 0n }), data: bytesOf(sweep), gasLimit: 300_000n };
  return { ...plain, unsigned: encodeSetCode(parts, [{ chain, delegate, nonce: 0n }]) };
}

const setCalls: readonly Attack[] = [
  asking('a heartbeat that is relayed with coins', wrong, {
    attack: (world) => relay(world, { ...set, call: beat, parts: { value: 1n }, own: { relays: 'hb_one' } }),
    honest: (world) => relay(world, { ...set, call: beat, own: { relays: 'hb_one' } }),
  }),
];

const beat = callData(nobleHashes, signerSetCalls.heartbeat, {
  beat: { blockNumber: 1n, blockHash: `0x${'b1'.repeat(32)}`, statement: `0x${'00'.repeat(32)}` },
  signatures,
});

/** A proof registry does only what a quorum has signed, or what follows from a block: the house carries its calls, and no others. */
const registryCalls: readonly Attack[] = [
  asking('a call that the proof registry does not have', wrong, {
    attack: (world) => relay(world, { ...proofs, call: beat }),
    honest: (world) => relay(world, { ...proofs, call: draw }),
  }),
  asking('a call of the proof registry that goes elsewhere', 'signer/unknown-destination', {
    attack: (world) => relay(world, { ...proofs, to: thief, call: draw }),
    honest: (world) => relay(world, { ...proofs, call: draw }),
  }),
  asking('a call of the proof registry with coins', wrong, {
    attack: (world) => relay(world, { ...proofs, call: draw, parts: { value: 1n } }),
    honest: (world) => relay(world, { ...proofs, call: draw }),
  }),
];

const draw = callData(nobleHashes, proofRegistryCalls.draw, { asset: `0x${'a5'.repeat(32)}`, number: 0n });

export const relayAttacks: readonly Attack[] = [
  ...calls,
  ...granted,
  ...delegations,
  ...made,
  ...setCalls,
  ...registryCalls,
];
