import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announced } from './announcement.ts';
import { openArrivals } from './arrivals.ts';
import type { Refusals } from './refusals.ts';

const refused = { request: 'sign-vault', about: {} } as const;

test('a decision is expected while it is prepared, and no longer when it waits, is refused or fails', async () => {
  const arrivals = openArrivals();
  const seen: [string, number][] = [];
  const see = (when: string): void => void seen.push([when, arrivals.expected()]);
  const refusals: Refusals = {
    async recorded(_refused, decision) {
      try {
        return await decision();
      } catch (error) {
        see('refusal is written');
        throw error;
      }
    },
  };
  const prepare = async (): Promise<void> => {
    await Promise.resolve();
    see('prepared');
  };
  await announced(
    { arrivals, refusals },
    {
      refused,
      prepare,
      decide: async (_ready, arrived) => {
        arrived();
        see('waits for its group');
        return Promise.resolve();
      },
    },
  );
  const wrong = new Error('not allowed');
  await assert.rejects(
    announced({ arrivals, refusals }, { refused, prepare, decide: async () => Promise.reject(wrong) }),
    wrong,
  );
  see('after');
  await assert.rejects(
    announced({ arrivals, refusals }, { refused, prepare: async () => Promise.reject(wrong), decide: prepare }),
    wrong,
  );
  see('after');
  assert.deepEqual(seen, [
    ['prepared', 1],
    ['waits for its group', 0],
    ['prepared', 1],
    ['refusal is written', 0],
    ['after', 0],
    ['after', 0],
  ]);
});
