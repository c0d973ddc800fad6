import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CustodyError } from '@bulkhead/domain';
import { FakeChain, fakeProofRegistry, fakeProofRegistryCode, fakeProofSettings, ProofProgram } from '@bulkhead/fakes';
import type { ProofRegistrySetup } from '@bulkhead/custody';
import { holdRegistries } from './proof-registry.ts';

test('a registry that differs from the configuration is told before anything is published, in a sentence for each thing', async () => {
  const chain = new FakeChain();
  const program = new ProofProgram(chain.id);
  chain.ground.programs.push(program);
  chain.settle();
  const registry: ProofRegistrySetup = {
    chain: chain.id,
    registry: fakeProofRegistry,
    codeHash: fakeProofRegistryCode,
    settings: fakeProofSettings,
    everySeconds: 0n,
    termsOf: () => undefined,
  };
  const hold = async (changes: Partial<ProofRegistrySetup> = {}): Promise<readonly string[]> => {
    try {
      await holdRegistries([{ ...registry, ...changes }], new Map([[chain.id, chain]]));
      return [];
    } catch (error) {
      assert.ok(error instanceof CustodyError && error.code === 'config/invalid');
      return error.message.split('\n');
    }
  };
  assert.deepEqual(await hold(), []);
  const settings = { ...fakeProofSettings, window: 9n, custodian: `0x${'cc'.repeat(32)}` } as const;
  const [custodian, window, advice, ...more] = await hold({ settings });
  assert.match(custodian ?? '', /for custodian, and the configuration says 0x(?:cc){32}\.$/u);
  assert.match(window ?? '', /has 2 for window, and the configuration says 9\.$/u);
  assert.match(advice ?? '', /proofRegistry/u);
  assert.deepEqual(more, []);
  const signers = await hold({ settings: { ...fakeProofSettings, signers: fakeProofRegistry } });
  assert.match(signers[0] ?? '', /for signers/u);
  assert.match((await hold({ codeHash: 'ab'.repeat(32) }))[0] ?? '', /has the code [0-9a-f]{64}, and/u);
  // One that does not answer now is asked before each publication.
  chain.faults.script('heads', 'unavailable');
  assert.deepEqual(await hold({ codeHash: 'ab'.repeat(32) }), []);
});
