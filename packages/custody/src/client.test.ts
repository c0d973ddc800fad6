import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ChainId, kindOf, parseChainId, parseCompartment } from '@bulkhead/domain';
import { sqlState } from '@bulkhead/postgres';
import {
  type AgreementTerms,
  changeSegregation,
  createClient,
  findClient,
  listAgreements,
  listClients,
  listSegregation,
  recordAgreement,
} from './client.ts';
import { type Bench, openBench, pool, refusalOf, viewOf } from './testing/bench.ts';
import { issueClientWallet } from './wallet-issue.ts';

const agreement: AgreementTerms = {
  parties: 'a',
  service: 'b',
  custodyPolicy: 'c',
  communication: 'd',
  security: 'e',
  fees: 'f',
  applicableLaw: 'g',
  signedAt: '2029-12-31T23:00:00.000Z',
};

async function bare(
  bench: Bench,
  reference: string,
  segregation: 'individual' | 'omnibus' = 'individual',
): Promise<string> {
  return viewOf(await createClient(bench.custody, bench.as('ann'), { reference, kind: 'natural', segregation })).id;
}

const issue = (bench: Bench, clientId: string, chain: ChainId = bench.id): ReturnType<typeof issueClientWallet> =>
  issueClientWallet(bench.custody, bench.as('ann'), { clientId, chain });

test('a client has one reference; a second one with it is refused, also at once', async () => {
  await using bench = await openBench();
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      createClient(bench.custody, bench.as('ann'), { reference: 'R', kind: 'legal', segregation: 'omnibus' }),
    ),
  );
  assert.deepEqual(answers.map(refusalOf).toSorted(), [
    ...Array.from({ length: 19 }, () => 'client/duplicate-reference'),
    'done',
  ]);
  const [view, ...more] = await listClients(bench.custody.db, { after: null, limit: 50 });
  assert.deepEqual(more, []);
  assert.ok(view !== undefined);
  assert.deepEqual(await findClient(bench.custody.db, view.id), view);
  assert.deepEqual(
    [view.reference, view.kind, view.segregation, view.agreementId, view.createdBy],
    ['R', 'legal', 'omnibus', null, 'ann'],
  );
});

test('clients are listed in the order they came, page by page, or found by their reference', async () => {
  await using bench = await openBench();
  const ids: string[] = [];
  for (const reference of ['a', 'b', 'c']) {
    ids.push(await bare(bench, reference));
    bench.clock.advance(1);
  }
  const pages = [];
  for (let after: string | null = null; ;) {
    const [client] = await listClients(bench.custody.db, { after, limit: 1 });
    if (client === undefined) break;
    pages.push(client.id);
    after = client.id;
  }
  assert.deepEqual(pages, ids);
  assert.deepEqual(
    (await listClients(bench.custody.db, { reference: 'b', after: null, limit: 9 })).map(({ id }) => id),
    [ids[1]],
  );
});

test('no address before an agreement, and every agreement stays beside the next one', async () => {
  await using bench = await openBench();
  const id = await bare(bench, 'R');
  assert.equal(refusalOf(await issue(bench, id)), 'agreement/missing');
  assert.deepEqual(await listSegregation(bench.custody.db, id), [], 'the refused request has set nothing up');
  const first = viewOf(await recordAgreement(bench.custody, bench.as('ann'), { clientId: id, terms: agreement }));
  assert.equal(refusalOf(await issue(bench, id)), 'done');
  bench.clock.advance(1_000);
  const second = viewOf(
    await recordAgreement(bench.custody, bench.as('bob'), { clientId: id, terms: { ...agreement, fees: 'less' } }),
  );
  assert.deepEqual(await listAgreements(bench.custody.db, id), [first, second]);
  assert.deepEqual(
    { ...first },
    { ...agreement, id: first.id, clientId: id, recordedBy: 'ann', recordedAt: first.recordedAt, erasedAt: null },
  );
  assert.deepEqual([second.fees, second.recordedBy], ['less', 'bob']);
  assert.equal((await findClient(bench.custody.db, id))?.agreementId, second.id, 'the latest counts');
  for (const session of [bench.database.app, bench.database.owner]) {
    for (const attempt of [
      `update custody.agreement set signed_at = now()`,
      `update custody.personal set content = '{}' where id = '${first.id}'`,
      'delete from custody.agreement',
      'truncate custody.agreement',
    ]) {
      await assert.rejects(
        session.query(attempt),
        (error) => ['42501', 'BH001'].includes(sqlState(error) ?? ''),
        attempt,
      );
    }
  }
});

test('an agreement given with the client is enough, and one for nobody is refused', async () => {
  await using bench = await openBench();
  const view = viewOf(
    await createClient(bench.custody, bench.as('ann'), {
      reference: 'R',
      kind: 'legal',
      segregation: 'omnibus',
      agreement,
    }),
  );
  assert.deepEqual(
    (await listAgreements(bench.custody.db, view.id)).map(({ id }) => id),
    [view.agreementId],
  );
  assert.equal(refusalOf(await issue(bench, view.id)), 'done');
  const nobody = { clientId: 'cl_nobody', terms: agreement };
  assert.equal(refusalOf(await recordAgreement(bench.custody, bench.as('ann'), nobody)), 'resource/not-found');
});

test('the segregation model is per chain and in versions, each of them kept', async () => {
  await using bench = await openBench();
  const other = parseChainId('eip155:10');
  const id = await bench.client('individual');
  const change = async (chain: ChainId, model: 'individual' | 'omnibus', name: string): Promise<unknown> => {
    const { version, segregation, compartment } = viewOf(
      await changeSegregation(bench.custody, bench.as(name), { clientId: id, chain, model }),
    );
    return [version, segregation, kindOf(parseCompartment(compartment))];
  };
  assert.deepEqual(await change(bench.id, 'omnibus', 'ann'), [1, 'omnibus', 'omnibus']);
  assert.deepEqual(await change(bench.id, 'individual', 'bob'), [2, 'individual', 'individual']);
  assert.deepEqual(
    await change(bench.id, 'individual', 'cid'),
    [2, 'individual', 'individual'],
    'what is so already is no version',
  );
  assert.deepEqual(await change(bench.id, 'omnibus', 'dan'), [3, 'omnibus', 'omnibus']);
  assert.deepEqual(await change(other, 'individual', 'ann'), [1, 'individual', 'individual']);
  const kept = await listSegregation(bench.custody.db, id);
  assert.deepEqual(
    kept
      .filter(({ chain }) => chain === bench.id)
      .map(({ version, segregation, decidedBy }) => [version, segregation, decidedBy]),
    [
      [1, 'omnibus', 'ann'],
      [2, 'individual', 'bob'],
      [3, 'omnibus', 'dan'],
    ],
  );
  const own = new Set(
    kept.filter(({ segregation }) => segregation === 'individual').map(({ compartment }) => compartment),
  );
  assert.equal(own.size, 1, 'a client has one compartment of its own, on every chain');
  assert.equal((await bench.wallet(id)).compartment, pool, 'addresses follow the latest version');
});

test('a model is fixed on a chain once there are addresses, and stays open on another chain', async () => {
  await using bench = await openBench();
  const id = await bench.client('individual');
  await bench.wallet(id);
  const change = (chain: ChainId, model: 'individual' | 'omnibus'): ReturnType<typeof changeSegregation> =>
    changeSegregation(bench.custody, bench.as('ann'), { clientId: id, chain, model });
  assert.equal(refusalOf(await change(bench.id, 'omnibus')), 'client/segregation-fixed');
  assert.equal(viewOf(await change(bench.id, 'individual')).version, 1);
  assert.equal(viewOf(await change(parseChainId('eip155:10'), 'omnibus')).segregation, 'omnibus');
  assert.deepEqual((await listSegregation(bench.custody.db, id)).length, 2);
  const nobody = { clientId: 'cl_nobody', chain: bench.id, model: 'omnibus' } as const;
  assert.equal(refusalOf(await changeSegregation(bench.custody, bench.as('ann'), nobody)), 'resource/not-found');
});

test('a change of the model and the first address at once end in one model, which the address has', async () => {
  await using bench = await openBench();
  for (let round = 0; round < 8; round += 1) {
    const id = await bench.client('individual');
    const [changed, issued] = await Promise.all([
      changeSegregation(bench.custody, bench.as('ann'), { clientId: id, chain: bench.id, model: 'omnibus' }),
      issue(bench, id),
    ]);
    const versions = await listSegregation(bench.custody.db, id);
    assert.equal(versions.length, 1);
    assert.equal(viewOf(issued).compartment, versions[0]?.compartment);
    assert.equal(refusalOf(changed), versions[0]?.segregation === 'omnibus' ? 'done' : 'client/segregation-fixed');
  }
});

test('individual clients never share a compartment, omnibus clients share the pool', async () => {
  await using bench = await openBench();
  const individuals = await Promise.all(Array.from({ length: 10 }, () => bench.client('individual')));
  const pooled = await Promise.all(Array.from({ length: 10 }, () => bench.client('omnibus')));
  const own = await Promise.all(individuals.map((id) => bench.wallet(id)));
  const shared = await Promise.all(pooled.map((id) => bench.wallet(id)));
  assert.equal(new Set(own.map(({ compartment }) => compartment)).size, 10);
  assert.ok(own.every(({ compartment }) => kindOf(compartment) === 'individual'));
  assert.deepEqual(new Set(shared.map(({ compartment }) => compartment)), new Set([pool]));
  assert.equal(new Set([...own, ...shared].map(({ address }) => address)).size, 20);
});
