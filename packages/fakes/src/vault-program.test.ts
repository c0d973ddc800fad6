import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Address, Hex } from '@bulkhead/domain';
import {
  callData,
  factoryCalls,
  forwarderAddress,
  forwarderSalt,
  policyHash,
  typedDigest,
  vaultAddress,
  vaultCalls,
  type VaultConfig,
  vaultDomain,
  vaultForms,
  vaultToken,
} from '@bulkhead/vaults';
import { FakeChain } from './fake-chain.ts';
import { namedAddress } from './key.ts';
import { fakeKeccak, fakeVaultSystem, quorumSignature, VaultProgram } from './vault-program.ts';

const destination = namedAddress('a destination');
const policy = { destinations: [destination], limits: [], unlisted: [] };

const config: VaultConfig = {
  clientId: `0x${'1'.repeat(64)}`,
  signerSet: fakeVaultSystem.signerSet,
  feeReceiver: namedAddress('fees'),
  exitDestination: namedAddress('an exit'),
  clientKey: `0x${'2'.repeat(64)}`,
  exitKey: `0x${'3'.repeat(64)}`,
  policyHash: policyHash(fakeKeccak, policy),
  kind: 'individual',
  feeBpsYear: 50n,
  windowSeconds: 60n,
  changeDelay: 60n,
  recoveryDelay: 120n,
  exitDelay: 60n,
  exitChangeDelay: 120n,
  heartbeatPeriod: 600n,
  pauseSeconds: 60n,
};
const vault = vaultAddress(fakeKeccak, fakeVaultSystem, config);
const deadline = 2n ** 40n;

function openChain(): { readonly chain: FakeChain; readonly call: (to: Address, data: Hex) => boolean } {
  const chain = new FakeChain();
  chain.ground.programs.push(new VaultProgram(chain.id));
  const call = (to: Address, data: Hex): boolean => {
    const hash = chain.outside.call({ to, data });
    chain.mine();
    return chain.ground.locate(hash)?.receipt.succeeded === true;
  };
  assert.ok(call(fakeVaultSystem.factory, callData(fakeKeccak, factoryCalls.create, { config })));
  return { chain, call };
}

test('a payment whose receiver refuses, or whose token does not move, happens not at all and can be tried again', () => {
  const { chain, call } = openChain();
  const token = chain.ground.deployToken({ name: 'USDX' });
  for (const [nonce, asset] of [
    [0n, chain.native],
    [1n, token],
  ] as const) {
    chain.outside.send({ to: vault, amount: 5n, asset });
    chain.mine();
    const message = { token: vaultToken(asset), to: destination, amount: 5n, nonce, deadline };
    const signed = { form: vaultForms.oneOff, message };
    const signatures = quorumSignature(typedDigest(fakeKeccak, vaultDomain(chain.id, vault), signed));
    const data = callData(fakeKeccak, vaultCalls.payOnce, { config, message, signatures, clientSignature: '0x' });
    chain.ground.switchRefusal(destination, true);
    chain.ground.switchToken(token, true);
    assert.equal(call(vault, data), false);
    chain.ground.switchRefusal(destination, false);
    chain.ground.switchToken(token, false);
    chain.ground.pretendToken(token, true);
    if (asset === token) assert.equal(call(vault, data), false, 'a token that says no and reverts nothing');
    chain.ground.pretendToken(token, false);
    assert.equal(chain.ground.balance(asset, vault), 5n);
    assert.ok(call(vault, data), 'its nonce was not taken');
    assert.equal(chain.ground.balance(asset, destination), 5n);
  }
});

test('forwarders of one call are emptied together or not at all, and one that is empty holds up nobody', () => {
  const { chain, call } = openChain();
  const token = chain.ground.deployToken({ name: 'USDX' });
  const salts = [forwarderSalt(1n), forwarderSalt(2n)];
  const [first] = salts.map((salt) => forwarderAddress(fakeKeccak, fakeVaultSystem, { vault, salt }));
  assert.ok(first !== undefined);
  chain.outside.send({ to: first, amount: 5n, asset: token });
  chain.mine();
  const data = callData(fakeKeccak, factoryCalls.flush, { vault, salts, token: vaultToken(token) });
  chain.ground.switchToken(token, true);
  assert.equal(call(fakeVaultSystem.factory, data), false);
  chain.ground.switchToken(token, false);
  assert.ok(call(fakeVaultSystem.factory, data));
  assert.deepEqual([chain.ground.balance(token, first), chain.ground.balance(token, vault)], [0n, 5n]);
});

test('what a vault remembers can be read at any block', () => {
  const { chain, call } = openChain();
  const before = chain.ground.height;
  const message = { side: 'client', nonce: 0n, deadline } as const;
  assert.ok(call(vault, callData(fakeKeccak, vaultCalls.pause, { config, message, signature: '0x' })));
  const [program] = chain.ground.programs;
  assert.ok(program instanceof VaultProgram);
  const pausedUntil = (height: bigint): bigint =>
    program.stateOf(vault, chain.ground.programState(height)).gate.clientPauseUntil;
  assert.deepEqual([pausedUntil(before), pausedUntil(chain.ground.height) > 0n], [0n, true]);
});
