import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { chainHash, parseBrief, parseRecordLine, parseStatement, recordHash, zeroHash } from '@bulkhead/authority';
import { intentDigest, parseAddress } from '@bulkhead/domain';
import { nativeHashes } from '../process/native-hashes.ts';
import { lodgedPerIntentMax } from './lodging.ts';
import { groupRecordsMax } from './options.ts';
import { stateFileName } from './state-file.ts';
import { testDriver } from './testing/keys.ts';
import * as registry from './testing/registry.ts';
import { change, openWorld, request, withdrawal, type World } from './testing/world.ts';

const small = (world: World, index: number): ReturnType<typeof withdrawal> =>
  withdrawal(world, { id: `wd_small-${index}`, amount: 1n });

test('an approved withdrawal is signed once: the same request again has the same answer, also after a restart', async () => {
  await using world = await openWorld();
  const asked = request(world, withdrawal(world));
  const [first, atTheSameTime] = await Promise.all([world.core().sign(asked), world.core().sign(asked)]);
  assert.deepEqual(atTheSameTime, first);
  assert.deepEqual((await world.core().sign(asked)).signature, first.signature);
  await world.restart();
  assert.deepEqual(await world.core().sign(asked), first);
  assert.equal(world.driver.made(), 1);
});

test('a repetition is answered after the expiry, and a bump is not', async () => {
  await using world = await openWorld();
  const intent = withdrawal(world);
  const asked = request(world, intent);
  const { signature } = await world.core().sign(asked);
  world.clock.seconds += 100_000n;
  assert.deepEqual((await world.core().sign(asked)).signature, signature);
  await assert.rejects(world.core().sign(request(world, intent, { parts: { maxFee: 11n } })), {
    code: 'signer/intent-expired',
  });
});

test('a fee bump and a repetition count once against the windows, at the highest fee', async () => {
  await using world = await openWorld();
  const whole = { feeMax: registry.oneEther / 100n } as const;
  for (const index of [0, 1, 2, 3]) {
    const intent = withdrawal(world, { ...whole, id: `wd_bumped-${index}`, amount: 6n * registry.oneEther });
    for (const maxFee of [10n, registry.oneEther / 100n / 1_000_000n]) {
      const parts = { gasLimit: 1_000_000n, maxFee };
      await world.core().sign(request(world, intent, { nonce: BigInt(index), parts }));
    }
  }
  // 24 of 25 ether and 0.04 of 0.05 ether of fees are used now: exactly one of each is left.
  const last = withdrawal(world, { ...whole, id: 'wd_last', amount: registry.oneEther });
  const parts = { gasLimit: 1_000_000n, maxFee: registry.oneEther / 100n / 1_000_000n };
  await world.core().sign(request(world, last, { nonce: 9n, parts }));
  await assert.rejects(world.core().sign(request(world, small(world, 0), { nonce: 10n })), {
    code: 'signer/velocity-exceeded',
  });
});

test('of two requests for one attempt at the same time, bad evidence spoils nothing and gains nothing', async () => {
  await using world = await openWorld();
  const { anna, ben, olga } = registry.people;
  const core = world.core();
  for (const [nonce, goodFirst] of [false, true].entries()) {
    const intent = withdrawal(world, { id: `wd_shared-${nonce}`, amount: 1n });
    const other = withdrawal(world, { id: 'wd_other' });
    const good = request(world, intent, { nonce: BigInt(nonce) });
    const alone = { ...good, evidence: { request: olga.approve(intent), approvals: [anna.approve(intent)] } };
    const foreign = { ...good, evidence: world.approved(other) };
    const asked = goodFirst ? [good, alone, foreign, good] : [alone, foreign, good, good];
    const made = world.driver.made();
    const results = await Promise.allSettled(asked.map(async (each) => core.sign(each)));
    for (const [at, result] of results.entries()) {
      const expected = asked[at] === good ? 'fulfilled' : 'rejected';
      assert.equal(result.status, expected, `${at} ${goodFirst}`);
      if (result.status !== 'rejected') continue;
      const code = asked[at] === alone ? 'signer/approvals-missing' : 'signer/approval-invalid';
      assert.equal(Reflect.get(Object(result.reason), 'code'), code);
    }
    assert.equal(world.driver.made(), made + 1);
    // Others who approved may ask for the same effect: it is still one.
    const later = {
      ...good,
      evidence: { request: olga.approve(intent), approvals: [ben.approve(intent), anna.approve(intent)] },
    };
    const [first] = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    assert.deepEqual((await core.sign(later)).signature, first?.signature);
    assert.equal(world.driver.made(), made + 1);
  }
});

test('decisions made at the same time see what the others take', async () => {
  await using world = await openWorld();
  const asked = Array.from({ length: 5 }, (_, index) =>
    request(world, withdrawal(world, { id: `wd_big-${index}`, amount: 10n * registry.oneEther }), {
      nonce: BigInt(index),
    }),
  );
  const results = await Promise.allSettled(asked.map(async (each) => world.core().sign(each)));
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 2);
  const sameNonce = ['wd_left', 'wd_right'].map((id) =>
    request(world, withdrawal(world, { id, amount: 1n }), { nonce: 77n }),
  );
  const two = await Promise.allSettled(sameNonce.map(async (each) => world.core().sign(each)));
  assert.equal(two.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('of two assertions with one count that arrive together, one is taken', async () => {
  await using world = await openWorld();
  const { anna, ben, olga } = registry.people;
  const asked = ['wd_left', 'wd_right'].map((id, nonce) => {
    const intent = withdrawal(world, { id, amount: 1n });
    const approvals = [anna.approve(intent), ben.approve(intent, { count: 2_000_000 })];
    return request(world, intent, { nonce: BigInt(nonce), evidence: { request: olga.approve(intent), approvals } });
  });
  const results = await Promise.allSettled(asked.map(async (each) => world.core().sign(each)));
  const codes = results.map((result) => (result.status === 'rejected' ? String(result.reason.code) : 'signed'));
  assert.deepEqual(codes.toSorted(), ['signed', 'signer/sign-count']);
});

test('a grant names those who counted, and nobody who merely signed', async () => {
  await using world = await openWorld();
  const { anna, annaRobot, ben, cleo, olga } = registry.people;
  const intent = withdrawal(world);
  const approvals = [olga, cleo, anna, ben].map((person) => person.approve(intent));
  const evidence = { request: annaRobot.approve(intent), approvals };
  const { record } = await world.core().sign(request(world, intent, { evidence }));
  // Olga has not the role, and Anna asked.
  assert.deepEqual(parseRecordLine(record.line).fields['approvedBy'], ['ben', 'cleo']);
});

test('every record is in one chain, each group has its signed head, and each refusal is among them', async () => {
  await using world = await openWorld();
  const hashes = nativeHashes();
  const many = Array.from({ length: 20 }, (_, index) => request(world, small(world, index), { nonce: BigInt(index) }));
  await Promise.all(many.map(async (each) => world.core().sign(each)));
  await assert.rejects(world.core().sign(request(world, withdrawal(world, { to: registry.thief }), { nonce: 99n })));
  const records = await world.core().records(0n, 1_000);
  let previous = zeroHash;
  for (const [index, record] of records.entries()) {
    assert.equal(record.sequence, BigInt(index + 1));
    assert.equal(record.previous, previous);
    previous = recordHash(hashes, previous, record.line);
    const end = record.following.reduce((hash, digest) => chainHash(hashes, hash, digest), previous);
    assert.equal(parseStatement(record.head.statement).fields['hash'], end);
    assert.ok(record.following.length < groupRecordsMax);
  }
  const types = records.map(({ line }) => String(JSON.parse(line).type));
  assert.deepEqual(types.slice(0, 3), ['opened', 'started', 'changed']);
  assert.equal(types.filter((type) => type === 'granted').length, 20);
  assert.match(records.at(-1)?.line ?? '', /"code":"signer\/unknown-destination"/u);
  assert.ok(new Set(records.map(({ head }) => head.signature)).size < records.length, 'Nothing was grouped.');
  const paged = await world.core().records(5n, 3);
  assert.deepEqual(paged, records.slice(5, 8));
  const bytes = readFileSync(join(world.directory, stateFileName), 'utf8');
  assert.equal(bytes.split('\n').filter((line) => line !== '' && !line.startsWith('head ')).length, records.length);
  assert.deepEqual(await world.core().records(3n, 1), records.slice(3, 4));
});

test('too many refusals are refused without a record', async () => {
  await using world = await openWorld({ limits: { refusalRecordsPerMinuteMax: 3 } });
  const wrong = withdrawal(world, { to: registry.thief });
  for (const code of ['unknown-destination', 'unknown-destination', 'unknown-destination', 'too-many-refusals']) {
    await assert.rejects(world.core().sign(request(world, wrong)), { code: `signer/${code}` });
  }
  const before = (await world.core().status()).sequence;
  await assert.rejects(world.core().sign(request(world, wrong)), { code: 'signer/too-many-refusals' });
  assert.equal((await world.core().status()).sequence, before);
  world.clock.seconds += 60n;
  await assert.rejects(world.core().sign(request(world, wrong)), { code: 'signer/unknown-destination' });
  await world.core().sign(request(world, withdrawal(world, { id: 'wd_good' })));
});

test('an outlook says who is missing, counts what was lodged, and its brief is about this intent', async () => {
  await using world = await openWorld();
  const intent = withdrawal(world);
  const { olga, anna, ben } = registry.people;
  const nothing = await world.core().outlook(intent, { approvals: [] });
  assert.deepEqual(
    [nothing.refusal?.code, nothing.approvalsNeeded, nothing.requestNeeded],
    ['signer/request-missing', 2, true],
  );
  const asks = { request: olga.approve(intent), approvals: [] };
  assert.deepEqual(await world.core().lodge(intent, anna.approve(intent)), { person: 'anna' });
  const one = await world.core().outlook(intent, asks);
  assert.deepEqual([one.refusal?.code, one.approvedBy], ['signer/approvals-missing', ['anna']]);
  await world.core().lodge(intent, ben.approve(intent));
  const both = await world.core().outlook(intent, asks);
  assert.deepEqual([both.refusal, both.approvedBy], [undefined, ['anna', 'ben']]);
  const brief = parseBrief(parseStatement(both.brief.statement).fields);
  assert.deepEqual(
    [brief.digest, brief.destination?.timesUsed, brief.rule?.left],
    [intentDigest(intent), 0n, 25n * registry.oneEther],
  );
  await world.core().sign(request(world, intent));
  const later = await world.core().outlook(withdrawal(world, { id: 'wd_later' }), { approvals: [] });
  assert.equal(parseBrief(parseStatement(later.brief.statement).fields).destination?.timesUsed, 1n);
});

test('an outlook warns of an own address that looks like the destination', async () => {
  await using world = await openWorld();
  const { first } = registry.compartments;
  const key = { compartment: first, index: 3 };
  const own = world.address(first, 3);
  const alike = parseAddress(`${own.slice(0, 6).toLowerCase()}${'7'.repeat(32)}${own.slice(-4).toLowerCase()}`);
  const seen = async (): Promise<readonly string[]> => {
    const { brief } = await world.core().outlook(withdrawal(world, { to: alike }), { approvals: [] });
    const { destination } = parseBrief(parseStatement(brief.statement).fields);
    return (destination?.lookAlikes ?? []).map(({ address }) => address);
  };
  assert.deepEqual(await seen(), []);
  await world.core().certifyAddress({ client: registry.clientOne, chain: registry.mainChain, key });
  assert.deepEqual(await seen(), [own]);
  await world.restart();
  assert.deepEqual(await seen(), [own]);
});

test('approvals that were lodged in order may be used in another order, and one that fell behind may not', async () => {
  await using world = await openWorld();
  const { olga, anna, ben, cleo } = registry.people;
  const [first, second] = [withdrawal(world, { id: 'wd_first' }), withdrawal(world, { id: 'wd_second' })];
  const early = ben.approve(first);
  const late = ben.approve(second);
  await world.core().lodge(first, early);
  const { sequence } = await world.core().status();
  await world.core().lodge(first, early);
  assert.equal((await world.core().status()).sequence, sequence, 'The same approval was written down twice.');
  await world.core().lodge(second, late);
  await world.restart();
  const evidenceOf = (intent: typeof first, approval: typeof early): ReturnType<World['approved']> => ({
    request: olga.approve(intent),
    approvals: [approval, cleo.approve(intent)],
  });
  await world.core().sign(request(world, second, { evidence: evidenceOf(second, late) }));
  await world.core().sign(request(world, first, { nonce: 1n, evidence: evidenceOf(first, early) }));
  const third = withdrawal(world, { id: 'wd_third' });
  const overtaken = anna.approve(third);
  await world.core().lodge(first, anna.approve(first));
  await assert.rejects(world.core().lodge(third, overtaken), { code: 'signer/sign-count' });
});

test('more signatures for one intent than it can need are not kept', async () => {
  await using world = await openWorld();
  const intent = withdrawal(world);
  const { ben } = registry.people;
  for (let made = 0; made < lodgedPerIntentMax; made += 1) {
    await world.core().lodge(intent, ben.approve(intent, { count: 4_000_000 + made }));
  }
  const { sequence } = await world.core().status();
  await assert.rejects(world.core().lodge(intent, ben.approve(intent, { count: 5_000_000 })), {
    code: 'signer/protocol',
  });
  const [last] = await world.core().records(sequence, 1);
  assert.equal(parseRecordLine(last?.line ?? '').type, 'refused');
});

test('a change repeated is answered with its record; accounts and certificates are the same each time', async () => {
  await using world = await openWorld();
  const items = [{ item: 'client', client: 'cl_new', compartment: registry.compartments.shared }] as const;
  const asked = change(world, { kind: 'enrolment', items, id: 'en_new', before: 2n });
  const changed = await world.core().change(asked);
  assert.equal(changed.version, 3n);
  const { registryHash } = await world.core().status();
  await world.restart();
  assert.deepEqual(await world.core().change(asked), changed);
  assert.equal((await world.core().status()).registryHash, registryHash);
  const account = await world.core().account(registry.compartments.first);
  assert.deepEqual(await world.core().account(registry.compartments.first), account);
  const key = { compartment: registry.compartments.shared, index: 3 };
  const claim = { client: 'cl_new', chain: registry.mainChain, key };
  const certificate = await world.core().certifyAddress(claim);
  const { fields } = parseStatement(certificate.statement);
  assert.deepEqual([fields['address'], fields['path']], [world.address(key.compartment, 3), "m/44'/60'/10000'/0/3"]);
  await world.restart();
  assert.deepEqual(await world.core().certifyAddress(claim), certificate);
});

test('a gas grant to an address beyond the first ones needs that it was certified', async () => {
  await using world = await openWorld();
  const { gas, shared } = registry.compartments;
  const base = withdrawal(world);
  const { deployment, asset, feeMax } = base;
  const to = world.address(shared, 1_000);
  const grant = {
    deployment,
    kind: 'gas-grant',
    id: 'gg_far',
    compartment: gas,
    asset,
    to,
    amount: 1n,
    feeMax,
    beneficiary: shared,
  } as const;
  await assert.rejects(world.core().sign(request(world, grant)), { code: 'signer/unknown-destination' });
  const key = { compartment: shared, index: 1_000 };
  await world.core().certifyAddress({ client: registry.clientOne, chain: registry.mainChain, key });
  await world.core().sign(request(world, grant));
});

test('a label that looks like an index is no wallet: neither its tier nor its address nor a better residency', async () => {
  await using world = await openWorld();
  const compartment = registry.compartments.first;
  await world.restart({ drivers: { tree: world.driver, labelled: testDriver('hsm') } });
  await world
    .core()
    .certifyAddress({ client: registry.clientOne, chain: registry.mainChain, key: { compartment, index: 0 } });
  const key = { compartment, label: '0' };
  await assert.rejects(world.core().wallet(key), { code: 'signer/unknown-wallet' });
  const claim = { client: registry.clientOne, chain: registry.mainChain, key };
  await assert.rejects(world.core().certifyAddress(claim), { code: 'signer/unknown-wallet' });
});
