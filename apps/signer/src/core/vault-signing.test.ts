import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nobleHashes, parseStatement, vaultTermsOf } from '@bulkhead/authority';
import { isVaultMatter, type VaultIntent } from '@bulkhead/domain';
import { verifyForwarder, verifyVault } from '@bulkhead/signer-client';
import { forwarderAddress, vaultAddress } from '@bulkhead/vaults';
import * as registry from './testing/registry.ts';
import { memberAddress, vaultSystem } from './testing/vault.ts';
import {
  heartbeat,
  invalidation,
  keyRecovery,
  lowering,
  pause,
  removal,
  setChange,
  signerOf,
  vaultFee,
  vaultRequest,
  vaultWithdrawal,
} from './testing/vault-intent.ts';
import { openWorld, request, withdrawal, type World } from './testing/world.ts';

const own = memberAddress(7);

/** One of each kind, each with a nonce of its own. */
function everyKind(world: World): readonly VaultIntent[] {
  return [
    vaultWithdrawal(world),
    vaultWithdrawal(world, { id: 'wd_once', vaultNonce: 1n, authorisation: 'one-off' }),
    vaultWithdrawal(world, { id: 'wd_pool', authorisation: 'unlisted' }, registry.vaults.shared),
    vaultFee(world, { vaultNonce: 2n }),
    vaultFee(world, { id: 'fee_two', vaultNonce: 3n, amount: registry.oneEther / 100n }),
    invalidation(world, { cancels: 'wd_never', vaultNonce: 4n }),
    pause(world, { vaultNonce: 5n }),
    lowering(world, { vaultNonce: 6n }),
    removal(world, { vaultNonce: 7n }),
    keyRecovery(world, { vaultNonce: 8n }),
    setChange(world, [own, memberAddress(12)]),
    heartbeat(world),
  ];
}

test('every kind is signed by the member key, over the digest that the contract checks, and once for ever', async () => {
  await using world = await openWorld();
  const intents = everyKind(world);
  const first = [];
  for (const intent of intents) {
    const { signature, member, record } = await world.core().signVault(vaultRequest(world, intent));
    assert.equal(member, own);
    assert.equal(signerOf(intent, signature), own, intent.kind);
    assert.match(record.line, /"type":"granted"/u);
    first.push(signature);
  }
  assert.equal(world.driver.made(), intents.length);
  // Long after its expiry, and after a restart, the same request has the same signature: it may have been lost on its way.
  await world.restart();
  world.clock.seconds += 10_000n;
  for (const [at, intent] of intents.entries()) {
    const again = await world.core().signVault({ intent, evidence: { approvals: [] } });
    assert.deepEqual(again.signature, first[at], intent.kind);
  }
  assert.equal(world.driver.made(), intents.length);
});

test('a hundred requests for one intent at once are one grant and one signature', async () => {
  await using world = await openWorld();
  const asked = vaultRequest(world, vaultWithdrawal(world));
  const before = (await world.core().status()).sequence;
  const grants = await Promise.all(Array.from({ length: 100 }, async () => world.core().signVault(asked)));
  assert.equal(new Set(grants.map(({ signature }) => signature.r)).size, 1);
  assert.equal(world.driver.made(), 1);
  assert.ok((await world.core().status()).sequence <= before + 2n);
});

test('decisions for vaults that come together share a group, with each other and with those for wallets', async () => {
  await using world = await openWorld();
  // Nobody approves a heartbeat, so it is prepared at once; the others have signatures to be verified.
  const quick = vaultRequest(world, heartbeat(world));
  const slow = vaultRequest(world, vaultWithdrawal(world));
  const grants = await Promise.all([world.core().signVault(quick), world.core().signVault(slow)]);
  assert.equal(new Set(grants.map(({ record }) => record.head.signature)).size, 1);
  // What moves a vault's coins and what carries it are asked for together, too.
  const movement = request(world, withdrawal(world), { nonce: 0n });
  const other = vaultRequest(world, invalidation(world, { vaultNonce: 4n, cancels: 'wd_never' }));
  const both = await Promise.all([world.core().signVault(other), world.core().sign(movement)]);
  assert.equal(new Set(both.map(({ record }) => record.head.signature)).size, 1);
});

test('the grant stands in log and slots before the key is asked', async () => {
  await using world = await openWorld();
  world.driver.fail(true);
  const asked = vaultRequest(world, vaultWithdrawal(world));
  await assert.rejects(world.core().signVault(asked), { code: 'hsm/unavailable' });
  world.driver.fail(false);
  await world.restart();
  const other = vaultWithdrawal(world, { id: 'wd_other' });
  await assert.rejects(world.core().signVault(vaultRequest(world, other)), { code: 'signer/nonce-taken' });
  const { signature } = await world.core().signVault(asked);
  assert.equal(signerOf(asked.intent, signature), own);
});

test('what a restart must know: nonces, numbers, windows, heartbeats', async () => {
  await using world = await openWorld();
  const big = { amount: 10n * registry.oneEther };
  for (const [at, id] of ['wd_a', 'wd_b'].entries()) {
    await world.core().signVault(vaultRequest(world, vaultWithdrawal(world, { ...big, id, vaultNonce: BigInt(at) })));
  }
  await world.core().signVault(vaultRequest(world, heartbeat(world)));
  await world.core().signVault(vaultRequest(world, setChange(world, [own, memberAddress(12)])));
  await world.restart();
  const refused = async (intent: VaultIntent, code: string): Promise<void> =>
    assert.rejects(world.core().signVault(vaultRequest(world, intent)), { code });
  await refused(vaultWithdrawal(world, { ...big, id: 'wd_c', vaultNonce: 2n }), 'signer/velocity-exceeded');
  await refused(vaultWithdrawal(world, { id: 'wd_c', vaultNonce: 0n }), 'signer/nonce-taken');
  await refused(vaultWithdrawal(world, { ...big, id: 'wd_a', vaultNonce: 3n }), 'signer/intent-spent');
  await refused(heartbeat(world, { id: 'hb_two', blockNumber: world.clock.seconds + 1n }), 'signer/velocity-exceeded');
  await refused(setChange(world, [own, memberAddress(13)], { id: 'ssc_two' }), 'signer/nonce-taken');
});

test('an invalidation takes the nonce of what it cancels, and no other', async () => {
  await using world = await openWorld();
  await world.core().signVault(vaultRequest(world, vaultWithdrawal(world)));
  const elsewhere = invalidation(world, { vaultNonce: 1n });
  await assert.rejects(world.core().signVault(vaultRequest(world, elsewhere)), { code: 'signer/intent-spent' });
  const other = invalidation(world, { cancels: 'wd_other' });
  await assert.rejects(world.core().signVault(vaultRequest(world, other)), { code: 'signer/nonce-taken' });
  await world.core().signVault(vaultRequest(world, invalidation(world)));
  // What was invalidated before it was granted is never granted.
  const free = invalidation(world, { id: 'inv_two', vaultNonce: 9n, cancels: 'wd_late' });
  await world.core().signVault(vaultRequest(world, free));
  const late = vaultWithdrawal(world, { id: 'wd_late', vaultNonce: 10n });
  await assert.rejects(world.core().signVault(vaultRequest(world, late)), { code: 'signer/intent-spent' });
});

test('the outlook says what signing would, for every kind', async () => {
  await using world = await openWorld();
  for (const intent of everyKind(world)) {
    const outlook = await world.core().outlook(intent, vaultRequest(world, intent).evidence);
    assert.equal(outlook.refusal, undefined, intent.kind);
    assert.equal(parseStatement(outlook.brief.statement).kind, 'brief');
  }
  const unasked = await world.core().outlook(vaultWithdrawal(world), { approvals: [] });
  assert.equal(unasked.refusal?.code, 'signer/request-missing');
  assert.equal(unasked.approvalsNeeded, 2);
  const lodged = vaultWithdrawal(world, { id: 'wd_lodged', vaultNonce: 7n });
  await world.core().lodge(lodged, registry.people.anna.approve(lodged));
  assert.deepEqual((await world.core().outlook(lodged, { approvals: [] })).approvedBy, ['anna']);
});

test('a certificate of a vault has all that it takes to deploy it and to leave it', async () => {
  await using world = await openWorld();
  const { first, shared } = registry.vaults;
  const claim = { client: registry.clientOne, chain: registry.mainChain, vault: first.address };
  const signed = await world.core().certifyVault(claim);
  const { kind, fields } = parseStatement(signed.statement);
  assert.equal(kind, 'vault-certificate');
  const terms = vaultTermsOf(fields);
  assert.deepEqual(terms, { config: first.config, policy: first.policy });
  assert.equal(vaultAddress(nobleHashes, vaultSystem(registry.mainChain), terms.config), fields['address']);
  assert.equal(fields['client'], registry.clientOne);
  assert.deepEqual(await world.core().certifyVault(claim), signed, 'asked twice, the same certificate');
  const pinned = { identities: (await world.core().status()).identities, deployment: registry.deployment };
  const compartment = registry.compartments.first;
  assert.deepEqual(verifyVault(signed, { ...claim, compartment }, pinned).config, first.config);
  const others = [{ vault: shared.address }, { client: registry.clientTwo }, { chain: registry.sideChain }];
  for (const other of others) {
    assert.throws(() => verifyVault(signed, { ...claim, compartment, ...other }, pinned), {
      code: 'signer/certificate-invalid',
    });
  }
  const ofPool = parseStatement((await world.core().certifyVault({ ...claim, vault: shared.address })).statement);
  assert.equal(ofPool.fields['client'], undefined);
  const pool = { ...claim, vault: shared.address, client: `pool_${registry.compartments.shared}` };
  assert.equal(parseStatement((await world.core().certifyVault(pool)).statement).fields['address'], shared.address);
  await assert.rejects(world.core().certifyVault({ ...pool, client: 'pool_10009' }), { code: 'signer/unknown-client' });
  await assert.rejects(world.core().certifyVault({ ...claim, client: pool.client }), { code: 'signer/unknown-client' });
  await assert.rejects(world.core().certifyForwarder({ ...pool, salt: '0'.repeat(64) }), {
    code: 'signer/unknown-client',
  });
  await world.restart();
  assert.deepEqual(await world.core().certifyVault(claim), signed);
});

test('a forwarder is certified to one client for ever, at the address that follows from vault and salt', async () => {
  await using world = await openWorld();
  const { shared, first } = registry.vaults;
  const salt = '0'.repeat(63) + '7';
  const claim = { client: registry.clientOne, chain: registry.mainChain, vault: shared.address, salt };
  const signed = await world.core().certifyForwarder(claim);
  const { fields } = parseStatement(signed.statement);
  const system = vaultSystem(registry.mainChain);
  assert.equal(fields['address'], forwarderAddress(nobleHashes, system, { vault: shared.address, salt: `0x${salt}` }));
  const pinned = { identities: (await world.core().status()).identities, deployment: registry.deployment };
  const compartment = registry.compartments.shared;
  assert.equal(verifyForwarder(signed, { ...claim, compartment }, pinned), fields['address']);
  const otherSalt = { ...claim, compartment, salt: '8'.repeat(64) };
  assert.throws(() => verifyForwarder(signed, otherSalt, pinned), { code: 'signer/certificate-invalid' });
  const other = { ...claim, client: registry.clientTwo };
  await assert.rejects(world.core().certifyForwarder(other), { code: 'signer/address-certified-before' });
  await world.restart();
  await assert.rejects(world.core().certifyForwarder(other), { code: 'signer/address-certified-before' });
  assert.deepEqual(await world.core().certifyForwarder(claim), signed);
  await assert.rejects(world.core().certifyForwarder({ ...claim, vault: first.address }), {
    code: 'signer/unknown-vault',
  });
  await assert.rejects(world.core().certifyForwarder({ ...claim, salt: 'AB'.repeat(32) }), { code: 'signer/protocol' });
});

test('the status names the member keys', async () => {
  await using world = await openWorld();
  assert.deepEqual((await world.core().status()).members, [own]);
  assert.ok(everyKind(world).every(isVaultMatter));
});
