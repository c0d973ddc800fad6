import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, type Hash, parseChainId, parseAddress, nativeAsset, tokenAsset, isHash } from '@bulkhead/domain';
import fc from 'fast-check';
import { type Arrival, creditsOf, dispositionOf, tokenArrivals } from './arrival.ts';
import type { StoredMovement } from './movement.ts';

const chain = parseChainId('eip155:31337');
const [ours, other, contract] = ['11', '22', '33'].map((digits) => parseAddress(`0x${digits.repeat(20)}`));
assert.ok(ours !== undefined && other !== undefined && contract !== undefined);
const token = tokenAsset(chain, contract);
const hash = ((text: string): Hash => (isHash(text) ? text : assert.fail()))(`0x${'ab'.repeat(32)}`);

function transfer(
  id: string,
  amount: bigint,
  ends: { from?: Address; to?: Address; asset?: StoredMovement['asset'] } = {},
): StoredMovement {
  const { from = other, to = ours, asset = token } = ends;
  return {
    id,
    block: { number: 1n, hash },
    kind: 'token',
    reference: `${hash}:${id}`,
    transaction: hash,
    asset,
    from,
    to,
    amount,
  };
}

function credits(movements: readonly StoredMovement[], before: bigint, after: bigint): Record<string, bigint> {
  assert.ok(ours !== undefined);
  return Object.fromEntries(creditsOf(movements, [{ asset: token, address: ours, before, after }]));
}

test('what is credited is what the balance says, and never more than the events', () => {
  assert.deepEqual(credits([transfer('a', 100n)], 0n, 100n), { a: 100n });
  assert.deepEqual(credits([transfer('a', 100n)], 50n, 140n), { a: 90n }, 'a fee was taken');
  assert.deepEqual(credits([transfer('a', 100n)], 0n, 500n), { a: 100n }, 'the rest came without an event');
  assert.deepEqual(credits([transfer('a', 100n)], 0n, 0n), { a: 0n }, 'the event lied');
  assert.deepEqual(credits([transfer('a', 100n)], 70n, 10n), { a: 0n }, 'the balance fell');
});

test('what went out of the wallet in the same block is not taken for a fee', () => {
  const out = transfer('b', 30n, { from: ours, to: other });
  assert.deepEqual(credits([transfer('a', 100n), out], 30n, 100n), { a: 100n });
  const itself = transfer('c', 1_000n, { from: ours, to: ours });
  assert.deepEqual(credits([transfer('a', 100n), itself], 0n, 100n), { a: 100n });
});

test('several events share what came: in proportion, to the last unit, and each at most what it says', () => {
  assert.deepEqual(credits([transfer('a', 100n), transfer('b', 100n)], 0n, 180n), { a: 90n, b: 90n });
  assert.deepEqual(credits([transfer('a', 1n), transfer('b', 1n), transfer('c', 1n)], 0n, 2n), { a: 0n, b: 1n, c: 1n });
  const amounts = fc.array(fc.bigInt({ min: 1n, max: 2n ** 200n }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(amounts, fc.bigInt({ min: 0n, max: 2n ** 203n }), (said, came) => {
      const movements = said.map((amount, index) => transfer(String(index), amount));
      const shares = credits(movements, 0n, came);
      const total = said.reduce((sum, amount) => sum + amount, 0n);
      assert.equal(
        Object.values(shares).reduce((sum, share) => sum + share, 0n),
        came < total ? came : total,
      );
      for (const { id, amount } of movements) assert.ok((shares[id] ?? -1n) >= 0n && (shares[id] ?? 0n) <= amount);
    }),
  );
});

test('balances are asked for once per wallet and token, and only where something of a token came to us', () => {
  const movements = [
    transfer('a', 1n),
    transfer('b', 2n),
    transfer('c', 3n, { to: other }),
    transfer('d', 0n),
    transfer('e', 4n, { from: ours }),
    transfer('f', 5n, { asset: nativeAsset(chain) }),
  ];
  assert.deepEqual(
    tokenArrivals(movements, (address) => address === ours),
    [{ asset: token, address: ours }],
  );
  assert.deepEqual(
    tokenArrivals(movements.slice(2), (address) => address === ours),
    [],
  );
});

test('what nobody can explain never reaches a client, and dust does not either', () => {
  const arrival: Arrival = {
    kind: 'native',
    credited: 11n,
    dustMax: 10n,
    purpose: 'deposit',
    client: 'cl_1',
    fromOwnWallet: false,
  };
  assert.equal(dispositionOf(arrival), 'client');
  assert.equal(dispositionOf({ ...arrival, credited: 10n }), 'dust');
  assert.equal(dispositionOf({ ...arrival, credited: 0n, dustMax: 0n }), 'dust');
  assert.equal(dispositionOf({ ...arrival, client: undefined, purpose: 'unassigned' }), 'unassigned');
  assert.equal(dispositionOf({ ...arrival, client: undefined, purpose: 'pool' }), 'unassigned');
  assert.equal(dispositionOf({ ...arrival, kind: 'balance-difference' }), 'unexplained');
  assert.equal(dispositionOf({ ...arrival, fromOwnWallet: true }), 'unexplained');
  assert.equal(dispositionOf({ ...arrival, client: undefined, purpose: 'gas', credited: 1n }), 'house-funding');
  assert.equal(dispositionOf({ ...arrival, client: undefined, purpose: 'gas', fromOwnWallet: true }), 'unexplained');
});
