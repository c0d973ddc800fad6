import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Address, checksumAddress, parseAddress } from '@bulkhead/domain';
import { verifyStatement } from '@bulkhead/signer-client';
import { examine } from '../src/examination.ts';
import {
  admit,
  type Admitted,
  approveBy,
  coin,
  type Desk,
  deposit,
  enrol,
  ether,
  firstOf,
  type House,
  onChain,
  openHouse,
  type Reply,
  type Seen,
  settled,
  type Signatory,
  signRequest,
  textOf,
  until,
} from './house.ts';

/** Milliseconds from the last approval until the signer is killed. */
const killAfterMs = [0, 15, 60];
/** As long as work that waits for the signer would have taken, had it gone on. */
const quietMs = 2_500;

let house: House;
let client: Admitted;
let [paid, swapped, other]: Address[] = [];

before(async () => {
  house = await openHouse({ policy: { releaseUnscreenedWithdrawals: true } });
  client = await admit(house.desk, 'C-signer');
  const [first, second, third] = ['1a', '1b', '1c'].map((byte) => parseAddress(`0x${byte.repeat(20)}`));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  [paid, swapped, other] = [first, second, third];
  await enrol(house.desk, client, first, second);
  await deposit(house, client, 20n * coin);
});
after(async () => {
  await house[Symbol.asyncDispose]();
});

async function requested(destination: Address | undefined, wei: bigint = coin / 10n): Promise<string> {
  const body = { clientId: client.id, asset: ether, amount: String(wei), destination };
  const { id } = await house.desk.post('/v1/withdrawals', body, 'operator');
  await until('screening', async () => (await house.desk.get(`/v1/withdrawals/${id}`)).state === 'awaiting-approval');
  return id;
}

async function present(desk: Desk, id: string, by: { person: Signatory; approval: object }): Promise<Reply> {
  const { person, approval } = by;
  return desk.ask('POST', `/v1/withdrawals/${id}/approvals`, { person, body: { approval }, key: randomUUID() });
}

/** Hands in a signature until the signer is there to take it. */
async function insist(id: string, path: 'signature' | 'approvals', person: Signatory): Promise<void> {
  const { desk } = house;
  const approval = await desk.signature(person, await textOf(desk, id));
  const key = randomUUID();
  await until(`${person} to be heard`, async () => {
    const reply = await desk.ask('POST', `/v1/withdrawals/${id}/${path}`, { person, body: { approval }, key });
    assert.ok(reply.status < 300 || reply.status === 503, JSON.stringify(reply.body));
    if (reply.status === 503) assert.equal(reply.headers.get('retry-after'), '1');
    return reply.status < 300;
  });
}

function killSigner(): void {
  const pid = house.server.reached.pid?.();
  assert.ok(pid !== undefined);
  process.kill(pid, 'SIGKILL');
}

test('an approval that is not what it seems is refused by the signer, with its code, and counts for nothing', async () => {
  const { desk } = house;
  const id = await requested(paid);
  const elsewhere = await requested(paid, coin / 20n);
  await signRequest(desk, id);
  const right = await desk.signature('approver-1', await textOf(desk, id));
  const foreign = await desk.signature('approver-1', await textOf(desk, elsewhere));
  const ownKey = await desk.signature('approver-2', await textOf(desk, id));
  const requester = await desk.signature('operator', await textOf(desk, id));
  const forged: readonly (readonly [what: string, person: Signatory, approval: object, code: string])[] = [
    ['of another intent', 'approver-1', foreign, 'signer/approval-invalid'],
    [
      'with a bit changed',
      'approver-1',
      { ...right, signature: `00${right.signature.slice(2)}` },
      'signer/approval-invalid',
    ],
    ['under another name', 'approver-1', { ...right, person: 'approver-2' }, 'signer/approval-invalid'],
    ['of a key that is not listed', 'approver-1', { ...right, key: 'spare' }, 'signer/approval-invalid'],
    ['of a stranger', 'approver-1', { ...right, person: 'mallory' }, 'signer/person-not-entitled'],
    ['of the requester', 'operator', requester, 'request/forbidden'],
    ['of somebody else', 'approver-1', ownKey, 'approval/of-another-person'],
  ];
  for (const [what, person, approval, code] of forged) {
    const reply = await present(desk, id, { person, approval });
    assert.deepEqual([what, reply.body.code], [what, code]);
    assert.equal(reply.status, code === 'request/forbidden' ? 403 : 422, what);
  }
  assert.deepEqual((await desk.get(`/v1/withdrawals/${id}`)).approvals, []);
  await approveBy(desk, 'approver-1', id);
  await approveBy(desk, 'approver-2', id);
  await settled(desk, id);
});

test('kill -9 of the signer while withdrawals are signed: it is started again, and each is paid once', async () => {
  const { desk, node, server } = house;
  const before = await onChain(node, parseAddress(String(paid)));
  const sent = async (): Promise<bigint> =>
    BigInt(String(await node.call('eth_getTransactionCount', client.address, 'latest')));
  const sentBefore = await sent();
  const ids: string[] = [];
  for (const delayMs of killAfterMs) {
    const id = await requested(paid);
    ids.push(id);
    await insist(id, 'signature', 'operator');
    await insist(id, 'approvals', 'approver-1');
    const last = insist(id, 'approvals', 'approver-2');
    await sleep(delayMs);
    killSigner();
    await last;
  }
  for (const id of ids) await settled(desk, id);
  assert.equal((await onChain(node, parseAddress(String(paid)))) - before, (coin / 10n) * BigInt(ids.length));
  assert.equal((await sent()) - sentBefore, BigInt(ids.length), 'each took one nonce');
  const signer: Seen & { readonly reachable?: boolean } = await desk.get('/v1/signer');
  assert.equal(signer.reachable, true);
  assert.deepEqual(await examine(server.access), []);
});

test('who owns the database and changes a destination, an approval or an address gets no signature', async () => {
  const { desk, node, database } = house;
  const alter = async (sql: string, values: readonly (string | undefined)[]): Promise<void> =>
    database.admin.transaction(async (tx) => {
      await tx.query('set local session_replication_role = replica');
      await tx.query(
        sql,
        values.map((value) => value ?? null),
      );
    });
  const waits = async (id: string): Promise<Seen> => {
    await sleep(quietMs);
    return desk.get(`/v1/withdrawals/${id}`);
  };
  const askedAndRefused = async (subject: string, code: RegExp): Promise<void> => {
    await until('the signer to refuse, and the reason to be seen', async () => {
      const [row] = await database.admin.query(`select waiting_reason from custody.dispatch where subject = $1`, [
        subject,
      ]);
      return row !== undefined && code.test(String(row['waiting_reason']));
    });
  };
  // Everybody approved a destination that cools down; meanwhile another one, which is enrolled too, is put in its place.
  await enrol(desk, client, parseAddress(String(other)));
  const turned = await requested(other);
  await signRequest(desk, turned);
  await approveBy(desk, 'approver-1', turned);
  await approveBy(desk, 'approver-2', turned);
  await askedAndRefused(turned, /signer\/destination-cooling/u);
  await alter(`update custody.withdrawal set destination = $2 where id = $1`, [turned, swapped]);
  await alter(
    `update custody.dispatch set to_address = $2, intent = replace(intent, to_address, $2),
       intent_digest = encode(sha256(convert_to(replace(intent, to_address, $2), 'UTF8')), 'hex') where subject = $1`,
    [turned, swapped],
  );
  await askedAndRefused(turned, /signer\/(?:approval|request)/u);
  assert.notEqual((await waits(turned)).state, 'settled');
  assert.equal(await onChain(node, parseAddress(String(swapped))), 0n);

  // A second approval that nobody gave.
  const forged = await requested(paid);
  await signRequest(desk, forged);
  await approveBy(desk, 'approver-1', forged);
  await alter(
    `insert into custody.approval (subject, role, person, key, kind, signature, intent_digest, at)
     select subject, role, 'approver-2', 'wallet', kind, signature, intent_digest, at from custody.approval
     where subject = $1 and role = 'approval'`,
    [forged],
  );
  await alter(
    `update custody.withdrawal set step = 'approved', state = jsonb_set(jsonb_set(state, '{step}', '"approved"'), '{approvedBy}', '["approver-1", "approver-2"]')
     where id = $1`,
    [forged],
  );
  await database.admin.query(`select graphile_worker.add_job('find-liquidity', json_build_object('id', $1::text))`, [
    forged,
  ]);
  await askedAndRefused(forged, /signer\/approval/u);
  assert.notEqual((await waits(forged)).state, 'settled');

  // The thief's address in the place of a client's: it is neither shown nor certified nor paid to.
  const issued = await desk.post(`/v1/clients/${client.id}/wallets`, { chain: 'eip155:31337' }, 'operator');
  await alter(`update custody.wallet set address = $2 where id = $1`, [issued.id, other]);
  const { items: shown } = await desk.get(`/v1/clients/${client.id}/wallets`);
  const bad: Readonly<Record<string, unknown>> = { ...shown.find(({ id }) => id === issued.id) };
  assert.deepEqual([bad['address'], bad['problem']], [null, 'wallet/address-mismatch']);
  assert.ok(shown.some(({ address }) => address === checksumAddress(client.address)));
  const certified = await desk.ask('POST', `/v1/wallets/${issued.id}/certificate`, {
    person: 'operator',
    key: randomUUID(),
  });
  assert.deepEqual([certified.status, certified.body.code], [409, 'wallet/address-mismatch']);
  await alter(`update custody.wallet set address = $2 where id = $1`, [issued.id, issued.address.toLowerCase()]);

  // A stored record of the signer: the examination of the books names it. Records are fetched each minute, and here at once.
  await database.admin.query(`select graphile_worker.add_job('pull-signer-records', '{}')`);
  await until('the records of the signer to be stored', async () => {
    const rows = await database.admin.query('select 1 from custody.signer_record where sequence = 2');
    return rows.length === 1;
  });
  await alter(`update custody.signer_record set line = line || ' ' where sequence = $1`, ['2']);
  const [finding] = await examine(house.server.access);
  assert.match(
    `${finding?.kind}: ${finding?.detail}`,
    /^signer-record: Record 2 of the signer is not what was stored/u,
  );
  await alter(`update custody.signer_record set line = rtrim(line) where sequence = $1`, ['2']);
});

type Certified = Seen & {
  readonly certificate: { readonly statement: string; readonly identity: string; readonly signature: string };
};

test('a deposit-address certificate verifies without us, and is the same each time', async () => {
  const { desk, server } = house;
  const { items } = await desk.get(`/v1/clients/${client.id}/wallets`);
  const wallet = firstOf(items);
  const ask = async (): Promise<Certified> => {
    const reply: Seen & Partial<Certified> = await desk.post(
      `/v1/wallets/${wallet.id}/certificate`,
      undefined,
      'operator',
    );
    assert.ok(reply.certificate !== undefined);
    return { ...reply, certificate: reply.certificate };
  };
  const { certificate, address } = await ask();
  assert.deepEqual((await ask()).certificate, certificate);
  assert.equal(address, checksumAddress(client.address));
  const { identities, deployment } = server.reached.pinned;
  const expected = { kind: 'address-certificate', deployment, client: client.id, address: client.address };
  verifyStatement(certificate, identities, expected);
  assert.throws(() => verifyStatement(certificate, identities, { ...expected, client: 'cl_other' }));
  // What was changed where it is stored is not given out.
  await house.database.admin.query('alter table custody.address_certificate disable trigger all');
  await house.database.admin.query(
    `update custody.address_certificate set certificate = jsonb_set(certificate, '{signature}', to_jsonb(repeat('00', 64)))`,
  );
  const changed = await desk.ask('POST', `/v1/wallets/${wallet.id}/certificate`, {
    person: 'operator',
    key: randomUUID(),
  });
  assert.deepEqual([changed.status, changed.body.code], [503, 'signer/certificate-invalid']);
});
