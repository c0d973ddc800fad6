import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { openEvmChain } from '@bulkhead/chain-evm';
import {
  type Address,
  type AssetId,
  codeHashOfNothing,
  houseFees,
  houseGas,
  invariant,
  nativeAsset,
  parseAddress,
  parseCompartment,
  type SignedStatement,
  tokenAsset,
  type VaultIntent,
} from '@bulkhead/domain';
import { FakeScreening, fakeDeployment, fakeStatement, FakeSignerLog, namedAddress } from '@bulkhead/fakes';
import { text } from '@bulkhead/postgres';
import { type TestDatabase, testDatabase } from '@bulkhead/postgres/testing';
import {
  agreementDigest,
  bytesOf,
  callData,
  feeMax,
  type Hex,
  nativeToken,
  receiptDigest,
  typedDigest,
  vaultCalls,
  vaultDomain,
  vaultForms,
  vaultIntentDigest,
} from '@bulkhead/vaults';
import { accountKey, chain, hashes, passkey, startVaultChain, type VaultChain } from '@bulkhead/vaults/testing';
import { allowAsset } from './asset.ts';
import { posted } from './books.ts';
import { createClient } from './client.ts';
import type { WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { chargeFee, feePaymentViews, payFees } from './fee.ts';
import { revokeDelegation } from './delegation.ts';
import { finalize } from './finality.ts';
import { observe, startChain } from './follower.ts';
import { migrationSources } from './migrations.ts';
import { reconcile } from './reconciliation.ts';
import { requestSweep, type SweepView, sweepViews } from './sweep.ts';
import { benchPolicy, jobQueue, viewOf } from './testing/bench.ts';
import { addressOf, softwareSigner } from './testing/software-signer.ts';
import { workers } from './testing/withdrawing.ts';
import { agreeVault, certifyVault, draftVault, receiptVault } from './vault-issue.ts';
import { signOneOff } from './vault-one-off.ts';
import { findVault, type Vault } from './vault-row.ts';
import { requestRestriction, type Restriction, restrictionViews, type RestrictionView } from './vault-restriction.ts';
import { vaultViews } from './vault-view.ts';
import { issueClientWallet, issueCompartmentWallet } from './wallet-issue.ts';
import { requestWithdrawal } from './withdrawal.ts';
import { withdrawalViews, type WithdrawalView } from './withdrawal-view.ts';

/** The workflows over the real contracts on a real node: what the fake chain says of vaults is held against it here. */
const ether = 10n ** 18n;
const native = nativeAsset(chain);
const listed = namedAddress('listed destination');
const exitTo = namedAddress('exit destination');
const clientKey = passkey();
const exitKey = accountKey(0xe1);

/** How far the clock of the custodian and the time of the chain are ahead of ours, in milliseconds. */
let ahead = 0;
let world: VaultChain;
let database: TestDatabase;
let custody: Custody;
let token: AssetId;

before(async () => {
  world = await startVaultChain();
  await world.node.mine(4);
  token = tokenAsset(chain, world.token);
  database = await testDatabase({ migrations: migrationSources, addition: jobQueue });
  custody = await custodyOver();
  const decimals = { decimals: 18, dustMax: 0n };
  viewOf(await allowAsset(custody, as('ann'), { ...decimals, id: native, symbol: 'ETH', behaviour: 'native' }));
  viewOf(await allowAsset(custody, as('ann'), { ...decimals, id: token, symbol: 'DEMO', behaviour: 'standard' }));
  await startChain(custody, chain);
  for (const [compartment, purpose] of [
    [houseGas, 'gas'],
    [houseFees, 'fees'],
  ] as const) {
    const wallet = viewOf(await issueCompartmentWallet(custody, as('ann'), { compartment, chain, purpose }));
    if (purpose === 'gas') {
      await world.node.send({ from: world.bank, to: parseAddress(wallet.address), value: 10n * ether });
    }
  }
  await settle();
});

after(async () => {
  await database[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

function as(name: string): WriteCall {
  const key = randomUUID();
  return { actor: { name, role: 'operator' }, idempotency: { key, fingerprint: key } };
}

async function custodyOver(): Promise<Custody> {
  const asset = { decimals: 18, dustMax: 0n };
  const port = await openEvmChain({
    chain,
    sources: [world.url],
    agreement: { k: 1 },
    assets: [
      { ...asset, id: native, symbol: 'ETH', behaviour: 'native' },
      { ...asset, id: token, symbol: 'DEMO', behaviour: 'standard' },
    ],
  });
  assert.equal(port.innerCalls(), 'agreed', 'coin leaves vaults by inner calls');
  const { final } = await port.heads();
  const codeOf = async (address: Address): Promise<Hex> => `0x${await port.codeHash(address, final)}`;
  const { factory, vaultImplementation, forwarderImplementation, signerSet } = world;
  const codeHashes = {
    factory: await codeOf(factory),
    vaultImplementation: await codeOf(vaultImplementation),
    forwarderImplementation: await codeOf(forwarderImplementation),
    signerSet: await codeOf(signerSet),
  };
  const signedBy = (identity: string): SignedStatement => ({ ...fakeStatement('vault-certificate', {}), identity });
  const log = new FakeSignerLog({ now: () => new Date() });
  return {
    deployment: fakeDeployment,
    db: database.app,
    chains: new Map([[chain, port]]),
    signer: softwareSigner(),
    deriveAddress: ({ compartment }, index) => addressOf({ compartment, index }),
    verifyAccount: () => undefined,
    verifyWallet: () => undefined,
    verifyRecord: () => undefined,
    verifyDepositAddress: () => undefined,
    screening: new FakeScreening('clear'),
    clock: { now: () => new Date(Date.now() + ahead) },
    policy: {
      ...benchPolicy,
      feeCaps: new Map([[chain, { maxFeePerGas: 100_000_000_000n, nativeGas: 21_000n, tokenGas: 100_000n }]]),
      agreement: new Map([[chain, { sources: ['anvil'], required: 1 }]]),
    },
    vaults: {
      systems: new Map([
        [
          chain,
          {
            factory,
            vaultImplementation,
            forwarderImplementation,
            signerSet,
            codeHashes,
            members: world.members.map(({ address }) => address),
            threshold: 2n,
            delegateCode: world.delegateCode,
          },
        ],
      ]),
      quorum: {
        signVault: async ({ intent }: { readonly intent: VaultIntent }) => {
          const signatures = bytesOf(await world.quorum(vaultIntentDigest(hashes, intent)));
          return { signatures, grants: [], answers: [] };
        },
        signSetChange: async ({ intent }) => {
          const digest = vaultIntentDigest(hashes, intent);
          const [quorumSignatures, memberSignatures] = [await world.quorum(digest), await world.quorum(digest)];
          return {
            quorumSignatures: bytesOf(quorumSignatures),
            memberSignatures: bytesOf(memberSignatures),
            grants: [],
          };
        },
        certifyVault: async () => [signedBy('one'), signedBy('two')],
        certifyForwarder: async () => [],
      },
      verifyVault: () => undefined,
      verifyForwarder: () => undefined,
      backup: { store: async () => log.append('backed-up', {}) && undefined },
      profile: 'contract',
      heartbeatEverySeconds: 0n,
      terms: {
        feeBpsYear: 50n,
        windowSeconds: 3_600n,
        changeDelay: 60n,
        recoveryDelay: 120n,
        exitDelay: 600n,
        exitChangeDelay: 700n,
        heartbeatPeriod: 86_400n,
        pauseSeconds: 60n,
      },
    },
  };
}

/** Mines until what is in a block is final, books it, and runs the jobs, as often as work follows from work. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) {
    await world.node.mine(3);
    while (!(await observe(custody, chain)).atHead);
    while (!(await finalize(custody, chain)).atFinal);
    await runJobs();
  }
}

async function runJobs(): Promise<void> {
  for (;;) {
    const [job] = await database.admin.query(
      `select j.id::text as id, t.identifier, j.payload ->> 'id' as subject
       from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id order by j.id limit 1`,
    );
    if (job === undefined) return;
    await database.admin.query('delete from graphile_worker._private_jobs where id = $1', [text(job, 'id')]);
    await workers[text(job, 'identifier')]?.(custody, text(job, 'subject'));
  }
}

type Holder = { readonly client: string; readonly vault: Vault };

async function clientOf(segregation: 'individual' | 'omnibus'): Promise<string> {
  const agreement = {
    parties: 'a',
    service: 'b',
    custodyPolicy: 'c',
    communication: 'd',
    security: 'e',
    fees: 'f',
    applicableLaw: 'g',
    signedAt: '2029-12-31T00:00:00.000Z',
  };
  const reference = randomUUID();
  const { id } = viewOf(await createClient(custody, as('ann'), { reference, kind: 'legal', segregation, agreement }));
  return id;
}

/** A client with a passkey whose vault is not deployed. */
async function vaultOfClient(): Promise<Holder> {
  const client = await clientOf('individual');
  const { id } = viewOf(
    await draftVault(custody, as('olga'), {
      clientId: client,
      chain,
      clientKey: clientKey.key,
      exitKey: exitKey.key,
      exitDestination: exitTo,
      destinations: [listed],
      limits: [
        { token: nativeToken, cap: 2n * ether },
        { token: world.token, cap: 1_000n },
      ],
      unlisted: [],
    }),
  );
  const vault = await vaultRow(id);
  const agreed = await clientKey.sign(agreementDigest(hashes, vault.address, vault.terms));
  viewOf(await agreeVault(custody, as('olga'), { vaultId: id, signature: agreed }));
  const certified = viewOf(await certifyVault(custody, as('olga'), id));
  const digest: Hex = `0x${(certified.certificateDigest ?? '').slice(2)}`;
  const receipt = await clientKey.sign(receiptDigest(hashes, vault.address, digest));
  viewOf(await receiptVault(custody, as('olga'), { vaultId: id, signature: receipt }));
  viewOf(await issueClientWallet(custody, as('olga'), { clientId: client, chain }));
  return { client, vault: await vaultRow(id) };
}

async function vaultRow(id: string): Promise<Vault> {
  const vault = await findVault(custody.db, id);
  invariant(vault !== undefined, 'The vault is not there.', { id });
  return vault;
}

type Wish = { readonly amount: bigint; readonly asset?: AssetId; readonly to?: Address; readonly oneOff?: boolean };

async function withdraws(
  { client }: Holder,
  { amount, asset = native, to = listed, oneOff = false }: Wish,
): Promise<string> {
  const request = { clientId: client, asset, amount, destination: to, feePayer: 'house', oneOff } as const;
  const { id } = viewOf(await requestWithdrawal(custody, as('olga'), request));
  await runJobs();
  return id;
}

async function seen(id: string): Promise<WithdrawalView> {
  const [view] = await withdrawalViews(custody.db, { id, after: null, limit: 1 });
  assert.ok(view !== undefined);
  return view;
}

async function passes(seconds: number): Promise<void> {
  ahead += seconds * 1_000;
  await world.node.call('evm_increaseTime', seconds);
}

async function reconciled(): Promise<void> {
  const reconciliation = await reconcile(custody, { chain, actor: { name: 'ann', role: 'operator' } });
  assert.ok('breaksCount' in reconciliation, JSON.stringify(reconciliation));
  assert.equal(reconciliation.breaksCount, 0);
}

async function balanceOf(asset: AssetId, address: Address): Promise<bigint> {
  const port = custody.chains.get(chain) ?? assert.fail();
  const { latest } = await port.heads();
  const [balance] = await port.balances([{ asset, address }], latest);
  return balance ?? assert.fail();
}

test('deposits before the deployment, a first payment that deploys, tokens, a one-off with a passkey, and an exit', async () => {
  const holder = await vaultOfClient();
  const { address, terms, wallet = '', compartment } = holder.vault;
  await world.node.send({ from: world.bank, to: address, value: 5n * ether });
  const mint = await world.send(world.token, mintData(address, 1_500n));
  assert.ok(mint.succeeded);
  await settle();
  const books = (asset: AssetId): Promise<bigint> =>
    posted(custody.db, { compartment, asset, account: { kind: 'wallet', holder: wallet } });
  assert.deepEqual([await books(native), await books(token)], [5n * ether, 1_500n]);

  const first = await withdraws(holder, { amount: ether });
  await settle();
  const paid = await seen(first);
  assert.equal(paid.state, 'settled', paid.reason ?? '');
  assert.match(paid.transactionHash ?? '', /^0x[0-9a-f]{64}$/u, 'where the vault said that it paid');
  assert.equal(paid.chainState, 'final');
  assert.equal(await balanceOf(native, listed), ether);
  const second = await withdraws(holder, { amount: 400n, asset: token });
  await settle();
  assert.equal((await seen(second)).state, 'settled', (await seen(second)).reason ?? '');
  assert.equal(await balanceOf(token, listed), 400n);

  const anywhere = namedAddress('anywhere');
  const third = await withdraws(holder, { amount: 3n * ether, to: anywhere, oneOff: true });
  const digest = bytesOf((await seen(third)).vault?.clientMustSign?.digest ?? '0x');
  viewOf(await signOneOff(custody, as('olga'), { id: third, signature: await clientKey.sign(digest) }));
  await runJobs();
  await settle();
  assert.equal((await seen(third)).state, 'settled', (await seen(third)).reason ?? '');
  assert.equal(await balanceOf(native, anywhere), 3n * ether);
  assert.deepEqual([await books(native), await books(token)], [ether, 1_100n]);
  assert.deepEqual([await balanceOf(native, address), await balanceOf(token, address)], [ether, 1_100n]);

  const [shown] = await vaultViews(custody, custody.db, { id: holder.vault.id, after: null, limit: 1 });
  assert.ok(shown?.onChain.deployedIn !== null && shown?.onChain.policyOpened === true);
  assert.deepEqual(shown.onChain.limits.map(({ cap }) => cap).toSorted(), ['1000', String(2n * ether)].toSorted());

  const { config } = terms;
  const message = { nonce: 0n, deadline: 2n ** 40n };
  const asked = typedDigest(hashes, vaultDomain(chain, address), { form: vaultForms.exitRequest, message });
  const request = callData(hashes, vaultCalls.requestExit, { config, message, signature: await exitKey.sign(asked) });
  assert.ok((await world.send(address, request)).succeeded);
  await passes(601);
  for (const each of [nativeToken, world.token]) {
    assert.ok((await world.send(address, callData(hashes, vaultCalls.exit, { config, token: each }))).succeeded);
  }
  await settle();
  assert.deepEqual([await books(native), await books(token)], [0n, 0n]);
  assert.deepEqual([await balanceOf(native, exitTo), await balanceOf(token, exitTo)], [ether, 1_100n]);
  await reconciled();
});

test('the fee of a month leaves a vault in coin and token, within what the contract lets out, and is income of the house', async () => {
  const holder = await vaultOfClient();
  const { client: clientId, vault } = holder;
  const { address, wallet = '', compartment, terms } = vault;
  await world.node.send({ from: world.bank, to: address, value: 5n * ether });
  assert.ok((await world.send(world.token, mintData(address, 1_000_000n))).succeeded);
  await settle();
  const pays = async (asset: AssetId): Promise<{ readonly state: string; readonly amount: string }> => {
    const { id } = viewOf(await payFees(custody, as('olga'), { clientId, asset }));
    await runJobs();
    await settle();
    const [view] = await feePaymentViews(custody.db, { ids: [id], after: null, limit: 1 });
    assert.ok(view !== undefined);
    assert.match(view.transactionHash ?? view.reason ?? '', /^0x[0-9a-f]{64}$/u);
    return { state: view.state, amount: view.amount };
  };
  const fees = terms.config.feeReceiver;
  const owes = (asset: AssetId): Promise<bigint> =>
    posted(custody.db, { compartment, asset, account: { kind: 'fee-payable', holder: clientId } });
  for (const asset of [native, token]) {
    const charge = { clientId, asset, amount: 500_000n, description: 'a month' };
    viewOf(await chargeFee(custody, as('olga'), charge));
    assert.deepEqual(
      await pays(asset),
      { state: 'settled', amount: '0' },
      'the first one starts the clock, and deploys',
    );
  }
  await passes(31 * 86_400);
  await settle();
  for (const [asset, due] of [
    [native, 500_000n],
    [token, feeMax(1_000_000n, 50n, 31n * 86_400n)],
  ] as const) {
    const before = await balanceOf(asset, fees);
    assert.deepEqual(await pays(asset), { state: 'settled', amount: due.toString() });
    assert.equal((await balanceOf(asset, fees)) - before, due);
    assert.equal(await owes(asset), 500_000n - due);
    const books = await posted(custody.db, { compartment, asset, account: { kind: 'wallet', holder: wallet } });
    assert.equal(await balanceOf(asset, address), books);
    const account = { kind: 'fee-income', holder: '' } as const;
    assert.equal(await posted(custody.db, { compartment: houseFees, asset, account }), due);
  }
  await reconciled();
});

test('a vault is paused, a limit lowered and a destination removed, and says so itself', async () => {
  const holder = await vaultOfClient();
  const { vault } = holder;
  await world.node.send({ from: world.bank, to: vault.address, value: 5n * ether });
  await settle();
  const restricts = async (restriction: Restriction): Promise<RestrictionView> => {
    const { id } = viewOf(await requestRestriction(custody, as('olga'), { vaultId: vault.id, restriction }));
    await runJobs();
    await settle();
    const [view] = await restrictionViews(custody.db, { id, after: null, limit: 1 });
    return view ?? assert.fail('the restriction is not there');
  };
  // Not deployed: the first restriction creates the vault and opens what was agreed, so that there is something to lower.
  const lowered = await restricts({ kind: 'limit-lowering', asset: native, cap: ether, window: 'listed' });
  assert.equal(lowered.state, 'applied', lowered.reason ?? '');
  const paused = await restricts({ kind: 'pause' });
  assert.equal(paused.state, 'applied', paused.reason ?? '');
  await passes(120);
  const removed = await restricts({ kind: 'destination-removal', destination: listed });
  assert.equal(removed.state, 'applied', removed.reason ?? '');
  assert.match(removed.transactionHash ?? '', /^0x[0-9a-f]{64}$/u);
  const [shown] = await vaultViews(custody, custody.db, { id: vault.id, after: null, limit: 1 });
  assert.deepEqual(
    shown?.onChain.limits.find(({ token: one }) => one === nativeToken),
    { token: nativeToken, cap: String(ether) },
  );
  assert.notEqual(shown?.onChain.pausedUntil.quorum, null);
  assert.deepEqual(
    shown?.onChain.destinations.map(({ activeFrom }) => activeFrom),
    [null],
  );
  await reconciled();
});

test('an address with tokens and no coin is swept by its delegate, and takes that back', async () => {
  const compartment = parseCompartment(10_000);
  const { vaults, ...before } = custody;
  assert.ok(vaults !== undefined);
  const pool = viewOf(await issueCompartmentWallet(before, as('ann'), { compartment, chain, purpose: 'pool' }));
  const client = await clientOf('omnibus');
  const wallet = viewOf(await issueClientWallet(before, as('olga'), { clientId: client, chain }));
  const address = parseAddress(wallet.address);
  const to = parseAddress(pool.address);
  const sweeps = async (amount: bigint): Promise<SweepView> => {
    assert.ok((await world.send(world.token, mintData(address, amount))).succeeded);
    await settle();
    const request = { walletId: wallet.id, asset: token };
    const [asked] = viewOf(await requestSweep(custody, as('olga'), request)).items;
    await runJobs();
    for (let turn = 0; turn < 4; turn += 1) await settle();
    const [view] = await sweepViews(custody.db, { ids: [asked?.id ?? ''], after: null, limit: 1 });
    return view ?? assert.fail('the sweep is not there');
  };
  const books = (holder: string): Promise<bigint> =>
    posted(custody.db, { compartment, asset: token, account: { kind: 'wallet', holder } });
  const first = await sweeps(900n);
  assert.equal(first.state, 'settled', first.reason ?? '');
  const second = await sweeps(50n);
  assert.equal(second.state, 'settled', second.reason ?? '');
  assert.deepEqual([await balanceOf(token, to), await balanceOf(token, address)], [950n, 0n]);
  assert.deepEqual([await books(pool.id), await books(wallet.id)], [950n, 0n]);
  assert.equal(await balanceOf(native, address), 0n, 'no coin was ever sent there');
  const port = custody.chains.get(chain) ?? assert.fail();
  const codeOf = async (): Promise<string> => port.codeHash(address, (await port.heads()).final);
  assert.notEqual(await codeOf(), codeHashOfNothing);
  viewOf(await revokeDelegation(custody, as('olga'), wallet.id));
  await runJobs();
  for (let turn = 0; turn < 3; turn += 1) await settle();
  assert.equal(await codeOf(), codeHashOfNothing);
  assert.equal(await port.nonce(address, 'latest'), 2n);
  const third = await sweeps(7n);
  assert.equal(third.state, 'settled', third.reason ?? '');
  assert.ok((await balanceOf(native, address)) > 0n, 'swept with gas of its own again');
  assert.equal(await balanceOf(token, to), 957n);
  await reconciled();
});

function mintData(to: Address, amount: bigint): Hex {
  return `0x40c10f19${to.slice(2).padStart(64, '0')}${amount.toString(16).padStart(64, '0')}`;
}
