import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAssertions, listProofs, policyText, prove } from './proof.ts';

test('every assertion about the policy of vaults is proved for all inputs', async (context) => {
  const proved = new Set<string>();
  for (const contract of listProofs()) {
    await context.test(contract, () => {
      const proof = prove(contract);
      assert.deepEqual({ broken: [...proof.broken], open: [...proof.open] }, { broken: [], open: [] });
      assert.notEqual(proof.proved.size, 0, 'nothing was proved');
      for (const place of proof.proved) proved.add(place);
    });
  }
  assert.deepEqual(
    listAssertions().filter((place) => !proved.has(place)),
    [],
    'assertions that no proof reaches',
  );
  context.diagnostic(`${proved.size} assertions proved`);
});

/** Faults that are easily made, and the proof that must find each. */
const faults: readonly { readonly contract: string; readonly was: string; readonly became: string }[] = [
  { contract: 'VaultLimitProof', was: 'amount <= cap - before', became: 'amount <= cap' },
  { contract: 'VaultQueueProof', was: 'require(readyAt <= time, NotReady(change, readyAt, time));', became: '' },
];

for (const { contract, was, became } of faults) {
  test(`${contract} finds a policy that says "${became}" instead of "${was}"`, () => {
    const policy = policyText();
    assert.ok(policy.includes(was), 'the policy has no such words: name others');
    assert.notDeepEqual([...prove(contract, policy.replace(was, became)).broken], []);
  });
}
