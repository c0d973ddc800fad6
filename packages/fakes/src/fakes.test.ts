import assert from 'node:assert/strict';
import test from 'node:test';
import { feeMax, type Intent, nativeAsset, parseChainId, parseCompartment } from '@bulkhead/domain';
import { ManualClock } from './clock.ts';
import { FakeChain } from './fake-chain.ts';
import { addressOfPath, fakeDerive, fakeXpub, namedAddress } from './key.ts';
import { seededRandom } from './random.ts';
import { FakeScreening } from './screening.ts';
import { FakeSigner } from './signer.ts';

const compartment = parseCompartment(100_000);
const path = { compartment, index: 3 };
const asset = nativeAsset(parseChainId('eip155:31337'));

test('the seed decides what is random, and parts do not disturb each other', () => {
  const draw = (seed: string): readonly bigint[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 50 }, () => random.amount(10n ** 30n));
  };
  assert.deepEqual(draw('1'), draw('1'));
  assert.notDeepEqual(draw('1'), draw('2'));
  assert.ok(draw('3').every((amount) => amount >= 1n && amount <= 10n ** 30n));
  const random = seededRandom('4');
  const fork = random.fork('a').below(1_000_000);
  random.below(5);
  assert.equal(random.fork('a').below(1_000_000), fork);
});

test('addresses follow from compartment and index, and an xpub belongs to its compartment', () => {
  assert.equal(fakeDerive(fakeXpub(compartment), 3), addressOfPath(path));
  assert.notEqual(fakeDerive(fakeXpub(compartment), 4), addressOfPath(path));
  assert.throws(() => fakeDerive({ compartment, xpub: 'xpub-fake-7' }, 3), { code: 'invariant/broken' });
});

test('the signer signs what the intent says, and nothing that differs in any field', async () => {
  const clock = new ManualClock();
  const signer = new FakeSigner(clock);
  const chain = new FakeChain();
  const from = addressOfPath(path);
  const to = namedAddress('destination');
  chain.outside.send({ to: from, amount: 10n ** 18n });
  chain.mine();
  const plan = { from, to, asset, amount: 9n };
  const terms = await chain.estimate(plan);
  const intent: Intent = {
    kind: 'withdrawal',
    id: 'wd_1',
    compartment,
    asset,
    to,
    amount: 9n,
    feeMax: feeMax(terms),
    client: 'cli_1',
    feePayer: 'client',
    expiresAt: BigInt(clock.now().getTime()) / 1000n + 60n,
  };
  const unsigned = chain.build(plan, terms, 0n);
  const signature = await signer.sign({ intent, path, unsigned });
  assert.deepEqual(await signer.sign({ intent, path, unsigned }), signature);
  assert.equal(chain.assemble(unsigned, signature).from, from);

  const wrong = { code: 'signer/malformed-transaction' };
  const other = (change: Partial<typeof plan>): Uint8Array => chain.build({ ...plan, ...change }, terms, 0n);
  await assert.rejects(signer.sign({ intent, path, unsigned: other({ amount: 10n }) }), wrong);
  await assert.rejects(signer.sign({ intent, path, unsigned: other({ to: from }) }), wrong);
  const token = chain.ground.deployToken({ name: 'T' });
  await assert.rejects(signer.sign({ intent, path, unsigned: other({ asset: token }) }), wrong);
  const dearer = { ...terms, gasLimit: terms.gasLimit + 1n };
  await assert.rejects(signer.sign({ intent, path, unsigned: chain.build(plan, dearer, 0n) }), wrong);
  const stranger = { compartment: parseCompartment(100_001), index: 3 };
  await assert.rejects(signer.sign({ intent, path: stranger, unsigned }), wrong);
  clock.advance(61_000);
  await assert.rejects(signer.sign({ intent, path, unsigned }), { code: 'signer/intent-expired' });
  assert.equal(signer.signed.length, 2);
});

test('a cancellation is signed for its own address and nonce only, in the native coin', async () => {
  const chain = new FakeChain();
  const signer = new FakeSigner(new ManualClock());
  const from = addressOfPath(path);
  const terms = { gasLimit: 21_000n, maxFeePerGas: 5n, maxPriorityFeePerGas: 5n };
  const token = chain.ground.deployToken({ name: 'T' });
  const intent: Intent = {
    kind: 'cancel',
    id: 'dsp_1',
    compartment,
    asset: token,
    to: from,
    amount: 0n,
    feeMax: feeMax(terms),
    cancels: 'wd_1',
    nonce: 4n,
  };
  const plan = { from, to: from, asset, amount: 0n };
  assert.equal(
    chain.assemble(
      chain.build(plan, terms, 4n),
      await signer.sign({ intent, path, unsigned: chain.build(plan, terms, 4n) }),
    ).from,
    from,
  );
  await assert.rejects(signer.sign({ intent, path, unsigned: chain.build(plan, terms, 5n) }), {
    code: 'signer/malformed-transaction',
  });
  const away = { ...intent, to: namedAddress('destination') };
  const unsigned = chain.build({ ...plan, to: away.to }, terms, 4n);
  await assert.rejects(signer.sign({ intent: away, path, unsigned }), { code: 'signer/malformed-transaction' });
});

test('the screening answers by reference, by counterparty, or as it always does', async () => {
  const screening = new FakeScreening();
  const counterparty = namedAddress('sanctioned');
  screening.script(counterparty, 'hit');
  screening.script('dep_1', new Error('the provider is away'));
  const subject = { direction: 'in', asset, amount: 1n } as const;
  assert.equal((await screening.screen({ ...subject, reference: 'dep_2', counterparty })).verdict, 'hit');
  assert.equal((await screening.screen({ ...subject, reference: 'dep_2' })).verdict, 'clear');
  await assert.rejects(screening.screen({ ...subject, reference: 'dep_1', counterparty }), /away/u);
  assert.equal(screening.asked.length, 3);
});
