import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evmVersions, runForge } from './forge.ts';
import { figuresOf, gasLimits, readSnapshot, takeSnapshots } from './snapshot.ts';

for (const evm of evmVersions) {
  test(`every test in Solidity passes on ${evm}`, async (context) => {
    const tests = await runForge({ evm, profile: 'default' });
    const failed = tests.filter((one) => !one.passed).map(({ name, words }) => `${name}: ${words}`);
    context.diagnostic(`${tests.length - failed.length} of ${tests.length} tests in Solidity passed on ${evm}`);
    assert.deepEqual(failed, []);
  });
}

test('gas, sizes, hashes of init code and layout of storage are the committed ones, and gas is within its limits', async () => {
  const tests = await runForge({ evm: 'prague', profile: 'default', args: ['--match-contract', 'GasTest'] });
  const gas = new Map(figuresOf(tests, 'vault'));
  for (const [operation, most] of Object.entries(gasLimits)) {
    const used = gas.get(operation);
    assert.ok(used !== undefined, `nothing measured "${operation}"`);
    assert.ok(used <= most, `"${operation}" takes ${used} gas, more than ${most}`);
  }
  for (const [name, text] of await takeSnapshots(tests)) {
    const advice = `contracts/snapshots/${name} is stale: if the change is meant, run "npm run snapshot -w @bulkhead/contracts"`;
    assert.equal(text, readSnapshot(name), advice);
  }
});

test('a run that selects nothing is a failure, not a success', async () => {
  await assert.rejects(
    runForge({ evm: 'prague', profile: 'default', args: ['--match-test', 'noSuchTest'] }),
    /forge test (?:ran nothing|ended with \d and no report)/u,
  );
});
