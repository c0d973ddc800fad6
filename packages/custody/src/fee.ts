import {
  type AssetId,
  type Compartment,
  type MovementIntent,
  type Refused,
  type TransferRequest,
  chainOf,
  invariant,
  openingHolds,
  refuse,
  transferKey,
} from '@bulkhead/domain';
import { only, type Queries, type Transaction, text, textOrNull } from '@bulkhead/postgres';
import { assetNotAllowed, findAsset, losesOnTheWay } from './asset.ts';
import { disposable, firstRefusal, lacksFunds, postAll, posted } from './books.ts';
import { compartmentOf, findClient } from './client.ts';
import { type Answer, type WriteCall, command, notFound } from './command.ts';
import type { Actor, Custody } from './custody.ts';
import { createDispatch, reservedAt } from './dispatch.ts';
import { feeCap } from './fee-cap.ts';
import { frozenBy } from './freeze.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { type MovementFilter, type MovementView, movementRows, movementView } from './movement-view.ts';
import { keepPersonal, recalledCommand } from './personal.ts';
import { orderVaultFee, vaultFeeViews } from './vault-fee.ts';
import { type Wallet, compartmentWallets, houseWallet, lockWallet, proven } from './wallet.ts';

export type FeeView = {
  readonly id: string;
  readonly clientId: string;
  readonly compartment: number;
  readonly asset: string;
  readonly amount: string;
  /** Null where it was erased. */
  readonly description: string | null;
  readonly chargedBy: string;
  readonly createdAt: string;
};

export type FeeCharge = {
  readonly clientId: string;
  readonly asset: AssetId;
  readonly amount: bigint;
  readonly description: string;
};

type KeptFee = Omit<FeeView, 'description'>;

/** Charges a fee: the claim passes from what the client may dispose of to what the client owes. Nothing moves on chain. */
export async function chargeFee(custody: Custody, call: WriteCall, charge: FeeCharge): Promise<Answer<FeeView>> {
  const work = async (tx: Transaction, now: Date): Promise<KeptFee | Refused> => {
    const compartment = await feeCompartment(tx, charge);
    if (typeof compartment === 'object') return compartment;
    const id = newId('fee', now);
    const { description, ...rest } = charge;
    const transfer: TransferRequest = {
      type: 'post',
      key: transferKey('fee', id),
      compartment,
      asset: charge.asset,
      debit: { kind: 'available', holder: charge.clientId },
      credit: { kind: 'fee-payable', holder: charge.clientId },
      amount: charge.amount,
      code: 'fee-charged',
      reference: id,
    };
    await tx.query(
      `insert into custody.fee (id, client, compartment, asset, amount, charged_by, created_at)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [id, charge.clientId, compartment, charge.asset, charge.amount, call.actor.name, now],
    );
    const personal = await keepPersonal(tx, { id, client: charge.clientId, content: { description }, now });
    await record(tx, now, { actor: call.actor, subject: id, event: 'fee-charged', data: { ...rest, personal } });
    const refused = await firstRefusal(tx, [[transfer]], now);
    if (refused !== undefined) {
      invariant(lacksFunds(refused), `The books refuse a fee: ${refused.reason}.`);
      return refuse(
        'fee/insufficient-funds',
        `The client has less than ${charge.amount} of ${charge.asset} available.`,
      );
    }
    return {
      id,
      clientId: charge.clientId,
      compartment,
      asset: charge.asset,
      amount: charge.amount.toString(),
      chargedBy: call.actor.name,
      createdAt: now.toISOString(),
    };
  };
  const recall = async (db: Queries, kept: KeptFee): Promise<FeeView> => {
    const sql = `select content ->> 'description' as description from custody.personal where id = $1`;
    return { ...kept, description: textOrNull(only(await db.query(sql, [kept.id])), 'description') };
  };
  return recalledCommand(custody, call, { work, recall });
}

async function feeCompartment(
  tx: Queries,
  order: { clientId: string; asset: AssetId },
): Promise<Compartment | Refused> {
  if ((await findClient(tx, order.clientId)) === undefined) return notFound('client', order.clientId);
  if ((await findAsset(tx, order.asset)) === undefined) return assetNotAllowed(order.asset);
  const compartment = await compartmentOf(tx, order.clientId, chainOf(order.asset));
  return compartment ?? refuse('fee/insufficient-funds', `The client holds nothing on ${chainOf(order.asset)}.`);
}

export type FeePaymentView = MovementView & { readonly clientId: string };

/**
 * Pays what a client owes in an asset from the client's compartment to the fee wallet of the house, on chain: all of it where a wallet with
 * a key has it, and otherwise as much as the vault of the compartment lets out by its own rules.
 */
export async function payFees(
  custody: Custody,
  call: WriteCall,
  input: { clientId: string; asset: AssetId },
): Promise<Answer<FeePaymentView>> {
  return command(custody, call, async (tx, now) => {
    const compartment = await feeCompartment(tx, input);
    if (typeof compartment === 'object') return compartment;
    if ((await findAsset(tx, input.asset))?.behaviour === 'fee-on-transfer') return losesOnTheWay(input.asset);
    const [frozen] = await frozenBy(tx, compartment);
    if (frozen !== undefined) {
      return refuse(
        'compartment/frozen',
        `Compartment ${compartment} is frozen by ${frozen}; nothing leaves it until that break is resolved.`,
      );
    }
    const owed = await disposable(tx, {
      compartment,
      asset: input.asset,
      account: { kind: 'fee-payable', holder: input.clientId },
    });
    if (owed === 0n) {
      return refuse(
        'fee/insufficient-funds',
        `The client owes nothing in ${input.asset} that is not being paid already.`,
      );
    }
    const target = await houseWallet(tx, chainOf(input.asset), 'fees');
    if (target === undefined) {
      return refuse(
        'compartment/wrong-kind',
        `There is no house fee wallet on ${chainOf(input.asset)}: issue one in compartment 2.`,
      );
    }
    const order = { ...input, compartment, owed, actor: call.actor, now };
    const source = await sourceFor(tx, { compartment, asset: input.asset, amount: owed });
    if (source !== undefined) return start(custody, tx, { ...order, source, target, amount: owed });
    const ordered = await orderVaultFee(custody, tx, order);
    if (ordered === undefined) {
      return refuse(
        'fee/insufficient-funds',
        `No single wallet of compartment ${compartment} with a key has ${owed} of ${input.asset} free. Sweep first.`,
      );
    }
    return typeof ordered === 'string' ? storedPayment(tx, ordered) : ordered;
  });
}

async function sourceFor(
  tx: Transaction,
  order: { compartment: Compartment; asset: AssetId; amount: bigint },
): Promise<Wallet | undefined> {
  const { compartment, asset, amount } = order;
  const wallets = await compartmentWallets(tx, chainOf(asset), compartment);
  // A vault pays nothing but what its own rules let out, and a forwarder its vault: neither is a wallet that a key pays from.
  for (const candidate of wallets.filter(({ kind }) => kind === 'key')) {
    const wallet = await lockWallet(tx, candidate.id);
    const held = await posted(tx, { compartment, asset, account: { kind: 'wallet', holder: wallet.id } });
    if (held - (await reservedAt(tx, wallet.id, { id: asset, native: !asset.includes('/erc20:') })) >= amount) {
      return wallet;
    }
  }
  return undefined;
}

type Payment = {
  readonly clientId: string;
  readonly asset: AssetId;
  readonly source: Wallet;
  readonly target: Wallet;
  readonly amount: bigint;
  readonly actor: Actor;
  readonly now: Date;
};

async function start(custody: Custody, tx: Transaction, payment: Payment): Promise<FeePaymentView> {
  const { clientId, asset, amount, now } = payment;
  const source = await proven(custody, tx, payment.source);
  const target = await proven(custody, tx, payment.target);
  const id = newId('fp', now);
  const feeMax = feeCap(custody, asset);
  const intent: MovementIntent = {
    deployment: custody.deployment,
    kind: 'fee-payment',
    id,
    compartment: source.compartment,
    asset,
    to: target.address,
    amount,
    feeMax,
    client: clientId,
  };
  const dispatch = await createDispatch(tx, {
    kind: 'fee-payment',
    subject: id,
    wallet: source,
    intent,
    requestedBy: payment.actor.name,
    toWallet: target.id,
    client: clientId,
    now,
  });
  await record(tx, now, { actor: payment.actor, subject: id, event: 'fee-payment-requested', data: intent });
  const holds = openingHolds({
    id: dispatch,
    kind: 'fee-payment',
    compartment: source.compartment,
    wallet: source.id,
    asset,
    amount,
    feeMax,
    toCompartment: target.compartment,
    toWallet: target.id,
    client: clientId,
  });
  await postAll(tx, [holds], now);
  return storedPayment(tx, id);
}

async function storedPayment(tx: Queries, id: string): Promise<FeePaymentView> {
  const [view] = await feePaymentViews(tx, { ids: [id], after: null, limit: 1 });
  invariant(view !== undefined, 'A fee payment that was just stored is not there.', { id });
  return view;
}

export async function feePaymentViews(
  tx: Queries,
  filter: Omit<MovementFilter, 'kind'>,
): Promise<readonly FeePaymentView[]> {
  const rows = await movementRows(tx, { ...filter, kind: 'fee-payment' });
  const byKeys = rows.map((row) => ({ ...movementView(row), clientId: text(row, 'client') }));
  // Each list is in the order of ids and as long as the page: what is first in both is the page.
  return [...byKeys, ...(await vaultFeeViews(tx, filter))]
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, filter.limit);
}
