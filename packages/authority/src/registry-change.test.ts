import assert from 'node:assert/strict';
import { test } from 'node:test';
import { amountMax, parseAddress, parseAssetId, parseChainId, parseCompartment } from '@bulkhead/domain';
import {
  anvil,
  back,
  client,
  cooling,
  deployment,
  enrolled,
  enrolment,
  ether,
  feePayment,
  grant,
  large,
  limits,
  mainnet,
  now,
  opened,
  opening,
  payee,
  people,
  person,
  policy,
  pool,
  registryAfter,
  small,
  sweep,
  token,
  vault,
} from '../test/opening.ts';
import { nobleHashes } from './noble-hashes.ts';
import { applyList, emptyRegistry, type ListAuthority } from './registry-change.ts';
import { listDigest, listText } from './registry-list.ts';
import { chainHash, zeroHash } from './hashes.ts';
import { coolingSecondsMax, quorumMax, rulesMax } from './registry-item.ts';
import { registryDraft } from './registry-draft.ts';
import { personKeysMax } from './registry-person.ts';
import { applyItem } from './registry-step.ts';
import { destinationKey, type Registry, type RegistryItem, type Rule } from './registry.ts';

function change(registry: Registry, authority: ListAuthority, list: readonly RegistryItem[], at = now): Registry {
  return applyList(nobleHashes, registry, { list, now: at, authority });
}

function refused(
  authority: ListAuthority,
  list: readonly RegistryItem[],
  message: RegExp,
  registry = enrolled(),
): void {
  const before = registry.hash;
  assert.throws(() => change(registry, authority, list), { code: 'signer/registry-list', message }, String(message));
  assert.equal(registry.hash, before);
}

const toPayee = { client, compartment: vault, chain: mainnet, address: payee };
const withRules = (...rules: readonly Rule[]): RegistryItem => ({ item: 'policy', ...policy, rules });

test('a list leads to the next version, whose hash holds the one before and the list', () => {
  const first = opened();
  const text = listText(enrolment);
  const second = applyList(nobleHashes, first, { list: text, now, authority: 'operational' });
  assert.equal(first.version, 1n);
  assert.equal(first.hash, chainHash(nobleHashes, zeroHash, listDigest(nobleHashes, listText(opening))));
  assert.equal(second.version, 2n);
  assert.equal(second.hash, chainHash(nobleHashes, first.hash, listDigest(nobleHashes, text)));
  assert.equal(second.hash, enrolled().hash);
  assert.equal(first.clients.size, 0, 'the version before stays as it was');
  assert.equal(second.clients.size, 2);
  assert.equal(second.deployment, deployment);
});

const identity = (name: string): string => Buffer.from(name.padEnd(32, '.')).toString('hex');

test('identity keys follow one another, and one of them stays each time', () => {
  const [a, b, c, d] = [identity('a'), identity('b'), identity('c'), identity('d')];
  const identities = (...publicKeys: readonly string[]): RegistryItem => ({ item: 'identities', publicKeys });
  const first = change(emptyRegistry(deployment, [a, b]), 'opening', opening);
  assert.deepEqual(first.identities, [a, b]);
  const second = change(first, 'root', [identities(b, c)]);
  assert.deepEqual(second.identities, [b, c]);
  assert.deepEqual(change(second, 'root', [identities(c, d)]).identities, [c, d]);
  refused('root', [identities(c, d)], /Line 2 .*none of the identity keys of before/u, first);
  refused('root', [identities(a)], /none of the identity keys of before/u, second);
  refused('root', [identities(a, b), identities(b, c)], /Line 3 .*names the identity keys already/u, first);
  refused(
    'root',
    [identities(a, b), identities(b, c)],
    /none of the identity keys of before \(none is known\)/u,
    opened(),
  );
  for (const wrong of [[], [b, a], [a, a], ['aa'], [`01${'0'.repeat(62)}`], Array.from('abcdefghi', identity)]) {
    refused('root', [identities(...wrong)], /Line 2 /u, first);
  }
  assert.throws(() => change(emptyRegistry(deployment, [a]), 'opening', [...opening, identities(a, b)]), {
    message: /the ceremony names the identity keys in its first record/u,
  });
});

test('only the ceremony opens a registry, and only once', () => {
  assert.throws(() => change(emptyRegistry(deployment), 'root', opening), { message: /one of the ceremony/u });
  assert.throws(() => change(opened(), 'opening', opening), { message: /one of the ceremony/u });
  assert.throws(() => change(emptyRegistry(deployment), 'opening', opening.slice(0, -1)), { message: /quorum/u });
  assert.throws(() => emptyRegistry('production'), { code: 'signer/registry-list' });
});

test('the operational quorum enrols and takes rights away, and nothing else', () => {
  for (const item of opening) refused('operational', [item], /needs the root quorum/u);
  refused('operational', [{ item: 'asset-removed', asset: ether }], /needs the root quorum/u);
  refused('operational', [{ item: 'person-removed', person: 'ben' }], /needs the root quorum/u);
  refused('operational', [{ item: 'identities', publicKeys: [identity('a')] }], /needs the root quorum/u);
  refused('operational', [...enrolment, withRules()], /Line 5 .*needs the root quorum/u);
  const after = change(enrolled(), 'operational', [
    { item: 'destination-removed', ...toPayee },
    { item: 'person-suspended', person: 'olga' },
  ]);
  assert.equal(after.destinations.size, 0);
  assert.equal(after.people.get('olga')?.suspended, true);
});

test('a list applies whole or not at all, and the line that is wrong is named', () => {
  const registry = enrolled();
  const list: RegistryItem[] = [
    { item: 'client', client: 'cl_bob', compartment: parseCompartment(100_001) },
    { item: 'client', client: 'cl_bob', compartment: vault },
  ];
  assert.throws(() => change(registry, 'operational', list), {
    code: 'signer/registry-list',
    message: /Line 3 .*belongs to cl_ada alone/u,
    details: { line: 3, reason: 'compartment 100000 belongs to cl_ada alone' },
  });
  const { clients, holders } = registry;
  assert.equal(clients.size, 2);
  assert.equal(holders.has(parseCompartment(100_001)), false);
});

test('an individual compartment has one client, an omnibus many, house and group none', () => {
  const bob = (compartment: number): RegistryItem => ({
    item: 'client',
    client: 'cl_bob',
    compartment: parseCompartment(compartment),
  });
  refused('operational', [bob(vault)], /belongs to cl_ada alone/u);
  refused('operational', [bob(1)], /is of the house/u);
  refused('operational', [bob(5_000)], /is of the group/u);
  const after = change(enrolled(), 'operational', [bob(pool), bob(100_001), ...enrolment]);
  assert.equal(after.clients.size, 4);
  // Two lines of one list contradict each other as those of two lists do.
  const carol: RegistryItem = { item: 'client', client: 'cl_carol', compartment: parseCompartment(100_001) };
  refused('operational', [bob(100_001), carol], /belongs to cl_bob alone/u);
});

test('a destination belongs to a client that is enrolled there, on a listed chain', () => {
  const other = { item: 'destination', ...toPayee, label: 'x' } as const;
  refused('operational', [{ ...other, client: 'cl_bob' }], /cl_bob is not enrolled in compartment 100000/u);
  refused('operational', [{ ...other, compartment: parseCompartment(100_002) }], /not enrolled in compartment 100002/u);
  refused('operational', enrolment.toReversed(), /a client comes before/u, opened());
  const unlisted = parseAssetId('eip155:5/slip44:60');
  refused('root', [{ item: 'asset', asset: unlisted, symbol: 'X', decimals: 0, codeHash: '' }], /not listed/u);
  refused('operational', [{ ...other, address: parseAddress(`0x${'0'.repeat(40)}`) }], /zero address/u);
  refused('operational', [{ item: 'destination-removed', ...toPayee, chain: anvil }], /no destination of cl_ada/u);
});

test('a destination cools, and no second enrolment shortens or restarts that', () => {
  const key = destinationKey(toPayee);
  const first = enrolled();
  assert.equal(first.destinations.get(key)?.usableFrom, now + cooling);
  const again: RegistryItem = { item: 'destination', ...toPayee, label: 'another name' };
  const later = change(first, 'operational', [again], now + cooling - 1n);
  assert.equal(later.destinations.get(key)?.usableFrom, now + cooling);
  assert.equal(later.destinations.get(key)?.label, 'another name');
  assert.equal(later.destinations.size, 1);
  assert.deepEqual([...later.likenesses.values()], [[key]]);
  const removed: RegistryItem = { item: 'destination-removed', ...toPayee };
  const anew = change(later, 'operational', [removed, again], now + 5n * cooling);
  assert.equal(anew.destinations.get(key)?.usableFrom, now + 6n * cooling, 'removed and enrolled anew, it cools again');
});

test('a list that shortens the cooling period does not shorten it for its own destinations', () => {
  const address = parseAddress(`0x${'e'.repeat(40)}`);
  const item: RegistryItem = { item: 'destination', ...toPayee, address, label: 'x' };
  const shorter: RegistryItem = { item: 'policy', ...policy, coolingSeconds: 0n };
  for (const list of [
    [shorter, item],
    [item, shorter],
  ]) {
    const after = change(enrolled(), 'root', list);
    assert.equal(after.destinations.get(destinationKey({ ...toPayee, address }))?.usableFrom, now + cooling);
    assert.equal(after.policy.coolingSeconds, 0n);
  }
  const longer: RegistryItem = { item: 'policy', ...policy, coolingSeconds: 2n * cooling };
  const after = change(enrolled(), 'root', [item, longer]);
  assert.equal(after.destinations.get(destinationKey({ ...toPayee, address }))?.usableFrom, now + 2n * cooling);
});

test('what is taken away or referred to must be there', () => {
  const item = { item: 'destination', ...toPayee, label: 'x' } as const;
  refused('operational', [{ ...item, chain: parseChainId('eip155:5') }], /chain eip155:5 is not listed/u);
  const unlisted = parseAssetId(`eip155:1/erc20:0x${'99'.repeat(20)}`);
  refused('root', [{ item: 'asset-removed', asset: unlisted }], /Line 2 .* is not listed/u);
});

test('the registry has bounds', () => {
  const draft = registryDraft(enrolled(), { hashes: nobleHashes, now, coolingSeconds: cooling });
  const full = { size: () => 2 ** 31 };
  const maps = {
    chains: { ...draft.chains, ...full },
    assets: { ...draft.assets, ...full },
    wallets: { ...draft.wallets, ...full },
    clients: { ...draft.clients, ...full },
    destinations: { ...draft.destinations, ...full },
    people: { ...draft.people, ...full },
  };
  const added: RegistryItem = {
    item: 'destination',
    ...toPayee,
    address: parseAddress(`0x${'e'.repeat(40)}`),
    label: 'x',
  };
  const items = [...opening.filter(({ item }) => item !== 'policy'), ...enrolment.slice(0, 2), added];
  for (const item of items) {
    assert.throws(
      () => applyItem({ ...draft, ...maps }, item),
      { message: /the registry would hold 2147483648/u },
      item.item,
    );
  }
});

test('look-alikes of destinations are found and forgotten with them', () => {
  const looks = payee.slice(2, 6) + payee.slice(-4);
  const twin = parseAddress(`0xdddd${'1'.repeat(32)}dddd`);
  const both = change(enrolled(), 'operational', [{ item: 'destination', ...toPayee, address: twin, label: 'twin' }]);
  assert.equal(both.likenesses.get(looks)?.length, 2);
  const one = change(both, 'operational', [{ item: 'destination-removed', ...toPayee }]);
  assert.deepEqual(one.likenesses.get(looks), [destinationKey({ ...toPayee, address: twin })]);
  const none = change(one, 'operational', [{ item: 'destination-removed', ...toPayee, address: twin }]);
  assert.equal(none.likenesses.size, 0);
});

test('rules: who must approve, where to, and what bounds the kinds that nobody approves', () => {
  const wrong: [Rule, RegExp][] = [
    [{ ...small, approvals: 0 }, /needs at least one approval/u],
    [{ ...back, approvals: 0 }, /needs at least one approval/u],
    [{ ...small, destination: 'own' }, /enrolled or any/u],
    [{ ...sweep, destination: 'any' }, /own addresses/u],
    [{ ...grant, destination: 'enrolled' }, /own addresses/u],
    [{ ...feePayment, destination: 'any' }, /own addresses/u],
    [{ ...grant, windowMax: amountMax }, /limit per window/u],
    [{ ...feePayment, windowMax: amountMax }, /limit per window/u],
    [{ ...grant, windowMax: 0n }, /"windowMax" is 0/u],
    [{ ...small, windowSeconds: 0n }, /"windowSeconds" is 0/u],
    [{ ...small, windowSeconds: 367n * 86_400n }, /"windowSeconds"/u],
    [{ ...small, amountMax: 0n }, /"amountMax" is 0/u],
    [{ ...grant, compartments: 'individual' }, /of the house/u],
    [{ ...small, approvals: 3 }, /needs 3 approvals/u],
    [{ ...small, asset: parseAssetId('eip155:7/slip44:60') }, /not listed/u],
  ];
  for (const [rule, message] of wrong) refused('root', [withRules(rule)], message);
  refused('root', [withRules(small, large, { ...small, approvals: 2 })], /rule 3 says something else for the same/u);
  refused('root', [withRules(small), withRules(small)], /has a policy already/u);
  refused('root', [{ item: 'asset-removed', asset: token }], /not listed/u);
  assert.equal(change(enrolled(), 'root', [withRules({ ...sweep, windowMax: amountMax })]).policy.rules.length, 1);
});

test('every quorum stays within reach of people who are not suspended', () => {
  const operational = (quorum: number): RegistryItem => ({ item: 'policy', ...policy, operationalQuorum: quorum });
  const root = (quorum: number): RegistryItem => ({ item: 'policy', ...policy, rootQuorum: quorum });
  refused('root', [operational(4)], /operational quorum would be 4 of 3/u);
  refused('root', [root(4)], /root quorum would be 4 of 3/u);
  refused('root', [root(0)], /"rootQuorum" is 0/u);
  refused('root', [operational(0)], /"operationalQuorum" is 0/u);
  refused('root', [root(quorumMax + 1)], /"rootQuorum" is 21/u);
  refused('root', [{ item: 'person-removed', person: 'olga' }], /for no requester/u);
  refused('root', [{ item: 'person-removed', person: 'anna' }], /needs 2 approvals/u);
  // The requester is no approver of the own request, so a third one helps only if it is somebody else.
  refused(
    'root',
    [{ item: 'person-removed', person: 'anna' }, person('olga', 'approver', 'operational', 'requester')],
    /more than 1/u,
  );
  const suspended = (id: string): RegistryItem => ({ item: 'person-suspended', person: id });
  refused('operational', [suspended('anna'), suspended('ben')], /root quorum would be 2 of 1/u);
  const one = change(enrolled(), 'operational', [suspended('anna')]);
  refused('operational', [suspended('ben')], /root quorum would be 2 of 1/u, one);
  // To suspend the only requester stops payments and harms nothing; the root quorum brings people back.
  const stopped = change(enrolled(), 'operational', [suspended('olga'), suspended('admin')]);
  assert.equal(stopped.people.get('olga')?.suspended, true);
  const again = change(stopped, 'root', people);
  assert.equal(again.people.get('olga')?.suspended, false);
  refused('operational', [suspended('nobody')], /no person "nobody"/u);
  refused('root', [{ item: 'person-removed', person: 'nobody' }], /no person "nobody"/u);
});

test('a key is in one hand: whoever holds many still counts once', () => {
  for (const { keys } of people) {
    refused('root', [{ ...person('eve', 'approver'), keys }], /have the same key/u);
  }
  const [, olga, anna] = people;
  assert.ok(olga !== undefined && anna !== undefined);
  const [key] = olga.keys;
  const [passkey] = anna.keys;
  assert.ok(key?.kind === 'ed25519' && passkey?.kind === 'webauthn');
  refused('root', [{ ...olga, keys: [key, { ...key, id: 'second' }] }], /have the same key/u);
  refused('root', [{ ...olga, keys: [key, { ...key, publicKey: 'ab'.repeat(32) }] }], /two keys of the same id/u);
  refused('root', [{ ...olga, keys: [] }], /has 0 keys/u);
  refused(
    'root',
    [{ ...person('eve', 'approver'), keys: [{ ...passkey, publicKey: `04${'6'.repeat(128)}` }] }],
    /same key/u,
  );
  refused('root', [{ ...person('eve', 'approver'), keys: [{ ...passkey, credential: 'ff' }] }], /same key/u);
  const many = Array.from({ length: personKeysMax + 1 }, (_, n) => ({
    id: `k-${n}`,
    kind: 'ed25519' as const,
    publicKey: (n + 10).toString(16).padStart(2, '0').repeat(32),
  }));
  refused('root', [{ ...olga, keys: many }], /has 11 keys/u);
  // A key moves on with a list that takes it from the one and gives it to the other.
  const moved = change(enrolled(), 'root', [
    { ...olga, keys: many.slice(0, 1) },
    { ...person('eve', 'approver'), keys: olga.keys },
  ]);
  assert.deepEqual(moved.people.get('eve')?.keys, olga.keys);
});

test('fees and cooling have limits', () => {
  const chain = { item: 'chain', chain: mainnet, development: false, ...limits } as const;
  refused('root', [{ ...chain, feeMax: 0n }], /"feeMax" is 0/u);
  refused('root', [{ ...chain, feeWindowMax: 0n }], /"feeWindowMax" is 0/u);
  refused('root', [{ ...chain, feeWindowSeconds: 59n }], /"feeWindowSeconds" is 59/u);
  refused('root', [{ item: 'policy', ...policy, coolingSeconds: coolingSecondsMax + 1n }], /cooling period/u);
});

test('a policy has so many rules and no more', () => {
  const rules = Array.from({ length: rulesMax + 1 }, (_, n) => ({ ...small, amountMax: BigInt(n + 1) }));
  refused('root', [withRules(...rules)], /has 2001 rules, at most 2000/u);
});

test('wallets for gas and fees are in the compartments of that duty', () => {
  const wallet = { item: 'wallet', key: '5', tier: 'hot' } as const;
  refused('root', [{ ...wallet, compartment: vault, purpose: 'gas' }], /for gas is in compartment 1/u);
  refused('root', [{ ...wallet, compartment: parseCompartment(1), purpose: 'fees' }], /for fees is in compartment 2/u);
  const after = change(enrolled(), 'root', [{ ...wallet, compartment: vault, purpose: 'treasury', tier: 'cold' }]);
  assert.equal(after.wallets.get(`${vault}/5`)?.tier, 'cold');
});

test('one item on ten thousand clients and fifty thousand destinations takes milliseconds', () => {
  let registry = opened();
  const address = (n: number): ReturnType<typeof parseAddress> => parseAddress(`0x${n.toString(16).padStart(40, '1')}`);
  for (let from = 0; from < 10_000; from += 2_500) {
    const list = Array.from({ length: 2_500 }, (_, n): readonly RegistryItem[] => {
      const name = { client: `cl_${from + n}`, compartment: parseCompartment(200_000 + from + n) };
      const destinations = Array.from({ length: 5 }, (_unused, d): RegistryItem => {
        return { item: 'destination', ...name, chain: mainnet, address: address((from + n) * 5 + d), label: `d ${d}` };
      });
      return [{ item: 'client', ...name }, ...destinations];
    });
    registry = change(registry, 'operational', list.flat());
  }
  const { destinations } = registry;
  assert.equal(destinations.size, 50_000);
  const times = Array.from({ length: 20 }, (_, n) => {
    const started = performance.now();
    registry = change(registry, 'operational', [
      { item: 'client', client: `cl_x${n}`, compartment: parseCompartment(900_000 + n) },
    ]);
    return performance.now() - started;
  });
  const fastest = Math.min(...times);
  assert.ok(fastest < 5, `${fastest} ms`);
  assert.equal(registryAfter(['opening', opening]).clients.size, 0);
});
