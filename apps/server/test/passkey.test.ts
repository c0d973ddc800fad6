import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { launchChromium, plugIn, register } from '@bulkhead/approve/testing';
import { type Approval, parseAddress } from '@bulkhead/domain';
import {
  admit,
  approveBy,
  changeRegistry,
  coin,
  deposit,
  enrol,
  ether,
  onChain,
  openHouse,
  settled,
  signRequest,
  textOf,
  until,
} from './house.ts';

const outside = parseAddress(`0x${'0f'.repeat(20)}`);

test('a passkey made on the page for development is listed by two people, approves a payment there, and replaces the old key', async () => {
  await using house = await openHouse({ approvalPage: { port: 0 } });
  const { desk, node } = house;
  const client = await admit(desk, 'C-passkey');
  await enrol(desk, client, outside);
  await deposit(house, client, 2n * coin);
  const { id } = await desk.post(
    '/v1/withdrawals',
    { clientId: client.id, asset: ether, amount: String(coin), destination: outside },
    'operator',
  );
  const path = `/v1/withdrawals/${id}`;
  await until('the withdrawal to be screened', async () => (await desk.get(path)).state === 'screened');
  await desk.post(`${path}/release`, undefined, 'approver-1');
  await signRequest(desk, id);
  const link = async (): Promise<string> => (await desk.get(`${path}/intent`)).intent.approvalLink ?? '';

  await using browser = await launchChromium();
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  await page.goto(`${new URL(await link()).origin}/#register`);
  await plugIn(page);
  const passkey = await register(page);
  const roles = ['approver', 'operational', 'root'];
  const person = { item: 'person', id: 'approver-1', name: 'Approver 1', roles, keys: [passkey] };
  await changeRegistry(desk, 'policy-change', [person]);

  // The destination cools for two seconds; until then the page asks for a tick that the warning was read.
  await until('the page to let sign', async () => {
    await page.goto('about:blank');
    await page.goto(await link());
    return page.locator('#sign-passkey').isEnabled();
  });
  await page.click('#sign-passkey');
  const approval: Approval = JSON.parse(await page.locator('#answer').inputValue());
  assert.deepEqual([approval.person, approval.kind], ['approver-1', 'webauthn']);
  const old = await desk.signature('approver-1', await textOf(desk, id));
  const order = { person: 'approver-1', key: randomUUID() } as const;
  const refused = await desk.ask('POST', `${path}/approvals`, { ...order, body: { approval: old } });
  assert.deepEqual([refused.status, refused.body.code], [422, 'signer/approval-invalid']);
  await desk.post(`${path}/approvals`, { approval }, 'approver-1');
  await approveBy(desk, 'approver-2', id);
  await settled(desk, id);
  assert.equal(await onChain(node, outside), coin);
});
