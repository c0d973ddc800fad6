import { type OwnMovement, invariant } from '@bulkhead/domain';
import type { Queries } from '@bulkhead/postgres';
import type { Dispatch } from './dispatch.ts';
import { findWallet } from './wallet.ts';

/** The bookkeeping side of a dispatch that is a workflow of its own; undefined for one that carries out a withdrawal. */
export async function ownMovement(tx: Queries, dispatch: Dispatch): Promise<OwnMovement | undefined> {
  const { kind } = dispatch;
  if (kind === 'withdrawal' || kind === 'deposit-return') return undefined;
  if (kind === 'relay') {
    const { id, compartment, wallet, asset, amount, feeMax } = dispatch;
    return {
      id,
      kind,
      compartment,
      wallet,
      asset,
      amount,
      feeMax,
      toCompartment: compartment,
      toWallet: '',
      client: '',
    };
  }
  invariant(dispatch.toWallet !== undefined, 'A movement between our own wallets names the receiving one.', {
    id: dispatch.id,
  });
  const receiver = await findWallet(tx, dispatch.toWallet);
  invariant(receiver !== undefined, 'A dispatch names a wallet that does not exist.', { id: dispatch.id });
  return {
    id: dispatch.id,
    kind,
    compartment: dispatch.compartment,
    wallet: dispatch.wallet,
    asset: dispatch.asset,
    amount: dispatch.amount,
    feeMax: dispatch.feeMax,
    toCompartment: receiver.compartment,
    toWallet: receiver.id,
    client: dispatch.client ?? '',
  };
}
