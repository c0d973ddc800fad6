import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { CustodyError, type Granted } from '@bulkhead/domain';
import { SignerClient, verifyRecord } from '@bulkhead/signer-client';
import { parseCanonicalJson } from '@bulkhead/authority';
import { beneficiary, gasGrant, prepareStage } from './process-stage.ts';

const intents = 120;
const clients = 8;
const kills = 5;

/** Repeats until there is an answer, as the server does. */
async function patiently(client: SignerClient, n: number, xpub: string): Promise<Granted> {
  for (;;) {
    try {
      return await client.sign(gasGrant(xpub, n));
    } catch (error) {
      if (!(error instanceof CustodyError) || error.code !== 'signer/unavailable') throw error;
      await new Promise((done) => setTimeout(done, 5));
    }
  }
}

test('killed at random moments, it gives each intent one signature for ever and loses none', async (context) => {
  await using stage = await prepareStage();
  let running = await stage.start();
  await using client = new SignerClient({ endpoint: running.endpoint, requestMsMax: 2_000 });
  const { xpub } = await client.account(beneficiary);
  const given = new Map<number, string>();
  let done = false;
  let killed = 0;
  const killer = (async () => {
    while (!done && killed < kills) {
      await new Promise((go) => setTimeout(go, randomInt(5, 120)));
      process.kill(running.pid, 'SIGKILL');
      assert.equal((await running.exited).signal, 'SIGKILL');
      killed += 1;
      running = await stage.start();
    }
  })();
  const say = async (n: number, granted: Granted): Promise<void> => {
    const text = [granted.signature.r, granted.signature.s, granted.signature.yParity].join();
    const before = given.get(n);
    assert.ok(before === undefined || before === text, `intent ${n} has two signatures`);
    given.set(n, text);
    await Promise.resolve();
  };
  const work = Array.from({ length: clients }, async (_, worker) => {
    for (let n = worker; n < intents || killed < kills; n += clients) {
      const own = n % intents;
      await say(own, await patiently(client, own, xpub));
    }
  });
  await Promise.all(work);
  done = true;
  await killer;
  for (let n = 0; n < intents; n++) await say(n, await patiently(client, n, xpub));
  assert.equal(given.size, intents);
  assert.equal(killed, kills);

  // The log agrees: one grant for each intent, however often it was asked for.
  const { identities, sequence } = await client.status();
  const grants = new Map<string, number>();
  for (let after = 0n; after < sequence;) {
    const records = await client.records(after, 500);
    assert.ok(records.length > 0, 'a record is missing');
    for (const record of records) {
      const { type } = verifyRecord(record, identities);
      assert.equal(record.sequence, after + 1n);
      after = record.sequence;
      if (type !== 'granted') continue;
      const digest = JSON.stringify(parseCanonicalJson(record.line)).match(/gg_\d+/u)?.[0] ?? '';
      grants.set(digest, (grants.get(digest) ?? 0) + 1);
    }
  }
  context.diagnostic(`${kills} kills, ${grants.size} intents, ${sequence} records`);
  assert.equal(grants.size, intents);
  assert.ok([...grants.values()].every((count) => count === 1));
});
