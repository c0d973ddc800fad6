import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openBench } from './testing/bench.ts';

test('two deposits in one transaction are two deposits, credited once each', async () => {
  await using bench = await openBench();
  const { chain, native } = bench;
  const [first, second] = [await bench.client(), await bench.client('omnibus')];
  const [one, two] = [await bench.wallet(first), await bench.wallet(second)];
  chain.outside.payByContract([
    { to: one.address, amount: 700n },
    { to: two.address, amount: 900n },
  ]);
  chain.mine();
  await bench.follow();
  assert.deepEqual((await bench.deposits()).map(({ state, amount }) => [state, amount]), [
    ['detected', '700'],
    ['detected', '900'],
  ]);
  assert.equal(await bench.posted(one.compartment, native, { kind: 'wallet', holder: one.id }), 0n, 'nothing is credited before it is final');
  await bench.settle();
  assert.equal(await bench.posted(one.compartment, native, { kind: 'available', holder: first }), 700n);
  assert.equal(await bench.posted(two.compartment, native, { kind: 'available', holder: second }), 900n);
  await bench.prove();
});
