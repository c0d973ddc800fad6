import { createHash } from 'node:crypto';
import {
  type Address,
  type Chain,
  codeHashOfNothing,
  type Compartment,
  CustodyError,
  houseGas,
  type Hex,
  type MovementIntent,
  nativeAsset,
  type SignedAuthorization,
  type TransactionPlan,
} from '@bulkhead/domain';
import { bigint, only, type Queries, type Transaction } from '@bulkhead/postgres';
import { callData, factoryCalls, vaultCalls, vaultIntentCall } from '@bulkhead/vaults';
import { posted } from './books.ts';
import { chainPort } from './cursor.ts';
import { type Custody, machine } from './custody.ts';
import { createDispatch, type RelayCargo, reservedAt } from './dispatch.ts';
import { newId } from './id.ts';
import { record } from './journal.ts';
import { hashes } from './keccak.ts';
import type { VaultDispatch } from './vault-dispatch.ts';
import { vaultHistory } from './vault-event.ts';
import { findVault, type Vault } from './vault-row.ts';
import { expectVaultsOn } from './vault-chain.ts';
import { houseWallet, lockWallet, proven, type Wallet } from './wallet.ts';

/** Gas that one relay may take: the creation of a vault, the opening of its policy, and a payment of a token. */
export const relayGasMax: bigint = 1_000_000n;

/** Most that a relay may burn, in wei. */
export function relayCap(custody: Custody, chain: Chain['id']): bigint {
  const caps = custody.policy.feeCaps.get(chain);
  if (caps === undefined) throw new CustodyError('chain/unknown', `No fee caps are configured for ${chain}.`);
  return caps.maxFeePerGas * relayGasMax;
}

/** What a relay carries, by name. */
export type Cargo = RelayCargo['cargo'];

export type RelayCall = { readonly to: Address; readonly data: Hex };

/**
 * The call that carries a payment or its invalidation. Where the vault is not deployed, or its first policy not open, one transaction
 * does all of it: creating gives no authority, and does nothing where the vault is there already.
 */
export async function relayCall(custody: Custody, dispatch: VaultDispatch, cargo: Cargo): Promise<RelayCall> {
  const vault = await findVault(custody.db, dispatch.vault);
  if (vault === undefined) throw new CustodyError('invariant/broken', `There is no vault ${dispatch.vault}.`);
  const { system } = expectVaultsOn(custody, dispatch.chain);
  const own = await callOf(custody, { vault, dispatch, cargo });
  const { config, policy } = vault.terms;
  const isThere = await deployed(chainPort(custody, dispatch.chain), vault.address);
  const { state } = await vaultHistory(custody, custody.db, vault);
  if (isThere && (state.policyOpened || cargo === 'invalidation')) return { to: vault.address, data: own };
  // What was agreed from the start is opened first, so that there is something to pay by and to lower; an exit shuts that for ever.
  const opens = cargo === 'payment' && !state.policyOpened && state.exitReadyAt === undefined;
  const calls = [...(opens ? [callData(hashes, vaultCalls.openPolicy, { config, policy })] : []), own];
  return { to: system.factory, data: callData(hashes, factoryCalls.createAndCall, { config, calls }) };
}

async function deployed(port: Chain, address: Address): Promise<boolean> {
  const { latest } = await port.heads();
  return (await port.codeHash(address, latest)) !== codeHashOfNothing;
}

type Carried = { readonly vault: Vault; readonly dispatch: VaultDispatch; readonly cargo: Cargo };

async function callOf(custody: Custody, { vault, dispatch, cargo }: Carried): Promise<Hex> {
  const { config } = vault.terms;
  if (cargo === 'invalidation') {
    const { nonce, deadline, invalidation } = dispatch;
    if (invalidation === undefined) throw unsigned(dispatch);
    const message = { nonce, deadline };
    return callData(hashes, vaultCalls.invalidate, { config, message, signatures: invalidation });
  }
  const { intent, signatures } = dispatch;
  if (signatures === undefined) throw unsigned(dispatch);
  const isOneOff = intent.kind === 'vault-withdrawal' && intent.authorisation === 'one-off';
  const client = isOneOff ? { clientSignature: await clientSignatureOf(custody, dispatch) } : {};
  return vaultIntentCall(hashes, intent, { config, signatures, ...client });
}

async function clientSignatureOf({ db }: Custody, dispatch: VaultDispatch): Promise<Hex> {
  const row = only(await db.query('select client_signature from custody.withdrawal where id = $1', [dispatch.subject]));
  const signature = row['client_signature'];
  if (typeof signature !== 'string') throw unsigned(dispatch);
  return `0x${signature.slice(2)}`;
}

function unsigned({ id }: VaultDispatch): CustodyError {
  return new CustodyError('invariant/broken', `Payment ${id} of a vault was to be relayed before it was signed.`);
}

export type RelayOrder = {
  /** The workflow in the database that it is for, and the intent whose signatures it carries. */
  readonly relays: string;
  readonly carries: string;
  readonly cargo: Cargo;
  readonly beneficiary: Compartment;
  readonly chain: Chain['id'];
  readonly call: RelayCall;
  /** What an address signed to take the code of a delegate. */
  readonly authorizations?: readonly SignedAuthorization[];
  readonly now: Date;
};

/** Why the chain would not take a relay now; asked before it is ordered, so that no transaction is made for nothing. */
export async function relayObjection(
  custody: Custody,
  { chain, call, authorizations = [] }: Pick<RelayOrder, 'chain' | 'call' | 'authorizations'>,
): Promise<string | undefined> {
  const source = await houseWallet(custody.db, chain, 'gas');
  if (source === undefined) return noGasWallet(chain);
  const { address: from } = await proven(custody, custody.db, source);
  const { to, data } = call;
  const plan: TransactionPlan = { from, asset: nativeAsset(chain), to, amount: 0n, data, authorizations };
  try {
    await chainPort(custody, chain).estimate(plan);
    return undefined;
  } catch (error) {
    if (!(error instanceof CustodyError) || error.code !== 'transaction/rejected') throw error;
    return `The contract would not take it now: ${error.message} It is tried again.`;
  }
}

/**
 * Orders a relay from the house gas wallet, or says why there is none: one that carries the same is under way, or the house has no gas.
 * The coins that it burns are the house's, and are booked as its cost.
 */
export async function orderRelay(custody: Custody, tx: Transaction, order: RelayOrder): Promise<string | undefined> {
  const found = await houseWallet(tx, order.chain, 'gas');
  if (found === undefined) return noGasWallet(order.chain);
  const source = await proven(custody, tx, await lockWallet(tx, found.id));
  // Under the lock that every relay takes: of two that are ordered at once the second finds the first.
  const [live] = await tx.query(
    `select id from custody.dispatch where relays = $1 and cargo = $2 and chain = $3 and step <> 'done' limit 1`,
    [order.relays, order.cargo, order.chain],
  );
  if (live !== undefined) return undefined;
  const native = nativeAsset(order.chain);
  const feeMax = relayCap(custody, order.chain);
  const shortage = await shortageOf(tx, source, feeMax);
  if (shortage !== undefined) return shortage;
  const id = newId('dsp', order.now);
  const intent: MovementIntent = {
    deployment: custody.deployment,
    kind: 'relay',
    id,
    compartment: source.compartment,
    asset: native,
    to: order.call.to,
    amount: 0n,
    feeMax,
    relays: order.carries,
    beneficiary: order.beneficiary,
    callDigest: createHash('sha256')
      .update(Buffer.from(order.call.data.slice(2), 'hex'))
      .digest('hex'),
  };
  const { relays, cargo, call, authorizations } = order;
  await createDispatch(tx, {
    id,
    kind: 'relay',
    wallet: source,
    intent,
    requestedBy: machine.name,
    relay: { relays, cargo, callData: call.data, ...(authorizations === undefined ? {} : { authorizations }) },
    now: order.now,
  });
  await record(tx, order.now, { actor: machine, subject: id, event: 'relay-ordered', data: { relays, cargo } });
  return undefined;
}

/** Why the house could not pay for a relay now; undefined where it could. */
export async function relayShortage(custody: Custody, chain: Chain['id']): Promise<string | undefined> {
  const source = await houseWallet(custody.db, chain, 'gas');
  return source === undefined ? noGasWallet(chain) : shortageOf(custody.db, source, relayCap(custody, chain));
}

async function shortageOf(tx: Queries, source: Wallet, feeMax: bigint): Promise<string | undefined> {
  const native = nativeAsset(source.chain);
  const account = { kind: 'wallet', holder: source.id } as const;
  const held = await posted(tx, { compartment: source.compartment, asset: native, account });
  const free = held - (await reservedAt(tx, source.id, { id: native, native: true }));
  if (free >= feeMax) return undefined;
  return `The house gas wallet ${source.address} has ${free} wei free and a relay may burn ${feeMax}: fund it.`;
}

function noGasWallet(chain: Chain['id']): string {
  return `There is no house gas wallet on ${chain}: issue one in compartment ${houseGas} and fund it.`;
}

/** How often something was relayed and failed on chain: the house does not pay for the same failure without end. */
export async function failedRelays(
  tx: Transaction,
  { relays, cargo, chain }: Pick<RelayOrder, 'relays' | 'cargo' | 'chain'>,
): Promise<bigint> {
  const row = only(
    await tx.query(
      `select count(*) as failed from custody.dispatch where relays = $1 and cargo = $2 and chain = $3 and outcome = 'reverted'`,
      [relays, cargo, chain],
    ),
  );
  return bigint(row, 'failed');
}
