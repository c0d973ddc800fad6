import { type MovementIntent, gasAccount, houseGas, nativeAsset } from '@bulkhead/domain';
import type { Transaction } from '@bulkhead/postgres';
import { disposable, posted } from './books.ts';
import type { Custody } from './custody.ts';
import { machine } from './custody.ts';
import { createDispatch, reservedAt } from './dispatch.ts';
import { feeCap } from './fee-cap.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { type Wallet, houseWallet, lockWallet, proven } from './wallet.ts';

export type GasNeed = {
  readonly wallet: Wallet;
  /** Whose gas account pays; '' for coins of nobody. */
  readonly client: string;
  readonly need: bigint;
  /** Part of the wallet's reservations that is this very need. */
  readonly alreadyReserved: bigint;
  /** Wei that the same transaction pays out beside its fee, where no reservation counts them yet. */
  readonly paidBeside: bigint;
  readonly now: Date;
};

export type GasAnswer = { readonly ready: true } | { readonly ready: false; readonly reason: string };

/**
 * Says whether a wallet can burn `need` wei of granted gas, and orders a grant from the house gas wallet where it cannot. Both
 * must be there: the gas in the books of the client, and the coins at this address. The caller has the wallet locked.
 */
export async function ensureGas(custody: Custody, tx: Transaction, order: GasNeed): Promise<GasAnswer> {
  const { wallet, client, need } = order;
  const native = nativeAsset(wallet.chain);
  const book = { compartment: wallet.compartment, asset: native };
  // A client's gas is one account for all the client's addresses: whoever is told that it is enough holds it before the next asks.
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 7404))', [
    `${wallet.chain} ${wallet.compartment} ${client}`,
  ]);
  const inBooks = await disposable(tx, { ...book, account: gasAccount(client) });
  const atAddress = await posted(tx, { ...book, account: { kind: 'wallet', holder: wallet.id } });
  const reserved = await reservedAt(tx, wallet.id, { id: native, native: true });
  const free = atAddress - reserved + order.alreadyReserved - order.paidBeside;
  if (inBooks >= need && free >= need) return { ready: true };
  const [underWay] = await tx.query(
    `select id from custody.dispatch where kind = 'gas-grant' and to_wallet = $1 and step <> 'done' limit 1`,
    [wallet.id],
  );
  if (underWay !== undefined) return { ready: false, reason: 'A gas grant is on its way.' };
  const source = await houseWallet(tx, wallet.chain, 'gas');
  if (source === undefined) {
    return {
      ready: false,
      reason: `There is no house gas wallet on ${wallet.chain}: issue one in compartment ${houseGas} and fund it.`,
    };
  }
  const usual = need * custody.policy.gasGrantTransactions;
  // Where others wait for gas at the same address too, one grant covers them all.
  const amount = need - free > usual ? need - free : usual;
  return grant(custody, tx, { order, source: await proven(custody, tx, await lockWallet(tx, source.id)), amount });
}

async function grant(
  custody: Custody,
  tx: Transaction,
  { order, source, amount }: { order: GasNeed; source: Wallet; amount: bigint },
): Promise<GasAnswer> {
  const { client, now } = order;
  const wallet = await proven(custody, tx, order.wallet);
  const native = nativeAsset(wallet.chain);
  const feeMax = feeCap(custody, native);
  const held = await posted(tx, {
    compartment: source.compartment,
    asset: native,
    account: { kind: 'wallet', holder: source.id },
  });
  const free = held - (await reservedAt(tx, source.id, { id: native, native: true }));
  if (free < amount + feeMax) {
    return {
      ready: false,
      reason: `The house gas wallet ${source.address} has ${free} wei free and needs ${amount + feeMax}: fund it.`,
    };
  }
  const id = newId('dsp', now);
  const intent: MovementIntent = {
    deployment: custody.deployment,
    kind: 'gas-grant',
    id,
    compartment: source.compartment,
    asset: native,
    to: wallet.address,
    amount,
    feeMax,
    beneficiary: wallet.compartment,
  };
  await createDispatch(tx, {
    id,
    kind: 'gas-grant',
    wallet: source,
    intent,
    requestedBy: machine.name,
    toWallet: wallet.id,
    ...(client === '' ? {} : { client }),
    now,
  });
  await record(tx, now, { actor: machine, subject: id, event: 'gas-granted', data: { wallet: wallet.id, amount } });
  return { ready: false, reason: 'A gas grant is on its way.' };
}
