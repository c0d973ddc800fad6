import { z } from 'zod';
import { pageQuery } from './page.ts';
import { amount, amountInput, asset, assetInput, chain, chainInput, person, text, time } from './wire.ts';
import type { View } from './view.ts';

const behaviour = z.enum(['native', 'standard', 'fee-on-transfer']).meta({
  description: 'How a transfer moves balances. Rebasing tokens cannot be allow-listed.',
});
/** ISO 24165 digital token identifier: nine characters of a reduced alphabet. */
const dti = z
  .string()
  .regex(/^[0-9B-DF-HJ-NP-TV-XZ]{9}$/u, 'Expected a digital token identifier of ISO 24165: nine characters.')
  .meta({ description: 'ISO 24165 digital token identifier', example: 'X9J9K872S' });
/** ERC-20 allows 255; no asset that people hold needs more than this. */
export const decimalsMax = 36;
const decimals = z.int().min(0).max(decimalsMax);

export const assetAllowInput = z.strictObject({
  asset: assetInput,
  symbol: text(20).meta({ example: 'USDC' }),
  decimals,
  behaviour,
  dustMax: amountInput.meta({ description: 'A deposit of at most this many base units is booked to suspense' }),
  dti: dti.exactOptional(),
});

export const allowedAsset = z
  .strictObject({
    asset,
    chain,
    symbol: z.string(),
    decimals,
    behaviour,
    dustMax: amount,
    dti: dti.nullable(),
    allowedBy: person,
    allowedAt: time,
  })
  .meta({ id: 'Asset', description: 'An allow-listed asset' });

export const assetListQuery = z.strictObject({ ...pageQuery, chain: chainInput.exactOptional() });

export type AllowedAsset = View<typeof allowedAsset>;
export type AssetAllowInput = z.output<typeof assetAllowInput>;
export type AssetListQuery = z.output<typeof assetListQuery>;
