import { type AssetId, nativeAsset } from '@bulkhead/domain';
import { field, until, words } from './client.ts';
import type { Player, Scene } from './scene.ts';

/**
 * Waits until so many deposits are final, and has two people release those of clients: nothing here screens them.
 *
 * @returns when all of them are in the claims of their clients
 */
export async function creditDeposits({ api, cast, chain }: Scene, expected: number): Promise<void> {
  const deposits = await until(`${expected} deposits to be final`, async () => {
    const all = await api.list(cast.operator, `/v1/deposits?chain=${chain}`);
    const final = all.filter((deposit) => !['detected', 'removed'].includes(words(deposit, 'state')));
    return final.length >= expected ? all : undefined;
  });
  for (const deposit of deposits) {
    if (field(deposit, 'disposition') !== 'client') continue;
    const id = words(deposit, 'id');
    await api.ask(cast.approvers[0], `/v1/deposits/${id}/release`, { step: `propose-${id}` });
    await api.ask(cast.approvers[1], `/v1/deposits/${id}/release`, { step: `confirm-${id}` });
  }
  await until('the deposits to be released', async () => {
    const all = await api.list(cast.operator, `/v1/deposits?chain=${chain}`);
    const waiting = all.filter(
      (deposit) => field(deposit, 'disposition') === 'client' && words(deposit, 'state') === 'final',
    );
    return waiting.length === 0 ? true : undefined;
  });
}

/** What a client may dispose of, in wei. */
export async function availableCoin({ api, cast, chain }: Scene, { id }: Pick<Player, 'id'>): Promise<bigint> {
  const coin: AssetId = nativeAsset(chain);
  const found = (await api.list(cast.operator, `/v1/clients/${id}/balances`)).find(
    (one) => field(one, 'asset') === coin,
  );
  return found === undefined ? 0n : BigInt(words(found, 'available'));
}
