import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistryItem } from '@bulkhead/authority';
import type { IdentityKey } from '@bulkhead/keys';
import { verifyRecord, verifyStatement } from '@bulkhead/signer-client';
import { type TestHeads, testHeads, testIdentity } from './testing/keys.ts';
import { clientOne, compartments, deployment, mainChain } from './testing/registry.ts';
import { change, openWorld, request, withdrawal, type World } from './testing/world.ts';

function tokenKey(name: string): IdentityKey {
  return testIdentity(`token-${name}`);
}

const [a, b, c, d, stranger] = [tokenKey('a'), tokenKey('b'), tokenKey('c'), tokenKey('d'), tokenKey('stranger')];
const keysOf = (...identities: readonly IdentityKey[]): readonly string[] =>
  identities.map(({ publicKey }) => publicKey).sort();

function listed(...identities: readonly IdentityKey[]): readonly RegistryItem[] {
  return [{ item: 'identities', publicKeys: keysOf(...identities) }];
}

function replacing(world: World, before: bigint, ...identities: readonly IdentityKey[]): ReturnType<typeof change> {
  return change(world, { kind: 'policy-change', items: listed(...identities), id: `pc_keys-${before}`, before });
}

const claim = { client: clientOne, chain: mainChain, key: { compartment: compartments.first, index: 3 } } as const;

test('both tokens are replaced, one after the other, and the same log goes on', async () => {
  await using world = await openWorld({ identities: [a, b] });
  const [first, second] = world.heads;
  const granted = request(world, withdrawal(world));
  const original = await world.core().sign(granted);
  const certificate = await world.core().certifyAddress(claim);
  assert.equal(certificate.identity, a.publicKey);

  // Token A is lost with its key and its head. B is open and vouches for C.
  await world.restart({ identities: [b], heads: [second] });
  const { record } = await world.core().change(replacing(world, 2n, b, c));
  assert.equal(record.head.identity, b.publicKey);
  assert.deepEqual((await world.core().status()).identities, keysOf(b, c));
  const third = testHeads('slot-3');
  const withThird = [second, third] as const;
  await world.restart({ identities: [c, b], heads: withThird, limits: { headsRequired: 1 } });
  await world.restart({ identities: [c, b], heads: withThird });
  assert.equal((await world.core().sign(granted)).signature.r, original.signature.r, 'the log knows what A has seen');
  // What A has certified is certified again, by a key of now.
  const again = await world.core().certifyAddress(claim);
  verifyStatement(again, keysOf(b, c), { kind: 'address-certificate', client: clientOne, deployment });
  assert.deepEqual(await world.core().certifyAddress(claim), again);

  // Token B follows, while C is open.
  await world.core().change(replacing(world, 3n, c, d));
  const fourth: TestHeads = testHeads('slot-4');
  await world.restart({ identities: [d, c], heads: [third, fourth], limits: { headsRequired: 1 } });
  await world.restart({ identities: [d, c], heads: [third, fourth] });
  const next = await world.core().sign(request(world, withdrawal(world, { id: 'wd_two' }), { nonce: 1n }));
  verifyRecord(next.record, keysOf(d));
  const records = await world.core().records(0n, 1_000);
  for (const each of records) verifyRecord(each, keysOf(a, b, c, d));
  assert.equal(first.head?.sequence, certificateAt(records), 'token A still remembers what it saw last');
});

function certificateAt(records: readonly { readonly sequence: bigint; readonly line: string }[]): bigint | undefined {
  return records.find(({ line }) => line.includes('"type":"certified"'))?.sequence;
}

test('a key that no longer counts signs nothing, although its token is still there', async () => {
  await using world = await openWorld({ identities: [a, b] });
  const { record } = await world.core().change(replacing(world, 2n, b, c));
  assert.equal(record.head.identity, b.publicKey, 'not by A, which was asked first until then');
  const { certificate } = await world.core().account(compartments.first);
  assert.equal(certificate.identity, b.publicKey);
  await world.restart();
  assert.equal((await world.core().account(compartments.first)).certificate.identity, b.publicKey);
  await assert.rejects(world.restart({ identities: [a] }), { code: 'signer/not-ready' });
  await assert.rejects(world.restart({ identities: [b, stranger] }), {
    code: 'signer/not-ready',
    message: new RegExp(stranger.publicKey, 'u'),
  });
  await world.restart({ identities: [c] });
});

test('a list of strangers, one whose old key is not open, and one of the operational quorum are refused', async () => {
  await using world = await openWorld({ identities: [a, b] });
  const core = world.core();
  await assert.rejects(core.change(replacing(world, 2n, c, d)), {
    code: 'signer/registry-list',
    message: /none of the identity keys of before/u,
  });
  const operational = change(world, { kind: 'enrolment', items: listed(b, c), id: 'en_keys', before: 2n });
  await assert.rejects(core.change(operational), { code: 'signer/registry-list', message: /root quorum/u });
  await world.restart({ identities: [a] });
  await assert.rejects(world.core().change(replacing(world, 2n, b, c)), {
    code: 'signer/registry-list',
    message: /keeps none of the identity keys that this process holds/u,
  });
  assert.deepEqual((await world.core().status()).identities, [a.publicKey, b.publicKey]);
  assert.equal((await world.core().status()).registryVersion, 2n);
});

test('a crash after the list was written leaves a log that the next start believes', async () => {
  await using world = await openWorld({ identities: [a, b] });
  const asked = replacing(world, 2n, b, c);
  for (const head of world.heads) head.down = true;
  await assert.rejects(world.core().change(asked), { code: 'hsm/unavailable' });
  for (const head of world.heads) head.down = false;
  await world.restart();
  assert.deepEqual((await world.core().status()).identities, keysOf(b, c));
  const { version } = await world.core().change(asked);
  assert.equal(version, 3n);
});
