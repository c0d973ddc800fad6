import assert from 'node:assert/strict';
import type { Actor, Answer, Custody, WriteCall } from '@bulkhead/custody';
import { invariant } from '@bulkhead/domain';
import { fakeMembers } from '@bulkhead/fakes';
import { Crash } from './interruption.ts';
import { count, isExpected, type World } from './world.ts';

export const olga: Actor = { name: 'olga', role: 'operator' };
export const people: readonly Actor[] = ['ann', 'bob', 'cai', 'olga'].map((name) => ({ name, role: 'approver' }));
const askAttemptsMax = 30;

type Ask<View> = (custody: Custody, call: WriteCall) => Promise<Answer<View>>;

/**
 * Asks as a client of the API does: under one key until an answer comes, whatever ends in between, and now and then once more
 * or twice at once. All answers must be the same one.
 */
export async function ask<View>(world: World, actor: Actor, run: Ask<View>): Promise<View | undefined> {
  count(world, 'ask');
  const key = `ask-${world.tally.get('ask') ?? 0}`;
  const call: WriteCall = { actor, idempotency: { key, fingerprint: key.padStart(64, '0') } };
  if (world.random.percent(10)) {
    const results = await Promise.allSettled(world.processes.map(({ custody }) => run(custody, call)));
    for (const result of results) if (result.status === 'rejected' && !isExpected(result.reason)) throw result.reason;
    count(world, 'asked twice at once');
  }
  const first = await askUntilAnswered(world, () => run(world.random.pick(world.processes).custody, call));
  if (world.random.percent(20)) {
    const again = await run(world.processes[0].custody, call);
    assert.deepEqual(again, { ...first, hit: true });
  }
  const { outcome } = first;
  if (outcome.status === 'done') return outcome.view;
  invariant(outcome.status === 'refused', 'A key that was used once counts as used by others.', { key });
  count(world, `refused ${outcome.code}`);
  return undefined;
}

function wakeSigners({ signer, vaulting }: World): void {
  signer.down = false;
  if (vaulting !== undefined) vaulting.quorum.awake = fakeMembers;
}

async function askUntilAnswered<View>(world: World, run: () => Promise<Answer<View>>): Promise<Answer<View>> {
  for (let attempt = 0; attempt < askAttemptsMax; attempt++) {
    const mortal = world.random.percent(25);
    if (mortal) for (const { mortality } of world.processes) mortality.endAfter(1 + world.random.below(30));
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof Crash) && !isExpected(error)) throw error;
      // Whoever asks comes back later, and by then somebody has started the signer again.
      if (world.random.percent(30)) wakeSigners(world);
      count(world, error instanceof Crash ? 'crash in a command' : 'fault in a command');
    } finally {
      for (const { mortality } of world.processes) mortality.revive();
    }
  }
  throw new Error(`A command got no answer in ${askAttemptsMax} attempts.`);
}
