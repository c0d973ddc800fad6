import { type WithdrawalEvent, chainOf, invariant, kindOf, nativeAsset } from '@bulkhead/domain';
import type { Queries, Transaction } from '@bulkhead/postgres';
import { findAsset } from './asset.ts';
import { postAll, posted } from './books.ts';
import { type Custody, machine } from './custody.ts';
import { reservedAt } from './dispatch.ts';
import { frozenBy, frozenReason } from './freeze.ts';
import { ensureGas } from './gas.ts';
import { enqueue } from './job.ts';
import { reservedAtVault } from './vault-dispatch.ts';
import { type Wallet, compartmentWallets, lockWallet } from './wallet.ts';
import { type WithdrawalRow, lockWithdrawal, stepWithdrawal } from './withdrawal-step.ts';

/**
 * Wallets of a withdrawal's compartment that may pay it: the pool of an omnibus, every address of an individual one. Only they
 * are looked at, so a payment from another compartment cannot even be considered.
 */
export async function payingWallets(tx: Queries, withdrawal: WithdrawalRow['terms']): Promise<readonly Wallet[]> {
  const all = await compartmentWallets(tx, chainOf(withdrawal.asset), withdrawal.compartment);
  // What was approved for a vault is paid by that vault, and what was approved for keys by a wallet with one.
  const kind = withdrawal.vault === undefined ? 'key' : 'vault';
  const wallets = all.filter((wallet) => wallet.kind === kind);
  if (kindOf(withdrawal.compartment) !== 'omnibus') return wallets.filter(({ purpose }) => purpose === 'deposit');
  // A token that keeps a part of every transfer is never swept, so the addresses that received it pay.
  if ((await findAsset(tx, withdrawal.asset))?.behaviour === 'fee-on-transfer') return wallets;
  return wallets.filter(({ purpose }) => purpose === 'pool');
}

type Free = { readonly asset: bigint; readonly native: bigint };

/** Coins at a wallet that no living dispatch will take: of the withdrawal's asset, and of the native coin. */
async function freeAt(tx: Queries, wallet: Wallet, terms: WithdrawalRow['terms']): Promise<Free> {
  const nativeId = nativeAsset(wallet.chain);
  const account = { kind: 'wallet', holder: wallet.id } as const;
  const book = { compartment: wallet.compartment, account };
  if (wallet.kind === 'vault') {
    const held = await posted(tx, { ...book, asset: terms.asset });
    return { asset: held - (await reservedAtVault(tx, wallet.id, terms.asset)), native: 0n };
  }
  const native =
    (await posted(tx, { ...book, asset: nativeId })) -
    (await reservedAt(tx, wallet.id, { id: nativeId, native: true }));
  if (terms.asset === nativeId) return { asset: native, native };
  const asset =
    (await posted(tx, { ...book, asset: terms.asset })) -
    (await reservedAt(tx, wallet.id, { id: terms.asset, native: false }));
  return { asset, native };
}

function canPay(free: Free, terms: WithdrawalRow['terms']): boolean {
  const isNative = terms.asset === nativeAsset(chainOf(terms.asset));
  // Where the house pays, the gas for it is looked after separately and may still have to come.
  const fee = terms.feePayer === 'client' ? terms.feeMax : 0n;
  return free.asset >= terms.amount + (isNative ? fee : 0n) && free.native >= fee;
}

/** The first wallet that could pay now, or undefined. A look without locks: whoever relies on it checks again under the lock. */
export async function walletThatCanPay(
  tx: Queries,
  wallets: readonly Wallet[],
  terms: WithdrawalRow['terms'],
): Promise<Wallet | undefined> {
  for (const wallet of wallets) {
    if (canPay(await freeAt(tx, wallet, terms), terms)) return wallet;
  }
  return undefined;
}

/**
 * The job `find-liquidity`: reserves a wallet for an approved withdrawal and opens its dispatch, or says what it waits for.
 * Reservations are the living dispatches of a wallet; its row is locked from counting them to adding one, so that the same
 * coin is reserved once.
 */
export async function findLiquidity(custody: Custody, id: string): Promise<void> {
  await custody.db.transaction(async (tx) => {
    const withdrawal = await lockWithdrawal(tx, id);
    if (withdrawal === undefined) return;
    const { step } = withdrawal.state;
    if (step !== 'approved' && step !== 'awaiting-liquidity') return;
    const now = custody.clock.now();
    const event = await search(custody, tx, { withdrawal, now });
    // What the vault lacks may lie at its forwarders: anybody may send it on, and nobody needs to ask.
    if (event.type === 'liquidity-missing' && withdrawal.terms.vault !== undefined) {
      await enqueue(tx, { task: 'flush-forwarders', id });
    }
    const stepped = await stepWithdrawal(custody, tx, { withdrawal, event, actor: machine, now });
    invariant(stepped.status === 'stepped', 'A machine step of a withdrawal cannot be refused.', { id });
    await postAll(tx, stepped.transfers, now);
  });
}

async function search(
  custody: Custody,
  tx: Transaction,
  order: { withdrawal: WithdrawalRow; now: Date },
): Promise<WithdrawalEvent> {
  const { withdrawal, now } = order;
  const { terms, state } = withdrawal;
  if (now >= terms.expiresAt) return { type: 'expiry-due' };
  const [frozen] = await frozenBy(tx, terms.compartment);
  if (frozen !== undefined) {
    return { type: 'liquidity-missing', reason: frozenReason(terms.compartment, frozen) };
  }
  const wallets = await payingWallets(tx, terms);
  const preferred = [...wallets].sort((a, b) => Number(b.id === state.wallet) - Number(a.id === state.wallet));
  for (const candidate of preferred) {
    if (!canPay(await freeAt(tx, candidate, terms), terms)) continue;
    const wallet = await lockWallet(tx, candidate.id);
    if (!canPay(await freeAt(tx, wallet, terms), terms)) continue;
    if (terms.feePayer === 'client' || terms.vault !== undefined) return { type: 'liquidity-found', wallet: wallet.id };
    // The client's gas may lie at another address: what is here must cover the amount and the fee.
    const paidBeside = terms.asset === nativeAsset(wallet.chain) ? terms.amount : 0n;
    const gas = await ensureGas(custody, tx, {
      wallet,
      client: terms.client,
      need: terms.feeMax,
      alreadyReserved: 0n,
      paidBeside,
      now,
    });
    return gas.ready
      ? { type: 'liquidity-found', wallet: wallet.id }
      : { type: 'liquidity-missing', reason: gas.reason };
  }
  if (terms.vault !== undefined) {
    return {
      type: 'liquidity-missing',
      reason: `The vault cannot pay ${terms.amount} of ${terms.asset} now. What lies at its forwarders is sent to it; other addresses of the compartment must be swept.`,
    };
  }
  const where = kindOf(terms.compartment) === 'omnibus' ? 'The pool wallet' : 'No single address of the client';
  return {
    type: 'liquidity-missing',
    reason: `${where} can${where.startsWith('No') ? '' : 'not'} pay ${terms.amount} of ${terms.asset} and the fee now: sweep the compartment's other addresses.`,
  };
}
