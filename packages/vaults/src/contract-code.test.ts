import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clientVault, depositForwarder, signerSet as signerSetArtifact, vaultFactory } from '@bulkhead/contracts';
import type { Address } from '@bulkhead/domain';
import { hashes, setTerms, startVaultChain, type VaultChain } from './testing/vault-chain.ts';
import { bytesOf, cloneCode, cloneCreationHash, type Hex, isBuiltFrom, wordOf } from './index.ts';

let world: VaultChain;
before(async () => {
  world = await startVaultChain();
});
after(async () => await world[Symbol.asyncDispose]());

async function codeAt(address: Address): Promise<Uint8Array> {
  return bytesOf(String(await world.node.call('eth_getCode', address, 'latest')));
}

test('the code of the contracts on a chain is what their creation code leaves there, and no byte of it is another', async () => {
  const { factory, vaultImplementation, forwarderImplementation } = world;
  const addresses = [factory, vaultImplementation, forwarderImplementation].map((each) => wordOf(BigInt(each)));
  const hashesOf = [vaultImplementation, forwarderImplementation].flatMap((each) => [
    cloneCreationHash(hashes, each),
    hashes.keccak256(cloneCode(each)),
  ]);
  const fixed = [...addresses, ...hashesOf];
  const cases: [Hex, Address, readonly Uint8Array[]][] = [
    [vaultFactory.bytecode, factory, fixed],
    [clientVault.bytecode, vaultImplementation, fixed],
    [depositForwarder.bytecode, forwarderImplementation, fixed],
    [signerSetArtifact.bytecode, world.signerSet, [wordOf(setTerms.changeDelay)]],
  ];
  for (const [creation, address, values] of cases) {
    const code = await codeAt(address);
    const creationCode = bytesOf(creation);
    assert.ok(isBuiltFrom(creationCode, code, values), address);
    assert.ok(!isBuiltFrom(creationCode, code, [wordOf(1n)]), 'another value was put in');
    for (const place of [0, 17, code.length >> 1, code.length - 1]) {
      const changed = Uint8Array.from(code);
      changed[place] = (changed[place] ?? 0) ^ 1;
      assert.ok(!isBuiltFrom(creationCode, changed, values), `byte ${place} of ${address}`);
    }
    assert.ok(!isBuiltFrom(creationCode, code.subarray(0, -1), values.slice(0, 0)));
  }
  assert.ok(!isBuiltFrom(bytesOf(vaultFactory.bytecode), new Uint8Array(), fixed));
});
