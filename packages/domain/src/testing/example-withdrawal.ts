import { parseAddress } from '../address.ts';
import { type AssetId, nativeAsset, parseAssetId, parseChainId } from '../asset.ts';
import { type BlockRef, parseHash } from '../chain.ts';
import { parseCompartment } from '../compartment.ts';
import type { WithdrawalEvent } from '../withdrawal.ts';
import type { WithdrawalTerms } from '../withdrawal-terms.ts';

export const native: AssetId = nativeAsset(parseChainId('eip155:1'));
export const token: AssetId = parseAssetId(`eip155:1/erc20:0x${'a1'.repeat(20)}`);
export const block: BlockRef = { number: 9n, hash: parseHash(`0x${'9'.repeat(64)}`) };
/** A withdrawal of a token; principal and fee are held in different amounts, so that a hold says which one it is. */
export function exampleTerms(expiresAt: Date): WithdrawalTerms {
  return {
    deployment: '0'.repeat(32),
    id: 'wd_1',
    kind: 'withdrawal',
    client: 'cl_1',
    compartment: parseCompartment(100_000),
    asset: token,
    amount: 70n,
    destination: parseAddress(`0x${'d'.repeat(40)}`),
    feePayer: 'client',
    feeMax: 20n,
    requestedBy: 'olga',
    quorum: 2,
    expiresAt,
  };
}
export const here: string = 'wal_1';
export const elsewhere: string = 'wal_2';

export const found = (wallet: string): WithdrawalEvent => ({ type: 'liquidity-found', wallet });
export const missing: WithdrawalEvent = { type: 'liquidity-missing', reason: 'no wallet holds enough' };
