import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checksumAddress, CustodyError, houseGas } from '@bulkhead/domain';
import { addressOfKey, namedAddress } from '@bulkhead/fakes';
import { addressCertificate } from './address-certificate.ts';
import { dispatchViews } from './dispatch.ts';
import { chargeFee, payFees } from './fee.ts';
import { sendDispatch } from './send.ts';
import { requestSweep } from './sweep.ts';
import { type Bench, openBench, refusalOf, viewOf } from './testing/bench.ts';
import {
  approve,
  ask,
  ether,
  funded,
  openWithdrawing,
  pay,
  recipient,
  settle,
  withdrawal,
} from './testing/withdrawing.ts';
import { findWallet, keyOf, type ListedWalletView, type WalletPurpose, walletViews } from './wallet.ts';
import { issueClientWallet, issueCompartmentWallet } from './wallet-issue.ts';

const thief = namedAddress('thief');

/** Writes into the database with the rights of the owner of the tables, past every trigger. */
async function tamper(bench: Bench, table: string, change: string): Promise<void> {
  const { owner } = bench.database;
  await owner.query(`alter table custody.${table} disable trigger user`);
  await owner.query(`update custody.${table} set ${change}`);
  await owner.query(`alter table custody.${table} enable trigger user`);
}

const swap = (bench: Bench, id: string, address: string = thief): Promise<void> =>
  tamper(bench, 'wallet', `address = '${address}' where id = '${id}'`);

const names = (id: string) => (error: unknown) =>
  error instanceof CustodyError && error.code === 'wallet/address-mismatch' && error.details['wallet'] === id;

const shown = (views: readonly ListedWalletView[]): readonly (readonly [string, string | null, string | null])[] =>
  views.map(({ id, address, problem }) => [id, address, problem]);

test('an address that was swapped in the database is not shown: the wallet is there with the problem, and all others too', async () => {
  await using bench = await openBench();
  const [one, two] = [await bench.client('individual'), await bench.client('individual')];
  const key = bench.as('ann', 'the-key');
  const issued = viewOf(await issueClientWallet(bench.custody, key, { clientId: one, chain: bench.id }));
  const other = await bench.wallet(two);
  await swap(bench, issued.id);
  const page = { after: null, limit: 10 };
  const bad = [issued.id, null, 'wallet/address-mismatch'] as const;
  // Ids of one millisecond come in any order, and pages are in the order of ids.
  const both = [bad, [other.id, checksumAddress(other.address), null] as const].toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
  // A process that knows nothing yet, and one that has verified the key before.
  for (const custody of [bench.custody, { ...bench.custody }]) {
    assert.deepEqual(shown(await walletViews(custody, page)), both);
    assert.deepEqual(shown(await walletViews(custody, { ...page, client: one })), [bad]);
  }
  await assert.rejects(addressCertificate(bench.custody, bench.as('ann'), issued.id), names(issued.id));
  bench.signer.down = true;
  assert.deepEqual(shown(await walletViews({ ...bench.custody }, page)), both, 'the signer is not needed for that');
});

test('an address that was swapped in a stored answer is not given out again', async () => {
  await using bench = await openBench();
  const clientId = await bench.client();
  const issue = (): ReturnType<typeof issueClientWallet> =>
    issueClientWallet(bench.custody, bench.as('ann', 'the-key'), { clientId, chain: bench.id });
  const { id, address } = viewOf(await issue());
  assert.equal((await issue()).hit, true);
  await tamper(bench, 'command', `answer = replace(answer::text, '${address}', '${thief}')::jsonb`);
  await assert.rejects(issue(), names(id));
});

test('an xpub that the signer did not certify issues no address and proves none', async () => {
  await using bench = await openBench();
  const clientId = await bench.client('omnibus');
  await bench.wallet(clientId);
  await walletViews(bench.custody, { after: null, limit: 10 });
  const invalid = { code: 'signer/certificate-invalid' };
  const stranger = { ...bench.custody };
  await tamper(bench, 'account_key', `xpub = 'xpub-of-a-thief'`);
  const input = { clientId, chain: bench.id };
  await assert.rejects(issueClientWallet(stranger, bench.as('ann'), input), invalid);
  const [listed] = await walletViews(stranger, { after: null, limit: 10 });
  assert.deepEqual([listed?.address, listed?.problem], [null, invalid.code]);
  assert.equal(
    refusalOf(await issueClientWallet(bench.custody, bench.as('ann'), input)),
    'done',
    'what was verified stays',
  );
});

test('a certificate of another compartment does not move its addresses here', async () => {
  await using bench = await openBench();
  const [one, two] = [await bench.client('individual'), await bench.client('individual')];
  const [wallet, foreign] = [await bench.wallet(one), await bench.wallet(two)];
  await tamper(
    bench,
    'account_key',
    `(xpub, certificate) = (select xpub, certificate from custody.account_key where compartment = ${foreign.compartment})
     where compartment = ${wallet.compartment}`,
  );
  const stranger = { ...bench.custody };
  const [listed] = await walletViews(stranger, { client: one, after: null, limit: 1 });
  assert.deepEqual([listed?.address, listed?.problem], [null, 'signer/certificate-invalid']);
  const account = bench.signer.account.bind(bench.signer);
  bench.signer.account = () => account(foreign.compartment);
  const third = await bench.client('individual');
  await assert.rejects(issueClientWallet(bench.custody, bench.as('ann'), { clientId: third, chain: bench.id }), {
    code: 'signer/certificate-invalid',
  });
});

test('no address is issued while the key of its compartment is not certified; where it is, the signer is not needed', async () => {
  await using bench = await openBench();
  const [known, fresh] = [await bench.client('individual'), await bench.client('individual')];
  await bench.wallet(known);
  bench.signer.down = true;
  const issue = (clientId: string): ReturnType<typeof issueClientWallet> =>
    issueClientWallet({ ...bench.custody }, bench.as('ann'), { clientId, chain: bench.id });
  assert.equal(refusalOf(await issue(known)), 'done');
  await assert.rejects(issue(fresh), { code: 'signer/unavailable' });
  assert.equal((await walletViews(bench.custody, { client: fresh, after: null, limit: 1 })).length, 0);
});

test('a sweep, a gas grant and a fee payment go to no address that was swapped', async () => {
  await using bench = await openWithdrawing();
  const gas = await bench.ownWallet('gas');
  const fees = await bench.ownWallet('fees');
  const client = await bench.client('omnibus');
  const wallet = await bench.wallet(client);
  const [pool] = await walletViews(bench.custody, { purpose: 'pool', after: null, limit: 1 });
  assert.ok(pool !== undefined && pool.address !== null);
  bench.chain.outside.send({ to: gas.address, amount: 5n * ether });
  await pay(bench, wallet, 3n * ether);
  const sweep = (): ReturnType<typeof requestSweep> =>
    requestSweep(bench.custody, bench.as('ann'), { walletId: wallet.id, asset: bench.native });
  await swap(bench, pool.id);
  await assert.rejects(sweep(), names(pool.id));
  await swap(bench, pool.id, pool.address.toLowerCase());
  const charge = { clientId: client, asset: bench.native, amount: 5n, description: 'custody' };
  viewOf(await chargeFee(bench.custody, bench.as('ann'), charge));
  await swap(bench, fees.id);
  await assert.rejects(payFees(bench.custody, bench.as('ann'), charge), names(fees.id));
  await swap(bench, fees.id, fees.address);
  // Swapped between the order and its sending: the dispatch waits and says so, and the owner can put it right.
  const [moved] = viewOf(await sweep()).items;
  assert.ok(moved !== undefined);
  await swap(bench, gas.id);
  await bench.work().then(
    () => assert.fail('a grant from a swapped wallet was made'),
    (error: unknown) => assert.ok(names(gas.id)(error)),
  );
  await swap(bench, gas.id, gas.address);
  await sendDispatch(bench.custody, moved.dispatchId ?? '');
  await bench.work();
  await settle(bench);
  await settle(bench);
  assert.equal(bench.chain.ground.balance(bench.native, thief), 0n);
  await bench.prove();
});

test('a payment from a swapped wallet waits and spends no nonce, and goes on when the row is put right', async () => {
  await using bench = await openWithdrawing();
  const { client, wallet } = await funded(bench, 3n * ether);
  const { id } = await ask(bench, { client, amount: ether });
  await swap(bench, wallet.id);
  await approve(bench, id);
  const held = await withdrawal(bench, id);
  assert.equal(held.state, 'signing');
  assert.match(held.reason ?? '', new RegExp(wallet.id, 'u'));
  const [dispatch] = await dispatchViews(bench.custody.db, { reference: id, after: null, limit: 1 });
  assert.deepEqual([dispatch?.state, dispatch?.nonce], ['queued', null]);
  await swap(bench, wallet.id, wallet.address);
  await sendDispatch(bench.custody, dispatch?.id ?? '');
  await settle(bench);
  assert.equal((await withdrawal(bench, id)).state, 'settled');
  assert.equal(bench.chain.ground.balance(bench.native, recipient), ether);
});

test('a movement between our own wallets whose receiver was swapped is not signed, before and after its nonce', async () => {
  for (const when of ['before', 'after'] as const) {
    await using bench = await openWithdrawing();
    const gas = await bench.ownWallet('gas');
    bench.chain.outside.send({ to: gas.address, amount: 5n * ether });
    const client = await bench.client('omnibus');
    const wallet = await bench.wallet(client);
    await pay(bench, wallet, 3n * ether);
    viewOf(await requestSweep(bench.custody, bench.as('ann'), { walletId: wallet.id, asset: bench.native }));
    // Up to the nonce of the sweep, or just before it.
    bench.signer.rules.refuse = ({ kind }) =>
      kind === 'sweep' ? { code: 'signer/not-ready', message: '' } : undefined;
    const sign = bench.signer.sign.bind(bench.signer);
    if (when === 'after') {
      bench.signer.rules.refuse = undefined;
      bench.signer.sign = async (request) => {
        if (request.intent.kind === 'sweep') throw new CustodyError('signer/unavailable', 'away');
        return sign(request);
      };
    }
    await bench.work();
    await settle(bench);
    await settle(bench);
    await tamper(bench, 'dispatch', `to_address = '${thief}' where kind = 'sweep'`);
    bench.signer.rules.refuse = undefined;
    bench.signer.sign = sign;
    const [dispatch] = await dispatchViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
    assert.ok(dispatch !== undefined);
    const [pool] = await walletViews(bench.custody, { purpose: 'pool', after: null, limit: 1 });
    await sendDispatch(bench.custody, dispatch.id);
    const [after] = await dispatchViews(bench.custody.db, { kind: 'sweep', after: null, limit: 1 });
    assert.deepEqual([after?.state, after?.nonce === null], when === 'after' ? ['signing', false] : ['queued', true]);
    const [row] = await bench.custody.db.query(`select waiting_reason from custody.dispatch where kind = 'sweep'`);
    assert.match(String(row?.['waiting_reason']), new RegExp(pool?.id ?? 'no pool', 'u'));
    assert.ok(!bench.signer.signed.some((request) => request.intent.kind === 'sweep'));
  }
});

test('a wallet with a key of its own has the address and residency of its certificate, and signs with that key', async () => {
  await using bench = await openWithdrawing();
  const input = { compartment: houseGas, chain: bench.id, purpose: 'gas' as const, keyLabel: 'gas-1' };
  const view = viewOf(await issueCompartmentWallet(bench.custody, bench.as('ann'), input));
  assert.deepEqual([view.keyLabel, view.derivationPath, view.keyResidency], ['gas-1', null, 'hsm']);
  const key = { compartment: houseGas, label: 'gas-1' };
  const found = await findWallet(bench.custody.db, view.id);
  assert.ok(found !== undefined);
  assert.deepEqual([keyOf(found), found.address], [key, addressOfKey(key)]);
  const as = (
    purpose: Exclude<WalletPurpose, 'deposit'>,
    keyLabel?: string,
  ): ReturnType<typeof issueCompartmentWallet> =>
    issueCompartmentWallet(bench.custody, bench.as('ann'), {
      compartment: houseGas,
      chain: bench.id,
      purpose,
      ...(keyLabel === undefined ? {} : { keyLabel }),
    });
  assert.equal(viewOf(await as('gas')).id, view.id, 'the one there is');
  assert.equal(viewOf(await as('gas', 'gas-1')).id, view.id);
  assert.equal(refusalOf(await as('gas', 'gas-2')), 'wallet/duty-taken');
  // It pays gas for a sweep, signed with the key of its own.
  bench.chain.outside.send({ to: addressOfKey(key), amount: 5n * ether });
  const client = await bench.client('omnibus');
  const wallet = await bench.wallet(client);
  const token = await bench.token('USD');
  await pay(bench, wallet, 1_000n, token);
  viewOf(await requestSweep(bench.custody, bench.as('ann'), { walletId: wallet.id, asset: token }));
  await bench.work();
  await settle(bench);
  await settle(bench);
  assert.ok(bench.signer.signed.some((request) => request.intent.kind === 'gas-grant' && 'label' in request.key));
  assert.ok(bench.signer.signed.some((request) => request.intent.kind === 'sweep'));
  await tamper(bench, 'wallet_key', `address = '${thief}'`);
  const [listed] = await walletViews({ ...bench.custody }, { purpose: 'gas', after: null, limit: 1 });
  assert.deepEqual([listed?.address, listed?.problem], [null, 'signer/certificate-invalid']);
  await bench.prove();
});

test('a deposit-address certificate is for wallets of clients, asked for once and kept', async () => {
  await using bench = await openBench();
  const wallet = await bench.wallet(await bench.client('individual'));
  const gas = await bench.ownWallet('gas');
  const certify = (id: string): ReturnType<typeof addressCertificate> =>
    addressCertificate(bench.custody, bench.as('ann'), id);
  assert.equal(refusalOf(await certify(gas.id)), 'wallet/of-no-client');
  assert.equal(refusalOf(await certify('wal_nobody')), 'resource/not-found');
  const first = viewOf(await certify(wallet.id));
  assert.match(first.certificate.statement, new RegExp(wallet.address, 'u'));
  bench.signer.down = true;
  assert.deepEqual(viewOf(await certify(wallet.id)), first);
  bench.signer.down = false;
  const other = await bench.wallet(await bench.client('individual'));
  const certifyAddress = bench.signer.certifyAddress.bind(bench.signer);
  bench.signer.certifyAddress = (claim) => certifyAddress({ ...claim, key: { ...claim.key, label: 'another' } });
  const invalid = { code: 'signer/certificate-invalid' };
  await assert.rejects(certify(other.id), invalid, 'a signer that means another address is not passed on');
  const rows = await bench.custody.db.query('select wallet from custody.address_certificate');
  assert.deepEqual(rows, [{ wallet: wallet.id }], 'and what it said is not stored');
});

test('a certificate that was changed where it is stored is not given out, neither anew nor as the answer of before', async () => {
  await using bench = await openBench();
  const [one, two] = [await bench.client('individual'), await bench.client('individual')];
  const [wallet, foreign] = [await bench.wallet(one), await bench.wallet(two)];
  const certify = (id: string, key: string): ReturnType<typeof addressCertificate> =>
    addressCertificate(bench.custody, bench.as('ann', key), id);
  const first = viewOf(await certify(wallet.id, 'one'));
  const other = viewOf(await certify(foreign.id, 'two'));
  assert.deepEqual(viewOf(await certify(wallet.id, 'one')), first);
  // A genuine certificate, of another client.
  const invalid = { code: 'signer/certificate-invalid' };
  await tamper(
    bench,
    'command',
    `answer = jsonb_set(answer, '{view,certificate}', (select answer #> '{view,certificate}' from custody.command where key = 'two'))
     where key = 'one'`,
  );
  await assert.rejects(certify(wallet.id, 'one'), invalid);
  await tamper(
    bench,
    'address_certificate',
    `certificate = jsonb_set(certificate, '{signature}', to_jsonb(repeat('00', 64)))`,
  );
  await assert.rejects(certify(wallet.id, 'three'), invalid);
  // The address of another client, with its certificate.
  await tamper(
    bench,
    'command',
    `answer = jsonb_set(answer, '{view,address}', to_jsonb('${other.address}'::text)) where key = 'one'`,
  );
  await assert.rejects(certify(wallet.id, 'one'), names(wallet.id));
});
