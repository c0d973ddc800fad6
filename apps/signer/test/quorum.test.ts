import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nobleHashes } from '@bulkhead/authority';
import {
  type Address,
  CustodyError,
  type ProofSigner,
  type RegistryChange,
  type Signature,
  type Signer,
  type SignerSetMembers,
  type VaultIntent,
  type VaultSigner,
} from '@bulkhead/domain';
import { addressOfPublicKey } from '@bulkhead/keys';
import { type QuorumSigner, SignerQuorum, type SignerQuorumOptions } from '@bulkhead/signer-client';
import { vaultIntentDigest } from '@bulkhead/vaults';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { testDriver, testIdentity } from '../src/core/testing/keys.ts';
import { commitment, headersUpTo } from '../src/core/testing/proof-intent.ts';
import * as registry from '../src/core/testing/registry.ts';
import { accountKey, memberAddress, members, memberSeeds, vaultOf } from '../src/core/testing/vault.ts';
import { heartbeat, setChange, signerOf, vaultRequest, vaultWithdrawal } from '../src/core/testing/vault-intent.ts';
import { change, openWorld, type World } from '../src/core/testing/world.ts';

type Port = Signer & VaultSigner & ProofSigner;

type Three = AsyncDisposable & {
  readonly worlds: readonly [World, World, World];
  readonly changes: RegistryChange[];
  /** Those three, and one more beside them. */
  with(other: { readonly name: string; readonly world: World }): readonly [QuorumSigner, ...QuorumSigner[]];
  /** `ports` stand in for the signers at their places. */
  quorum(own?: { readonly ports?: readonly (Port | undefined)[] } & Partial<SignerQuorumOptions>): SignerQuorum;
};

/** Three signers after one ceremony each, with the same registry and a key of the set behind the same entry of it. */
async function openThree(): Promise<Three> {
  await using parts = new AsyncDisposableStack();
  const open = async (seed: number): Promise<World> =>
    parts.use(
      await openWorld({
        drivers: { tree: testDriver('hsm-sealed', seed) },
        identities: [testIdentity(`signer ${seed}`)],
      }),
    );
  const worlds = [await open(memberSeeds[0]), await open(memberSeeds[1]), await open(memberSeeds[2])] as const;
  const changes: RegistryChange[] = [];
  const owned = parts.move();
  return {
    worlds,
    changes,
    with: ({ name, world }) => [
      { name: 'signer 1', signer: worlds[0].core(), pinned: pinnedOf(worlds[0]) },
      { name: 'signer 2', signer: worlds[1].core(), pinned: pinnedOf(worlds[1]) },
      { name: 'signer 3', signer: worlds[2].core(), pinned: pinnedOf(worlds[2]) },
      { name, signer: world.core(), pinned: pinnedOf(world) },
    ],
    quorum({ ports = [], ...own } = {}) {
      const one = (at: 0 | 1 | 2): QuorumSigner => ({
        name: `signer ${at + 1}`,
        signer: ports[at] ?? worlds[at].core(),
        pinned: pinnedOf(worlds[at]),
      });
      return new SignerQuorum({
        signers: [one(0), one(1), one(2)],
        threshold: 2,
        setNow: async () => ({ members, threshold: 2n }),
        recover,
        changesAfter: async (version) => changes.filter(({ intent }) => 'before' in intent && intent.before >= version),
        ...own,
      });
    },
    [Symbol.asyncDispose]: async () => owned.disposeAsync(),
  };
}

function pinnedOf({ options }: World): QuorumSigner['pinned'] {
  return { deployment: registry.deployment, identities: options.identities.map((key) => key.publicKey) };
}

function recover(digest: Uint8Array, { r, s, yParity }: Signature): Address {
  const point = new secp256k1.Signature(r, s).addRecoveryBit(yParity).recoverPublicKey(digest);
  return addressOfPublicKey(point.toBytes(false));
}

/** A signer that is gone. */
const dead = portOf(() => Promise.reject(new CustodyError('signer/unavailable', 'Nobody answers.')));
/** A signer that took the request and says nothing. */
const silent = portOf(() => new Promise(() => undefined));

function portOf(answer: () => Promise<never>): Port {
  return {
    status: answer,
    account: answer,
    wallet: answer,
    certifyAddress: answer,
    outlook: answer,
    lodge: answer,
    sign: answer,
    change: answer,
    records: answer,
    signVault: answer,
    certifyVault: answer,
    certifyForwarder: answer,
    signReserves: answer,
    signControl: answer,
    signCheckpoint: answer,
    logKey: answer,
  };
}

/** As a core, but for what is said otherwise. */
function posing(core: Port, own: Partial<Port>): Port {
  return {
    status: () => core.status(),
    account: (compartment) => core.account(compartment),
    wallet: (key) => core.wallet(key),
    certifyAddress: (claim) => core.certifyAddress(claim),
    outlook: (intent, evidence) => core.outlook(intent, evidence),
    lodge: (intent, approval) => core.lodge(intent, approval),
    sign: (request) => core.sign(request),
    change: (changed) => core.change(changed),
    records: (after, limit) => core.records(after, limit),
    signVault: (request) => core.signVault(request),
    certifyVault: (claim) => core.certifyVault(claim),
    certifyForwarder: (claim) => core.certifyForwarder(claim),
    signReserves: (request) => core.signReserves(request),
    signControl: (request) => core.signControl(request),
    signCheckpoint: (request) => core.signCheckpoint(request),
    logKey: () => core.logKey(),
    ...own,
  };
}

/** What `isQuorum` of the contract asks: so many signatures of 65 bytes, by members, each above the one before. */
function assertQuorum(intent: VaultIntent, signatures: Uint8Array, threshold = 2): void {
  const digest = vaultIntentDigest(nobleHashes, intent);
  assert.equal(signatures.length, 65 * threshold);
  let last = '';
  for (let at = 0; at < threshold; at++) {
    const bytes = Buffer.from(signatures.subarray(at * 65, at * 65 + 65));
    const word = (from: number): bigint => BigInt(`0x${bytes.subarray(from, from + 32).toString('hex')}`);
    const signer = recover(digest, { r: word(0), s: word(32), yParity: bytes[64] === 28 ? 1 : 0 });
    assert.ok(members.includes(signer) && signer > last, 'ascending members');
    last = signer;
  }
}

test('two of three signatures, verified and in the order of the contract; whoever is dead or silent holds nobody up', async () => {
  await using three = await openThree();
  const [world] = three.worlds;
  const intent = vaultWithdrawal(world);
  const all = await three.quorum().signVault(vaultRequest(world, intent));
  assertQuorum(intent, all.signatures);
  for (const ports of [[undefined, dead], [undefined, undefined, dead], [undefined, silent], [dead]] as const) {
    const began = performance.now();
    const { signatures, answers, grants } = await three.quorum({ ports }).signVault(vaultRequest(world, intent));
    assertQuorum(intent, signatures);
    assert.equal(grants.length, 2);
    assert.deepEqual(
      answers.flatMap((one) => ('code' in one ? [one.code] : [])),
      ['signer/unavailable'],
    );
    assert.ok(performance.now() - began < 10_000);
  }
  await assert.rejects(three.quorum({ ports: [undefined, dead, dead] }).signVault(vaultRequest(world, intent)), {
    code: 'signer/unavailable',
    message: /1 of 3 signers have agreed, and 2 must.*signer 2 .*signer 3/u,
  });
});

test('a signer that signs something else, or in the name of another, is caught and not counted', async () => {
  await using three = await openThree();
  const [first, second, third] = three.worlds;
  const asked = vaultRequest(first, vaultWithdrawal(first));
  const other = vaultRequest(first, vaultWithdrawal(first, { id: 'wd_other', vaultNonce: 1n, amount: 1n }));
  // Counters of passkeys rise, so the third has seen both in the order in which they were approved.
  await third.core().signVault(asked);
  await third.core().signVault(other);
  const liars: Partial<Port>[] = [
    // Another intent's signature, honestly made.
    { signVault: () => third.core().signVault(other) },
    // The grant of another signer, which is a good one, shown as its own.
    { signVault: () => second.core().signVault(asked) },
    // Its own record with a signature that is none.
    {
      signVault: async () => {
        const grant = await third.core().signVault(asked);
        return { ...grant, signature: { ...grant.signature, r: grant.signature.r + 1n } };
      },
    },
    // Its own signature with the record of another grant.
    {
      signVault: async () => {
        const grant = await third.core().signVault(asked);
        return { ...grant, record: (await third.core().signVault(other)).record };
      },
    },
  ];
  for (const lie of liars) {
    const liar = posing(third.core(), lie);
    const { signatures, answers } = await three.quorum({ ports: [undefined, undefined, liar] }).signVault(asked);
    assertQuorum(asked.intent, signatures);
    const [, , said] = answers;
    assert.ok(said !== undefined && 'code' in said && said.code === 'signer/certificate-invalid');
    // One honest signer is not enough beside it.
    const alone = three.quorum({ ports: [undefined, dead, liar] });
    await assert.rejects(alone.signVault(asked), { code: 'signer/certificate-invalid' });
  }
});

test('a key that left the set of signers is not counted', async () => {
  await using three = await openThree();
  const [world] = three.worlds;
  const left = members.filter((member) => member !== memberAddress(memberSeeds[2]));
  const intent = vaultWithdrawal(world);
  const now = async (): Promise<SignerSetMembers> => ({ members: left, threshold: 2n });
  const { grants } = await three.quorum({ setNow: now }).signVault(vaultRequest(world, intent));
  assert.deepEqual(grants.map(({ member }) => member).sort(), left);
  // Where it is the first signer whose key left, what another one would say is told: people are asked for by that.
  const first = three.worlds[0].core();
  const apart = posing(first, {
    outlook: async (...asked) => {
      const told = await first.outlook(...asked);
      return { ...told, refusal: { code: 'signer/not-a-member', message: 'No key of mine.' } };
    },
  });
  const told = await three.quorum({ ports: [apart] }).outlook(intent, { approvals: [] });
  assert.equal(told.refusal?.code, (await three.quorum().outlook(intent, { approvals: [] })).refusal?.code);
  const short = three.quorum({ setNow: now, ports: [undefined, dead] });
  await assert.rejects(short.signVault(vaultRequest(world, intent)), { code: 'signer/certificate-invalid' });
});

test('changes and approvals go to all, and whoever was away catches up before it is asked', async () => {
  await using three = await openThree();
  const [first, second, third] = three.worlds;
  const later = vaultOf({
    chain: registry.mainChain,
    compartment: registry.compartments.first,
    client: registry.clientOne,
    key: accountKey('later'),
  });
  const listing = change(first, { kind: 'enrolment', items: [later.item], id: 'en_vault', before: 2n });
  three.changes.push(listing);
  await three.quorum({ ports: [undefined, undefined, dead] }).change(listing);
  const versions = async (): Promise<readonly bigint[]> =>
    Promise.all(three.worlds.map(async (world) => (await world.core().status()).registryVersion));
  assert.deepEqual(await versions(), [3n, 3n, 2n]);
  const intent = vaultWithdrawal(first, { vault: later.address });
  // Where nothing can be sent after it, the one behind refuses, and the other two are enough.
  const without = await three.quorum({ changesAfter: async () => [] }).signVault(vaultRequest(first, intent));
  const [, , behind] = without.answers;
  assert.ok(behind !== undefined && 'code' in behind && behind.code === 'signer/unknown-vault');
  // With it, the third is as good as the others.
  const { signatures } = await three.quorum({ ports: [undefined, dead] }).signVault(vaultRequest(first, intent));
  assertQuorum(intent, signatures);
  assert.deepEqual(await versions(), [3n, 3n, 3n]);
  const hashes = await Promise.all(three.worlds.map(async (world) => (await world.core().status()).registryHash));
  assert.equal(new Set(hashes).size, 1);
  const next = vaultWithdrawal(first, { id: 'wd_next', vaultNonce: 5n });
  await three.quorum().lodge(next, registry.people.anna.approve(next));
  for (const world of [first, second, third]) {
    assert.deepEqual((await world.core().outlook(next, { approvals: [] })).approvedBy, ['anna']);
  }
});

test('a signer that was away for longer than the change may wait says so', async () => {
  await using three = await openThree();
  const [first, , third] = three.worlds;
  const item = { item: 'client', client: 'cl_new', compartment: registry.compartments.shared } as const;
  const listing = change(first, { kind: 'enrolment', items: [item], id: 'en_new', before: 2n });
  three.changes.push(listing);
  await three.quorum({ ports: [undefined, undefined, dead] }).change(listing);
  third.clock.seconds += 100_000n;
  const [, , late] = await three.quorum().catchUp();
  assert.ok(late !== undefined && 'code' in late && late.code === 'signer/intent-expired');
  // The same list, approved once more for the one that is behind, leads to the same registry.
  const again = change(third, { kind: 'enrolment', items: [item], id: 'en_again', before: 2n });
  await third.core().change(again);
  const standing = await three.quorum().standing();
  assert.equal(new Set(standing.map((one) => ('answer' in one ? one.answer.registryHash : one.code))).size, 1);
});

test('certificates of as many as must agree, each verified with the identity of its own signer', async () => {
  await using three = await openThree();
  const claim = { client: registry.clientOne, chain: registry.mainChain, vault: registry.vaults.first.address };
  const [, second, third] = three.worlds;
  const certificates = await three.quorum({ ports: [undefined, undefined, dead] }).certifyVault(claim);
  assert.equal(new Set(certificates.map(({ identity }) => identity)).size, 2);
  const echo = posing(third.core(), { certifyVault: () => second.core().certifyVault(claim) });
  await assert.rejects(three.quorum({ ports: [undefined, dead, echo] }).certifyVault(claim), {
    code: 'signer/certificate-invalid',
  });
  const forwarder = { ...claim, vault: registry.vaults.shared.address, salt: '1'.repeat(64) };
  assert.equal((await three.quorum().certifyForwarder(forwarder)).length, 3);
});

test('a change of the set is signed by those who are in it and accepted by those who come, and a heartbeat by two', async () => {
  await using three = await openThree();
  const [world] = three.worlds;
  const leaving = memberAddress(memberSeeds[2]);
  const coming = [memberAddress(memberSeeds[0]), memberAddress(memberSeeds[1]), memberAddress(12)];
  const next = setChange(world, coming);
  const before = { members, threshold: 2n };
  const other = setChange(world, [...coming.slice(0, 2), memberAddress(13)], { id: 'ssc_other' });
  const givenUp = { ...vaultRequest(world, other), intent: other, before };
  const change = { ...vaultRequest(world, next), intent: next, before };
  // One that stays is away: those who are there are a quorum of the set, and too few of those who are to be in it. So nobody is asked to sign,
  // and the number is still free for another change.
  await assert.rejects(three.quorum({ ports: [dead] }).signSetChange(givenUp), {
    code: 'signer/not-a-member',
    message: /1 of those who are to be in the set of signers accept, and 2 must/u,
  });
  await assert.rejects(three.quorum({ ports: [undefined, dead, dead] }).signSetChange(givenUp), {
    code: 'signer/unavailable',
  });
  const { quorumSignatures, memberSignatures, grants } = await three.quorum().signSetChange(change);
  assertQuorum(next, quorumSignatures);
  assertQuorum(next, memberSignatures);
  assert.ok(
    grants.some(({ member }) => member === leaving),
    'who leaves agrees, too',
  );
  assert.equal(grants.filter(({ member }) => coming.includes(member)).length, 2, 'enough of those who stay accept');
  for (const { member, signature } of grants) assert.equal(signerOf(next, signature), member);
  // After its time it is answered once more to whoever did not hear it.
  for (const one of three.worlds) one.clock.seconds += 100_000n;
  assert.deepEqual((await three.quorum().signSetChange(change)).quorumSignatures, quorumSignatures);
  const beat = heartbeat(world);
  assertQuorum(beat, (await three.quorum().signVault(vaultRequest(world, beat))).signatures);
});

test('a standby gets every list, signs nothing for vaults, and joins the set by accepting a change', async () => {
  await using three = await openThree();
  await using standby = await openWorld({
    drivers: { tree: testDriver('hsm-sealed', 12) },
    identities: [testIdentity('signer 12')],
  });
  const [world] = three.worlds;
  const signers = three.with({ name: 'the standby', world: standby });
  const item = { item: 'client', client: 'cl_new', compartment: registry.compartments.shared } as const;
  const listing = change(world, { kind: 'enrolment', items: [item], id: 'en_new', before: 2n });
  three.changes.push(listing);
  await three.quorum({ signers }).change(listing);
  const status = await standby.core().status();
  const { registryHash } = await world.core().status();
  assert.deepEqual([status.registryVersion, status.registryHash], [3n, registryHash]);
  assert.deepEqual(status.members, [memberAddress(12)]);
  const intent = vaultWithdrawal(world);
  await assert.rejects(standby.core().signVault(vaultRequest(world, intent)), { code: 'signer/not-a-member' });

  // Two of those who are to be in the set: one that stays, and the standby.
  const next = setChange(world, [memberAddress(memberSeeds[0]), memberAddress(12)]);
  const asked = { ...vaultRequest(world, next), intent: next, before: { members, threshold: 2n } };
  const { grants } = await three.quorum({ signers }).signSetChange(asked);
  assert.ok(grants.some(({ member }) => member === memberAddress(12)));
  await assert.rejects(three.quorum().signSetChange(asked), { code: 'signer/not-a-member' });
});

test('a threshold that no configuration can reach is said at once', async () => {
  await using three = await openThree();
  for (const threshold of [0, 4, 1.5]) {
    assert.throws(() => three.quorum({ threshold }), { code: 'config/invalid' });
  }
});

test('a commitment of reserves is collected like a heartbeat: each signer judges by itself, and liars are told apart', async () => {
  await using three = await openThree();
  const quorum = three.quorum();
  const [header = '', next = ''] = headersUpTo(2);
  const asked = { intent: commitment(header) };
  const { signatures, grants, answers } = await quorum.signReserves(asked);
  assert.equal(signatures.length, 2 * 65);
  assert.ok(grants.length >= 2 && answers.length === 3);
  const [, , third] = three.worlds;
  const lying = posing(third.core(), {
    signReserves: async ({ intent }) =>
      third
        .core()
        .signReserves({ intent: intent.kind === 'reserve-commitment' ? { ...intent, reserves: 1n } : intent }),
  });
  const { answers: told } = await three
    .quorum({ ports: [undefined, undefined, lying] })
    .signReserves({ intent: commitment(next) });
  assert.deepEqual(
    told.flatMap((one) => ('code' in one ? [one.code] : [])),
    ['signer/certificate-invalid'],
  );
  const silent = posing(third.core(), {
    signReserves: async () => Promise.reject(new CustodyError('signer/unavailable', 'away')),
  });
  const other = commitment(header, { id: 'rc_other', reserves: 1n });
  await assert.rejects(three.quorum({ ports: [undefined, undefined, silent] }).signReserves({ intent: other }), {
    code: 'signer/epoch-taken',
  });
  const key = await quorum.logKey();
  assert.equal(key.origin, registry.logOrigin);
});
