import { type AssetId, chainOf, contractOf, type Refused, refuse } from '@bulkhead/domain';
import { bigint, type Queries, type Transaction } from '@bulkhead/postgres';
import { callData, factoryCalls, forwarderSalt, nativeToken } from '@bulkhead/vaults';
import { assetNotAllowed, findAsset, losesOnTheWay } from './asset.ts';
import { type Answer, command, notFound, type WriteCall } from './command.ts';
import type { Custody } from './custody.ts';
import { type DispatchView, dispatchViews } from './dispatch.ts';
import { hashes } from './keccak.ts';
import { expectVaultsOn } from './vault-chain.ts';
import { orderRelay } from './vault-relay.ts';
import { findVault, type Vault } from './vault-row.ts';
import { findWithdrawal } from './withdrawal-step.ts';

/** Forwarders that one relay empties: each may have to be created in the same transaction. */
export const flushForwardersMax = 8;

/**
 * Has what lies at the forwarders of a pool sent on to its vault, by a relay of the house. Nobody signs for that: a forwarder pays its
 * vault and nobody else, whoever calls it. The claims do not change, only where the coins are.
 */
export async function flushVault(
  custody: Custody,
  call: WriteCall,
  input: { readonly vaultId: string; readonly asset: AssetId },
): Promise<Answer<DispatchView>> {
  return command(custody, call, async (tx, now) => {
    const vault = await findVault(tx, input.vaultId);
    if (vault === undefined) return notFound('vault', input.vaultId);
    const asset = await findAsset(tx, input.asset);
    if (asset === undefined || chainOf(input.asset) !== vault.chain) return assetNotAllowed(input.asset);
    if (asset.behaviour === 'fee-on-transfer') return losesOnTheWay(input.asset);
    const refused = await orderFlush(custody, tx, { vault, asset: input.asset, now });
    if (refused !== undefined) return refused;
    const [view] = await dispatchViews(tx, { relays: vault.id, state: 'queued', after: null, limit: 1 });
    return view ?? nothing(vault);
  });
}

/** The job `flush-forwarders`: the vault of a withdrawal has too little, and what it lacks may lie at forwarders. */
export async function flushForWithdrawal(custody: Custody, id: string): Promise<void> {
  const found = await findWithdrawal(custody.db, id);
  if (found?.vault === undefined || found.state.step !== 'awaiting-liquidity') return;
  const { asset } = found.terms;
  if ((await findAsset(custody.db, asset))?.behaviour === 'fee-on-transfer') return;
  const vault = await findVault(custody.db, found.vault);
  if (vault === undefined) return;
  // A refusal says that there is nothing to send on, or that the house has no gas: the withdrawal says that it waits.
  await custody.db.transaction((tx) => orderFlush(custody, tx, { vault, asset, now: custody.clock.now() }));
}

type Flush = { readonly vault: Vault; readonly asset: AssetId; readonly now: Date };

async function orderFlush(
  custody: Custody,
  tx: Transaction,
  { vault, asset, now }: Flush,
): Promise<Refused | undefined> {
  const salts = await filledForwarders(tx, vault, asset);
  if (salts.length === 0) return nothing(vault);
  const { system } = expectVaultsOn(custody, vault.chain);
  const token = contractOf(asset) ?? nativeToken;
  const data = callData(hashes, factoryCalls.flush, { vault: vault.address, salts, token });
  const missing = await orderRelay(custody, tx, {
    relays: vault.id,
    carries: vault.id,
    cargo: 'sweep',
    beneficiary: vault.compartment,
    chain: vault.chain,
    call: { to: system.factory, data },
    now,
  });
  return missing === undefined ? undefined : refuse('sweep/nothing-to-move', missing);
}

async function filledForwarders(
  db: Queries,
  vault: Vault,
  asset: AssetId,
): Promise<readonly ReturnType<typeof forwarderSalt>[]> {
  const rows = await db.query(
    `select w.forwarder_index from custody.wallet w join ledger.accounts a on a.holder = w.id and a.kind = 'wallet'
     where w.vault = $1 and a.compartment = $2 and a.asset = $3 and a.posted > 0 order by a.posted desc, w.id limit $4`,
    [vault.wallet ?? '', vault.compartment, asset, flushForwardersMax],
  );
  return rows.map((row) => forwarderSalt(bigint(row, 'forwarder_index')));
}

function nothing({ id }: Vault): Refused {
  return refuse('sweep/nothing-to-move', `No forwarder of vault ${id} has coins that are final and in the books.`, {
    vault: id,
  });
}
