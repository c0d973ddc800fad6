import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import {
  type AuthorityIntent,
  type Evidence,
  feeMax,
  type FeeTerms,
  type KeyRef,
  type MovementIntent,
  nativeAsset,
  parseChainId,
  parseCompartment,
} from '@bulkhead/domain';
import { ManualClock } from './clock.ts';
import { FakeChain } from './fake-chain.ts';
import { addressOfKey, addressOfPath, namedAddress } from './key.ts';
import { fakeApproval, FakeSigner, fakeVerifyAccount, fakeVerifyWallet } from './signer.ts';
import { fakeDeployment } from './signer-log.ts';

const compartment = parseCompartment(100_000);
const key: KeyRef = { compartment, index: 3 };
const asset = nativeAsset(parseChainId('eip155:31337'));
const terms: FeeTerms = { gasLimit: 21_000n, maxFeePerGas: 5n, maxPriorityFeePerGas: 5n };
const to = namedAddress('destination');
const from = addressOfPath(key);
const clock = new ManualClock();

const payment: MovementIntent = {
  deployment: fakeDeployment,
  kind: 'withdrawal',
  id: 'wd_1',
  compartment,
  asset,
  to,
  amount: 9n,
  feeMax: feeMax(terms),
  client: 'cli_1',
  feePayer: 'client',
  expiresAt: BigInt(clock.now().getTime()) / 1000n + 60n,
};
const cancel: MovementIntent = {
  deployment: fakeDeployment,
  kind: 'cancel',
  id: 'dsp_1',
  compartment,
  asset,
  to: from,
  amount: 0n,
  feeMax: feeMax(terms),
  cancels: payment.id,
  nonce: 4n,
};

function approved(intent: MovementIntent, people: readonly string[] = ['ruth', 'sam']): Evidence {
  return { request: fakeApproval('olga', intent), approvals: people.map((name) => fakeApproval(name, intent)) };
}

const chain = new FakeChain();
const bytes = (change: Partial<{ to: typeof to; amount: bigint; asset: typeof asset }> = {}, nonce = 4n): Uint8Array =>
  chain.build({ from, to, asset, amount: 9n, ...change }, terms, nonce);

test('the signer signs what the intent says, and nothing that differs in any field', async () => {
  const signer = new FakeSigner(new ManualClock());
  const evidence = approved(payment);
  const granted = await signer.sign({ intent: payment, evidence, key, unsigned: bytes() });
  assert.deepEqual(await signer.sign({ intent: payment, evidence, key, unsigned: bytes() }), granted);
  assert.equal(chain.assemble(bytes(), granted.signature).from, from);
  const token = chain.ground.deployToken({ name: 'T' });
  const dearer = chain.build({ from, to, asset, amount: 9n }, { ...terms, gasLimit: terms.gasLimit + 1n }, 4n);
  for (const unsigned of [bytes({ amount: 10n }), bytes({ to: from }), bytes({ asset: token }), dearer]) {
    await assert.rejects(signer.sign({ intent: payment, evidence, key, unsigned }), {
      code: 'signer/malformed-transaction',
    });
  }
  const stranger = { compartment: parseCompartment(100_001), index: 3 };
  await assert.rejects(signer.sign({ intent: payment, evidence, key: stranger, unsigned: bytes() }), {
    code: 'signer/malformed-transaction',
  });
  assert.equal(signer.signed.length, 2);
});

test('nothing is signed without the people it needs, in time, for this installation', async () => {
  const time = new ManualClock();
  const signer = new FakeSigner(time);
  const refused = async (evidence: Evidence, code: string, intent: MovementIntent = payment): Promise<void> => {
    await assert.rejects(signer.sign({ intent, evidence, key, unsigned: bytes() }), { code });
  };
  const { request, approvals } = approved(payment);
  assert.ok(request !== undefined);
  await refused({ approvals }, 'signer/request-missing');
  await refused(approved(payment, ['ruth']), 'signer/approvals-missing');
  await refused(approved(payment, ['ruth', 'ruth']), 'signer/approvals-missing');
  await refused(approved(payment, ['ruth', 'olga']), 'signer/approvals-missing');
  await refused(approved({ ...payment, amount: 8n }), 'signer/approval-invalid');
  signer.rules.people = new Set(['olga', 'ruth']);
  await refused(approved(payment), 'signer/approvals-missing');
  signer.rules.people = undefined;
  const foreign = { ...payment, deployment: '00'.repeat(16) };
  await refused(approved(foreign), 'signer/wrong-deployment', foreign);
  signer.rules.refuse = () => ({ code: 'signer/velocity-exceeded', message: 'too much' });
  await refused(approved(payment), 'signer/velocity-exceeded');
  signer.rules.refuse = undefined;
  signer.down = true;
  await refused(approved(payment), 'signer/unavailable');
  signer.down = false;
  time.advance(61_000);
  await refused(approved(payment), 'signer/intent-expired');
  assert.equal(signer.signed.length, 0);
});

test('one intent has one nonce and one nonce one intent; a cancellation takes the nonce of what it cancels', async () => {
  const signer = new FakeSigner(new ManualClock());
  const sign = (intent: MovementIntent, unsigned: Uint8Array): ReturnType<FakeSigner['sign']> =>
    signer.sign({ intent, evidence: approved(intent), key, unsigned });
  const self = { to: from, amount: 0n };
  await sign(payment, bytes());
  await assert.rejects(sign(payment, bytes({}, 5n)), { code: 'signer/intent-spent' });
  await assert.rejects(sign({ ...payment, id: 'wd_2' }, bytes()), { code: 'signer/nonce-taken' });
  await assert.rejects(sign({ ...cancel, cancels: 'wd_3' }, bytes(self)), { code: 'signer/nonce-taken' });
  await assert.rejects(sign(cancel, bytes(self, 5n)), { code: 'signer/malformed-transaction' });
  await assert.rejects(sign({ ...cancel, to }, bytes({ amount: 0n })), { code: 'signer/malformed-transaction' });
  await sign(cancel, bytes(self));
  // A nonce of nobody is then that of what is cancelled.
  await sign({ ...cancel, cancels: 'wd_9', nonce: 7n }, bytes(self, 7n));
  await assert.rejects(sign({ ...payment, id: 'wd_8' }, bytes({}, 7n)), { code: 'signer/nonce-taken' });
});

test('it says what it would do without doing it', async () => {
  const signer = new FakeSigner(new ManualClock());
  const before = signer.log.sequence;
  const { refusal, approvalsNeeded, approvedBy, requestNeeded } = await signer.outlook(
    payment,
    approved(payment, ['sam']),
  );
  assert.deepEqual([refusal, approvalsNeeded, approvedBy, requestNeeded], [undefined, 2, ['sam'], true]);
  signer.rules.refuse = () => ({ code: 'signer/unknown-destination', message: 'not enrolled' });
  assert.equal((await signer.outlook(payment, approved(payment))).refusal?.code, 'signer/unknown-destination');
  const sweep: MovementIntent = { ...cancel, kind: 'sweep', id: 'swp_1', amount: 1n };
  assert.equal((await signer.outlook(sweep, { approvals: [] })).approvalsNeeded, 0);
  assert.equal(signer.log.sequence, before, 'nothing was recorded');
});

test('a change of the registry makes one version of the one before it, and its repetition none', async () => {
  const signer = new FakeSigner(new ManualClock());
  const intent: AuthorityIntent = {
    deployment: fakeDeployment,
    kind: 'enrolment',
    id: 'chg_1',
    before: 1n,
    items: 1n,
    digest: '00'.repeat(32),
    expiresAt: payment.expiresAt,
  };
  const evidence = { approvals: ['ruth', 'sam'].map((name) => fakeApproval(name, intent)) };
  const change = { intent, evidence, list: '' };
  await assert.rejects(signer.change({ ...change, evidence: { approvals: [] } }), { code: 'signer/approvals-missing' });
  const done = await signer.change(change);
  assert.equal(done.version, 2n);
  assert.deepEqual(await signer.change(change), done);
  const late = { ...intent, id: 'chg_2' };
  await assert.rejects(signer.change({ ...change, intent: late, evidence: { approvals: [] } }), {
    code: 'signer/registry-version',
  });
});

test('its records are a chain of hashes, and say who lodged what', async () => {
  const signer = new FakeSigner(new ManualClock());
  assert.deepEqual(await signer.lodge(payment, fakeApproval('ruth', payment)), { person: 'ruth' });
  await signer.lodge(payment, fakeApproval('ruth', payment));
  await assert.rejects(signer.lodge({ ...payment, id: 'wd_2' }, fakeApproval('ruth', payment)), {
    code: 'signer/approval-invalid',
  });
  const [opened, lodged, ...more] = await signer.records(0n, 10);
  assert.ok(opened !== undefined && lodged !== undefined && more.length === 0);
  const line = createHash('sha256').update(opened.line).digest();
  const hash = createHash('sha256').update(Buffer.from(opened.previous, 'hex')).update(line).digest('hex');
  assert.deepEqual([opened.sequence, lodged.sequence, lodged.previous], [1n, 2n, hash]);
  assert.deepEqual(await signer.records(1n, 10), [lodged]);
});

test('certificates are of the key they name, and a changed one does not pass', async () => {
  const signer = new FakeSigner(new ManualClock());
  const account = await signer.account(compartment);
  fakeVerifyAccount(account);
  const invalid = { code: 'signer/certificate-invalid' };
  assert.throws(() => fakeVerifyAccount({ ...account, xpub: 'xpub-of-a-thief' }), invalid);
  assert.throws(() => fakeVerifyAccount({ ...account, residency: 'hsm' }), invalid);
  const own = { compartment, label: 'cold-1' };
  const wallet = await signer.wallet(own);
  fakeVerifyWallet(wallet);
  assert.equal(wallet.address, addressOfKey(own));
  assert.throws(() => fakeVerifyWallet({ ...wallet, address: to }), invalid);
  const { certificate } = wallet;
  const forged = { ...certificate, statement: certificate.statement.replace(wallet.address, to) };
  assert.throws(() => fakeVerifyWallet({ ...wallet, address: to, certificate: forged }), invalid);
  const claim = { client: 'cl_1', chain: parseChainId('eip155:31337'), key };
  assert.match((await signer.certifyAddress(claim)).statement, /cl_1/u);
  await assert.rejects(signer.certifyAddress({ ...claim, client: 'cl_2' }), {
    code: 'signer/address-certified-before',
  });
});
