import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { needlesOf, scanMemory } from '@bulkhead/keys/testing';
import { SignerClient } from '@bulkhead/signer-client';
import { beneficiary, entropy, gasGrant } from './process-stage.ts';
import { prepareTokenStage } from './process-tokens.ts';

/** Whether the kernel lets this process read the memory of any other (capabilities(7): CAP_SYS_PTRACE, bit 19). */
function mayReadMemory(): boolean {
  const effective = /^CapEff:\s+([0-9a-f]+)$/mu.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> 19n) & 1n) === 1n;
}

function refusal(pid: number): unknown {
  try {
    closeSync(openSync(`/proc/${pid}/mem`, 'r'));
    return undefined;
  } catch (error) {
    return Reflect.get(Object(error), 'code');
  }
}

test('the memory of a running signer: who may not debug reads none of it, who may finds one closed copy, and none after it was wiped', async () => {
  await using stage = await prepareTokenStage();
  const { tree } = stage.configuration;
  assert.ok(tree?.driver === 'pkcs11-sealed-seed');
  const running = await stage.start({ tree: { ...tree, idleSeconds: 1 } });
  await using client = new SignerClient({ endpoint: running.endpoint });
  const { xpub } = await client.account(beneficiary);
  for (const n of [0, 1, 2, 3]) await client.sign(gasGrant(xpub, n));
  if (!mayReadMemory()) {
    assert.equal(refusal(running.pid), 'EACCES', 'a process of the same user has read the memory of the signer');
    return;
  }
  // The house's gas wallet has signed. Each node on the way to its key is looked for, and the entropy, the seed and the words.
  const needles = needlesOf(entropy, "m/44'/60'/1'/0/0");
  process.kill(running.pid, 'SIGSTOP');
  const live = scanMemory(needles, running.pid);
  process.kill(running.pid, 'SIGCONT');
  assert.ok(live.bytes > 10_000_000, `only ${live.bytes} bytes were searched`);
  // What is kept between signatures: the node above all accounts, in one locked page that nobody can read without opening it.
  assert.deepEqual(live.hits, [{ name: "m/44'/60'", form: 'raw', where: '---p' }]);
  // It stopped while it was looked at, and its time went on: by now the keys are idle.
  await pause(1_500);
  const wiped = scanMemory(needles, running.pid);
  assert.ok(wiped.bytes > 10_000_000, `only ${wiped.bytes} bytes were searched`);
  assert.deepEqual(wiped.hits, []);
  await client.sign(gasGrant(xpub, 4));
});
