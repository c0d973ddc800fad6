import assert from 'node:assert/strict';
import test from 'node:test';
import { nativeAsset, parseChainId, parseCompartment } from '@bulkhead/domain';
import { addressOfPath, fakeDerive, fakeXpub, namedAddress } from './key.ts';
import { seededRandom } from './random.ts';
import { FakeScreening } from './screening.ts';

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
