import assert from 'node:assert/strict';
import { statementText } from '@bulkhead/authority';
import { vaultFactory } from '@bulkhead/contracts';
import type { Address } from '@bulkhead/domain';
import {
  buildAddresses,
  bytesOf,
  callData,
  factoryCalls,
  type Hex,
  initialPolicyText,
  nativeToken,
  vaultAddress,
  vaultCalls,
  vaultConfigText,
  vaultForms,
  type VaultPayment,
  type VaultTerms,
} from '@bulkhead/vaults';
import {
  addressOf,
  client,
  deadline,
  destination,
  digestOf,
  hashes,
  mint,
  type VaultChain,
} from '@bulkhead/vaults/testing';

/** A file as client and backup hold it: what each signer states, whole. */
export function certificateText({ config, policy }: VaultTerms, agreement: Hex): string {
  const addresses = buildAddresses(hashes, bytesOf(vaultFactory.bytecode));
  const fields = {
    deployment: 'd'.repeat(32),
    compartment: '10001',
    chain: 'eip155:31337',
    address: vaultAddress(hashes, addresses, config),
    ...addresses,
    signerSet: config.signerSet,
    codeHashes: {},
    config: { ...vaultConfigText(config) },
    policy: { ...initialPolicyText(policy) },
    agreement: agreement.slice(2),
    issuedAt: '1',
  };
  const statement = statementText('vault-certificate', fields);
  const signed = [1, 2].map((each) => ({ statement, identity: `0${each}`.repeat(32), signature: 'ab'.repeat(64) }));
  return JSON.stringify(signed);
}

/** A vault that was opened, paid, got a destination, paid a fee, and is on its way out. */
export async function liveALittle(
  world: VaultChain,
  { vault, config, policy }: VaultTerms & { readonly vault: Address },
): Promise<void> {
  let nonce = 0n;
  const done = async (data: Hex): Promise<void> => {
    const { succeeded, refusal } = await world.send(vault, data);
    assert.ok(succeeded, refusal?.refusal);
  };
  const pay = async (payment: VaultPayment): Promise<void> => {
    const message = { ...payment, nonce: nonce++, deadline };
    const signatures = await world.quorum(digestOf(vault, vaultForms.withdrawal, message));
    await done(callData(hashes, vaultCalls.pay, { config, message, signatures }));
  };
  const collect = async (amount: bigint): Promise<void> => {
    const message = { token: world.token, amount, nonce: nonce++, deadline };
    const signatures = await world.quorum(digestOf(vault, vaultForms.fee, message));
    await done(callData(hashes, vaultCalls.collectFee, { config, message, signatures }));
  };
  await world.node.setBalance(vault, 1_000_000n);
  await mint(world, vault, 1_000_000n);
  const sent = await world.send(
    world.factory,
    callData(hashes, factoryCalls.createAndCall, {
      config,
      calls: [callData(hashes, vaultCalls.openPolicy, { config, policy })],
    }),
  );
  assert.ok(sent.succeeded);
  await pay({ token: nativeToken, to: destination, amount: 7n });
  await pay({ token: world.token, to: destination, amount: 70n });
  const bounds = { nonce: nonce++, deadline };
  const addition = { to: addressOf(0xd9), ...bounds };
  const signature = await client.sign(digestOf(vault, vaultForms.destinationAddition, addition));
  await done(callData(hashes, vaultCalls.addDestination, { config, message: addition, signature }));
  await collect(0n);
  await world.node.call('evm_increaseTime', 1_000_000);
  await collect(900n);
  await pay({ token: world.token, to: addressOf(0xd9), amount: 5n });
  await world.node.mine(3);
}
