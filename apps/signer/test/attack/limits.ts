import { nativeAsset, parseAssetId, parseChainId } from '@bulkhead/domain';
import * as registry from '../../src/core/testing/registry.ts';
import { change, request, withdrawal, type World } from '../../src/core/testing/world.ts';
import { type Attack, asking } from './attack.ts';

const day = 86_400n;

type Own = Partial<ReturnType<typeof withdrawal>>;

/** An intent that people approved as it is, and that the signer's own registry does not allow. */
function forbidden(name: string, code: Attack['code'], own: Own): Attack {
  return asking(name, code, {
    attack: (world) => request(world, withdrawal(world, own)),
    honest: (world) => request(world, withdrawal(world, { id: 'wd_honest' })),
  });
}

async function spend(world: World, amounts: readonly bigint[]): Promise<void> {
  for (const [index, amount] of amounts.entries()) {
    const nonce = BigInt(index + 10);
    await world.core().sign(request(world, withdrawal(world, { id: `wd_spent-${index}`, amount }), { nonce }));
  }
}

const tenTwice = [10n * registry.oneEther, 10n * registry.oneEther] as const;
/** What is left of the window, and one more. */
const overTheRest = 5n * registry.oneEther + 1n;

const highFee = { feeMax: registry.oneEther / 100n } as const;
/** A worst fee of exactly what one intent may burn. */
const wholeFee = { gasLimit: 1_000_000n, maxFee: registry.oneEther / 100n / 1_000_000n } as const;

const newcomer = registry.destination(registry.clientOne, registry.compartments.first, registry.thief);
const unlistedToken = parseAssetId(`eip155:1/erc20:0x${'71'.repeat(20)}`);

export const limitAttacks: readonly Attack[] = [
  forbidden('a destination nobody enrolled', 'signer/unknown-destination', { to: registry.thief }),
  forbidden("a destination of another client's", 'signer/unknown-destination', {
    client: registry.clientTwo,
    compartment: registry.compartments.shared,
  }),
  forbidden('a client of another compartment', 'signer/unknown-client', { client: registry.clientTwo }),
  forbidden('a client whom nobody enrolled', 'signer/unknown-client', { client: 'cl_ghost' }),
  forbidden('an amount above the limit', 'signer/amount-above-limit', { amount: 10n * registry.oneEther + 1n }),
  forbidden('a token that is not listed', 'signer/unknown-asset', { asset: unlistedToken }),
  forbidden('a chain that is not listed', 'signer/unknown-chain', { asset: nativeAsset(parseChainId('eip155:5')) }),
  forbidden('an asset without a rule', 'signer/amount-above-limit', { asset: nativeAsset(registry.sideChain) }),
  asking('an intent that has expired', 'signer/intent-expired', {
    attack: (world) => request(world, withdrawal(world, { expiresAt: world.clock.seconds - 1n })),
    honest: (world) => request(world, withdrawal(world, { expiresAt: world.clock.seconds })),
  }),
  asking('an intent that has expired, with the clock set back', 'signer/intent-expired', {
    before: async (world) => {
      await spend(world, [1n]);
      world.clock.seconds -= day;
    },
    attack: (world) => request(world, withdrawal(world)),
    honest: (world) => request(world, withdrawal(world, { expiresAt: world.clock.seconds + 2n * day })),
  }),
  asking('a destination that still cools', 'signer/destination-cooling', {
    before: async (world) =>
      world.core().change(change(world, { kind: 'enrolment', id: 'en_new', before: 2n, items: [newcomer] })),
    attack: (world) => request(world, withdrawal(world, { to: registry.thief })),
    honest: (world) => {
      world.clock.seconds += registry.coolingSeconds;
      return request(world, withdrawal(world, { to: registry.thief }));
    },
  }),
  asking('a destination that was removed', 'signer/unknown-destination', {
    before: async (world) => {
      const { client, compartment } = withdrawal(world);
      const removed = { client, compartment, chain: registry.mainChain, address: registry.exchange };
      const items = [newcomer, { item: 'destination-removed', ...removed }] as const;
      await world.core().change(change(world, { kind: 'enrolment', id: 'en_gone', before: 2n, items }));
      world.clock.seconds += registry.coolingSeconds;
    },
    attack: (world) => request(world, withdrawal(world)),
    honest: (world) => request(world, withdrawal(world, { to: registry.thief })),
  }),
  asking('many small intents', 'signer/velocity-exceeded', {
    before: async (world) => spend(world, tenTwice),
    attack: (world) => request(world, withdrawal(world, { amount: overTheRest })),
    honest: (world) => request(world, withdrawal(world, { amount: overTheRest - 1n })),
  }),
  asking('many small intents and a restart', 'signer/velocity-exceeded', {
    before: async (world) => {
      await spend(world, tenTwice);
      await world.restart();
    },
    attack: (world) => request(world, withdrawal(world, { amount: overTheRest })),
    honest: (world) => request(world, withdrawal(world, { amount: overTheRest - 1n })),
  }),
  asking('velocity with the clock set back', 'signer/velocity-exceeded', {
    before: async (world) => {
      await spend(world, tenTwice);
      world.clock.seconds -= 2n * day;
      await world.restart();
    },
    attack: (world) => request(world, withdrawal(world, { amount: overTheRest, expiresAt: 9_999_999_999n })),
    honest: (world) => {
      world.clock.seconds += 3n * day;
      return request(world, withdrawal(world, { amount: overTheRest, expiresAt: 9_999_999_999n }));
    },
  }),
  asking('a fee of a hundred per cent', 'signer/fee-above-limit', {
    attack: (world) => {
      const intent = withdrawal(world, { feeMax: registry.oneEther });
      return request(world, intent, { parts: { gasLimit: 21_000n, maxFee: registry.oneEther / 21_000n } });
    },
    honest: (world) => request(world, withdrawal(world)),
  }),
  asking('a fee above what the intent allows', 'signer/fee-above-limit', {
    attack: (world) => request(world, withdrawal(world), { parts: { maxFee: 1_000n } }),
    honest: (world) => request(world, withdrawal(world)),
  }),
  asking('many high fees', 'signer/fee-above-limit', {
    before: async (world) => {
      for (const index of [0, 1, 2, 3, 4]) {
        const intent = withdrawal(world, { ...highFee, id: `wd_fee-${index}`, amount: 1n });
        await world.core().sign(request(world, intent, { nonce: BigInt(10 + index), parts: wholeFee }));
      }
    },
    attack: (world) => request(world, withdrawal(world)),
    honest: (world) => {
      world.clock.seconds += day;
      return request(world, withdrawal(world));
    },
  }),
];
