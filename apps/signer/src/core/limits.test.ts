import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRecordLine } from '@bulkhead/authority';
import { intentDigest, type MovementIntent } from '@bulkhead/domain';
import * as registry from './testing/registry.ts';
import { openWorld, request, withdrawal, type World } from './testing/world.ts';

const compartment = registry.compartments.first;

function cancel(world: World, number: number, cancels = `wd_junk-${number}`): MovementIntent {
  const { deployment, asset } = withdrawal(world);
  const nonce = BigInt(number);
  const to = world.address(compartment, 0);
  const feeMax = 1_000_000n;
  return { deployment, kind: 'cancel', id: `cn_${number}`, compartment, asset, to, amount: 0n, feeMax, cancels, nonce };
}

const cheap = { parts: { maxFee: 1n, priority: 0n } };

test('a nonce of nobody costs the whole fee that an intent may burn, whatever the price of gas', async () => {
  await using world = await openWorld({ limits: { freeCancelsPerMinuteMax: 1_000 } });
  for (const number of [0, 1, 2, 3]) await world.core().sign(request(world, cancel(world, number), cheap));
  await world.restart({ limits: { freeCancelsPerMinuteMax: 1_000 } });
  await world.core().sign(request(world, cancel(world, 4), cheap));
  const sixth = request(world, cancel(world, 5), cheap);
  await assert.rejects(world.core().sign(sixth), { code: 'signer/fee-above-limit' });
  assert.equal((await world.core().outlook(sixth.intent, sixth.evidence)).refusal?.code, 'signer/fee-above-limit');
});

test('the nonce of an intent is cancelled at the price of its gas, and the fifth cancellation is a replacement, too', async () => {
  await using world = await openWorld({ limits: { attemptsPerIntentMax: 3 } });
  await world.core().sign(request(world, withdrawal(world, { amount: 1n })));
  for (const [number, maxFee] of [20n, 22n, 25n].entries()) {
    const intent = { ...cancel(world, 0, 'wd_one'), id: `cn_other-${number}` };
    await world.core().sign(request(world, intent, { parts: { maxFee } }));
  }
  const more = { ...cancel(world, 0, 'wd_one'), id: 'cn_more' };
  await assert.rejects(world.core().sign(request(world, more, { parts: { maxFee: 40n } })), {
    code: 'signer/too-many-attempts',
  });
});

test('cancellations of nonces of nobody have a limit in a minute', async () => {
  const limits = { freeCancelsPerMinuteMax: 2 };
  await using world = await openWorld({ limits });
  for (const number of [0, 1]) await world.core().sign(request(world, cancel(world, number), cheap));
  await world.restart();
  const third = request(world, cancel(world, 2), cheap);
  await assert.rejects(world.core().sign(third), {
    code: 'signer/velocity-exceeded',
    details: { limit: 'free-cancel', perMinuteMax: 2, compartment },
  });
  world.clock.seconds += 60n;
  await world.core().sign(third);
});

test('what nobody approves has a limit in a minute, which the outlook knows; what people approve has none', async () => {
  await using world = await openWorld({ limits: { unattendedPerMinuteMax: 2 } });
  const { deployment, asset, feeMax } = withdrawal(world);
  const { gas, shared } = registry.compartments;
  const grants = [0, 1, 2].map((number) => {
    const to = world.address(shared, number);
    const base = { deployment, kind: 'gas-grant', id: `gg_${number}`, compartment: gas, asset, to } as const;
    return request(world, { ...base, amount: 1n, feeMax, beneficiary: shared }, { nonce: BigInt(number) });
  });
  const [first, second, third] = grants;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  await Promise.all([first, second].map(async (each) => world.core().sign(each)));
  await world.core().sign({ ...first });
  assert.equal((await world.core().outlook(third.intent, third.evidence)).refusal?.code, 'signer/velocity-exceeded');
  await assert.rejects(world.core().sign(third), { code: 'signer/velocity-exceeded', message: /Compartment/u });
  for (const nonce of [0n, 1n, 2n]) {
    await world.core().sign(request(world, withdrawal(world, { id: `wd_${nonce}`, amount: 1n }), { nonce }));
  }
});

test('a replacement pays a tenth more, and there is a highest number of them', async () => {
  await using world = await openWorld({ limits: { attemptsPerIntentMax: 3 } });
  const intent = withdrawal(world);
  const at = (maxFee: bigint): ReturnType<typeof request> => request(world, intent, { parts: { maxFee } });
  await world.core().sign(at(10n));
  await world.core().sign(at(10n));
  await assert.rejects(world.core().sign(request(world, intent, { parts: { priority: 0n } })), {
    code: 'signer/too-many-attempts',
  });
  await world.core().sign(at(11n));
  await world.restart({ limits: { attemptsPerIntentMax: 3 } });
  await assert.rejects(world.core().sign(at(12n)), { code: 'signer/too-many-attempts', message: /from 254100 on/u });
  await world.core().sign(at(13n));
  await assert.rejects(world.core().sign(at(20n)), { code: 'signer/too-many-attempts', message: /3 times/u });
  await world.core().sign(at(10n));
});

test('new certificates have a limit in a minute for each compartment; those of before are given on', async () => {
  const limits = { certificatesPerMinuteMax: 2 };
  await using world = await openWorld({ limits });
  const claim = (index: number): Parameters<ReturnType<World['core']>['certifyAddress']>[0] => ({
    client: registry.clientOne,
    chain: registry.mainChain,
    key: { compartment: registry.compartments.shared, index },
  });
  const first = await world.core().certifyAddress(claim(1));
  await world.core().certifyAddress(claim(2));
  await world.restart();
  await assert.rejects(world.core().certifyAddress(claim(3)), { code: 'signer/velocity-exceeded' });
  assert.deepEqual(await world.core().certifyAddress(claim(1)), first);
  world.clock.seconds += 60n;
  await world.core().certifyAddress(claim(3));
});

test('a refusal names what was asked by its digest, and is short', async () => {
  await using world = await openWorld();
  const asked = request(world, withdrawal(world, { to: registry.thief }));
  await assert.rejects(world.core().sign(asked), { code: 'signer/unknown-destination' });
  const line = (await world.core().records(0n, 1_000)).at(-1)?.line ?? '';
  const { fields } = parseRecordLine(line);
  const names = ['code', 'digest', 'id', 'key', 'message', 'request', 'transaction'];
  assert.deepEqual(Object.keys(fields).toSorted(), names);
  assert.deepEqual([fields['digest'], fields['id']], [intentDigest(asked.intent), asked.intent.id]);
  assert.ok(line.length < 700, `${line.length} characters`);
});
