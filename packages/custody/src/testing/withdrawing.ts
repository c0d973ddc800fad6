import { type Address, type AssetId, type FeePayer, invariant, withdrawalIntent } from '@bulkhead/domain';
import { fakeApproval, namedAddress } from '@bulkhead/fakes';
import type { SignedApproval } from '../approval.ts';
import { sendDelegatedSweep } from '../delegated-sweep.ts';
import { sendDelegation } from '../delegation.ts';
import { releaseDeposit, screenDeposit } from '../deposit.ts';
import { flushForWithdrawal } from '../flush.ts';
import { keepHeartbeat } from '../heartbeat.ts';
import { followKeyRecovery } from '../key-recovery.ts';
import { findLiquidity } from '../liquidity.ts';
import { keepProof } from '../proof-keeping.ts';
import { applyRegistryChange } from '../registry-change.ts';
import { advanceMove } from '../segregation-move.ts';
import { sendDispatch, watchDispatch } from '../send.ts';
import { keepSignerSet } from '../signer-set-carrying.ts';
import { sendSetChange } from '../signer-set-change.ts';
import { checkVault } from '../vault-code.ts';
import { sendVaultDispatch } from '../vault-sending.ts';
import type { Answer } from '../command.ts';
import { releaseWithdrawal, requestWithdrawal, screenWithdrawal } from '../withdrawal.ts';
import { approveWithdrawal, signWithdrawalRequest } from '../withdrawal-approval.ts';
import { findWithdrawal } from '../withdrawal-step.ts';
import { type WithdrawalView, withdrawalViews } from '../withdrawal-view.ts';
import { type Bench, type BenchOptions, type BenchWallet, openBench, viewOf, type Workers } from './bench.ts';

export const ether: bigint = 10n ** 18n;

/** The fee cap of a native transfer under the bench's policy, in wei. */
export const nativeFeeCap: bigint = 100_000_000_000n * 21_000n;
export const tokenFeeCap: bigint = 100_000_000_000n * 100_000n;

/** Somebody outside whom clients pay. */
export const recipient: Address = namedAddress('recipient');

export const workers: Workers = {
  'screen-deposit': screenDeposit,
  'screen-withdrawal': screenWithdrawal,
  'find-liquidity': findLiquidity,
  'send-dispatch': sendDispatch,
  'watch-dispatch': watchDispatch,
  'send-vault-dispatch': sendVaultDispatch,
  'send-delegation': sendDelegation,
  'send-delegated-sweep': sendDelegatedSweep,
  'flush-forwarders': flushForWithdrawal,
  'advance-move': advanceMove,
  'check-vault': checkVault,
  'keep-heartbeat': keepHeartbeat,
  'keep-proof': async (custody, id) => {
    await keepProof(custody, id);
  },
  'send-signer-set-change': sendSetChange,
  'follow-key-recovery': followKeyRecovery,
  'keep-signer-set': keepSignerSet,
  'apply-registry-change': applyRegistryChange,
};

export type Account = { readonly client: string; readonly wallet: BenchWallet };

/** A bench with all workers, unless a test brings its own policy or interruptions. */
export async function openWithdrawing(options: BenchOptions = {}): Promise<Bench> {
  const bench = await openBench({ workers, ...options });
  // As in a product without a screening provider: every step waits for people.
  bench.screening.verdict = 'not-screened';
  return bench;
}

/** Mines what waits, makes it final, books it and runs the jobs that follow. */
export async function settle(bench: Bench): Promise<void> {
  bench.chain.mine();
  await bench.settle();
}

/** Pays from outside, waits for finality, and lets two people release what arrived. */
export async function pay(bench: Bench, to: BenchWallet, amount: bigint, asset: AssetId = bench.native): Promise<void> {
  bench.chain.outside.send({ to: to.address, amount, asset });
  await settle(bench);
  for (const deposit of await bench.deposits()) {
    if (deposit.state !== 'final' || deposit.disposition !== 'client') continue;
    viewOf(await releaseDeposit(bench.custody, bench.as('ruth'), deposit.id));
    viewOf(await releaseDeposit(bench.custody, bench.as('sam'), deposit.id));
  }
}

/** A client of an individual compartment with native coin. */
export async function funded(bench: Bench, amount: bigint): Promise<Account> {
  const client = await bench.client('individual');
  const wallet = await bench.wallet(client);
  await pay(bench, wallet, amount);
  return { client, wallet };
}

export type Ask = {
  readonly client: string;
  readonly amount: bigint;
  readonly asset?: AssetId;
  readonly feePayer?: FeePayer;
  readonly destination?: Address;
};

export async function ask(
  bench: Bench,
  { client, amount, asset, feePayer, destination }: Ask,
): Promise<WithdrawalView> {
  const request = {
    clientId: client,
    asset: asset ?? bench.native,
    amount,
    destination: destination ?? recipient,
    feePayer: feePayer ?? 'client',
  };
  const view = viewOf(await requestWithdrawal(bench.custody, bench.as('olga'), request));
  await bench.work();
  return view;
}

/** Screening release, the requester's signature and the two approvals; jobs run afterwards. */
export async function approve(bench: Bench, id: string): Promise<void> {
  viewOf(await releaseWithdrawal(bench.custody, bench.as('ruth'), id));
  const { requestedBy } = await withdrawal(bench, id);
  viewOf(await signs(bench, requestedBy, id));
  viewOf(await approves(bench, 'ruth', id));
  viewOf(await approves(bench, 'sam', id));
  await bench.work();
}

/** A person approves with a right signature. */
export async function approves(
  bench: Bench,
  person: string,
  id: string,
  key?: string,
): Promise<Answer<WithdrawalView>> {
  return approveWithdrawal(bench.custody, bench.as(person, key), await signatureOf(bench, person, id));
}

/** A person signs the request, as the one who asked should. */
export async function signs(bench: Bench, person: string, id: string, key?: string): Promise<Answer<WithdrawalView>> {
  return signWithdrawalRequest(bench.custody, bench.as(person, key), await signatureOf(bench, person, id));
}

/** What a person hands in. Of a withdrawal that does not exist there is nothing to sign, and something is handed in all the same. */
export async function signatureOf(bench: Bench, person: string, id: string): Promise<SignedApproval> {
  const found = await findWithdrawal(bench.database.owner, id);
  invariant(found !== undefined, 'The withdrawal is not there.', { id });
  return { id, approval: fakeApproval(person, withdrawalIntent(found.terms)) };
}

export async function withdrawal(bench: Bench, id: string): Promise<WithdrawalView> {
  const [view] = await withdrawalViews(bench.custody.db, { id, after: null, limit: 1 });
  invariant(view !== undefined, 'The withdrawal is not there.', { id });
  return view;
}

/** What the client may dispose of now. */
export async function available(bench: Bench, account: Account, asset: AssetId = bench.native): Promise<bigint> {
  const [row] = await bench.database.owner.query(
    `select (posted - pending_out)::text as free from ledger.accounts where compartment = $1 and asset = $2 and kind = 'available' and holder = $3`,
    [account.wallet.compartment, asset, account.client],
  );
  return row === undefined ? 0n : BigInt(String(row['free']));
}

/** Books and chain of a wallet, which must be equal when nothing was stolen. */
export async function wallets(
  bench: Bench,
  wallet: BenchWallet,
  asset: AssetId = bench.native,
): Promise<{ books: bigint; chain: bigint }> {
  const books = await bench.posted(wallet.compartment, asset, { kind: 'wallet', holder: wallet.id });
  return { books, chain: bench.chain.ground.balance(asset, wallet.address) };
}
