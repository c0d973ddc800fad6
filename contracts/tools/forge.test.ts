import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evmVersions, runForge } from './forge.ts';

for (const evm of evmVersions) {
  test(`every test in Solidity passes on ${evm}`, async (context) => {
    const tests = await runForge({ evm, profile: 'default' });
    const failed = tests.filter((one) => !one.passed);
    context.diagnostic(`${tests.length - failed.length} of ${tests.length} tests in Solidity passed on ${evm}`);
    assert.deepEqual(failed, []);
  });
}

test('a run that selects nothing is a failure, not a success', async () => {
  await assert.rejects(
    runForge({ evm: 'prague', profile: 'default', args: ['--match-test', 'noSuchTest'] }),
    /forge test (?:ran nothing|ended with \d and no report)/u,
  );
});
